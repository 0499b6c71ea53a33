//! Batches: lists, pages and the page that takes a file.

use super::ApiError;
use crate::domain::{
    ids::{BatchId, DraftId},
    operation::Operation,
    page::{BatchQuery, TaskQuery},
    view::{BatchDetail, BatchList, NewBatch, SyncReport},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// A page of the list of batches.
#[server(endpoint = "batches/list", input = Json)]
pub async fn list_batches(operation: Operation, query: BatchQuery) -> Result<BatchList, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::batches::list(&state, &caller, operation, &query).await.map_err(super::caller::refused)
}

/// Everything on a batch's page.
#[server(endpoint = "batches/detail", input = Json)]
pub async fn load_batch(operation: Operation, batch: BatchId, query: TaskQuery) -> Result<BatchDetail, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::batches::detail(&state, &caller, operation, batch, &query).await.map_err(super::caller::refused)
}

/// Everything on the page that takes a file.
#[server(endpoint = "batches/new", input = Json)]
pub async fn load_new_batch(operation: Operation, draft: Option<DraftId>) -> Result<NewBatch, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::uploads::new_batch(&state, &caller, operation, draft).await.map_err(super::caller::refused)
}

/// "Sync with Gateway" from a hydrated page.
#[server(endpoint = "batches/sync", input = Json)]
pub async fn sync_batch(operation: Operation, batch: BatchId) -> Result<SyncReport, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::batches::sync(&state, &caller, operation, batch).await.map_err(super::caller::refused)
}
