//! Order sync files: one layout, one validator for server, browser and command line.

use super::canonical::{put, put_optional};
use super::field_table::{self, Notes, ORDER_NOTES};
use super::file::{self, Checked, Format};
use super::findings::Findings;
use super::header::{self, Layout};
use super::repeats::{Key, Repeats};
use super::sheet::Sheet;
use super::stored_record::StoredRecord;
use domain::{limits::Limits, money::Currency, task::RecordExtra};

mod check;
mod results;

pub use results::{SYNC_RESULTS_HEADER, SyncResult, put_sync_result};

/// The one layout of an order sync file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template;

/// The names in the header, in order.
pub const COLUMNS: [&str; 3] = ["order_id", "txn_id", "unique_request_id"];

const TEMPLATE: header::Template = header::Template {
    code: "order_sync",
    title: "Order sync, 3 columns",
    columns: &COLUMNS,
    fields_title: "CSV fields",
    fields: &field_table::SYNC,
    sample: "order_id,txn_id,unique_request_id
ORD_123456789,TXN_987654321,SYNC_REQ_001
ORD_234567890,TXN_876543210,SYNC_REQ_002
ORD_345678901,TXN_765432109,SYNC_REQ_003
ORD_456789012,,SYNC_REQ_004
ORD_567890123,TXN_543210987,
",
};

impl Layout for Template {
    fn all() -> &'static [Self] {
        &[Self]
    }

    fn template(self) -> &'static header::Template {
        &TEMPLATE
    }

    fn mandatory(self) -> &'static [&'static str] {
        &["order_id"]
    }

    fn nearest(_: &[&str]) -> Self {
        Self
    }
}

/// One order to be brought up to date, as validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRecord {
    /// S.No: the number of the data row, from 1.
    pub number: u32,
    /// Row of the spreadsheet (header is 1).
    pub row: u32,
    /// The order, once in a file.
    pub order_id: String,
    /// A transaction that the order must have.
    pub txn_id: Option<String>,
    /// The maker's own id of the request.
    pub unique_request_id: Option<String>,
}

impl SyncRecord {
    /// Everything that decides what is asked and reported, as bytes that no other record has: the base of the record's
    /// hash. A change of this form would void every stored hash, so the version stands in front.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        out.extend_from_slice(b"batchdesk-order-sync-1");
        out.extend_from_slice(&self.number.to_be_bytes());
        put(&mut out, &self.order_id);
        put_optional(&mut out, self.txn_id.as_deref());
        put_optional(&mut out, self.unique_request_id.as_deref());
        out
    }
}

/// Files of orders.
#[derive(Clone, Copy)]
pub(super) struct Orders;

impl Format for Orders {
    type Layout = Template;
    type Record = SyncRecord;
    type Rows = check::Checker;

    const THING: &'static str = "order";
    const RESULTS_HEADER: &'static str = SYNC_RESULTS_HEADER;
    const NOTES: &'static Notes = &ORDER_NOTES;

    fn new(_: Currency) -> Self {
        Self
    }

    fn ready(record: &SyncRecord) -> (u32, i64) {
        (record.row, 0)
    }

    /// The request's own id only tracks it: it may come again in another batch, so it is not taken as a refund's is.
    fn stored(record: SyncRecord) -> StoredRecord {
        let extra = RecordExtra { unique_request_id: record.unique_request_id, ..RecordExtra::default() };
        StoredRecord {
            number: record.number,
            row: record.row,
            order_id: record.order_id,
            txn_id: record.txn_id,
            extra: extra.boxed(),
            ..StoredRecord::default()
        }
    }

    fn restored(stored: &StoredRecord) -> SyncRecord {
        SyncRecord {
            number: stored.number,
            row: stored.row,
            order_id: stored.order_id.clone(),
            txn_id: stored.txn_id.clone(),
            unique_request_id: stored.extra.as_deref().and_then(|extra| extra.unique_request_id.clone()),
        }
    }

    fn canonical(self, record: &SyncRecord) -> Vec<u8> {
        record.canonical()
    }

    fn cell(self, column: &str, record: &SyncRecord) -> String {
        match column {
            "order_id" => record.order_id.clone(),
            "txn_id" => record.txn_id.clone().unwrap_or_default(),
            _ => record.unique_request_id.clone().unwrap_or_default(),
        }
    }

    fn keys(_: Template) -> Vec<Key> {
        check::KEYS.to_vec()
    }

    fn rows(self, _: Template, repeats: Repeats, findings: Findings) -> check::Checker {
        check::Checker::new(repeats, findings)
    }
}

/// What the validator found out about a file of orders.
pub type CheckedOrders = Checked<Template, SyncRecord>;

/// Checks a whole file and keeps its cells.
pub fn check_orders(bytes: &[u8], limits: Limits) -> CheckedOrders {
    file::check_bytes(Orders, bytes, limits)
}

/// Checks a sheet again after it was edited. The result's `sheet` stays empty: the caller has it.
pub fn check_sheet(sheet: &Sheet, limits: Limits) -> CheckedOrders {
    file::check_cells(Orders, sheet, limits)
}

#[cfg(test)]
mod tests;
