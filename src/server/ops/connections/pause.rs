//! Stops by people: of one connection, and of everything that the organisation sends.

use super::{Refused, about, begin, found, plain};
use crate::{
    db,
    domain::{
        access::{Module, Right},
        error::RefusalKind,
        ids::GatewayId,
        text::REASON,
    },
    error::{OpError, OpResult},
    ops::{
        access::{Caller, authorise},
        audit, past,
    },
    state::AppState,
};
use serde_json::json;

/// Nothing new is sent to a connection until somebody resumes it. Needs ReadWrite on settings, and a reason.
pub async fn pause(state: &AppState, caller: &Caller, id: GatewayId, reason: &str) -> Result<(), Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let reason = why(reason)?;
    let done = async {
        let mut tx = begin(state, caller).await?;
        found(&mut tx, id).await?;
        if !db::connections::pause(&mut tx, id, &reason, state.clock.now()).await? {
            return Err(OpError::refuse(RefusalKind::Conflict, "Nothing is sent to this connection already."));
        }
        audit::record(state, &mut tx, caller, "gateway.paused", Some(id.0), json!({ "reason": reason })).await?;
        db::connections::wake(&mut tx).await?;
        Ok(tx.commit().await?)
    };
    done.await.map_err(plain)
}

/// A connection sends again, whoever stopped it. Needs ReadWrite on settings.
pub async fn resume(state: &AppState, caller: &Caller, id: GatewayId) -> OpResult<()> {
    authorise(caller, Module::Settings, Right::ReadWrite)?;
    let mut tx = begin(state, caller).await?;
    let row = found(&mut tx, id).await?;
    if !db::connections::resume(&mut tx, id).await? {
        return Err(OpError::refuse(RefusalKind::Conflict, "This connection sends already."));
    }
    let detail = json!({ "paused_by": row.paused_by, "stopped_reason": row.stopped_reason });
    audit::record(state, &mut tx, caller, "gateway.resumed", Some(id.0), detail).await?;
    db::connections::wake(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// The person of `caller` pauses everything that the organisation sends. Needs ReadWrite on settings, and a reason.
pub async fn pause_all(state: &AppState, caller: &Caller, reason: &str) -> Result<(), Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let reason = why(reason)?;
    let done = async {
        let mut tx = begin(state, caller).await?;
        if !db::organisations::pause(&mut tx, &reason, state.clock.now()).await? {
            return Err(OpError::refuse(RefusalKind::Conflict, "Nothing is sent already."));
        }
        let object = Some(caller.organisation.id.0);
        audit::record(state, &mut tx, caller, "organisation.paused", object, json!({ "reason": reason })).await?;
        db::connections::wake(&mut tx).await?;
        Ok(tx.commit().await?)
    };
    done.await.map_err(plain)
}

/// The organisation sends again, whoever stopped it. Needs ReadWrite on settings.
pub async fn resume_all(state: &AppState, caller: &Caller) -> OpResult<()> {
    authorise(caller, Module::Settings, Right::ReadWrite)?;
    let mut tx = begin(state, caller).await?;
    let row = db::organisations::load(&mut tx).await?.ok_or_else(|| OpError::not_found("organisation"))?;
    if row.stopped_reason.as_deref().is_some_and(|reason| reason.starts_with(past::WENT_BACK)) {
        return Err(OpError::refuse(
            RefusalKind::Conflict,
            "The database went back to an older state. The operator runs `batchdesk restored`; sending goes on after \
             that.",
        ));
    }
    if !db::organisations::resume(&mut tx).await? {
        return Err(OpError::refuse(RefusalKind::Conflict, "The organisation sends already."));
    }
    let detail = json!({ "paused_by": row.paused_by, "stopped_reason": row.stopped_reason });
    audit::record(state, &mut tx, caller, "organisation.resumed", Some(caller.organisation.id.0), detail).await?;
    db::connections::wake(&mut tx).await?;
    Ok(tx.commit().await?)
}

fn why(reason: &str) -> Result<String, Refused> {
    let missing = "Say why: everybody whose batches wait reads it.";
    REASON.read_filled(reason, missing).map_err(|refusal| about("reason", refusal.message))
}
