//! The store of orders: its list, an order's page, and refunds that are made from orders.

use super::{DisplayTime, Repeat, retries::HistoryEvent};
use crate::{
    finding::Finding,
    ids::{BatchId, DraftId},
    money::Money,
    page::{Day, encode},
};

/// The address of an order's page. An order that is called as a page of ours is written so that the two stay apart.
pub fn order_path(order_id: &str) -> String {
    match order_id {
        "refund" => "/orders/%72efund".to_owned(),
        order_id => format!("/orders/{}", encode(order_id)),
    }
}

/// How much of an order is refunded, as the gateway says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refunded {
    /// Nothing.
    Nothing,
    /// Part of it.
    Partly,
    /// All of it.
    Wholly,
}

impl Refunded {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Partly, Self::Wholly];

    /// The name in the address and in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Partly => "partly",
            Self::Wholly => "wholly",
        }
    }

    /// What people read.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Nothing => "Not refunded",
            Self::Partly => "Partly refunded",
            Self::Wholly => "Wholly refunded",
        }
    }
}

/// Where a page of the list begins: beside this order, whose place is named by what the list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Microseconds since 1970, or the text that matched the search.
    pub key: String,
    /// The order.
    pub order_id: String,
}

impl Place {
    /// In the address: length of the key, then key and order.
    pub fn text(&self) -> String {
        format!("{}.{}{}", self.key.len(), self.key, self.order_id)
    }

    fn read(text: &str) -> Option<Self> {
        let (length, rest) = text.split_once('.')?;
        let length: usize = length.parse().ok()?;
        let (key, order_id) = (rest.get(..length)?, rest.get(length..)?);
        Some(Self { key: key.to_owned(), order_id: order_id.to_owned() })
    }
}

/// Which way a page of the list goes from a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// The rows after it.
    After(Place),
    /// The rows before it.
    Before(Place),
}

/// The state of the list of orders. In the address: `?q=ORD_&status=CHARGED&refunded=none&since=2026-11-01`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderQuery {
    /// The beginning of an order or transaction id; empty for all.
    pub search: String,
    /// The gateway's word; empty for all.
    pub status: String,
    /// How much is refunded.
    pub refunded: Option<Refunded>,
    /// Seen on this day or later, in the organisation's zone.
    pub since: Option<Day>,
    /// The page; none for the first.
    pub from: Option<From>,
}

impl OrderQuery {
    /// Reads the pairs of a query string; what is unknown is ignored.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        for (name, value) in pairs {
            match name {
                "q" => query.search = value.to_owned(),
                "status" => query.status = value.to_owned(),
                "refunded" => query.refunded = Refunded::ALL.into_iter().find(|refunded| refunded.code() == value),
                "since" => query.since = value.parse().ok(),
                "after" => query.from = Place::read(value).map(From::After),
                "before" => query.from = Place::read(value).map(From::Before),
                _ => {}
            }
        }
        query
    }

    /// The address of the list in this state.
    pub fn to_path(&self) -> String {
        let mut pairs = Vec::new();
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                pairs.push(format!("{name}={}", encode(value)));
            }
        };
        add("q", &self.search);
        add("status", &self.status);
        add("refunded", self.refunded.map_or("", Refunded::code));
        add("since", self.since.as_ref().map_or("", Day::text));
        match &self.from {
            None => {}
            Some(From::After(place)) => add("after", &place.text()),
            Some(From::Before(place)) => add("before", &place.text()),
        }
        if pairs.is_empty() { "/orders".to_owned() } else { format!("/orders?{}", pairs.join("&")) }
    }

    /// Whether anything but the page is chosen.
    pub fn is_narrowed(&self) -> bool {
        Self { from: None, ..self.clone() } != Self::default()
    }
}

/// An order as it was last seen at the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrder {
    /// Order.
    pub order_id: String,
    /// The transaction that the search found it by.
    pub transaction: Option<String>,
    /// The gateway's word.
    pub status: String,
    /// Whether money was captured.
    pub charged: bool,
    /// Of the order.
    pub amount: Money,
    /// At the gateway.
    pub refunded: Money,
    /// Refunds that the gateway knows.
    pub refunds: u64,
    /// Refunds of ours that the reading does not show yet: asked for, queued or just done.
    pub on_way: Money,
    /// What can be refunded now, or why nothing can.
    pub left: Result<Money, String>,
    /// When it was read.
    pub seen: DisplayTime,
    /// Who asked.
    pub asked_by: String,
    /// In which batch.
    pub batch: (BatchId, String),
    /// The batch's page.
    pub batch_path: String,
}

/// The list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderList {
    /// What it shows.
    pub query: OrderQuery,
    /// A page of it.
    pub orders: Vec<StoredOrder>,
    /// Whether any order is stored at all.
    pub any: bool,
    /// The gateway's words that there are.
    pub statuses: Vec<String>,
    /// The neighbouring pages.
    pub newer: Option<String>,
    /// The neighbouring pages.
    pub older: Option<String>,
    /// Whether the caller may refund.
    pub may_refund: bool,
    /// Whether the caller may synchronise.
    pub may_sync: bool,
}

/// A refund that the gateway knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRefund {
    /// The key it was sent under.
    pub key: String,
    /// The gateway's reference.
    pub reference: String,
    /// How much.
    pub amount: Option<Money>,
    /// The gateway's word.
    pub status: String,
    /// STANDARD, INSTANT, or blank.
    pub kind: String,
    /// The history of our task with this key.
    pub history: Option<String>,
}

/// One thing that happened to an order, with the pages that tell more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderStep {
    /// What.
    pub step: HistoryEvent,
    /// Address and words.
    pub links: Vec<(String, String)>,
}

/// An order's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPage {
    /// Order.
    pub order_id: String,
    /// As last seen; none when it was never synchronised.
    pub seen: Option<StoredOrder>,
    /// Ids of its transactions.
    pub transactions: Vec<String>,
    /// Its refunds at the gateway.
    pub refunds: Vec<GatewayRefund>,
    /// The answer as it came, secrets taken out.
    pub raw: String,
    /// What happened, newest first.
    pub history: Vec<OrderStep>,
    /// There is more than is shown.
    pub more: bool,
    /// Whether the caller may refund.
    pub may_refund: bool,
    /// Whether the caller may synchronise.
    pub may_sync: bool,
}

/// Orders that are to be refunded, as a person typed them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefundSelection {
    /// One refund each.
    pub orders: Vec<ChosenOrder>,
    /// For the checker.
    pub description: String,
    /// What the intake found in an earlier try.
    pub draft: Option<DraftId>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChosenOrder {
    /// Order.
    pub order_id: String,
    /// As typed; none for what is left.
    pub amount: Option<String>,
    /// As typed; empty for a key of ours.
    pub unique_id: String,
}

impl RefundSelection {
    /// Reads the fields of the form, or of an address: `order`, and after it what belongs to it. An order counts once.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut chosen = Self::default();
        let mut known = std::collections::HashSet::new();
        let mut open = false;
        for (name, value) in pairs {
            let last = chosen.orders.last_mut().filter(|_| open);
            match (name, last) {
                ("order", _) => {
                    open = !value.is_empty() && known.insert(value.to_owned());
                    if open {
                        chosen.orders.push(ChosenOrder { order_id: value.to_owned(), ..ChosenOrder::default() });
                    }
                }
                ("amount", Some(order)) => order.amount = Some(value.to_owned()),
                ("unique_id", Some(order)) => order.unique_id = value.to_owned(),
                ("description", _) => chosen.description = value.to_owned(),
                ("draft", _) => chosen.draft = value.parse().ok(),
                _ => {}
            }
        }
        chosen
    }

    /// The fields of the form.
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let mut add = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
        for order in &self.orders {
            add("order", &order.order_id);
            if let Some(amount) = &order.amount {
                add("amount", amount);
            }
            add("unique_id", &order.unique_id);
        }
        add("description", &self.description);
        if let Some(draft) = self.draft {
            add("draft", &draft.to_string());
        }
        pairs
    }

    /// The address of the page that refunds these orders, as nobody typed over them yet.
    pub fn path<'a>(orders: impl IntoIterator<Item = &'a str>) -> String {
        let orders: Vec<String> = orders.into_iter().map(|order| format!("order={}", encode(order))).collect();
        format!("/orders/refund?{}", orders.join("&"))
    }
}

/// One line of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundLine {
    /// Row of the file that it becomes.
    pub row: u32,
    /// The order.
    pub order: StoredOrder,
    /// How much can be refunded.
    pub left: Money,
    /// As typed.
    pub amount: String,
    /// As typed.
    pub unique_id: String,
    /// What is wrong: column and sentence.
    pub errors: Vec<(String, String)>,
}

/// The page that refunds orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundOrders {
    /// One refund each.
    pub lines: Vec<RefundLine>,
    /// Chosen orders that cannot be refunded, and why.
    pub left_out: Vec<(String, String)>,
    /// What they come to; none while an amount cannot be read.
    pub total: Option<Money>,
    /// As typed.
    pub description: String,
    /// Whether a checker must decide.
    pub maker_checker: bool,
    /// Who could.
    pub approvers: Vec<String>,
    /// What is wrong with all of them together.
    pub findings: Vec<String>,
    /// What went out before.
    pub repeats: Vec<Repeat>,
    /// Warnings that must be confirmed.
    pub warnings: Vec<Finding>,
    /// Names exactly these lines: a tick "anyway" holds for the lines that it was shown with, and for no others.
    pub seal: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_survives_the_address() {
        let decode = |path: &str| -> Vec<(String, String)> {
            let query = path.split_once('?').map_or("", |(_, query)| query);
            let text = |text: &str| {
                let mut bytes = Vec::new();
                let mut parts = text.split('%');
                bytes.extend(parts.next().unwrap().bytes());
                for part in parts {
                    bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
                    bytes.extend(part[2..].bytes());
                }
                String::from_utf8(bytes).unwrap()
            };
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), text(value))).collect()
        };
        let place = |key: &str, order: &str| Place { key: key.to_owned(), order_id: order.to_owned() };
        for from in [None, Some(From::After(place("1763700000000000", "A.1"))), Some(From::Before(place("é.7", "ü")))]
        {
            let query = OrderQuery {
                search: "é&=".to_owned(),
                status: "CHARGED".to_owned(),
                refunded: Some(Refunded::Partly),
                since: "2026-11-01".parse().ok(),
                from,
            };
            let pairs = decode(&query.to_path());
            assert_eq!(OrderQuery::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))), query);
            assert!(query.is_narrowed());
        }
        assert_eq!(OrderQuery::default().to_path(), "/orders");
        assert!(!OrderQuery::from_pairs([("after", "3.abcX"), ("refunded", "perhaps")]).is_narrowed());
        for no_place in ["", "x", "9.short", "1.é"] {
            assert_eq!(OrderQuery::from_pairs([("after", no_place)]).from, None, "{no_place}");
        }
    }

    #[test]
    fn an_order_has_an_address_whatever_it_is_called() {
        assert_eq!(order_path("A/B ?"), "/orders/A%2FB%20%3F");
        assert_eq!(order_path("refund"), "/orders/%72efund");
    }

    #[test]
    fn what_stands_behind_an_order_belongs_to_it_and_an_order_counts_once() {
        let chosen = RefundSelection::from_pairs([
            ("amount", "9"),
            ("order", "A"),
            ("amount", "1"),
            ("order", "B"),
            ("order", "A"),
            ("amount", "2"),
            ("unique_id", "U"),
            ("description", "why"),
        ]);
        let orders: Vec<_> =
            chosen.orders.iter().map(|o| (o.order_id.as_str(), o.amount.as_deref(), o.unique_id.as_str())).collect();
        assert_eq!(orders, [("A", Some("1"), ""), ("B", None, "")]);
        assert_eq!(chosen.description, "why");
        let pairs = chosen.to_pairs();
        assert_eq!(
            RefundSelection::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
            chosen
        );
        assert_eq!(RefundSelection::path(["A B", "C"]), "/orders/refund?order=A%20B&order=C");
    }
}
