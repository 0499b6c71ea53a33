//! What is done now and then. Balances are compared with the facts; and what has expired and nobody needs goes:
//! sessions, counters of sign-ins, drafts with their 24 hours over, files that nothing names, changes of settings that
//! nobody confirmed, what was told long ago.

use crate::{db, domain::ids::OrganisationId, error::OpResult, files, state::AppState};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(300);

/// Every so many times objects that nothing names are looked for, by each process: a folder of them is its own.
const SWEEP_EVERY: u32 = 12;

/// How long what was typed over failed rows is kept.
const DRAFTS: time::Duration = time::Duration::hours(24);

/// How long a file is left alone that nothing names: whoever keeps it is about to name it.
const FILES: time::Duration = time::Duration::hours(1);
/// Files that one transaction deletes.
const FILES_AT_ONCE: i32 = 50;

/// Removes what has expired, of every organisation.
pub async fn tidy_up(state: &AppState) -> OpResult<()> {
    let now = state.clock.now();
    let mut global = state.db.worker_global().await?;
    db::sessions::delete_expired(&mut global, now).await?;
    db::throttle::delete_expired(&mut global, now).await?;
    let organisations = db::audit::organisations(&mut global).await?;
    global.commit().await?;
    for organisation in organisations {
        let mut tx = state.db.worker(organisation).await?;
        db::drafts::delete_expired(&mut tx, now).await?;
        db::retries::forget_old_drafts(&mut tx, now - DRAFTS).await?;
        let expired = db::settings_changes::expire(&mut tx, now).await?;
        if expired > 0 {
            let detail = serde_json::json!({ "changes": expired });
            super::audit::record_own(state, &mut tx, "settings.changes_expired", None, detail).await?;
        }
        db::outbox::tidy(&mut tx).await?;
        tx.commit().await?;
        super::retention::run(state, organisation).await?;
        delete_unnamed(state, organisation).await?;
    }
    Ok(())
}

/// Deletes the files that nothing names.
async fn delete_unnamed(state: &AppState, organisation: OrganisationId) -> OpResult<()> {
    let before = state.clock.now() - FILES;
    loop {
        let mut tx = state.db.worker(organisation).await?;
        let deleted = db::files::delete_unnamed(&mut tx, before, FILES_AT_ONCE).await?;
        tx.commit().await?;
        if deleted < u64::from(FILES_AT_ONCE.unsigned_abs()) {
            return Ok(());
        }
    }
}

/// One round of it.
async fn round(state: &AppState) -> OpResult<()> {
    super::balances::check(state).await?;
    tidy_up(state).await
}

/// Does so now and then until `soft` is set.
pub async fn run(state: AppState, soft: CancellationToken) {
    for number in 0u32.. {
        if let Err(error) = round(&state).await {
            tracing::warn!(%error, "housekeeping.failed");
        }
        if number.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = files::sweep(&state).await
        {
            tracing::warn!(%error, "files.cannot_sweep");
        }
        tokio::select! {
            () = soft.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
