//! API keys: who calls the machine interface.

use super::access::Caller;
use crate::{
    domain::{access::Role, ids::OrganisationId, ids::PersonId, view::PersonRef},
    server::{db, error::OpResult, state::AppState},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The caller behind a bearer key; none when there is no such key, or it was revoked.
pub async fn authenticate(state: &AppState, key: &str) -> OpResult<Option<Caller>> {
    let mut global = state.db.global().await?;
    let found = db::people::api_key(&mut global, &Sha256::digest(key.as_bytes())).await?;
    global.commit().await?;
    let Some((organisation, id)) = found else { return Ok(None) };
    let mut tx = state.db.web(organisation, None).await?;
    let key = db::organisations::api_key(&mut tx, id).await?;
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
    db::organisations::add_api_key(&mut tx, id, name, role, &Sha256::digest(key.as_bytes()), state.clock.now()).await?;
    super::audit::record_own(state, &mut tx, "api_key.created", Some(id), serde_json::json!({ "name": name })).await?;
    Ok(tx.commit().await?)
}
