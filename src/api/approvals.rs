//! Approvals: the inbox and what the checker is shown. Decisions are plain forms.

use super::ApiError;
use crate::domain::{
    ids::BatchId,
    view::{ApprovalDetail, ApprovalInbox},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// The inbox.
#[server(endpoint = "approvals/inbox", input = Json)]
pub async fn load_inbox() -> Result<ApprovalInbox, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::approvals::inbox(&state, &caller).await.map_err(super::caller::refused)
}

/// What the checker is shown.
#[server(endpoint = "approvals/detail", input = Json)]
pub async fn load_approval(batch: BatchId) -> Result<ApprovalDetail, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::approvals::detail(&state, &caller, batch).await.map_err(super::caller::refused)
}

/// The same for a page that follows live events by itself: does not count as an act of the person.
#[server(endpoint = "poll/approval", input = Json)]
pub async fn poll_approval(batch: BatchId) -> Result<ApprovalDetail, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::approvals::detail(&state, &caller, batch).await.map_err(super::caller::refused)
}
