//! Refund files: two templates, one validator for server, browser and command line.

use super::canonical::{put, put_length, put_optional};
use super::file::{self, Checked, Format};
use super::findings::Findings;
use super::header::Layout;
use super::sheet::Sheet;
use crate::domain::{limits::Limits, money::Currency, view::Split};

mod check;
mod key;
mod samples;

pub use key::{fits_gateway_key, gateway_key, retry_key};
pub use samples::{TypedRefund, cell, put_failed_row, sample, typed_rows};

/// How many user defined fields a record has.
pub const UDFS: usize = 10;

const STANDARD: [&str; 19] = [
    "order_id",
    "amount",
    "txn_id",
    "unique_id",
    "marketplace_amount",
    "vendor1_id",
    "vendor1_amount",
    "vendor2_id",
    "vendor2_amount",
    "udf1",
    "udf2",
    "udf3",
    "udf4",
    "udf5",
    "udf6",
    "udf7",
    "udf8",
    "udf9",
    "udf10",
];
const SPLIT: [&str; 9] = [
    "order_id",
    "amount",
    "marketplace_amount",
    "vendor1_id",
    "vendor1_amount",
    "vendor2_id",
    "vendor2_amount",
    "txn_id",
    "unique_id",
];

/// The two layouts of a refund file, recognised by the names in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// All 19 columns; a row may or may not be split.
    Standard,
    /// Nine columns; every row is split.
    Split,
}

impl Template {
    /// Both templates.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Split];

    /// The names in the header, in order.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Standard => &STANDARD,
            Self::Split => &SPLIT,
        }
    }

    /// What people see.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Standard => "Standard, 19 columns",
            Self::Split => "Split settlement, 9 columns",
        }
    }

    /// The name in the database and in machine answers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Split => "split",
        }
    }

    /// The template with this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.code() == code)
    }

    /// The name of its sample file.
    pub const fn sample_name(self) -> &'static str {
        match self {
            Self::Standard => "batch_refunds_sample.csv",
            Self::Split => "batch_refunds_split_sample.csv",
        }
    }
}

impl Layout for Template {
    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn columns(self) -> &'static [&'static str] {
        self.columns()
    }

    fn mandatory(self) -> &'static [&'static str] {
        &["order_id", "amount"]
    }

    fn title(self) -> &'static str {
        self.title()
    }

    /// Only the standard template has user defined fields; without them, a split column means the split template.
    fn nearest(names: &[&str]) -> Self {
        let has = |part: &str| names.iter().any(|name| super::header::folded(name).starts_with(part));
        if !has("udf") && (has("marketplace") || has("vendor")) { Self::Split } else { Self::Standard }
    }
}

/// Files of refunds in one currency.
#[derive(Clone, Copy)]
struct Refunds(Currency);

impl Format for Refunds {
    type Layout = Template;
    type Record = RefundRecord;
    type Rows<'a> = check::Checker<'a>;

    const THING: &'static str = "refund";

    fn rows<'a>(self, layout: Template, findings: Findings) -> check::Checker<'a> {
        check::Checker::new(layout, self.0, findings)
    }
}

/// One refund, as validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRecord {
    /// S.No: the number of the data row, from 1.
    pub number: u32,
    /// Row of the spreadsheet (header is 1).
    pub row: u32,
    /// The order to refund.
    pub order_id: String,
    /// Amount in minor units, above zero.
    pub amount_minor: i64,
    /// The transaction to refund instead of the order.
    pub txn_id: Option<String>,
    /// The maker's own id of the refund, once in a file.
    pub unique_id: Option<String>,
    /// Parts of a split settlement; they sum to the amount.
    pub split: Option<Split>,
    /// User defined fields, as written; empty in the split template.
    pub udf: [String; UDFS],
}

impl RefundRecord {
    /// Everything that decides what is sent and reported, as bytes that no other record has: the base of the request's hash.
    /// A change of this form would void every stored hash, so the version stands in front.
    pub fn canonical(&self, currency: Currency) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(b"batchdesk-refund-1");
        out.extend_from_slice(&self.number.to_be_bytes());
        put(&mut out, currency.code());
        put(&mut out, &self.order_id);
        out.extend_from_slice(&self.amount_minor.to_be_bytes());
        put_optional(&mut out, self.txn_id.as_deref());
        put_optional(&mut out, self.unique_id.as_deref());
        match &self.split {
            None => out.push(0),
            Some(split) => {
                out.push(1);
                match split.marketplace {
                    None => out.push(0),
                    Some(minor) => {
                        out.push(1);
                        out.extend_from_slice(&minor.to_be_bytes());
                    }
                }
                put_length(&mut out, split.vendors.len());
                for (vendor, minor) in &split.vendors {
                    put(&mut out, vendor);
                    out.extend_from_slice(&minor.to_be_bytes());
                }
            }
        }
        for text in &self.udf {
            put(&mut out, text);
        }
        out
    }
}

/// What the validator found out about a file of refunds.
pub type CheckedRefunds = Checked<Template, RefundRecord>;

/// Checks a whole file and keeps its cells.
pub fn check_refunds(bytes: &[u8], currency: Currency, limits: Limits) -> CheckedRefunds {
    file::check_bytes(Refunds(currency), bytes, limits, true)
}

/// Checks a whole file and keeps the records only: for a server, where nobody edits cells.
pub fn check_refund_records(bytes: &[u8], currency: Currency, limits: Limits) -> CheckedRefunds {
    file::check_bytes(Refunds(currency), bytes, limits, false)
}

/// Checks a whole file and hands each clean row to `sink` as it is read: for files too large to be held as records.
/// The result's `records` and `sheet` stay empty. A later finding may still refuse the file: act on nothing before the end.
pub fn check_refunds_each(
    bytes: &[u8],
    currency: Currency,
    limits: Limits,
    sink: &mut dyn FnMut(RefundRecord),
) -> CheckedRefunds {
    file::check(Refunds(currency), bytes, limits, None, sink)
}

/// Checks a sheet again after it was edited. The result's `sheet` stays empty: the caller has it.
pub fn check_sheet(sheet: &Sheet, currency: Currency, limits: Limits) -> CheckedRefunds {
    file::check_cells(Refunds(currency), sheet, limits)
}

#[cfg(test)]
use crate::domain::finding::Finding;
#[cfg(test)]
mod tests;
