//! A batch in numbers, and lists of batches.

use crate::{
    batch::BatchStatus,
    ids::{BatchId, PersonId},
    money::{Currency, Money},
    operation::Operation,
    page::Paged,
    view::DisplayTime,
};
use serde::{Deserialize, Serialize};

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
    /// Sums; null for an import.
    pub amounts: Option<Amounts>,
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
    /// How fast it goes and how long it will take, in sentences; empty while nothing is to be said.
    #[serde(default)]
    pub pace: String,
    /// What came in, for an import.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SourceCounts>,
    /// What became of an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportCounts>,
}

impl BatchSnapshot {
    /// The sums, for what is shown of a batch with amounts only.
    pub fn sums(&self) -> Amounts {
        self.amounts.unwrap_or(Amounts { currency: Currency::UNUSED, total: 0, queued: 0, accepted: 0, failed: 0 })
    }
}

/// A source of an import: `created + skipped + failed` is its total in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Name of the file.
    pub name: String,
    /// Data rows; null until they are counted.
    pub total: Option<u64>,
    /// Rows that were stored.
    pub created: u64,
    /// Rows that were there already, or not handled before it was called off.
    pub skipped: u64,
    /// Rows that did not pass their checks.
    pub failed: u64,
}

/// What became of an import, all sources together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCounts {
    /// Rows that were stored.
    pub created: u64,
    /// Rows that were there already, or not handled before it was called off.
    pub skipped: u64,
    /// Rows that did not pass their checks.
    pub failed: u64,
    /// `check`, `store` or `done`.
    pub phase: String,
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
    pub created: DisplayTime,
    /// Last Modified.
    pub modified: DisplayTime,
    /// Total Tasks (and Total Records).
    pub records: u64,
    /// Tasks Progress.
    pub counts: Counts,
    /// E-mail of the maker.
    pub maker: String,
    /// Whether Sync with Gateway is offered.
    pub can_sync: bool,
    /// When it was last asked for.
    pub last_synced: Option<DisplayTime>,
}

/// A page of the list of batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchList {
    /// The rows.
    pub page: Paged<BatchRow>,
    /// How many batches match search, person and days, by status (statuses without any are left out).
    pub by_status: Vec<(BatchStatus, u64)>,
    /// Everybody who has uploaded a batch of this operation, with their e-mail.
    #[serde(default)]
    pub makers: Vec<(PersonId, String)>,
    /// The person and the days that the list is narrowed to, in words that go on a sentence (`, uploaded by
    /// maker@acme.test`); empty when it is not.
    #[serde(default)]
    pub narrowed: String,
    /// Whether the organisation has any batch of this operation at all.
    pub any: bool,
    /// Whether the person may create one.
    pub can_create: bool,
    /// Why nothing is sent, in sentences; none while something is.
    #[serde(default)]
    pub notice: Option<String>,
}
