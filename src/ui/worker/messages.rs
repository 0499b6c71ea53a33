//! What crosses between the page and its thread for files.

use super::groups::{FixKind, Group};
use crate::domain::{finding::Severity, limits::Limits, money::Currency, operation::Operation};
use serde::{Deserialize, Serialize};

/// Rows on one page of the table.
pub const PAGE_ROWS: usize = 100;

/// What a file is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// What the file is for.
    pub operation: Operation,
    /// Currency of all amounts.
    pub currency: Currency,
    /// Limits of a file.
    pub limits: Limits,
}

/// A change of the sheet that the person asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditorRequest {
    /// A cell was typed in.
    Edit {
        /// Row of the spreadsheet.
        row: u32,
        /// Number of the column, from 0.
        column: u32,
        /// What the cell holds now.
        text: String,
    },
    /// All cells of one kind are repaired.
    Fix(FixKind),
    /// The file as a whole is repaired.
    Repair(RepairKind),
    /// Every row with an error goes.
    RemoveBad,
    /// The last change is taken back.
    Undo,
    /// The server found more than could be known here.
    ServerFindings(Vec<ServerFinding>),
}

/// A finding as the server's answer has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFinding {
    /// Row of the file that was sent.
    pub row: Option<u32>,
    /// Column name.
    pub column: Option<String>,
    /// Machine-readable kind.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// What a repair of the whole file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairKind {
    /// Puts commas between the columns.
    Delimiter,
    /// Puts the columns in the template's order, adds those that are missing, drops those that are unknown.
    Columns,
}

/// A repair of the whole file, with what it would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// Which.
    pub kind: RepairKind,
    /// What it would do, one or two sentences.
    pub preview: String,
}

/// How a file stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What its template is called.
    pub template: Option<String>,
    /// Data rows.
    pub rows: u64,
    /// Whether each row was looked at; not so when the header is wrong or there are too many.
    pub examined: bool,
    /// Rows without an error.
    pub ready: u64,
    /// Findings that keep the file out.
    pub errors: u64,
    /// Findings worth a look.
    pub warnings: u64,
    /// Names the warnings that must be confirmed; empty where there is none.
    pub seal: String,
    /// Sum of the ready rows, minor units.
    pub total_minor: i64,
    /// Row and minor units of the largest refund.
    pub largest: Option<(u32, i64)>,
    /// Findings by kind.
    pub groups: Vec<Group>,
    /// Repairs of the whole file.
    pub repairs: Vec<Repair>,
    /// Cells that are not as they came.
    pub edited: u64,
    /// Rows that were taken out.
    pub removed: u64,
    /// Whether what is to be sent differs from the file as it came.
    pub changed: bool,
    /// Grows when columns or rows are others than before.
    pub layout: u32,
}

impl Report {
    /// Rows with an error, where rows were looked at.
    pub const fn bad(&self) -> u64 {
        self.rows.saturating_sub(self.ready)
    }

    /// Whether nothing keeps the file out.
    pub const fn is_clean(&self) -> bool {
        self.errors == 0
    }

    /// Whether nothing is wrong, but something has to be confirmed.
    pub const fn asks(&self) -> bool {
        self.is_clean() && !self.seal.is_empty()
    }
}

/// Which rows the page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsQuery {
    /// Only rows that had a finding or were changed.
    pub only: bool,
    /// Page, from 0.
    pub page: u32,
    /// This row must be among them.
    pub show: Option<u32>,
    /// The next error below this row must be among them.
    pub error_after: Option<u32>,
}

/// A page of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsPage {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<RowView>,
    /// Rows on all pages.
    pub matching: u64,
    /// This page, from 0.
    pub page: u32,
    /// How many pages there are.
    pub pages: u32,
    /// The cell that was asked for: row and number of the column.
    pub focus: Option<(u32, u32)>,
    /// As in the report.
    pub layout: u32,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowView {
    /// Row of the spreadsheet.
    pub row: u32,
    /// Its cells.
    pub cells: Vec<CellView>,
    /// What is wrong with the row as a whole.
    pub note: Option<Note>,
}

/// A cell of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellView {
    /// What it holds.
    pub text: String,
    /// What is wrong with it.
    pub note: Option<Note>,
    /// What it held, where it was changed.
    pub was: Option<String>,
}

/// A few words below a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Whether it keeps the file out.
    pub severity: Severity,
    /// The words.
    pub text: String,
}

/// A file that the person can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// What is sent: the cells as they stand.
    Upload,
    /// All rows, for a spreadsheet.
    Whole,
    /// Only rows with errors, for a spreadsheet.
    Bad,
}
