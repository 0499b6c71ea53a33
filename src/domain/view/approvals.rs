//! The approvals inbox and what a checker is shown.

use crate::{
    batch::BatchStatus,
    ids::BatchId,
    money::Money,
    operation::Operation,
    view::{BatchSnapshot, DisplayTime, TaskRow, retries::RetryRequest},
};
use serde::{Deserialize, Serialize};

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
    pub submitted: DisplayTime,
    /// Sum.
    pub amount: Money,
    /// Rows.
    pub records: u64,
    /// When it expires, while it waits.
    pub expires: Option<DisplayTime>,
    /// Where it stands.
    pub status: BatchStatus,
    /// Who decided, and why; empty while it waits.
    pub decision: String,
    /// Failed rows sent again, and not the whole file.
    #[serde(default)]
    pub retry: bool,
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
    pub at: DisplayTime,
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
    pub submitted: DisplayTime,
    /// When it expires, while it waits.
    pub expires: Option<DisplayTime>,
    /// When it was decided.
    pub decided: Option<DisplayTime>,
    /// Name of the gateway connection.
    pub gateway: String,
    /// How the operation's switch was set; none where it has none.
    pub switch: Option<bool>,
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
    /// Failed rows that are to be sent again; none when it is the whole file.
    #[serde(default)]
    pub retry: Option<RetryRequest>,
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
