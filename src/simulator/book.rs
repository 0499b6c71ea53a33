//! The gateway's books: orders, refunds and keys in memory, rebuilt from the ledger at each start.

use super::{
    SimulatorArgs, bodies,
    faults::{self, Fault, Poison},
    latency::Dice,
    ledger::{Ledger, Line, Replied},
    money,
};
use std::{
    collections::{HashMap, HashSet},
    fs::OpenOptions,
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::oneshot, time::sleep};

/// Which GET after its POST finds a pending refund done.
const SETTLING_GET: u32 = 3;
/// How long after the request the effect of a slow order comes.
const SLOW: Duration = Duration::from_secs(2);

/// The merchants that the simulator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Merchant {
    Acme,
    Globex,
}

impl Merchant {
    pub(super) const ALL: [Self; 2] = [Self::Acme, Self::Globex];

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Acme => "acme",
            Self::Globex => "globex",
        }
    }
}

/// A refund that was carried out.
#[derive(Debug)]
pub(super) struct Refund {
    pub(super) key: String,
    pub(super) number: u64,
    pub(super) minor: i64,
    pub(super) created: String,
    pub(super) pending: bool,
    /// The gateway itself cannot tell how it ended.
    pub(super) unsure: bool,
    gets: u32,
}

impl Refund {
    pub(super) const fn status(&self) -> &'static str {
        if self.unsure {
            "MANUAL_REVIEW"
        } else if self.pending {
            "PENDING"
        } else {
            "SUCCESS"
        }
    }
}

/// What happened to an order.
#[derive(Debug, Default)]
pub(super) struct Order {
    posts: u32,
    keys: HashSet<String>,
    pub(super) refunded: i64,
    pub(super) refunds: Vec<Refund>,
}

#[derive(Default)]
struct Orders {
    by_id: HashMap<(Merchant, String), Order>,
    effects: u64,
}

/// A refund request, read. Fields that were not sent are empty.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) merchant: Merchant,
    pub(super) order_id: String,
    /// Set for `POST /refunds`.
    pub(super) txn_id: Option<String>,
    pub(super) key: String,
    pub(super) amount: String,
    pub(super) split: Option<String>,
}

/// What goes back to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GatewayReply {
    /// A whole reply.
    Body(u16, String),
    /// A 200 whose body ends in the middle.
    Cut(String),
    /// No reply: the connection is closed.
    HangUp,
    /// A 302 to this path.
    Redirect(String),
    /// A 200 whose body ends in very many blanks, packed or not.
    Padded { body: String, packed: bool },
}

/// The right answer made wrong.
fn poisoned(answer: GatewayReply, order_id: &str) -> GatewayReply {
    let (Some(poison), GatewayReply::Body(200, body)) = (faults::poison(order_id), &answer) else { return answer };
    let body = body.clone();
    match poison {
        Poison::Key | Poison::Amount | Poison::Currency | Poison::Row => {
            GatewayReply::Body(200, bodies::spoilt(&body, poison))
        }
        Poison::Redirect => GatewayReply::Redirect(format!("/orders/{order_id}?again")),
        Poison::Big => GatewayReply::Padded { body, packed: false },
        Poison::Gzip => GatewayReply::Padded { body, packed: true },
    }
}

pub(super) struct Book {
    args: SimulatorArgs,
    orders: Mutex<Orders>,
    ledger: Ledger,
    /// Numbers of pending refunds that a GET has found done: without it a restart would take back a SUCCESS.
    settled: PathBuf,
    dice: Dice,
}

impl Book {
    /// Opens the ledger and rebuilds the books from it.
    pub(super) fn open(args: SimulatorArgs) -> Result<Arc<Self>, String> {
        let (ledger, lines) = Ledger::open(&args.ledger)?;
        let mut settled = args.ledger.clone().into_os_string();
        settled.push(".settled");
        let settled = PathBuf::from(settled);
        if lines.is_empty() && settled.exists() {
            std::fs::remove_file(&settled).map_err(|e| format!("{} cannot be removed: {e}.", settled.display()))?;
        }
        let done: HashSet<u64> = std::fs::read_to_string(&settled)
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect();
        let mut orders = Orders::default();
        for line in lines {
            let merchant = Merchant::ALL.into_iter().find(|merchant| merchant.id() == line.merchant);
            let merchant =
                merchant.ok_or_else(|| format!("The ledger names an unknown merchant {:?}.", line.merchant))?;
            let number = orders.effects + 1;
            let order = orders.by_id.entry((merchant, line.order_id.clone())).or_default();
            order.posts += 1;
            if line.effect {
                let pending = args.pending_first || faults::is_pending(&line.order_id);
                let minor = money::parse(&line.amount).unwrap_or(0);
                let unsure = faults::is_unsure(&line.order_id);
                order.add(line.key, number, minor, &line.at, pending && !done.contains(&number), unsure);
                orders.effects = number;
            }
        }
        let dice = Dice::new(args.latency_ms, args.seed);
        Ok(Arc::new(Self { args, orders: Mutex::new(orders), ledger, settled, dice }))
    }

    /// Answers `GET /orders/{order_id}`, with nothing that a crash could still undo.
    pub(super) async fn get(&self, merchant: Merchant, order_id: &str) -> GatewayReply {
        let (before, after) = self.dice.draw();
        pause(before + after).await;
        let answer = self.look_up(merchant, order_id);
        match self.ledger.synced().await {
            Ok(()) => answer,
            Err(_) => GatewayReply::HangUp,
        }
    }

    fn look_up(&self, merchant: Merchant, order_id: &str) -> GatewayReply {
        if faults::is_missing(order_id) {
            return GatewayReply::Body(404, bodies::not_found(order_id));
        }
        let mut orders = self.lock();
        let fresh = Order::default();
        let order = match orders.by_id.get_mut(&(merchant, order_id.to_owned())) {
            Some(order) if !faults::is_hidden(order_id) => {
                self.count_get(order);
                &*order
            }
            _ => &fresh,
        };
        let answer = GatewayReply::Body(200, bodies::order(merchant, order_id, order));
        if order.posts > 0 { poisoned(answer, order_id) } else { answer }
    }

    /// Carries out a refund request with its faults. The caller keeps it running when the client goes away.
    pub(super) async fn post(&self, post: Post) -> GatewayReply {
        let (before, after) = self.dice.draw();
        pause(before).await;
        let count = {
            let mut orders = self.lock();
            let order = orders.by_id.entry((post.merchant, post.order_id.clone())).or_default();
            order.posts += 1;
            order.posts
        };
        let fault = faults::fault(&post.order_id, count);
        if fault == Fault::Slow {
            sleep(SLOW).await;
        }
        let (answer, kept) = self.decide(&post, fault);
        if kept.await.is_err() {
            return GatewayReply::HangUp;
        }
        if answer == GatewayReply::HangUp {
            sleep(Duration::from_millis(self.args.hang_ms)).await;
        }
        pause(after).await;
        answer
    }

    /// Decides, acts and writes the line under one lock, so that the ledger has the order in which things happened.
    fn decide(&self, post: &Post, fault: Fault) -> (GatewayReply, oneshot::Receiver<()>) {
        let mut orders = self.lock();
        let at = now();
        let (effect, status, body) = match fault {
            Fault::SilentBefore | Fault::ErrorBefore | Fault::TooMany => (false, 0, String::new()),
            Fault::Decline => (false, 400, bodies::refused("refund.not.allowed", "Refund is not allowed.")),
            _ => match self.act(&mut orders, post, &at) {
                Ok(body) => (true, 200, body),
                Err((status, body)) => (false, status, body),
            },
        };
        let answer = match fault {
            Fault::SilentBefore | Fault::SilentAfter => GatewayReply::HangUp,
            Fault::ErrorBefore | Fault::ErrorAfter => {
                GatewayReply::Body(500, bodies::error("internal_error", "Something went wrong."))
            }
            Fault::TooMany => GatewayReply::Body(429, bodies::error("too_many_requests", "Too many requests.")),
            Fault::Garbled if effect => GatewayReply::Cut(body),
            _ => poisoned(GatewayReply::Body(status, body), &post.order_id),
        };
        let reply = match &answer {
            GatewayReply::HangUp => Replied::Word("none".to_owned()),
            GatewayReply::Body(status, _) => Replied::Status(*status),
            GatewayReply::Redirect(_) => Replied::Status(302),
            GatewayReply::Cut(_) | GatewayReply::Padded { .. } => Replied::Status(200),
        };
        let kept = self.ledger.append(&Line {
            at,
            merchant: post.merchant.id().to_owned(),
            key: post.key.clone(),
            order_id: post.order_id.clone(),
            txn_id: post.txn_id.clone(),
            amount: post.amount.clone(),
            currency: "INR".to_owned(),
            effect,
            reply,
        });
        (answer, kept)
    }

    /// What a gateway without faults does: refuse with status and body, or refund and answer with the body.
    fn act(&self, orders: &mut Orders, post: &Post, at: &str) -> Result<String, (u16, String)> {
        if faults::is_missing(&post.order_id) {
            return Err((404, bodies::not_found(&post.order_id)));
        }
        if post.key.is_empty() || post.amount.is_empty() || post.txn_id.as_deref() == Some("") {
            return Err((400, bodies::bad_request("Mandatory fields are missing", "Mandatory fields are missing")));
        }
        if post.key.len() > 20 || !post.key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let message = "unique_request_id must have 1 to 20 letters and digits.";
            return Err((400, bodies::bad_request("invalid unique_request_id", message)));
        }
        let Some(minor) = money::parse(&post.amount) else {
            return Err((400, bodies::bad_request("invalid amount", "Amount is invalid.")));
        };
        if post.split.as_deref().is_some_and(|split| !is_split(split)) {
            let message = "metadata.split_settlement_details is not a split settlement.";
            return Err((400, bodies::bad_request("invalid split", message)));
        }
        let number = orders.effects + 1;
        let order = orders.by_id.entry((post.merchant, post.order_id.clone())).or_default();
        if !self.args.forget_keys && order.keys.contains(&post.key) {
            let message = "A refund call was already completed with this unique_request_id for the order.";
            return Err((400, bodies::refused("duplicate.call", message)));
        }
        if self.args.enforce_balance && order.refunded + minor > bodies::ORDER_AMOUNT {
            let message = "Refund amount exceeds the refundable amount.";
            return Err((400, bodies::refused("invalid.amount.exceeded", message)));
        }
        let pending = self.args.pending_first || faults::is_pending(&post.order_id);
        order.add(post.key.clone(), number, minor, at, pending, faults::is_unsure(&post.order_id));
        let body = match (&post.txn_id, order.refunds.last()) {
            (Some(txn_id), Some(refund)) => bodies::by_transaction(&post.order_id, txn_id, refund),
            _ => bodies::order(post.merchant, &post.order_id, order),
        };
        orders.effects = number;
        Ok(body)
    }

    fn count_get(&self, order: &mut Order) {
        for refund in order.refunds.iter_mut().filter(|refund| refund.pending) {
            refund.gets += 1;
            if refund.gets >= SETTLING_GET {
                refund.pending = false;
                let file = OpenOptions::new().append(true).create(true).open(&self.settled);
                if let Err(e) = file.and_then(|mut file| writeln!(file, "{}", refund.number)) {
                    eprintln!("{} cannot be written: {e}.", self.settled.display());
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Order {
    fn add(&mut self, key: String, number: u64, minor: i64, at: &str, pending: bool, unsure: bool) {
        let created = at.get(..19).map_or_else(|| at.to_owned(), |seconds| format!("{seconds}Z"));
        self.keys.insert(key.clone());
        self.refunded = self.refunded.saturating_add(minor);
        self.refunds.push(Refund { key, number, minor, created, pending, unsure, gets: 0 });
    }
}

/// Whether the text has the form of a split settlement.
fn is_split(text: &str) -> bool {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else { return false };
    let amount = |value: &serde_json::Value| value.get("refund_amount").is_some_and(serde_json::Value::is_number);
    let vendors = json.pointer("/vendor/split").and_then(serde_json::Value::as_array);
    json.get("marketplace").is_some_and(amount)
        && vendors.is_some_and(|vendors| {
            vendors
                .iter()
                .all(|vendor| vendor.get("sub_mid").is_some_and(serde_json::Value::is_string) && amount(vendor))
        })
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

/// RFC 3339, UTC.
#[expect(clippy::disallowed_methods, reason = "the simulator is a world of its own, with its own clock")]
fn now() -> String {
    let now = time::OffsetDateTime::now_utc();
    now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}
