//! The audit trail: what an operation writes down, the sealer that chains it and signs where the chain ends, the check
//! of both, and what is declared after a restore. What the signatures are for: [`heads`].

mod hash;
pub mod heads;
mod restored;
mod sealer;
mod verify;

pub use restored::{RESTORED, RestorePoint, declare_restored};
pub use sealer::{run_sealer, seal_all, signed_heads};
pub use verify::{AuditReport, Finding, KeptHead, verify};

use super::access::Caller;
use crate::{
    db::{self, Tx, audit::AuditEntry},
    error::OpResult,
    state::AppState,
};
use uuid::Uuid;

/// Writes down what the caller did, in the transaction of the act.
pub async fn record(
    state: &AppState,
    tx: &mut Tx,
    caller: &Caller,
    action: &str,
    object: Option<Uuid>,
    detail: serde_json::Value,
) -> OpResult<()> {
    let entry = AuditEntry {
        at: state.clock.now(),
        person: Some(caller.person.id),
        actor: &caller.person.email,
        action,
        object,
        detail,
    };
    Ok(db::audit::append(tx, entry).await?)
}

/// Writes down what Batchdesk did by itself, or a command of the operator.
pub async fn record_own(
    state: &AppState,
    tx: &mut Tx,
    action: &str,
    object: Option<Uuid>,
    detail: serde_json::Value,
) -> OpResult<()> {
    let entry = AuditEntry { at: state.clock.now(), person: None, actor: "Batchdesk", action, object, detail };
    Ok(db::audit::append(tx, entry).await?)
}
