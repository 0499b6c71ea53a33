//! The connection that hears of changes: those of this process and of every other one on the same database.

use super::Changed;
use crate::{
    domain::ids::{BatchId, OrganisationId},
    server::state::AppState,
};
use sqlx::postgres::PgListener;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The channel that `db::batches::tell` speaks on.
const CHANNEL: &str = "batchdesk_changed";
/// Wait before the database is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Passes changes on to the streams of this process until `stop` is set.
pub async fn run(state: AppState, stop: CancellationToken) {
    let hear = async {
        loop {
            if let Err(error) = hear(&state).await {
                tracing::warn!(%error, "changes are not heard of");
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::select! {
        () = hear => {}
        () = stop.cancelled() => {}
    }
}

async fn hear(state: &AppState) -> sqlx::Result<()> {
    let mut listener: PgListener = state.db.listener().await?;
    listener.listen(CHANNEL).await?;
    // Whatever happened before we listened is not known.
    state.live.resync();
    loop {
        match listener.try_recv().await? {
            Some(told) => match read(told.payload()) {
                Some(changed) => state.live.tell(changed),
                None => tracing::warn!(payload = told.payload(), "a change that cannot be read"),
            },
            // The connection was lost and made again: what was told in between is lost.
            None => state.live.resync(),
        }
    }
}

fn read(payload: &str) -> Option<Changed> {
    let (organisation, batch) = payload.split_once(':')?;
    Some(Changed {
        organisation: OrganisationId(Uuid::parse_str(organisation).ok()?),
        batch: BatchId(Uuid::parse_str(batch).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::live::Live;
    use tokio::sync::broadcast::error::TryRecvError;

    #[test]
    fn a_payload_names_organisation_and_batch() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let changed = read(&format!("{one}:{two}")).unwrap();
        assert_eq!((changed.organisation.0, changed.batch.0), (one, two));
        assert!(read("").is_none() && read(&one.to_string()).is_none() && read("a:b").is_none());
    }

    #[test]
    fn after_a_resync_earlier_readers_end_and_new_ones_hear() {
        let live = Live::default();
        let mut earlier = live.watch();
        live.resync();
        assert_eq!(earlier.try_recv(), Err(TryRecvError::Closed));
        let mut later = live.clone().watch();
        let changed = Changed { organisation: OrganisationId(Uuid::from_u128(1)), batch: BatchId(Uuid::from_u128(2)) };
        live.tell(changed);
        assert_eq!(later.try_recv(), Ok(changed));
    }
}
