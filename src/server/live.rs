//! Live events: one LISTEN connection a process feeds a bounded broadcast; streams of pages read from it.

use super::state::AppState;
use crate::domain::ids::{BatchId, OrganisationId};
use sqlx::postgres::PgListener;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// The channel that the database notifies on; the payload is `organisation:batch`, two UUIDs.
pub const CHANNEL: &str = "batchdesk_changed";

/// Something changed on a batch. Carries no data: whoever is told reads the batch again, with the rights of its own
/// caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which batch.
    pub batch: BatchId,
}

impl Changed {
    /// The change in a notification.
    pub fn from_payload(payload: &str) -> Option<Self> {
        let (organisation, batch) = payload.split_once(':')?;
        Some(Self { organisation: organisation.parse().ok()?, batch: batch.parse().ok()? })
    }
}

/// The broadcast of this process. A slow reader loses events and is told so (`Lagged`): it reads everything again.
#[derive(Clone, Debug)]
pub struct Live {
    sender: broadcast::Sender<Changed>,
    missed: watch::Sender<u64>,
}

impl Default for Live {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(1024), missed: watch::Sender::new(0) }
    }
}

impl Live {
    /// Tells every stream of this process.
    pub fn publish(&self, changed: Changed) {
        // No receiver is not an error: nobody is watching.
        let _ = self.sender.send(changed);
    }

    /// A new reader.
    pub fn watch(&self) -> broadcast::Receiver<Changed> {
        self.sender.subscribe()
    }

    /// Tells every stream that changes may have been missed: they read everything again.
    pub fn missed(&self) {
        self.missed.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Moves whenever changes may have been missed.
    pub fn watch_missed(&self) -> watch::Receiver<u64> {
        self.missed.subscribe()
    }
}

/// The longest wait before the database is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Passes the database's notifications on to the broadcast until `soft` is cancelled. Connects again by itself; what
/// was said meanwhile is lost, so every stream is told to read everything again.
pub async fn listen(state: AppState, soft: CancellationToken) {
    let mut wait = Duration::from_millis(100);
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            ended = pass_on(&state, &mut wait) => {
                let Err(error) = ended;
                tracing::warn!(%error, "live.reconnecting");
            }
        }
        tokio::select! {
            () = soft.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn pass_on(state: &AppState, wait: &mut Duration) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener: PgListener = state.db.listener().await?;
    listener.listen(CHANNEL).await?;
    *wait = Duration::from_millis(100);
    // Whatever happened before this moment was said to nobody.
    state.live.missed();
    loop {
        match listener.try_recv().await? {
            Some(notification) => match Changed::from_payload(notification.payload()) {
                Some(changed) => state.live.publish(changed),
                None => tracing::error!("live.unreadable_notification"),
            },
            // The connection was lost; the listener has made a new one and listens again.
            None => state.live.missed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_payload_names_organisation_and_batch() {
        let (organisation, batch) = (OrganisationId(Uuid::from_u128(1)), BatchId(Uuid::from_u128(2)));
        assert_eq!(Changed::from_payload(&format!("{organisation}:{batch}")), Some(Changed { organisation, batch }));
        for bad in ["", ":", "1:2", &organisation.to_string(), &format!("{organisation}:{batch}:{batch}")] {
            assert_eq!(Changed::from_payload(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn everybody_is_told_that_changes_were_missed() {
        let live = Live::default();
        let (mut one, mut two) = (live.watch_missed(), live.watch_missed());
        live.missed();
        one.changed().await.unwrap();
        two.changed().await.unwrap();
        assert!(!one.has_changed().unwrap());
    }
}
