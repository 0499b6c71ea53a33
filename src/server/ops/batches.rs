//! Batches: lists, pages, and what people do with them.

use super::access::Caller;
use crate::{
    domain::{
        batch::Operation,
        ids::BatchId,
        page::{BatchQuery, TaskQuery},
        view::{BatchDetail, BatchList, BatchSnapshot, SyncReport},
    },
    server::{error::OpResult, state::AppState},
};

/// A page of the list. Needs Read on the operation's module.
pub async fn list(state: &AppState, caller: &Caller, operation: Operation, query: &BatchQuery) -> OpResult<BatchList> {
    let _ = (state, caller, operation, query);
    todo!()
}

/// A batch's page. Needs Read. A batch of another operation is not found.
pub async fn detail(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    query: &TaskQuery,
) -> OpResult<BatchDetail> {
    let _ = (state, caller, operation, batch, query);
    todo!()
}

/// A batch in numbers, whatever its operation. Needs Read on its module.
pub async fn snapshot(state: &AppState, caller: &Caller, batch: BatchId) -> OpResult<BatchSnapshot> {
    let _ = (state, caller, batch);
    todo!()
}

/// The maker takes a batch back before a decision. Needs ReadWrite, and to be its maker.
pub async fn withdraw(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<()> {
    let _ = (state, caller, operation, batch);
    todo!()
}

/// Nothing new is sent for now. Needs ReadWrite or Approve.
pub async fn pause(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<()> {
    let _ = (state, caller, operation, batch);
    todo!()
}

/// Sending goes on. Needs ReadWrite.
pub async fn resume(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<()> {
    let _ = (state, caller, operation, batch);
    todo!()
}

/// Calls off what has not been sent. Needs ReadWrite.
pub async fn cancel(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<()> {
    let _ = (state, caller, operation, batch);
    todo!()
}

/// "Sync with Gateway": makes everything that is not final due to be asked after now. Needs ReadWrite. Never sends.
pub async fn sync(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<SyncReport> {
    let _ = (state, caller, operation, batch);
    todo!()
}
