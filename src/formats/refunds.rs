//! Refund files: two templates, one validator for server, browser and command line.

use super::canonical::{put, put_length, put_optional};
use super::field_table::{Notes, SPLIT_NOTES};
use super::file::{self, Checked, Format};
use super::findings::Findings;
use super::header::{self, Layout};
use super::repeats::{Key, Repeats};
use super::sheet::Sheet;
use super::stored_record::StoredRecord;
use domain::{limits::Limits, money::Currency, task::RecordExtra, view::Split};

mod check;
mod key;
mod results;
mod samples;

pub use key::{gateway_key, retry_key};
pub use results::{REFUND_RESULTS_HEADER, RefundResult, put_refund_result};
pub use samples::{TypedRefund, cell, typed_rows};

/// How many user defined fields a record has.
pub(crate) const UDFS: usize = 10;

/// The two layouts of a refund file, recognised by the names in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// All 19 columns; a row may or may not be split.
    Standard,
    /// Nine columns; every row is split.
    Split,
}

impl Template {
    /// Both templates.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Split];

    const fn described(self) -> &'static header::Template {
        match self {
            Self::Standard => &samples::STANDARD,
            Self::Split => &samples::SPLIT,
        }
    }

    /// The names in the header, in order.
    pub const fn columns(self) -> &'static [&'static str] {
        self.described().columns
    }
}

impl Layout for Template {
    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn template(self) -> &'static header::Template {
        self.described()
    }

    fn mandatory(self) -> &'static [&'static str] {
        &["order_id", "amount"]
    }

    /// Only the standard template has user defined fields; without them, a split column means the split template.
    fn nearest(names: &[&str]) -> Self {
        let has = |part: &str| names.iter().any(|name| header::folded(name).starts_with(part));
        if !has("udf") && (has("marketplace") || has("vendor")) { Self::Split } else { Self::Standard }
    }
}

/// Files of refunds in one currency.
#[derive(Clone, Copy)]
pub(super) struct Refunds(Currency);

impl Format for Refunds {
    type Layout = Template;
    type Record = RefundRecord;
    type Rows = check::Checker;

    const THING: &'static str = "refund";
    const RESULTS_HEADER: &'static str = REFUND_RESULTS_HEADER;
    const NOTES: &'static Notes = &SPLIT_NOTES;

    fn new(currency: Currency) -> Self {
        Self(currency)
    }

    fn ready(record: &RefundRecord) -> (u32, i64) {
        (record.row, record.amount_minor)
    }

    /// Blank user defined fields at the end are left out.
    fn stored(record: RefundRecord) -> StoredRecord {
        let mut udf = record.udf.to_vec();
        udf.truncate(udf.iter().rposition(|text| !text.is_empty()).map_or(0, |last| last + 1));
        let extra = RecordExtra { split: record.split, udf, ..RecordExtra::default() };
        StoredRecord {
            number: record.number,
            row: record.row,
            order_id: record.order_id,
            amount_minor: record.amount_minor,
            txn_id: record.txn_id,
            unique_id: record.unique_id,
            extra: extra.boxed(),
        }
    }

    fn restored(stored: &StoredRecord) -> RefundRecord {
        let extra = stored.extra.as_deref().cloned().unwrap_or_default();
        let mut udf: [String; UDFS] = Default::default();
        for (place, text) in udf.iter_mut().zip(extra.udf) {
            *place = text;
        }
        RefundRecord {
            number: stored.number,
            row: stored.row,
            order_id: stored.order_id.clone(),
            amount_minor: stored.amount_minor,
            txn_id: stored.txn_id.clone(),
            unique_id: stored.unique_id.clone(),
            split: extra.split,
            udf,
        }
    }

    fn canonical(self, record: &RefundRecord) -> Vec<u8> {
        record.canonical(self.0)
    }

    fn cell(self, column: &str, record: &RefundRecord) -> String {
        cell(column, record, self.0)
    }

    fn keys(layout: Template) -> Vec<Key> {
        check::keys(layout)
    }

    fn rows(self, layout: Template, repeats: Repeats, findings: Findings) -> check::Checker {
        check::Checker::new(layout, self.0, repeats, findings)
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
    /// Everything that decides what is sent and reported, as bytes that no other record has: the base of the request's
    /// hash. A change of this form would void every stored hash, so the version stands in front.
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
    file::check_bytes(Refunds(currency), bytes, limits)
}

/// Checks a sheet again after it was edited. The result's `sheet` stays empty: the caller has it.
pub fn check_sheet(sheet: &Sheet, currency: Currency, limits: Limits) -> CheckedRefunds {
    file::check_cells(Refunds(currency), sheet, limits)
}

#[cfg(test)]
use domain::finding::Finding;
#[cfg(test)]
use key::fits_gateway_key;
#[cfg(test)]
mod tests;
