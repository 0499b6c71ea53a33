//! What pages and machine answers show: the types that cross from the server to the browser.
//!
//! Times arrive formatted in the organisation's zone: the browser has no zone database, and server and browser must
//! render the same text.

pub mod settings;
pub mod sync;

use super::{
    access::{Module, Permissions, Right},
    batch::{BatchStatus, Operation},
    ids::{BatchId, DraftId, OrganisationId, PersonId},
    limits::Limits,
    money::{Currency, Money},
    page::Paged,
    task::{TaskState, TaskStatus},
};
use crate::domain::finding::Finding;
use serde::{Deserialize, Serialize};

/// A point in time, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// RFC 3339 in UTC, for `datetime` attributes.
    pub utc: String,
    /// `20 Nov 2026, 18:13:00 IST`, in the organisation's zone.
    pub text: String,
    /// `20 Nov 2026`.
    pub date: String,
    /// `18:13:00`.
    pub time: String,
}

/// A person as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRef {
    /// Who.
    pub id: PersonId,
    /// Address, the name to sign in with.
    pub email: String,
}

/// The organisation that a session works in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganisationRef {
    /// Which.
    pub id: OrganisationId,
    /// `Acme Stores`.
    pub name: String,
    /// The currency of all its batches.
    pub currency: Currency,
    /// IANA name of its time zone.
    pub zone: String,
}

/// The signed-in person, known to every page without waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Who is signed in.
    pub person: PersonRef,
    /// Where.
    pub organisation: OrganisationRef,
    /// What they may do.
    pub permissions: Permissions,
    /// Batches that wait for this person's decision.
    pub waiting: u32,
    /// Whether the gateway connection is a sandbox or the simulator.
    pub test_data: bool,
}

impl Viewer {
    /// Whether the person has `right` on `module`.
    pub fn may(&self, module: Module, right: Right) -> bool {
        self.permissions.allow(module, right)
    }
}

/// Colour scheme chosen by the person, kept in a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the device has it.
    #[default]
    System,
    /// Day.
    Light,
    /// Night.
    Dark,
}

/// What a form sent without JavaScript left to say on the page that answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// What went wrong, one sentence.
    pub error: Option<String>,
    /// What was done, one sentence.
    pub notice: Option<String>,
    /// Name of the field that the error is about.
    pub field: Option<String>,
    /// What had been typed, by field name (never a password).
    pub values: Vec<(String, String)>,
}

impl Flash {
    /// What had been typed into the field `name`.
    pub fn value(&self, name: &str) -> String {
        self.values.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// Everything that a page knows before any data is loaded. Provided as context on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageContext {
    /// The signed-in person, if any.
    pub viewer: Option<Viewer>,
    /// Colour scheme.
    pub theme: Theme,
    /// What a form left to say.
    pub flash: Flash,
    /// Whether this is the demo, with its people named on the sign-in page.
    pub demo: bool,
    /// Version of Batchdesk.
    pub version: String,
}

/// How many tasks stand where. `queued + accepted + failed` is the number of records, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not decided yet.
    pub queued: u64,
    /// The gateway took it.
    pub accepted: u64,
    /// Definitely not done.
    pub failed: u64,
    /// Part of accepted: not final at the gateway.
    pub pending_at_gateway: u64,
    /// Part of queued: sent without a clear reply, the gateway is asked.
    pub checking: u64,
    /// Part of queued: people must look.
    pub review: u64,
}

/// Sums by where tasks stand, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Currency of all.
    pub currency: Currency,
    /// Sum over all records, whatever becomes of them.
    pub total: i64,
    /// Sum of queued tasks.
    pub queued: i64,
    /// Sum of accepted tasks.
    pub accepted: i64,
    /// Sum of failed tasks.
    pub failed: i64,
}

/// The decision on a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// `approved`, `rejected` or `not_required`.
    pub verdict: String,
    /// E-mail of the checker; empty when none was required.
    pub person: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// Empty when none was given.
    pub reason: String,
}

/// A batch in numbers: the answer of `GET /api/v1/batches/{id}` and the data of every live event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSnapshot {
    /// Which batch.
    pub id: BatchId,
    /// What it does.
    pub operation: Operation,
    /// Where it stands.
    pub status: BatchStatus,
    /// The words for `status`.
    pub status_text: String,
    /// Name of the file as uploaded.
    pub file_name: String,
    /// Hash of what a decision is about, 64 hex digits.
    pub content_sha256: String,
    /// Data rows.
    pub records: u64,
    /// Counters.
    pub counts: Counts,
    /// Sums.
    pub amounts: Amounts,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
    /// Null while nobody has decided.
    pub decision: Option<DecisionView>,
    /// `updated_at` in the organisation's zone, for pages.
    #[serde(default)]
    pub updated_text: String,
    /// Why work waits, one sentence; null when it does not ("The gateway refused our key since 12:04:10 IST …").
    #[serde(default)]
    pub notice: Option<String>,
}

/// One batch in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRow {
    /// Which.
    pub id: BatchId,
    /// File Name.
    pub file_name: String,
    /// File Upload Status.
    pub status: BatchStatus,
    /// Second line below the status (`by checker@acme.test`, `3 pending at the gateway`).
    pub note: Option<String>,
    /// Amount.
    pub amount: Money,
    /// Date Created.
    pub created: Moment,
    /// Last Modified.
    pub modified: Moment,
    /// Total Tasks (and Total Records).
    pub records: u64,
    /// Tasks Progress.
    pub counts: Counts,
    /// E-mail of the maker.
    pub maker: String,
    /// Whether Sync with Gateway is offered.
    pub can_sync: bool,
    /// When it was last asked for.
    pub last_synced: Option<Moment>,
}

/// A page of the list of batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchList {
    /// The rows.
    pub page: Paged<BatchRow>,
    /// How many batches match the search, by status (statuses without any are left out).
    pub by_status: Vec<(BatchStatus, u64)>,
    /// Whether the organisation has any batch of this operation at all.
    pub any: bool,
    /// Whether the person may create one.
    pub can_create: bool,
}

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
    /// PENDING, SUCCESS, FAILURE, MANUAL_REVIEW, or empty.
    pub refund_status: String,
    /// As uploaded, else the derived key.
    pub unique_id: String,
    /// The key the gateway knows it by.
    pub gateway_key: String,
    /// Reference given by the gateway; may be empty.
    pub gateway_reference: String,
    /// STANDARD, INSTANT, or empty.
    pub refund_type: String,
    /// Why it failed or waits; may be empty.
    pub message: String,
    /// Created At.
    pub created: Moment,
    /// Updated At.
    pub updated: Moment,
    /// Parts, when it is a split refund.
    pub split: Option<Split>,
    /// What became of it, when it is a sync.
    pub sync: Option<sync::SyncTask>,
}

/// One line of what happened to a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRow {
    /// When.
    pub at: Moment,
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
    pub created: Moment,
    /// Date Updated.
    pub updated: Moment,
    /// When it was decided, if it was.
    pub decided: Option<Moment>,
    /// When it expires, while it waits for a decision.
    pub expires: Option<Moment>,
    /// Order sync: "Sync With Gateway" as it was uploaded.
    pub sync_with_gateway: Option<bool>,
    /// `Standard, 19 columns` or `Split settlement, 9 columns`.
    pub template: String,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// SHA-256 of the file, hex.
    pub file_sha256: String,
    /// Why tasks failed: sentence, tasks, minor units; largest first.
    pub failures: Vec<(String, u64, i64)>,
    /// One letter a record in file order: `A`, `F`, `Q`; empty for batches of more than 2,000 records.
    pub row_map: String,
    /// Newest first.
    pub activity: Vec<ActivityRow>,
    /// What the person may do.
    pub actions: BatchActions,
    /// Tasks that match the query.
    pub tasks: Paged<TaskRow>,
}

/// What "Sync with Gateway" found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// `Nothing to ask: all 1,000 refunds are final.` or `Asking the gateway about 40 refunds.`
    pub message: String,
    /// Tasks that are being asked about.
    pub asking: u64,
}

/// A line of the approvals inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRow {
    /// Which batch.
    pub id: BatchId,
    /// What it does.
    pub operation: Operation,
    /// Name of the file.
    pub file_name: String,
    /// What the maker wrote.
    pub description: String,
    /// E-mail of the maker.
    pub maker: String,
    /// When it was submitted.
    pub submitted: Moment,
    /// Sum.
    pub amount: Money,
    /// Rows.
    pub records: u64,
    /// When it expires, while it waits.
    pub expires: Option<Moment>,
    /// Where it stands.
    pub status: BatchStatus,
    /// Who decided, and why; empty while it waits.
    pub decision: String,
}

/// The approvals inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalInbox {
    /// The person may decide these.
    pub waiting: Vec<ApprovalRow>,
    /// The person asked for these.
    pub submitted: Vec<ApprovalRow>,
    /// Decided lately, newest first.
    pub decided: Vec<ApprovalRow>,
}

/// One of the largest rows of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeRow {
    /// Row of the spreadsheet.
    pub row: u32,
    /// Order.
    pub order_id: String,
    /// Amount.
    pub amount: Money,
    /// Share of the total in tenths of a percent.
    pub per_mille: u32,
}

/// An order that stands in the file more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepeatedOrder {
    /// Order.
    pub order_id: String,
    /// Row of the spreadsheet and amount of each.
    pub rows: Vec<(u32, Money)>,
    /// Together.
    pub total: Money,
}

/// The same order and amount in an earlier batch of the last 30 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierRefund {
    /// Row of the spreadsheet.
    pub row: u32,
    /// Order.
    pub order_id: String,
    /// Amount.
    pub amount: Money,
    /// When the other batch was made.
    pub at: Moment,
    /// The other batch.
    pub batch: BatchId,
    /// Its file.
    pub file_name: String,
}

/// What the checker is shown before a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalDetail {
    /// Numbers, with the hash that the decision is bound to.
    pub snapshot: BatchSnapshot,
    /// What the maker wrote.
    pub description: String,
    /// E-mail of the maker.
    pub maker: String,
    /// When it was submitted.
    pub submitted: Moment,
    /// When it expires, while it waits.
    pub expires: Option<Moment>,
    /// When it was decided.
    pub decided: Option<Moment>,
    /// Name of the gateway connection.
    pub gateway: String,
    /// Order sync: "Sync With Gateway" as it was uploaded.
    pub sync_with_gateway: Option<bool>,
    /// Five largest rows.
    pub largest: Vec<LargeRow>,
    /// Orders with several rows, at most 50.
    pub repeated: Vec<RepeatedOrder>,
    /// Look-alikes of the last 30 days, at most 50.
    pub earlier: Vec<EarlierRefund>,
    /// Amount classes: label and rows.
    pub classes: Vec<(String, u64)>,
    /// Sums by vendor of split refunds (marketplace first): label and minor units.
    pub parts: Vec<(String, i64)>,
    /// First rows of the file.
    pub preview: Vec<TaskRow>,
    /// Whether the person may decide.
    pub can_decide: bool,
    /// Why not, one sentence.
    pub why_not: Option<String>,
    /// Whether the person may take it back.
    pub can_withdraw: bool,
    /// Whether the password is asked for (last proof older than 10 minutes).
    pub needs_password: bool,
}

/// The same bytes, or the same order and amount, that went out in the last 30 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// Row of the spreadsheet; none when the whole file is meant.
    pub row: Option<u32>,
    /// What is repeated, one sentence.
    pub message: String,
    /// The earlier batch.
    pub batch: BatchId,
    /// Its file.
    pub file_name: String,
}

/// A file that could not be accepted, kept so that the person can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftView {
    /// Which draft.
    pub id: DraftId,
    /// What the person wrote; may be empty.
    pub description: String,
    /// Name of the file; empty while there is only a description.
    pub file_name: String,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Data rows, where the file could be read.
    pub rows: u64,
    /// Every finding.
    pub findings: Vec<Finding>,
    /// Repeats that need an explicit decision.
    pub repeats: Vec<Repeat>,
    /// Order sync: how "Sync With Gateway" was set.
    pub sync_with_gateway: Option<bool>,
}

/// Everything on the page that takes a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewBatch {
    /// What the batch will do.
    pub operation: Operation,
    /// Whether a description and a checker are needed.
    pub maker_checker: bool,
    /// E-mails of who could approve; empty when maker-checker is off.
    pub approvers: Vec<String>,
    /// Limits of a file.
    pub limits: Limits,
    /// Currency of all amounts.
    pub currency: Currency,
    /// Name of the gateway connection; none when there is none yet.
    pub gateway: Option<String>,
    /// Order sync: host of the external system; none when orders are kept here.
    pub external: Option<String>,
    /// What was kept from before.
    pub draft: Option<DraftView>,
}

/// The first page after sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// Batches that wait for this person.
    pub waiting: u64,
    /// Batches under way.
    pub processing: u64,
    /// Batches that ended with failures in the last 7 days.
    pub failures: u64,
    /// Accepted since midnight in the organisation's zone.
    pub refunded_today: Money,
    /// Newest batches of all operations that the person may read.
    pub recent: Vec<(Operation, BatchRow)>,
    /// What needs somebody: sentence and where to go.
    pub attention: Vec<(String, String)>,
}
