//! Failed rows that are sent again, and the history of a task. Their pages are rendered on the server only, so these
//! are plain functions without an address.

use super::ApiError;
use crate::domain::{
    ids::BatchId,
    operation::Operation,
    view::retries::{RetryView, TaskHistory},
};

/// The page with the failed rows of a batch.
pub async fn load_retry(operation: Operation, batch: BatchId, page: u32) -> Result<RetryView, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::retries::page(&state, &caller, operation, batch, page).await.map_err(super::caller::refused)
}

/// The history of a task.
pub async fn load_history(operation: Operation, batch: BatchId, number: u32) -> Result<TaskHistory, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::history::task(&state, &caller, operation, batch, number).await.map_err(super::caller::refused)
}
