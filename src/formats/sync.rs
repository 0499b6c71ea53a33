//! Order sync files: one layout, one validator for server, browser and command line.

use super::canonical::{put, put_optional};
use super::file::{self, Checked, Format};
use super::findings::Findings;
use super::header::Layout;
use super::results::put_text;
use super::sheet::Sheet;
use crate::domain::limits::Limits;

mod check;
mod results;

pub use results::{SYNC_RESULTS_HEADER, SyncResult, put_sync_result};

/// The one layout of an order sync file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template;

/// The names in the header, in order.
pub const COLUMNS: [&str; 3] = ["order_id", "txn_id", "unique_request_id"];

/// The sample file; it passes the validator.
pub const SAMPLE: &str = "order_id,txn_id,unique_request_id
ORD_123456789,TXN_987654321,SYNC_REQ_001
ORD_234567890,TXN_876543210,SYNC_REQ_002
ORD_345678901,TXN_765432109,SYNC_REQ_003
ORD_456789012,,SYNC_REQ_004
ORD_567890123,TXN_543210987,
";

impl Layout for Template {
    fn all() -> &'static [Self] {
        &[Self]
    }

    fn columns(self) -> &'static [&'static str] {
        &COLUMNS
    }

    fn mandatory(self) -> &'static [&'static str] {
        &["order_id"]
    }

    fn title(self) -> &'static str {
        "Order sync, 3 columns"
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
    /// Everything that decides what is asked and reported, as bytes that no other record has: the base of the record's hash. A
    /// change of this form would void every stored hash, so the version stands in front.
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
struct Orders;

impl Format for Orders {
    type Layout = Template;
    type Record = SyncRecord;
    type Rows<'a> = check::Checker<'a>;

    const THING: &'static str = "order";

    fn rows<'a>(self, _: Template, findings: Findings) -> check::Checker<'a> {
        check::Checker::new(findings)
    }
}

/// What the validator found out about a file of orders.
pub type CheckedOrders = Checked<Template, SyncRecord>;

/// Checks a whole file and keeps its cells.
pub fn check_orders(bytes: &[u8], limits: Limits) -> CheckedOrders {
    file::check_bytes(Orders, bytes, limits, true)
}

/// Checks a whole file and hands each clean row to `sink` as it is read. The result's `records` and `sheet` stay empty. A later
/// finding may still refuse the file: act on nothing before the end.
pub fn check_orders_each(bytes: &[u8], limits: Limits, sink: &mut dyn FnMut(SyncRecord)) -> CheckedOrders {
    file::check(Orders, bytes, limits, None, sink)
}

/// Checks a sheet again after it was edited. The result's `sheet` stays empty: the caller has it.
pub fn check_sheet(sheet: &Sheet, limits: Limits) -> CheckedOrders {
    file::check_cells(Orders, sheet, limits)
}

/// A file of chosen records, which can be uploaded again as it is.
pub fn failed_rows<'a>(records: impl IntoIterator<Item = &'a SyncRecord>) -> String {
    let mut out = COLUMNS.join(",");
    out.push('\n');
    for record in records {
        put_failed_row(&mut out, record);
    }
    out
}

/// One line of such a file.
pub fn put_failed_row(out: &mut String, record: &SyncRecord) {
    put_text(out, &record.order_id);
    for id in [&record.txn_id, &record.unique_request_id] {
        out.push(',');
        put_text(out, id.as_deref().unwrap_or(""));
    }
    out.push('\n');
}

#[cfg(test)]
mod tests;
