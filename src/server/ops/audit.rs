//! The audit trail: what an operation writes down, the sealer that chains it, and the check of the chain.

use super::access::Caller;
use crate::{
    domain::ids::OrganisationId,
    server::{
        db::{self, Tx, audit::AuditEntry},
        error::OpResult,
        state::AppState,
    },
};
use tokio_util::sync::CancellationToken;
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

/// Chains everything that waits, of every organisation; answers how many rows.
pub async fn seal_all(state: &AppState) -> OpResult<u64> {
    let mut global = state.db.worker_global().await?;
    let organisations = db::audit::backlog(&mut global).await?;
    global.commit().await?;
    let mut sealed = 0;
    for organisation in organisations {
        let mut tx = state.db.worker(organisation).await?;
        sealed += u64::from(db::audit::seal(&mut tx).await?.unsigned_abs());
        tx.commit().await?;
    }
    Ok(sealed)
}

/// Chains every second until `soft` is set, and once more then.
pub async fn run_sealer(state: AppState, soft: CancellationToken) {
    loop {
        let stopping = tokio::select! {
            () = soft.cancelled() => true,
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => false,
        };
        if let Err(error) = seal_all(&state).await {
            tracing::warn!(%error, "audit.seal_failed");
        }
        if stopping {
            return;
        }
    }
}

/// State of the chain of one organisation.
#[derive(Clone, Debug)]
pub struct AuditReport {
    /// Name of the organisation.
    pub organisation: String,
    /// Rows that are chained and sound.
    pub sealed: i64,
    /// Rows that wait to be chained.
    pub waiting: i64,
    /// First broken place, if the chain is broken.
    pub broken_at: Option<i64>,
}

/// Checks the chain of every organisation.
pub async fn verify(state: &AppState) -> OpResult<Vec<AuditReport>> {
    let mut global = state.db.global().await?;
    let organisations: Vec<OrganisationId> = db::audit::organisations(&mut global).await?;
    global.commit().await?;
    let mut reports = Vec::new();
    for organisation in organisations {
        let mut tx = state.db.web(organisation, None).await?;
        let chain = db::audit::verify(&mut tx).await?;
        let name = db::organisations::load(&mut tx).await?.map(|row| row.reference.name).unwrap_or_default();
        reports.push(AuditReport {
            organisation: name,
            sealed: chain.sealed,
            waiting: chain.waiting,
            broken_at: chain.broken_at,
        });
    }
    Ok(reports)
}
