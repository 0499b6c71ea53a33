//! The page that takes a file, and what was kept from a file that could not be accepted.

use crate::{
    finding::Finding,
    ids::{BatchId, DraftId},
    limits::Limits,
    money::Currency,
    operation::Operation,
};
use serde::{Deserialize, Serialize};

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
    /// How the operation's switch was set; none where it has none.
    pub switch: Option<bool>,
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
