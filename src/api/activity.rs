//! The activity log of a batch. Its page is rendered on the server only, so this is a plain function without an
//! address.

use super::ApiError;
use crate::domain::{ids::BatchId, operation::Operation, view::activity::ActivityLog};

/// A page of the log.
pub async fn load_activity(operation: Operation, batch: BatchId, page: u32) -> Result<ActivityLog, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::activity::log(&state, &caller, operation, batch, page).await.map_err(super::caller::refused)
}
