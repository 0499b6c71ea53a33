//! What a search over all batches found.

use super::DisplayTime;
use crate::{batch::BatchStatus, ids::BatchId, money::Money, operation::Operation, task::TaskStatus};

/// Letters that a search needs, so that it narrows anything down.
pub const SHORTEST_SEARCH: usize = 3;
/// Rows of each kind that are shown.
pub const MOST_FOUND: usize = 25;

/// What was found. Everything matches from its beginning, letter by letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What was searched for, without blanks around it.
    pub text: String,
    /// Stored orders, by order or transaction; none for who may not read orders.
    pub orders: Vec<super::orders::StoredOrder>,
    /// There are more orders than are shown.
    pub more_orders: bool,
    /// By id or file name.
    pub batches: Vec<FoundBatch>,
    /// By order, transaction, unique id or key.
    pub tasks: Vec<FoundTask>,
    /// There are more tasks than are shown.
    pub more: bool,
}

/// A batch that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBatch {
    /// Which.
    pub id: BatchId,
    /// What it does.
    pub operation: Operation,
    /// Name of its file.
    pub file_name: String,
    /// Where it stands.
    pub status: BatchStatus,
    /// When it was made.
    pub created: DisplayTime,
    /// Data rows.
    pub records: u64,
    /// Sum over all records.
    pub amount: Money,
}

/// A task that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTask {
    /// Its batch.
    pub batch: BatchId,
    /// What the batch does.
    pub operation: Operation,
    /// Name of the batch's file.
    pub file_name: String,
    /// When the batch was made.
    pub created: DisplayTime,
    /// S.No.
    pub number: u64,
    /// Order.
    pub order_id: String,
    /// What matched, when it is not the order: its name for people, and the value.
    pub by: Option<(&'static str, String)>,
    /// Amount.
    pub amount: Money,
    /// ACCEPTED, FAILED, QUEUED.
    pub status: TaskStatus,
}
