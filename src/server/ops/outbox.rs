//! Hands on what the outbox holds: one dispatcher a process.
//!
//! It is woken by the commits of its own process; rows of processes that ended before they could hand them on are found
//! by looking now and then. Everything is handed on at least once, and after the commit that it tells of.

use crate::{
    db::{self, outbox::ROUND},
    error::OpResult,
    state::AppState,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Shortest time between two rounds: commits in between are handed on together, with one NOTIFY.
const MIN_INTERVAL: Duration = Duration::from_millis(50);
/// How long it waits for another process that hands on rows of the same organisation.
const BUSY: Duration = Duration::from_millis(20);

/// Hands on what waits, of every organisation. Returns whether all of it is handed on.
pub async fn dispatch_all(state: &AppState) -> OpResult<bool> {
    let mut global = state.db.worker_global().await?;
    let organisations = db::outbox::backlog(&mut global).await?;
    global.commit().await?;
    let mut all = true;
    for organisation in organisations {
        let mut tx = state.db.worker(organisation).await?;
        let handed_on = db::outbox::dispatch(&mut tx).await?;
        tx.commit_quietly().await?;
        all &= handed_on.is_some_and(|rows| rows < ROUND);
    }
    Ok(all)
}

/// Does so whenever there is something, until `soft` is set, and once more then.
pub async fn run(state: AppState, soft: CancellationToken) {
    let mut look_again = Duration::ZERO;
    loop {
        let stopping = tokio::select! {
            () = soft.cancelled() => true,
            () = state.db.committed() => false,
            () = tokio::time::sleep(look_again) => false,
        };
        let rest;
        (rest, look_again) = match dispatch_all(&state).await {
            Ok(true) => (MIN_INTERVAL, state.config.poll),
            Ok(false) => (BUSY, Duration::ZERO),
            Err(error) => {
                tracing::warn!(%error, "outbox.cannot_dispatch");
                (state.config.poll, Duration::ZERO)
            }
        };
        if stopping {
            return;
        }
        tokio::select! {
            () = soft.cancelled() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}
