//! What the review page and the notices show. They are rendered on the server only, so these are plain functions without an
//! address.

use super::ApiError;
use crate::domain::{
    ids::BatchId,
    view::review::{Notices, Review},
};

/// What is in review, of one batch or of all.
pub async fn load_review(only: Option<BatchId>) -> Result<Review, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::review::review(&state, &caller, only).await.map_err(super::caller::refused)
}

/// The reader's own notices.
pub async fn load_notices() -> Result<Notices, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::notices::list(&state, &caller).await.map_err(super::caller::refused)
}
