//! Files of `test_query`: orders to be asked about, each with a reference of the maker.

use super::canonical::{put, put_optional};
use super::cells::{id, some};
use super::field_table::{Field, Notes};
use super::file::{Format, Rows};
use super::findings::{At, Findings};
use super::header::{self, Layout};
use super::repeats::Repeats;
use super::stored_record::StoredRecord;
use domain::{finding::FindingCode, money::Currency, task::RecordExtra};

/// The one layout, and the files in it.
#[derive(Clone, Copy)]
pub(super) struct Questions;

const COLUMNS: [&str; 2] = ["order_id", "reference"];

const fn field(name: &'static str, mandatory: bool, sample: &'static str) -> Field {
    Field { name, mandatory, kind: "String", description: "", sample, rule: "" }
}

const TEMPLATE: header::Template = header::Template {
    code: "test_query",
    title: "Questions, 2 columns",
    columns: &COLUMNS,
    fields_title: "CSV fields",
    fields: &[field("order_id", true, "ONE"), field("reference", false, "")],
    sample: "order_id,reference\nONE,first\nTWO,\n",
};

impl Layout for Questions {
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

impl Format for Questions {
    type Layout = Self;
    type Record = StoredRecord;
    type Rows = Checker;

    const THING: &'static str = "question";
    const RESULTS_HEADER: &'static str = "S.No,Order ID,Reference,Answer,Task Status,Error Message\n";
    const NOTES: &'static Notes = &Notes { title: "", intro: "", rules: &[], example: None };

    fn new(_: Currency) -> Self {
        Self
    }

    fn ready(record: &StoredRecord) -> (u32, i64) {
        (record.row, 0)
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
        put_optional(&mut out, reference(record));
        out
    }

    fn cell(self, column: &str, record: &StoredRecord) -> String {
        if column == COLUMNS[0] { record.order_id.clone() } else { reference(record).unwrap_or_default().to_owned() }
    }

    fn rows(self, _: Self, _: Repeats, findings: Findings) -> Checker {
        Checker { findings, number: 0 }
    }
}

/// The maker's own reference.
fn reference(record: &StoredRecord) -> Option<&str> {
    record.extra.as_deref()?.unique_request_id.as_deref()
}

/// Checks the rows of one file.
pub(crate) struct Checker {
    findings: Findings,
    number: u32,
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
            self.findings.error(
                At::cell(row, COLUMNS[0], ""),
                FindingCode::EmptyOrderId,
                "Empty order ID: order_id is empty.",
            );
        }
        let beside = id(cells.get(1).copied().unwrap_or_default(), row, COLUMNS[1], &mut self.findings);
        (self.findings.errors() == before).then(|| StoredRecord {
            number: self.number,
            row,
            order_id: order_id.to_owned(),
            extra: RecordExtra { unique_request_id: some(beside), ..RecordExtra::default() }.boxed(),
            ..StoredRecord::default()
        })
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }

    fn finish(self) -> (i64, Findings) {
        (0, self.findings)
    }
}
