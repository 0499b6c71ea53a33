//! What the page of notices shows. It is rendered on the server only, so this is a plain function without an address.

use super::ApiError;
use crate::domain::view::notices::Notices;

/// The caller's notices.
pub async fn load_notices() -> Result<Notices, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::notices::list(&state, &caller).await.map_err(super::caller::refused)
}
