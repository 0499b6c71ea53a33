//! Connections to gateways.

use crate::{
    domain::ids::GatewayId,
    server::{error::OpResult, gateway::GatewayClass, state::AppState},
};
use secrecy::SecretString;
use url::Url;

/// A connection to be made.
#[derive(Debug)]
pub struct NewGateway {
    /// Name of the organisation; it must exist.
    pub organisation: String,
    /// `juspay`.
    pub connector: String,
    /// Where the gateway answers; https, or a host that the operator allowed.
    pub base_url: Url,
    /// The merchant's id at the gateway.
    pub merchant_id: String,
    /// Sealed before it is stored, never shown again.
    pub api_key: SecretString,
    /// What the gateway promises, `N` unless measured.
    pub class: GatewayClass,
    /// How long it remembers keys (class K).
    pub key_window: Option<std::time::Duration>,
    /// Whether it moves no real money.
    pub sandbox: bool,
}

/// Adds a connection, or replaces the one of the same connector.
pub async fn add(state: &AppState, gateway: NewGateway) -> OpResult<GatewayId> {
    let _ = (state, gateway);
    todo!()
}
