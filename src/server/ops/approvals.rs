//! Maker-checker: the inbox, what the checker is shown, and the decision.

use super::access::Caller;
use crate::{
    domain::{
        ids::BatchId,
        view::{ApprovalDetail, ApprovalInbox},
    },
    server::{error::OpResult, state::AppState},
};

/// Approve or reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The tasks may be sent.
    Approve,
    /// They may not; needs a reason.
    Reject,
}

/// A decision as the form sent it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Which way.
    pub verdict: Verdict,
    /// Hash of what was shown, 64 hex digits.
    pub content_hash: String,
    /// 1 to 500 characters for a rejection, optional for an approval.
    pub reason: String,
}

/// The inbox. Needs Read on any module whose batches can wait for approval; shows those of the modules one may read.
pub async fn inbox(state: &AppState, caller: &Caller) -> OpResult<ApprovalInbox> {
    let _ = (state, caller);
    todo!()
}

/// What the checker is shown. Needs Read on the batch's module.
pub async fn detail(state: &AppState, caller: &Caller, batch: BatchId) -> OpResult<ApprovalDetail> {
    let _ = (state, caller, batch);
    todo!()
}

/// Decides. Needs Approve on the module and a proof of the password of the last 10 minutes (`caller.proved_at`); the
/// database refuses the maker. A lost race is `Conflict` with who decided and when, a changed content `Changed`.
pub async fn decide(state: &AppState, caller: &Caller, batch: BatchId, decision: Decision) -> OpResult<()> {
    let _ = (state, caller, batch, decision);
    todo!()
}
