//! What the settings pages show. They are rendered on the server only, so these are plain functions without an address.

use super::ApiError;
use crate::domain::{
    ids::GatewayId,
    view::{
        connections::{ConnectionPage, Connections},
        settings::Settings,
    },
};

/// The organisation's settings.
pub async fn load_settings() -> Result<Settings, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::settings::load(&state, &caller).await.map_err(super::caller::refused)
}

/// All connections to gateways.
pub async fn load_connections() -> Result<Connections, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::connections::list(&state, &caller).await.map_err(super::caller::refused)
}

/// One connection, or what the page that adds one needs.
pub async fn load_connection(id: Option<GatewayId>) -> Result<ConnectionPage, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::connections::page(&state, &caller, id).await.map_err(super::caller::refused)
}
