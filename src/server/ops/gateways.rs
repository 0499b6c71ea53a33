//! Connections to gateways.

use super::{audit, people};
use crate::{
    db::{
        self, Tx,
        connections::CapabilityRow,
        gateways::{GatewayInput, GatewayRow},
    },
    domain::{
        connection_limits::ConnectionLimits,
        error::RefusalKind,
        ids::GatewayId,
        operation::{Effect, Operation, Work},
    },
    error::{OpError, OpResult},
    gateway::{self, GatewayClass, Promise},
    outbound::address,
    state::AppState,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

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
    pub key_window: Option<Duration>,
    /// Whether it moves no real money.
    pub sandbox: bool,
    /// What it may be asked; none leaves the limits as they are.
    pub limits: Option<ConnectionLimits>,
}

/// The database's guard: work on the connection is open.
pub(super) fn in_use(error: sqlx::Error) -> OpError {
    match db::guard_code(&error).as_deref() {
        Some("BD409") => OpError::refuse(
            RefusalKind::Conflict,
            "Batches on this connection are not finished or wait for a decision, and only the account they began with \
             knows their refunds. Add the other account as a connection of its own and choose it for new batches.",
        ),
        _ => error.into(),
    }
}

/// The connection that new batches of this operation go to. What only asks reads orders where their refunds go.
pub(super) async fn chosen_for(tx: &mut Tx, operation: Operation) -> OpResult<Option<GatewayRow>> {
    let effect = match operation.work() {
        Work::Send(effect) => effect,
        Work::Query => Effect::Refund,
        Work::Import => return Ok(None),
    };
    Ok(db::gateways::chosen(tx, effect).await?)
}

/// The class that all effects of a connection have at least: as many calls as it allows are on the wire at once.
pub(crate) fn weakest(row: &GatewayRow) -> GatewayClass {
    row.weakest(&gateway::effects(&row.connector))
}

/// The connection of a batch; an import has none.
pub(super) async fn of_batch(tx: &mut Tx, batch: &db::batches::BatchRow) -> OpResult<Option<GatewayRow>> {
    let Some(gateway) = batch.gateway else { return Ok(None) };
    Ok(db::gateways::load(tx, gateway).await?)
}

/// The connection that a new batch of this operation goes to; none for an import. Refused where there must be one and
/// is none, or where its connector cannot do what the operation's tasks need.
pub(super) async fn for_new_batch(tx: &mut Tx, operation: Operation) -> OpResult<Option<GatewayRow>> {
    let refuse = |sentence: &str| OpError::refuse(RefusalKind::Conflict, sentence);
    if operation.work() == Work::Import {
        return Ok(None);
    }
    let row = chosen_for(tx, operation).await?.ok_or_else(|| refuse(operation.labels().no_gateway))?;
    if let Work::Send(effect) = operation.work() {
        gateway::carries_out(&row.connector, effect).map_err(|sentence| refuse(&sentence))?;
    }
    Ok(Some(row))
}

/// Whether a text can be sent as it is where a name or a key is asked for: 1 to 200 visible characters of ASCII.
pub(super) fn visible(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Checks what names an account as far as that is possible without the gateway, and answers its address as it is stored.
/// A refusal is a field and a sentence.
pub(super) fn checked_account(
    state: &AppState,
    base_url: &str,
    merchant_id: &str,
    api_key: Option<&SecretString>,
) -> Result<String, (&'static str, String)> {
    if base_url.len() > 500 {
        return Err(("base_url", "The address is too long. Write it as https://host.".to_owned()));
    }
    let base_url = address::check(base_url, &state.config.allowed_hosts).map_err(|sentence| ("base_url", sentence))?;
    let unlike =
        |what| format!("The {what} is empty, too long, or has blanks or special characters. Copy it from the gateway.");
    if !visible(merchant_id) {
        return Err(("merchant_id", unlike("merchant id")));
    }
    if api_key.is_some_and(|key| !visible(key.expose_secret())) {
        return Err(("api_key", unlike("API key")));
    }
    Ok(base_url.into())
}

/// Stores the limits of a connection, in a transaction that has authorised already. They act within a second.
pub(in crate::ops) async fn set_limits(tx: &mut Tx, gateway: GatewayId, limits: ConnectionLimits) -> OpResult<()> {
    if let Err((_, sentence)) = limits.check() {
        return Err(OpError::refuse(RefusalKind::Invalid, sentence));
    }
    let stored = |n: Option<u32>| n.and_then(|n| i32::try_from(n).ok());
    let (concurrency, rate, burst) = (stored(limits.concurrency), stored(limits.rate), stored(limits.burst));
    match db::gateways::set_limits(tx, gateway, concurrency, rate, burst).await? {
        true => Ok(()),
        false => Err(OpError::not_found("connection")),
    }
}

/// Adds a connection, or replaces address and key of the one to the same account and lets it send again.
pub async fn add(state: &AppState, new: NewGateway) -> OpResult<GatewayId> {
    let refuse = |sentence: String| Err(OpError::refuse(RefusalKind::Invalid, sentence));
    let Some(connector) = gateway::descriptor(&new.connector) else {
        return refuse(format!("There is no connector {:?}. Known: {}.", new.connector, gateway::known()));
    };
    let base_url = checked_account(state, new.base_url.as_str(), &new.merchant_id, Some(&new.api_key))
        .map_err(|(_, sentence)| OpError::refuse(RefusalKind::Invalid, sentence))?;
    if new.class == GatewayClass::K && new.key_window.is_none_or(|window| window < Duration::from_secs(3600)) {
        return refuse("A gateway of class K needs the time it remembers keys for, at least one hour.".to_owned());
    }
    let organisation = people::organisation_named(state, &new.organisation).await?;
    let mut tx = state.db.web(organisation, None).await?;
    let known = db::gateways::of_account(&mut tx, &new.connector, &new.merchant_id, new.sandbox).await?;
    let id = GatewayId(known.as_ref().map_or_else(Uuid::now_v7, |row| row.id));
    let sealed_key = state.config.secret_key.seal(id.0.as_bytes(), &new.api_key).map_err(OpError::failed)?;
    let input = GatewayInput {
        connector: &new.connector,
        base_url: &base_url,
        merchant_id: &new.merchant_id,
        sealed_key: &sealed_key,
        sandbox: new.sandbox,
        preflight: connector.reads_orders,
        balances: connector.balances_known,
    };
    db::gateways::put(&mut tx, id, &input, state.clock.now()).await.map_err(in_use)?;
    let row = db::gateways::load(&mut tx, id).await?.ok_or_else(|| OpError::not_found("connection"))?;
    if known.is_none() {
        db::gateways::choose(&mut tx, id, &gateway::effects(connector.name)).await?;
    }
    for (effect, promise) in gateway::declared(connector, Promise::new(new.class, new.key_window)) {
        if row.promise(effect) == promise {
            continue;
        }
        let fact = CapabilityRow {
            at: state.clock.now(),
            actor: "Batchdesk".to_owned(),
            measured: false,
            base_url: row.base_url.clone(),
            merchant_id: row.merchant_id.clone(),
            effect: effect.code().to_owned(),
            class: promise.class.code().to_owned(),
            key_window_seconds: promise.key_window.and_then(|window| i64::try_from(window.as_secs()).ok()),
            order_id: None,
            evidence: "[]".to_owned(),
        };
        let evidence = db::connections::add_capability(&mut tx, id, &fact).await?;
        db::gateways::set_promise(&mut tx, &row, effect, promise, evidence).await?;
    }
    if let Some(limits) = new.limits {
        set_limits(&mut tx, id, limits).await?;
    }
    let detail = json!({ "connector": new.connector, "base_url": base_url, "merchant_id": new.merchant_id,
                         "class": new.class.code(), "concurrency": new.limits.and_then(|limits| limits.concurrency),
                         "rate_limit": new.limits.and_then(|limits| limits.rate), "rate_burst": new.limits.and_then(|limits| limits.burst) });
    let action = if known.is_some() { "gateway.replaced" } else { "gateway.added" };
    audit::record_own(state, &mut tx, action, Some(id.0), detail).await?;
    tx.commit().await?;
    Ok(id)
}
