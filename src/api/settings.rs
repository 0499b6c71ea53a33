//! What the settings pages show. They are rendered on the server only, so these are plain functions without an address.

use super::ApiError;
use crate::domain::view::settings::Settings;

/// The organisation's settings.
pub async fn load_settings() -> Result<Settings, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::settings::load(&state, &caller).await.map_err(super::caller::refused)
}
