//! API keys: who calls the HTTP API.

use super::{access::Caller, audit, people};
use crate::{
    db::{self, api_keys::ApiKeyRow},
    domain::{
        access::{Right, Role},
        error::RefusalKind,
        ids::{OrganisationId, PersonId},
        view::PersonRef,
    },
    error::{OpError, OpResult},
    state::AppState,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The caller behind a bearer key; none when there is no such key, or it was revoked.
pub async fn authenticate(state: &AppState, key: &str) -> OpResult<Option<Caller>> {
    let mut global = state.db.global().await?;
    let found = db::people::api_key(&mut global, &Sha256::digest(key.as_bytes())).await?;
    global.commit().await?;
    let Some((organisation, id)) = found else { return Ok(None) };
    let mut tx = state.db.web(organisation, None).await?;
    let key = db::api_keys::load(&mut tx, id).await?;
    let organisation = db::organisations::load(&mut tx).await?;
    tx.commit().await?;
    let (Some((name, permissions)), Some(organisation)) = (key, organisation) else { return Ok(None) };
    Ok(Some(Caller {
        person: PersonRef { id: PersonId(id), email: name },
        organisation: organisation.reference,
        permissions,
        proved_at: None,
    }))
}

/// Adds a key with the rights of a role. Only its hash is stored.
pub async fn add(state: &AppState, organisation: OrganisationId, name: &str, role: Role, key: &str) -> OpResult<()> {
    let mut tx = state.db.web(organisation, None).await?;
    let id = Uuid::now_v7();
    db::api_keys::insert(&mut tx, id, name, role, &Sha256::digest(key.as_bytes()), state.clock.now()).await?;
    let detail = json!({ "name": name, "role": role.code() });
    audit::record_own(state, &mut tx, "api_key.created", Some(id), detail).await?;
    Ok(tx.commit().await?)
}

/// Makes a key for an organisation, which nobody can read afterwards. A key approves nothing.
pub async fn create(state: &AppState, organisation: &str, name: &str, role: Role) -> OpResult<SecretString> {
    let refuse = |kind, sentence: String| Err(OpError::refuse(kind, sentence));
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return refuse(RefusalKind::Invalid, "The name of a key has 1 to 100 characters, in one line.".to_owned());
    }
    if role.permissions().0.iter().any(|(_, right)| *right == Right::Approve) {
        let sentence = format!("A key cannot have the role {}: only people approve.", role.code());
        return refuse(RefusalKind::Invalid, sentence);
    }
    let organisation = people::organisation_named(state, organisation).await?;
    let mut tx = state.db.web(organisation, None).await?;
    let taken = db::api_keys::in_use(&mut tx, name).await?;
    tx.commit().await?;
    if taken {
        let sentence = format!("There is a key named {name:?} already. Revoke it first, or choose another name.");
        return refuse(RefusalKind::Conflict, sentence);
    }
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(OpError::failed)?;
    let key = format!("bd_{}", URL_SAFE_NO_PAD.encode(bytes));
    add(state, organisation, name, role, &key).await?;
    Ok(SecretString::from(key))
}

/// Every key of an organisation.
pub async fn list(state: &AppState, organisation: &str) -> OpResult<Vec<ApiKeyRow>> {
    let organisation = people::organisation_named(state, organisation).await?;
    let mut tx = state.db.web(organisation, None).await?;
    let keys = db::api_keys::list(&mut tx).await?;
    tx.commit().await?;
    Ok(keys)
}

/// Revokes the key of this name. It is refused from the next call on.
pub async fn revoke(state: &AppState, organisation: &str, name: &str) -> OpResult<()> {
    let organisation = people::organisation_named(state, organisation).await?;
    let mut tx = state.db.web(organisation, None).await?;
    let Some(id) = db::api_keys::revoke(&mut tx, name.trim(), state.clock.now()).await? else {
        let sentence = format!("There is no key named {name:?} in use. `key list` shows them.");
        return Err(OpError::refuse(RefusalKind::NotFound, sentence));
    };
    audit::record_own(state, &mut tx, "api_key.revoked", Some(id), json!({ "name": name.trim() })).await?;
    Ok(tx.commit().await?)
}
