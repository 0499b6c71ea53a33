//! Assertions that stay on in production: what does not add up stops sending for the organisation, and says so.

use super::audit;
use crate::{db, domain::ids::OrganisationId, error::OpResult, state::AppState};

/// So many differences are named, the others counted.
const NAMED: usize = 5;

/// Compares what is reserved and refunded of each order with the facts, for every organisation where that is due (once
/// an hour). A difference may let an order be refunded twice, so nothing more is sent until a person has looked.
pub async fn check(state: &AppState) -> OpResult<()> {
    let mut global = state.db.worker_global().await?;
    let organisations = db::audit::organisations(&mut global).await?;
    global.commit().await?;
    for organisation in organisations {
        match differences(state, organisation).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                let named = found.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
                let others = match found.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                halt(state, organisation, &format!("{named}{others}.")).await;
            }
            Err(error) => tracing::warn!(%error, %organisation, "balances.cannot_check"),
        }
    }
    Ok(())
}

async fn differences(state: &AppState, organisation: OrganisationId) -> sqlx::Result<Vec<String>> {
    let mut tx = state.db.worker(organisation).await?;
    let Some(since) = db::tasks::checks::claim_balances(&mut tx).await? else { return Ok(Vec::new()) };
    let found = db::tasks::checks::check_balances(&mut tx, since).await?;
    tx.commit().await?;
    Ok(found)
}

/// An assertion does not hold: nothing more is sent for this organisation until a person lets it. Its administrators
/// get a notice, from the row that says so.
pub async fn halt(state: &AppState, organisation: OrganisationId, what: &str) {
    tracing::error!(%organisation, what, "processor.assertion_violated");
    let reason = format!("Batchdesk stopped sending because something does not add up: {what}");
    let stopped = async {
        let mut tx = state.db.worker(organisation).await?;
        if db::tasks::stop_organisation(&mut tx, &reason).await? {
            let detail = serde_json::json!({ "reason": reason });
            audit::record_own(state, &mut tx, "organisation.stopped", Some(organisation.0), detail).await?;
        }
        OpResult::Ok(tx.commit().await?)
    };
    if let Err(error) = stopped.await {
        tracing::error!(%error, "processor.cannot_stop_organisation");
    }
}
