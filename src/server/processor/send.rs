//! Runs of rows: claim, preflight, intent, send. Replies go to the settler.

mod chunk_sender;

use super::{
    lane::{LaneContext, TIME_SLICE},
    settler,
};
use crate::db::tasks::claim::{self, Chunk, ChunkLease};
use chunk_sender::ChunkSender;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Chunks that a lane drives at a time: one that waits does not stop the others.
const CHUNKS: usize = 3;
/// Chunks held by this lane, each with the mark that its lease is lost.
type Held = Arc<Mutex<HashMap<ChunkLease, CancellationToken>>>;

/// Works on due chunks until there are none, or the slice is over. Returns whether it did anything.
pub(super) async fn run(lane: &LaneContext, leftovers: bool) -> bool {
    let (replies, arriving) = mpsc::channel(1024);
    let mut settler = JoinSet::new();
    settler.spawn(settler::run(lane.clone(), arriving));
    let held = Held::default();
    let mut drivers = JoinSet::new();
    let (started, mut worked, mut more) = (Instant::now(), false, true);
    let mut heartbeat = tokio::time::interval(lane.state.config.lease / 4);
    heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        while more && drivers.len() < CHUNKS {
            let closed = lane.closed_for();
            if lane.soft.is_cancelled() || started.elapsed() > TIME_SLICE || (!leftovers && !closed.is_zero()) {
                more = false;
                break;
            }
            match claim_one(lane, leftovers).await {
                Ok(Some(chunk)) => {
                    worked = true;
                    let hold = ChunkLease { batch: chunk.batch_id, chunk: chunk.chunk_no, epoch: chunk.epoch };
                    let lost = CancellationToken::new();
                    held.lock().unwrap_or_else(PoisonError::into_inner).insert(hold, lost.clone());
                    let driver = ChunkSender {
                        lane: lane.clone(),
                        chunk,
                        hold,
                        lost,
                        replies: replies.clone(),
                        sends: JoinSet::new(),
                    };
                    drivers.spawn(async move {
                        driver.run().await;
                        hold
                    });
                }
                Ok(None) => more = false,
                Err(error) => {
                    tracing::warn!(%error, "processor.cannot_claim");
                    more = false;
                }
            }
        }
        tokio::select! {
            ended = drivers.join_next() => match ended {
                None => break,
                Some(Ok(hold)) => { held.lock().unwrap_or_else(PoisonError::into_inner).remove(&hold); }
                // Its rows are found again when the lease lapses.
                Some(Err(error)) => {
                    tracing::error!(%error, "processor.driver_crashed");
                    break;
                }
            },
            _ = heartbeat.tick() => keep(lane, &held).await,
        }
    }
    drop(replies);
    while let Some(touched) = settler.join_next().await {
        match touched {
            Ok(touched) => lane.check_ended(&touched).await,
            Err(error) => tracing::error!(%error, "processor.settler_crashed"),
        }
    }
    worked
}

async fn claim_one(lane: &LaneContext, leftovers: bool) -> sqlx::Result<Option<Chunk>> {
    let config = &lane.state.config;
    let mut tx = lane.tx().await?;
    let claimed = claim::claim_chunks(&mut tx, lane.gateway, 1, lane.worker, config.lease, leftovers).await?;
    let Some(chunk) = claimed.into_iter().next() else { return Ok(None) };
    let mut recovered = 0;
    if chunk.epoch > 1 && chunk.next_row > chunk.from_row {
        let hold = ChunkLease { batch: chunk.batch_id, chunk: chunk.chunk_no, epoch: chunk.epoch };
        let found = claim::recover(&mut tx, &[hold], config.resolve_after).await?;
        recovered = found.iter().map(|(_, _, rows)| *rows).sum();
    }
    tx.commit_at("claim").await?;
    if recovered > 0 {
        tracing::warn!(organisation = %lane.organisation, batch = %chunk.batch_id, rows = recovered, "processor.abandoned_sends_found");
    }
    Ok(Some(chunk))
}

async fn keep(lane: &LaneContext, held: &Held) {
    let holds: Vec<ChunkLease> = held.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
    if holds.is_empty() {
        return;
    }
    let kept = async {
        let mut tx = lane.tx().await?;
        let kept = claim::keep_leases(&mut tx, lane.worker, &holds, lane.state.config.lease).await?;
        tx.commit().await?;
        Ok::<HashSet<_>, sqlx::Error>(kept.into_iter().collect())
    };
    match kept.await {
        Ok(kept) => {
            let held = held.lock().unwrap_or_else(PoisonError::into_inner);
            for (hold, lost) in held.iter().filter(|(hold, _)| !kept.contains(&(hold.batch, hold.chunk))) {
                tracing::debug!(batch = %hold.batch, chunk = hold.chunk, "processor.chunk_no_longer_held");
                lost.cancel();
            }
        }
        Err(error) => tracing::warn!(%error, "processor.cannot_keep_leases"),
    }
}
