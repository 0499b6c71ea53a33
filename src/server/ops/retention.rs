//! How long the files of batches are kept: of imports for a month, of what moved money or was looked up for seven years,
//! unless the operator says otherwise. What was read from them stays.

use super::audit;
use crate::{db, domain::ids::OrganisationId, error::OpResult, state::AppState};
use serde_json::json;
use time::Duration;

/// Batches whose files one transaction lets go of.
const AT_ONCE: i32 = 500;

/// Lets go of old files, where that was not done for an hour, whichever process comes first. Their bytes are then
/// deleted with all that nothing names. Only of batches that are over, as the database has it.
pub async fn run(state: &AppState, organisation: OrganisationId) -> OpResult<()> {
    let now = state.clock.now();
    let mut tx = state.db.worker(organisation).await?;
    let due = db::files::claim_retention(&mut tx, now).await?;
    tx.commit().await?;
    if !due {
        return Ok(());
    }
    let config = &state.config;
    for (works, days) in
        [(&["send", "query"][..], config.retention_days_files), (&["import"][..], config.retention_days_imports)]
    {
        let before = now - Duration::days(days.into());
        loop {
            let mut tx = state.db.worker(organisation).await?;
            let (batches, bytes) = db::files::expire(&mut tx, works, before, now, AT_ONCE).await?;
            if batches > 0 {
                let detail = json!({ "batches": batches, "bytes": bytes, "kept_days": days });
                audit::record_own(state, &mut tx, "files.deleted", None, detail).await?;
            }
            tx.commit().await?;
            if batches < i64::from(AT_ONCE) {
                break;
            }
        }
    }
    Ok(())
}
