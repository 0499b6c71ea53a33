//! Failed rows that are sent again, and the whole history of one task.

use super::{BatchSnapshot, DisplayTime, Repeat};
use crate::{finding::Finding, money::Money, task::TaskStatus};
use serde::{Deserialize, Serialize};

/// The file of a batch, or one retry of its failed rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRow {
    /// 1 is the file.
    pub number: u32,
    /// E-mail of who submitted it.
    pub maker: String,
    /// When.
    pub at: DisplayTime,
    /// How many rows.
    pub records: u64,
    /// Their sum.
    pub amount: Money,
    /// Who decided and when, or that nobody had to; a sentence.
    pub decision: String,
    /// What became of its rows: accepted, failed, queued. A row that was sent again later counts here with what it came
    /// to here.
    pub outcome: (u64, u64, u64),
}

/// What a checker is shown of failed rows that are to be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRequest {
    /// Number of the retry, from 1.
    pub number: u32,
    /// Who asked, which may be another than the maker of the batch.
    pub maker: String,
    /// Sum of the same rows before.
    pub before: Money,
    /// Rows that differ from before.
    pub changed: u64,
    /// Rows that would fail again as they are.
    pub fails_again: u64,
    /// The rows, those that differ first, at most [`RetryAsked::SHOWN`].
    pub rows: Vec<RetryAskedRow>,
}

impl RetryRequest {
    /// Rows that are shown one by one.
    pub const SHOWN: usize = 200;
}

/// One row of a retry as a checker is shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryAskedRow {
    /// S.No.
    pub number: u32,
    /// Row of the spreadsheet.
    pub row: u32,
    /// Order as it is to be sent.
    pub order_id: String,
    /// Amount as it is to be sent.
    pub amount: Money,
    /// What differs: column, before, now.
    pub changes: Vec<(String, String, String)>,
    /// Why it failed before.
    pub why: String,
}

/// The page that sends failed rows again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryView {
    /// The batch in numbers.
    pub snapshot: BatchSnapshot,
    /// The revision of the batch that is shown; a later one voids what is sent from this page.
    pub base: u32,
    /// Why the failed rows cannot be sent again now, one sentence; none when they can.
    pub why_not: Option<String>,
    /// Whether a checker must decide.
    pub maker_checker: bool,
    /// Who could.
    pub approvers: Vec<String>,
    /// The rows of this page.
    pub rows: Vec<RetryRow>,
    /// This page, from 1, and how many there are.
    pub page: (u32, u32),
    /// All failed rows, and their sum.
    pub failed: (u64, Money),
    /// Rows that are taken, their sum before, and their sum now; none while a cell cannot be read.
    pub taken: (u64, Money, Option<Money>),
    /// Taken rows that were changed.
    pub changed: u64,
    /// Taken rows that were not changed and would fail again.
    pub fails_again: u64,
    /// Findings about taken rows, of all pages, with the page that each is on.
    pub findings: Vec<(u32, Finding)>,
    /// The same order and amount that went out before.
    pub repeats: Vec<Repeat>,
    /// Names exactly the rows that are taken, as they are typed: a tick "anyway" holds for what it was shown with, and
    /// for nothing else.
    pub seal: String,
    /// Whether anything was typed or chosen that is not sent yet.
    pub typed: bool,
}

/// One failed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRow {
    /// S.No.
    pub number: u32,
    /// Row of the spreadsheet.
    pub row: u32,
    /// Why it failed.
    pub why: String,
    /// Why it fails again as it is.
    pub fails_again: Option<String>,
    /// Whether it is to be sent again.
    pub take: bool,
    /// Key at the gateway that is used up.
    pub key: String,
    /// Its cells in the template's order.
    pub cells: Vec<RetryCell>,
}

/// One cell of a failed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryCell {
    /// Column.
    pub name: &'static str,
    /// As it was sent.
    pub was: String,
    /// As it is to be sent.
    pub now: String,
    /// What is wrong with it.
    pub errors: Vec<String>,
}

impl RetryCell {
    /// Whether it differs from what was sent.
    pub fn is_changed(&self) -> bool {
        self.was.trim() != self.now.trim()
    }
}

/// The whole history of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskHistory {
    /// The batch in numbers.
    pub snapshot: BatchSnapshot,
    /// S.No, and how many there are.
    pub number: (u32, u64),
    /// Row of the spreadsheet.
    pub row: u32,
    /// Order, as it stands now.
    pub order_id: String,
    /// Amount, as it stands now.
    pub amount: Money,
    /// ACCEPTED, FAILED or QUEUED.
    pub status: TaskStatus,
    /// The state below it, in words; may be empty.
    pub note: String,
    /// Why it failed or waits; may be empty.
    pub message: String,
    /// Everything that happened, oldest first.
    pub steps: Vec<HistoryEvent>,
    /// Whether the person may send it again.
    pub retry: bool,
}

/// One thing that happened to a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryEvent {
    /// When; none for what is still to come.
    pub at: Option<DisplayTime>,
    /// What kind of thing: `file`, `retry`, `decision`, `order`, `attempt`, `reply`, `outcome`, `reversal`, `review`,
    /// `open`.
    pub kind: &'static str,
    /// Tone of its glyph: `accepted`, `failed`, `queued`, `waiting`, `neutral`.
    pub tone: &'static str,
    /// A sentence.
    pub title: String,
    /// Who: an e-mail, the gateway, or `Batchdesk`.
    pub actor: String,
    /// What somebody wrote, or a sentence of the gateway; may be empty.
    pub remark: String,
    /// Names and values.
    pub facts: Vec<(String, String)>,
    /// What differs from before: column, before, now.
    pub changes: Vec<(String, String, String)>,
    /// The reply as it came, secrets taken out; may be empty.
    pub raw: String,
}
