//! Refund files with known rows: each order stands once, and its name says what the gateway does to it.

use super::random::Random;
use std::fmt::Write;

const HEADER: &str = "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10";

/// What the simulator does to an order with one of its prefixes, and how such a row must end.
pub(super) const FAULTS: [(&str, End); 10] = [
    ("ORD_MISSING_", End::Failed),
    ("ORD_DECLINE_", End::Failed),
    ("ORD_PENDING_", End::Accepted),
    ("ORD_T_BEFORE_", End::Accepted),
    ("ORD_T_AFTER_", End::Accepted),
    ("ORD_500_BEFORE_", End::Accepted),
    ("ORD_500_AFTER_", End::Accepted),
    ("ORD_429_", End::Accepted),
    ("ORD_SLOW_", End::Accepted),
    ("ORD_GARBLED_", End::Accepted),
];

/// What the simulator says of orders with these prefixes cannot be believed: nothing about them may be called done or
/// failed.
pub(super) const POISONS: [&str; 7] =
    ["ORD_P_KEY_", "ORD_P_AMOUNT_", "ORD_P_CURRENCY_", "ORD_P_ROW_", "ORD_P_302_", "ORD_P_BIG_", "ORD_P_GZIP_"];

/// How a row must end on a connection that keeps keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Accepted,
    Failed,
    /// In doubt: asked after, or before people.
    Open,
}

/// A row as it is uploaded.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) order: String,
    /// Minor units.
    pub(super) amount: i64,
    pub(super) txn: Option<String>,
    pub(super) unique_id: Option<String>,
    pub(super) end: End,
    pub(super) faulty: bool,
    split: bool,
}

/// A file to upload.
#[derive(Clone, Debug)]
pub(super) struct RefundFile {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

impl RefundFile {
    /// `each` rows of every fault among `plain` ones, in an order that the seed decides. `tag` makes order ids and keys
    /// unique: letters and digits, short.
    pub(super) fn new(tag: &str, random: &mut Random, each: usize, plain: usize) -> Self {
        let faults = FAULTS.iter().map(|(prefix, end)| (*prefix, *end, each));
        Self::of(tag, random, faults.chain([("ORD_", End::Accepted, plain)]))
    }

    /// So many rows of each prefix, that must end so.
    pub(super) fn of(
        tag: &str,
        random: &mut Random,
        kinds: impl IntoIterator<Item = (&'static str, End, usize)>,
    ) -> Self {
        let kinds = kinds.into_iter().flat_map(|(prefix, end, count)| std::iter::repeat_n((prefix, end), count));
        let mut kinds: Vec<(&str, End)> = kinds.collect();
        random.shuffle(&mut kinds);
        let rows = kinds.into_iter().enumerate().map(|(at, (prefix, end))| Row {
            order: format!("{prefix}{tag}x{at}"),
            amount: i64::try_from(random.within(100..=999_999)).unwrap(),
            // A refund by transaction is answered without a currency.
            txn: (at % 7 == 3 && prefix != "ORD_P_CURRENCY_").then(|| format!("txn-{tag}-{at}")),
            unique_id: (at % 3 == 1).then(|| format!("U{tag}R{at}")),
            end,
            faulty: prefix != "ORD_",
            split: at % 11 == 5,
        });
        Self { name: format!("proof_{tag}.csv"), rows: rows.collect() }
    }

    /// Plain rows: order, minor units, unique id.
    pub(super) fn plain(tag: &str, rows: impl IntoIterator<Item = (String, i64, Option<String>)>) -> Self {
        let row = |(order, amount, unique_id)| Row {
            order,
            amount,
            txn: None,
            unique_id,
            end: End::Accepted,
            faulty: false,
            split: false,
        };
        Self { name: format!("proof_{tag}.csv"), rows: rows.into_iter().map(row).collect() }
    }

    /// The file's bytes.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (at, row) in self.rows.iter().enumerate() {
            let (market, vendor, rest) = if row.split {
                (rupees(row.amount - 40), "VENDORA", rupees(40))
            } else {
                (String::new(), "", String::new())
            };
            let cells = [row.txn.as_deref(), row.unique_id.as_deref()].map(Option::unwrap_or_default);
            let amount = rupees(row.amount);
            let [txn, unique_id] = cells;
            let _ = writeln!(
                text,
                "{},{amount},{txn},{unique_id},{market},{vendor},{rest},,,note {at},,,,,,,,,",
                row.order
            );
        }
        text
    }

    pub(super) fn faulty(&self) -> usize {
        self.rows.iter().filter(|row| row.faulty).count()
    }
}

/// Minor units as text with two decimals.
pub(super) fn rupees(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// Text with two decimals as minor units. Nothing else is an amount.
pub(super) fn minor(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() != 2 {
        return None;
    }
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(part.parse().ok()?)
}
