//! What the search page shows. It is rendered on the server only, so this is a plain function without an address.

use super::ApiError;
use crate::domain::view::search::Found;

/// What begins with `text`.
pub async fn search(text: String) -> Result<Found, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::search::search(&state, &caller, &text).await.map_err(super::caller::refused)
}
