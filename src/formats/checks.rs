//! One way to check a file, whatever it is for: what a page that shows findings needs, without the records.

use super::file::Checked;
use super::header::Layout;
use super::sheet::Sheet;
use super::{refunds, sync};
use crate::domain::{finding::Finding, limits::Limits, money::Currency, operation::Operation};

/// What the validator found out about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// What people call its layout; none when the header fits none.
    pub template: Option<&'static str>,
    /// Data rows.
    pub rows: u64,
    /// Sum of the clean rows, minor units; zero where rows have no amount.
    pub total_minor: i64,
    /// Spreadsheet row and minor units of each clean row.
    pub ready: Vec<(u32, i64)>,
    /// Every finding by row, findings about the whole file first.
    pub findings: Vec<Finding>,
    /// How many errors there are, listed or not.
    pub errors: u64,
    /// How many warnings there are, listed or not.
    pub warnings: u64,
    /// Names the warnings that must be confirmed; empty where there is none.
    pub seal: String,
    /// The cells; none when the file could not be read as a sheet.
    pub sheet: Option<Sheet>,
}

/// Checks a whole file and keeps its cells.
pub fn check(operation: Operation, bytes: &[u8], currency: Currency, limits: Limits) -> Overview {
    match operation {
        Operation::Refund => {
            overview(refunds::check_refunds(bytes, currency, limits), |record| (record.row, record.amount_minor))
        }
        Operation::OrderSync => overview(sync::check_orders(bytes, limits), |record| (record.row, 0)),
    }
}

/// Checks a sheet again after it was edited. The result's `sheet` stays empty: the caller has it.
pub fn check_sheet(operation: Operation, sheet: &Sheet, currency: Currency, limits: Limits) -> Overview {
    match operation {
        Operation::Refund => {
            overview(refunds::check_sheet(sheet, currency, limits), |record| (record.row, record.amount_minor))
        }
        Operation::OrderSync => overview(sync::check_sheet(sheet, limits), |record| (record.row, 0)),
    }
}

fn overview<L: Layout, R>(checked: Checked<L, R>, ready: fn(&R) -> (u32, i64)) -> Overview {
    Overview {
        template: checked.template.map(Layout::title),
        rows: checked.rows,
        total_minor: checked.total_minor,
        ready: checked.records.iter().map(ready).collect(),
        findings: checked.findings,
        errors: checked.errors,
        warnings: checked.warnings,
        seal: checked.seal,
        sheet: checked.sheet,
    }
}
