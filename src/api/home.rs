//! The first page after sign-in.

use super::ApiError;
use crate::domain::view::Home;
use leptos::{prelude::*, server_fn::codec::Json};

/// Numbers and the newest batches.
#[server(endpoint = "home", input = Json)]
pub async fn load_home() -> Result<Home, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::home::home(&state, &caller).await.map_err(super::caller::refused)
}
