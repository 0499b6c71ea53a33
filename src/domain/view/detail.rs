//! The page of one batch.

use crate::{
    money::Money,
    page::Paged,
    task::{TaskState, TaskStatus},
    view::{BatchSnapshot, DisplayTime, retries::RevisionRow, review::Reconciled},
};
use serde::{Deserialize, Serialize};

/// Parts of a split settlement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Minor units for the marketplace; none when the cell was blank.
    pub marketplace: Option<i64>,
    /// Vendors with minor units each; one or two.
    pub vendors: Vec<(String, i64)>,
}

/// One task in the table of a batch's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRow {
    /// S.No: the record's number from 1.
    pub number: u32,
    /// Row of the spreadsheet (header is 1).
    pub row: u32,
    /// Order id as uploaded.
    pub order_id: String,
    /// Transaction id as uploaded; may be empty.
    pub txn_id: String,
    /// Amount.
    pub amount: Money,
    /// ACCEPTED, FAILED or QUEUED.
    pub status: TaskStatus,
    /// The state below it.
    pub state: TaskState,
    /// The id by which the maker knows the row; may be empty.
    pub row_id: String,
    /// What became of it, in the order of the operation's columns.
    pub cells: Vec<Vec<CellPart>>,
    /// Why it failed or waits; may be empty.
    pub message: String,
    /// Created At.
    pub created: DisplayTime,
    /// Updated At.
    pub updated: DisplayTime,
    /// Parts, when it is a split refund.
    pub split: Option<Split>,
}

/// A part of a cell in the table of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CellPart {
    /// A word about how it went.
    Flag(String),
    /// Something beside it.
    Small(String),
    /// An id.
    Id(String),
    /// An id beside it.
    SmallId(String),
    /// Something that another system said; it may be long.
    Response(String),
}

/// One line of what happened to a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRow {
    /// When.
    pub at: DisplayTime,
    /// E-mail, or `Batchdesk`.
    pub actor: String,
    /// A sentence without its actor: `Approved`, `Uploaded 1,000 rows`.
    pub text: String,
    /// What the person wrote; may be empty.
    pub remark: String,
    /// Tone of its glyph: `accepted`, `failed`, `queued`, `waiting`, `neutral`.
    pub tone: String,
}

/// What the person may do with a batch now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchActions {
    /// Ask the gateway about what is not final.
    pub sync: bool,
    /// Take it back before a decision.
    pub withdraw: bool,
    /// Send nothing new for now.
    pub pause: bool,
    /// Go on.
    pub resume: bool,
    /// Call off what was not sent.
    pub cancel: bool,
    /// Approve or reject.
    pub decide: bool,
    /// Send failed rows again.
    #[serde(default)]
    pub retry: bool,
}

/// Why tasks of a batch failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSummary {
    /// Sentence without the ids of a row, tasks, minor units; most tasks first, at most ten.
    pub reasons: Vec<(String, u64, i64)>,
    /// Reasons beside these.
    pub more: u64,
    /// Tasks that failed, for whatever reason.
    pub tasks: u64,
    /// Their sum in minor units.
    pub minor: i64,
}

/// Everything on a batch's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchDetail {
    /// Numbers.
    pub snapshot: BatchSnapshot,
    /// Description given at the request; may be empty.
    pub description: String,
    /// E-mail of the maker.
    pub maker: String,
    /// Date Created.
    pub created: DisplayTime,
    /// Date Updated.
    pub updated: DisplayTime,
    /// When it was decided, if it was.
    pub decided: Option<DisplayTime>,
    /// When it expires, while it waits for a decision.
    pub expires: Option<DisplayTime>,
    /// How the operation's switch was set; none where it has none.
    pub switch: Option<bool>,
    /// `Standard, 19 columns` or `Split settlement, 9 columns`.
    pub template: String,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// SHA-256 of the file, hex.
    pub file_sha256: String,
    /// When the file was deleted, if it was.
    #[serde(default)]
    pub file_deleted: Option<DisplayTime>,
    /// Why tasks failed.
    pub failures: FailureSummary,
    /// One letter a record in file order: `A`, `F`, `Q`; empty for batches of more than 2,000 records.
    pub row_map: String,
    /// Newest first.
    pub activity: Vec<ActivityRow>,
    /// What the person may do.
    pub actions: BatchActions,
    /// The file and each retry of failed rows, newest first; empty while there is only the file.
    #[serde(default)]
    pub revisions: Vec<RevisionRow>,
    /// Tasks that match the query.
    pub tasks: Paged<TaskRow>,
    /// The last comparison with the gateway; none before the first.
    pub reconciled: Option<Reconciled>,
    /// Differences with the gateway that nobody has acknowledged.
    pub differences: u64,
}

/// What "Sync with Gateway" found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// `Nothing to ask: all 1,000 refunds are final.` or `Asking the gateway about 40 refunds.`
    pub message: String,
    /// Tasks that are being asked about.
    pub asking: u64,
}
