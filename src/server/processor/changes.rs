//! Tells the pages of all processes which batches changed: coalesced, after the commits they tell of, always a last one.

use crate::{
    domain::ids::{BatchId, OrganisationId},
    server::{db, state::AppState},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Shortest time between two notifications of a process.
const APART: Duration = Duration::from_millis(120);

/// Collects changed batches.
#[derive(Clone, Debug)]
pub(super) struct Changes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<BTreeSet<(OrganisationId, BatchId)>>,
    some: Notify,
    end: CancellationToken,
    ended: CancellationToken,
}

impl Changes {
    /// Starts telling.
    pub(super) fn start(state: AppState) -> Self {
        let changes = Self(Arc::default());
        let shared = changes.0.clone();
        tokio::spawn(async move {
            loop {
                let ending = tokio::select! {
                    () = shared.some.notified() => false,
                    () = shared.end.cancelled() => true,
                };
                let waiting: Vec<_> = std::mem::take(&mut *shared.lock()).into_iter().collect();
                if !waiting.is_empty()
                    && let Err(error) = tell(&state, &waiting).await
                {
                    tracing::warn!(%error, "processor.cannot_tell");
                    shared.lock().extend(waiting);
                    shared.some.notify_one();
                }
                if ending {
                    break;
                }
                tokio::time::sleep(APART).await;
            }
            shared.ended.cancel();
        });
        changes
    }

    /// A batch changed; its transaction is committed.
    pub(super) fn tell(&self, organisation: OrganisationId, batch: BatchId) {
        self.0.lock().insert((organisation, batch));
        self.0.some.notify_one();
    }

    /// Tells the last changes and ends.
    pub(super) async fn finish(&self, hard: CancellationToken) {
        self.0.end.cancel();
        tokio::select! {
            () = self.0.ended.cancelled() => {}
            () = hard.cancelled() => {}
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<(OrganisationId, BatchId)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn tell(state: &AppState, changed: &[(OrganisationId, BatchId)]) -> sqlx::Result<()> {
    let mut tx = state.db.worker_global().await?;
    db::tasks::tell_changed(&mut tx, changed).await?;
    tx.commit().await
}
