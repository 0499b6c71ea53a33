//! What the review page shows. Rendered on the server only, but for the last comparison, which a batch's page shows
//! too.

use super::DisplayTime;
use crate::{batch::BatchStatus, ids::BatchId, money::Money, operation::Operation};
use serde::{Deserialize, Serialize};

/// Everything in review that the reader may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Batches with something in it, newest first; of a filtered page only that one.
    pub batches: Vec<ReviewBatch>,
    /// All of them, for the filter: file name, how much is open.
    pub filter: Vec<(BatchId, String, u64)>,
    /// The batch that the page is filtered by.
    pub only: Option<BatchId>,
    /// Whether the password must be given again to confirm.
    pub needs_password: bool,
    /// E-mail of the reader, for keepers of passwords.
    pub reader: String,
}

/// A batch with something in review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewBatch {
    /// Which.
    pub id: BatchId,
    /// What it does.
    pub operation: Operation,
    /// Name of its file.
    pub file_name: String,
    /// Where it stands.
    pub status: BatchStatus,
    /// Tasks that wait for a proposal.
    pub open: Vec<ReviewTask>,
    /// Tasks with a proposal that waits for another person.
    pub proposed: Vec<ReviewTask>,
    /// Tasks that are not on this page.
    pub more: u64,
    /// Differences about money.
    pub entries: Vec<ReviewEntry>,
    /// The last comparison, on a page of one batch.
    pub reconciled: Option<Reconciled>,
    /// Whether the reader may propose and acknowledge.
    pub can_propose: bool,
    /// Whether the reader may confirm what somebody else proposed.
    pub can_confirm: bool,
    /// Whether the gateway can be asked.
    pub can_ask: bool,
}

/// A task that people must decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewTask {
    /// Names it in forms: S.No and revision.
    pub name: String,
    /// Where it stands, as a proposal is bound to it.
    pub seen: String,
    /// Row of the spreadsheet.
    pub row: u32,
    /// Order.
    pub order_id: String,
    /// Amount.
    pub amount: Money,
    /// Key at the gateway.
    pub key: String,
    /// The gateway's reference; empty when it gave none.
    pub reference: String,
    /// Why it needs people.
    pub why: String,
    /// What to do.
    pub next_step: String,
    /// When it was sent.
    pub sent: DisplayTime,
    /// What the gateway said, newest first.
    pub evidence: Vec<Evidence>,
    /// What somebody proposed.
    pub proposal: Option<Proposal>,
}

/// A proposal that waits for another person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its number among those of the task.
    pub number: i16,
    /// `Done at the gateway, reference R1`.
    pub text: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub person: String,
    /// When.
    pub at: DisplayTime,
    /// Whether the reader made it.
    pub mine: bool,
}

/// A reply, readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When.
    pub at: DisplayTime,
    /// What was asked, and what came back, in one line.
    pub summary: String,
    /// The body as it came, secrets left out; empty when there is none.
    pub body: String,
}

/// A difference about money that people acknowledge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewEntry {
    /// Names it in forms.
    pub id: String,
    /// Row of the spreadsheet.
    pub row: u32,
    /// Order.
    pub order_id: String,
    /// Key at the gateway.
    pub key: String,
    /// Amount.
    pub amount: Money,
    /// The fact.
    pub sentence: String,
    /// What to do.
    pub next_step: String,
    /// When it was found.
    pub at: DisplayTime,
    /// Who acknowledged it, when and with which note.
    pub acknowledged: Option<(String, DisplayTime, String)>,
}

/// The last comparison of a batch with the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// `Reconciled 20 Nov 2026, 18:13:00 IST: 1,000 of 1,000 agree. All are final.`
    pub sentence: String,
    /// Whether everything is final and agrees.
    pub settled: bool,
    /// Each difference with what to do.
    pub differences: Vec<Difference>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `Row 7, order ORD_1`.
    pub place: String,
    /// The fact.
    pub fact: String,
    /// What to do; empty for what is named as information only.
    pub next_step: String,
}
