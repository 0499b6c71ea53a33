//! Connections to gateways, as people look after them: what each is, and what they do with it.

mod connection_test;
mod measure;
mod pages;
mod pause;
pub mod probe;

pub use connection_test::TestResult;
pub use measure::{measure, measure_own};
pub use pages::{list, page};
pub use pause::{pause, pause_all, resume, resume_all};

use super::{
    access::{Caller, authorise, needs_proof},
    audit,
    gateways::{self, in_use},
    refused::{Refused, about, plain},
    settings_changes::{self, Outcome},
    views,
};
use crate::{
    db::{self, Tx, gateways::GatewayRow},
    domain::{
        access::{Module, Right},
        connection_limits::ConnectionLimits,
        error::RefusalKind,
        ids::GatewayId,
        settings_change::Change,
    },
    error::{OpError, OpResult},
    gateway::{self, Connector, GatewayClass},
    state::AppState,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// An account as a person typed it.
#[derive(Debug)]
pub struct AccountForm {
    /// Name of the connector; of a new connection only.
    pub connector: String,
    /// Where the gateway answers.
    pub base_url: String,
    /// The merchant's id there.
    pub merchant_id: String,
    /// The API key; empty keeps the stored one.
    pub api_key: SecretString,
    /// Whether it moves no real money; of a new connection only.
    pub sandbox: bool,
    /// Store it although nothing answers there.
    pub untested: bool,
    /// Why.
    pub reason: String,
}

/// What was stored: a sentence for the person.
#[derive(Debug)]
pub struct Stored {
    /// Which.
    pub id: GatewayId,
    /// What the gateway said to it.
    pub said: String,
    /// Whether it holds already.
    pub outcome: Outcome,
}

/// The gateway behind a connection. `key` is used in place of the stored one.
fn open(
    state: &AppState,
    row: &GatewayRow,
    caller: &Caller,
    key: Option<&SecretString>,
) -> Result<Arc<dyn Connector>, OpError> {
    let api_key = match key {
        Some(key) => key.clone(),
        None => state.config.secret_key.open(row.id.as_bytes(), &row.sealed_key).map_err(OpError::failed)?,
    };
    gateway::connect(&gateway::Connection {
        connector: row.connector.clone(),
        base_url: row.base_url.clone(),
        merchant_id: row.merchant_id.clone(),
        api_key,
        currency: gateway::currency(&row.connector, caller.organisation.currency),
        timeout: state.config.gateway_timeout,
        concurrency: 1,
        allowed_hosts: state.config.allowed_hosts.clone(),
    })
    .map_err(|error| OpError::refuse(RefusalKind::Invalid, error.to_string()))
}

async fn found(tx: &mut Tx, id: GatewayId) -> OpResult<GatewayRow> {
    db::gateways::load(tx, id).await?.ok_or_else(|| OpError::not_found("connection"))
}

fn proved(state: &AppState, caller: &Caller) -> Result<(), Refused> {
    match needs_proof(state, caller) {
        true => Err(about("password", "Give your password again to change where money goes.")),
        false => Ok(()),
    }
}

fn checked(state: &AppState, entry: &AccountForm, key_needed: bool) -> Result<String, Refused> {
    let key = Some(&entry.api_key).filter(|key| key_needed || !key.expose_secret().is_empty());
    gateways::checked_account(state, &entry.base_url, &entry.merchant_id, key)
        .map_err(|(field, sentence)| about(field, sentence))
}

/// Asks the gateway about an account before it is stored.
async fn tried(
    state: &AppState,
    caller: &Caller,
    row: &GatewayRow,
    key: Option<&SecretString>,
    untested: bool,
) -> Result<String, Refused> {
    let gateway = open(state, row, caller, key).map_err(|error| (error, Some("api_key")))?;
    match connection_test::read(gateway.as_ref(), row).await {
        TestResult::Works(sentence) => Ok(sentence),
        TestResult::KeyRefused(sentence) => Err(about("api_key", format!("{sentence} Nothing was stored."))),
        TestResult::UnknownMerchant(sentence) => Err(about("merchant_id", format!("{sentence} Nothing was stored."))),
        TestResult::Away(sentence) if untested => Ok(format!("It was not tested: {sentence}")),
        TestResult::Away(sentence) => {
            let next = "Nothing was stored. Correct the address, or tick “Store it untested”.";
            Err(about("base_url", format!("{sentence} {next}")))
        }
    }
}

/// Adds a connection. New batches go on using the one they use; the first is chosen by itself. Needs ReadWrite on
/// settings and a proof of the password.
pub async fn add(state: &AppState, caller: &Caller, entry: AccountForm) -> Result<Stored, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let Some(connector) = gateway::descriptor(&entry.connector) else {
        return Err(about("connector", "Choose the kind of gateway."));
    };
    let base_url = checked(state, &entry, true)?;
    proved(state, caller)?;
    let id = GatewayId(Uuid::now_v7());
    let row = GatewayRow {
        id: id.0,
        connector: connector.name.to_owned(),
        base_url,
        merchant_id: entry.merchant_id.clone(),
        sandbox: entry.sandbox,
        ..GatewayRow::unsaved(state.clock.now())
    };
    let said = tried(state, caller, &row, Some(&entry.api_key), entry.untested).await?;
    let sealed =
        state.config.secret_key.seal(id.0.as_bytes(), &entry.api_key).map_err(OpError::failed).map_err(plain)?;
    let mut tx = begin(state, caller).await.map_err(plain)?;
    let known =
        db::gateways::of_account(&mut tx, connector.name, &row.merchant_id, row.sandbox).await.map_err(plain)?;
    tx.commit().await.map_err(plain)?;
    if known.is_some() {
        return Err(account_is_known());
    }
    let change = Change::ConnectionAdded {
        id,
        name: views::connection::gateway_name(&row),
        connector: row.connector,
        base_url: row.base_url,
        merchant_id: row.merchant_id,
        sandbox: row.sandbox,
        untested: entry.untested,
    };
    let outcome = settings_changes::submit(state, caller, &change, Some(&sealed), &entry.reason).await?;
    Ok(Stored { id, said, outcome })
}

/// Changes address, merchant or key of a connection. Needs ReadWrite on settings and a proof of the password; another
/// address or merchant is refused while work on it is open, and promises nothing until it is measured.
pub async fn change(state: &AppState, caller: &Caller, id: GatewayId, entry: AccountForm) -> Result<Stored, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let mut tx = begin(state, caller).await.map_err(plain)?;
    let old = found(&mut tx, id).await.map_err(plain)?;
    tx.commit().await.map_err(plain)?;
    let base_url = checked(state, &entry, false)?;
    proved(state, caller)?;
    let key = Some(&entry.api_key).filter(|key| !key.expose_secret().is_empty());
    let row = GatewayRow { base_url, merchant_id: entry.merchant_id.clone(), ..old.clone() };
    // The stored key must not be carried to whatever address somebody types: only who knows the key may name another.
    if row.base_url != old.base_url && key.is_none() {
        return Err(about("api_key", "Give the key again for another address: the stored one is not sent there."));
    }
    let said = tried(state, caller, &row, key, entry.untested).await?;
    let sealed = match key {
        Some(key) => Some(state.config.secret_key.seal(id.0.as_bytes(), key).map_err(OpError::failed).map_err(plain)?),
        None => None,
    };
    let change = Change::ConnectionAccount {
        id,
        name: views::connection::gateway_name(&old),
        base_url: row.base_url,
        merchant_id: row.merchant_id,
        new_key: key.is_some(),
        untested: entry.untested,
    };
    let outcome = settings_changes::submit(state, caller, &change, sealed.as_deref(), &entry.reason).await?;
    Ok(Stored { id, said, outcome })
}

fn account_is_known() -> Refused {
    let sentence = "There is a connection to this account already. Change that one, or name another merchant.";
    (OpError::refuse(RefusalKind::Conflict, sentence), Some("merchant_id"))
}

pub(super) fn taken(error: sqlx::Error) -> Refused {
    let unique = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
    if unique { account_is_known() } else { plain(in_use(error)) }
}

async fn begin(state: &AppState, caller: &Caller) -> OpResult<Tx> {
    Ok(state.db.web(caller.organisation.id, Some(caller.person.id)).await?)
}

/// Asks the gateway with the stored key. Reads; moves no money. Needs ReadWrite on settings.
pub async fn test(state: &AppState, caller: &Caller, id: GatewayId) -> OpResult<TestResult> {
    authorise(caller, Module::Settings, Right::ReadWrite)?;
    let mut tx = begin(state, caller).await?;
    let row = found(&mut tx, id).await?;
    tx.commit().await?;
    let outcome = connection_test::read(open(state, &row, caller, None)?.as_ref(), &row).await;
    let mut tx = begin(state, caller).await?;
    let detail = json!({ "works": matches!(outcome, TestResult::Works(_)), "said": outcome.sentence() });
    audit::record(state, &mut tx, caller, "gateway.tested", Some(id.0), detail).await?;
    tx.commit().await?;
    Ok(outcome)
}

/// New batches use this connection from now on; batches that exist keep theirs. Needs ReadWrite on settings and a proof
/// of the password.
pub async fn choose(
    state: &AppState,
    caller: &Caller,
    id: GatewayId,
    reason: &str,
) -> Result<(String, Outcome), Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let mut tx = begin(state, caller).await.map_err(plain)?;
    let row = found(&mut tx, id).await.map_err(plain)?;
    tx.commit().await.map_err(plain)?;
    let name = views::connection::gateway_name(&row);
    let change = Change::ConnectionChosen { id, name: name.clone() };
    let outcome = settings_changes::submit(state, caller, &change, None, reason).await?;
    Ok((name, outcome))
}

/// Sets what a connection may be asked at most. Needs ReadWrite on settings. Holds within seconds, for batches that
/// run, too.
pub async fn limit(
    state: &AppState,
    caller: &Caller,
    id: GatewayId,
    limits: ConnectionLimits,
    reason: &str,
) -> Result<Outcome, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    if let Err((_, sentence)) = limits.check() {
        return Err((OpError::refuse(RefusalKind::Invalid, sentence), None));
    }
    let mut tx = begin(state, caller).await.map_err(plain)?;
    let row = found(&mut tx, id).await.map_err(plain)?;
    tx.commit().await.map_err(plain)?;
    let change = Change::ConnectionLimits {
        id,
        name: views::connection::gateway_name(&row),
        concurrency: limits.concurrency,
        rate: limits.rate,
        burst: limits.burst,
    };
    settings_changes::submit(state, caller, &change, None, reason).await
}

/// The class in words: what it means for a refund whose fate is not known.
pub fn class_label(class: GatewayClass) -> &'static str {
    match class {
        GatewayClass::K => {
            "keeps every outcome under our key: what got no clear reply is asked after and may be sent again"
        }
        GatewayClass::Q => {
            "can be asked what became of a refund: what got no clear reply is asked after, never sent again"
        }
        GatewayClass::N => "promises nothing: what got no clear reply goes to people",
    }
}
