//! The external system of an organisation: where its synchronised orders are told.

use super::{
    access::{Caller, authorise},
    audit, people,
    refused::{Refused, plain},
    settings_changes::{self, Outcome},
};
use crate::{
    db::{self, orders::ExternalSystem},
    domain::{
        access::{Module, Right},
        error::RefusalKind,
        ids::OrganisationId,
        settings_change::Change,
        text::{ADDRESS, SIGNING_SECRET},
    },
    error::{OpError, OpResult},
    outbound::{address, webhook::Secret},
    state::AppState,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

/// How the external system is to be set.
#[derive(Debug)]
pub struct NewExternal {
    /// https, or a host that the operator allowed.
    pub url: String,
    /// `whsec_…`; none keeps the one that is there, or makes one where there is none.
    pub secret: Option<SecretString>,
    /// Whether anything is sent there.
    pub enabled: bool,
}

/// What people see of the address: the host that is told.
pub(super) fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// A signing secret as it was typed; none when nothing was.
pub fn typed_secret(text: &str) -> OpResult<Option<SecretString>> {
    let text = SIGNING_SECRET.read(text)?;
    if text.is_empty() {
        return Ok(None);
    }
    let secret = SecretString::from(text);
    Secret::read(&secret).map_err(|sentence| OpError::refuse(RefusalKind::Invalid, sentence))?;
    Ok(Some(secret))
}

/// What became of an external system that was set.
#[derive(Debug)]
pub struct Set {
    /// The signing secret where one was made: it is shown this once.
    pub made: Option<SecretString>,
    /// Whether it holds already.
    pub outcome: Outcome,
}

/// Sets it. Needs ReadWrite on settings. The refusal names the field.
pub async fn set(state: &AppState, caller: &Caller, new: NewExternal, reason: &str) -> Result<Set, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await.map_err(plain)?;
    let known = db::orders::external_system(&mut tx).await.map_err(plain)?;
    tx.commit().await.map_err(plain)?;
    let field = if new.secret.is_some() { "secret" } else { "url" };
    let Prepared { system, made, changed } = prepared(state, caller.organisation.id, new, known).map_err(|error| {
        let field = (error.refusal.kind == RefusalKind::Invalid).then_some(field);
        (error, field)
    })?;
    let change = Change::External { url: system.url, enabled: system.enabled, new_secret: changed };
    let sealed = changed.then_some(system.sealed_secret.as_slice());
    let outcome = settings_changes::submit(state, caller, &change, sealed, reason).await?;
    Ok(Set { made, outcome })
}

/// The same for the operator, on the command line.
pub async fn set_for(state: &AppState, organisation: &str, new: NewExternal) -> OpResult<Option<SecretString>> {
    let id = people::organisation_named(state, organisation).await?;
    let mut tx = state.db.web(id, None).await?;
    let known = db::orders::external_system(&mut tx).await?;
    let Prepared { system, made, changed } = prepared(state, id, new, known)?;
    db::orders::set_external_system(&mut tx, &system, state.clock.now()).await?;
    let detail = json!({ "url": system.url, "enabled": system.enabled, "new_secret": changed });
    audit::record_own(state, &mut tx, "external_system.set", None, detail).await?;
    tx.commit().await?;
    Ok(made)
}

/// A system that is ready to be stored.
struct Prepared {
    system: ExternalSystem,
    made: Option<SecretString>,
    changed: bool,
}

fn prepared(
    state: &AppState,
    organisation: OrganisationId,
    new: NewExternal,
    known: Option<ExternalSystem>,
) -> OpResult<Prepared> {
    let invalid = |sentence: &str| OpError::refuse(RefusalKind::Invalid, sentence);
    let typed = ADDRESS.read(&new.url)?;
    let url = address::check(&typed, &state.config.allowed_hosts).map_err(|sentence| invalid(&sentence))?;
    let (sealed_secret, made, changed) = match (new.secret, known) {
        (Some(secret), _) => {
            Secret::read(&secret).map_err(invalid)?;
            let secret = SecretString::from(SIGNING_SECRET.read(secret.expose_secret())?);
            (seal(state, organisation, &secret)?, None, true)
        }
        (None, Some(known)) => (known.sealed_secret, None, false),
        (None, None) => {
            let secret = Secret::make().map_err(OpError::failed)?;
            (seal(state, organisation, &secret)?, Some(secret), true)
        }
    };
    Ok(Prepared { system: ExternalSystem { url: url.to_string(), sealed_secret, enabled: new.enabled }, made, changed })
}

fn seal(state: &AppState, organisation: OrganisationId, secret: &SecretString) -> OpResult<Vec<u8>> {
    state.config.secret_key.seal(organisation.0.as_bytes(), secret).map_err(OpError::failed)
}
