//! Files of `test_send`: orders, each with an amount.

use super::amount::complaint;
use super::canonical::put;
use super::cells::id;
use super::field_table::{Field, Notes};
use super::file::{Format, Rows};
use super::findings::{At, Findings};
use super::header::{self, Layout};
use super::repeats::Repeats;
use super::stored_record::StoredRecord;
use domain::{
    finding::FindingCode,
    money::{Currency, Money, parse_amount},
};

/// The one layout.
#[derive(Clone, Copy)]
pub(super) struct Template;

/// Files in it, with amounts in this currency.
#[derive(Clone, Copy)]
pub(super) struct Sends(Currency);

const COLUMNS: [&str; 2] = ["order_id", "amount"];

const fn field(name: &'static str, sample: &'static str) -> Field {
    Field { name, mandatory: true, kind: "String", description: "", sample, rule: "" }
}

const TEMPLATE: header::Template = header::Template {
    code: "test_send",
    title: "Sends, 2 columns",
    columns: &COLUMNS,
    fields_title: "CSV fields",
    fields: &[field("order_id", "ONE"), field("amount", "1.00")],
    sample: "order_id,amount\nONE,1.00\nTWO,2.50\n",
};

impl Layout for Template {
    fn all() -> &'static [Self] {
        &[Self]
    }

    fn template(self) -> &'static header::Template {
        &TEMPLATE
    }

    fn mandatory(self) -> &'static [&'static str] {
        &COLUMNS
    }

    fn nearest(_: &[&str]) -> Self {
        Self
    }
}

impl Format for Sends {
    type Layout = Template;
    type Record = StoredRecord;
    type Rows = Checker;

    const THING: &'static str = "test send";
    const RESULTS_HEADER: &'static str = "S.No,Order ID,Amount,Reference,Task Status,Error Message\n";
    const NOTES: &'static Notes = &Notes { title: "", intro: "", rules: &[], example: None };

    fn new(currency: Currency) -> Self {
        Self(currency)
    }

    fn ready(record: &StoredRecord) -> (u32, i64) {
        (record.row, record.amount_minor)
    }

    fn stored(record: StoredRecord) -> StoredRecord {
        record
    }

    fn restored(stored: &StoredRecord) -> StoredRecord {
        stored.clone()
    }

    fn canonical(self, record: &StoredRecord) -> Vec<u8> {
        let mut out = record.number.to_be_bytes().to_vec();
        put(&mut out, &record.order_id);
        put(&mut out, self.0.code());
        out.extend_from_slice(&record.amount_minor.to_be_bytes());
        out
    }

    fn cell(self, column: &str, record: &StoredRecord) -> String {
        if column == COLUMNS[0] { record.order_id.clone() } else { Money::new(record.amount_minor, self.0).bare() }
    }

    fn rows(self, _: Template, _: Repeats, findings: Findings) -> Checker {
        Checker { findings, number: 0, total_minor: 0, currency: self.0 }
    }
}

/// Checks the rows of one file.
pub(crate) struct Checker {
    findings: Findings,
    number: u32,
    total_minor: i64,
    currency: Currency,
}

impl Rows<StoredRecord> for Checker {
    fn row(&mut self, row: u32, cells: &[&str], whole: bool) -> Option<StoredRecord> {
        self.number += 1;
        if !whole {
            return None;
        }
        let before = self.findings.errors();
        let order_id = id(cells.first().copied().unwrap_or_default(), row, COLUMNS[0], &mut self.findings);
        if order_id.is_empty() {
            let at = At::cell(row, COLUMNS[0], "");
            self.findings.error(at, FindingCode::EmptyOrderId, "Empty order ID: order_id is empty.");
        }
        let amount = cells.get(1).copied().unwrap_or_default();
        let amount_minor = parse_amount(amount, self.currency).unwrap_or_else(|error| {
            let (code, message) = complaint(COLUMNS[1], amount, error, self.currency);
            self.findings.error(At::cell(row, COLUMNS[1], amount), code, message);
            0
        });
        self.total_minor += amount_minor;
        let order_id = order_id.to_owned();
        let record = StoredRecord { number: self.number, row, order_id, amount_minor, ..StoredRecord::default() };
        (self.findings.errors() == before).then_some(record)
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }

    fn finish(self) -> (i64, Findings) {
        (self.total_minor, self.findings)
    }
}
