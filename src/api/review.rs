//! What the review page shows. It is rendered on the server only, so this is a plain function without an address.

use super::ApiError;
use crate::domain::{ids::BatchId, view::review::Review};

/// What is in review, of one batch or of all.
pub async fn load_review(only: Option<BatchId>) -> Result<Review, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::review::review(&state, &caller, only).await.map_err(super::caller::refused)
}
