//! What is done now and then. Balances are compared with the facts; and what has expired and nobody needs goes:
//! sessions, counters of sign-ins, drafts with their 24 hours over, files that nothing names, changes of settings that
//! nobody confirmed, what was told long ago.

use crate::{db, error::OpResult, state::AppState};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(300);

/// How long what was typed over failed rows is kept.
const DRAFTS: time::Duration = time::Duration::hours(24);

/// How long a file is left alone that nothing names: whoever keeps it is about to name it.
const FILES: time::Duration = time::Duration::hours(1);

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
        db::files::delete_unnamed(&mut tx, now - FILES).await?;
        db::retries::forget_old_drafts(&mut tx, now - DRAFTS).await?;
        let expired = db::settings_changes::expire(&mut tx, now).await?;
        if expired > 0 {
            let detail = serde_json::json!({ "changes": expired });
            super::audit::record_own(state, &mut tx, "settings.changes_expired", None, detail).await?;
        }
        db::outbox::tidy(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// One round of it.
async fn round(state: &AppState) -> OpResult<()> {
    super::balances::check(state).await?;
    tidy_up(state).await
}

/// Does so now and then until `soft` is set.
pub async fn run(state: AppState, soft: CancellationToken) {
    loop {
        if let Err(error) = round(&state).await {
            tracing::warn!(%error, "housekeeping.failed");
        }
        tokio::select! {
            () = soft.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
