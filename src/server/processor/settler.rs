//! Records replies to first sends, in groups: few commits, whatever the rate.

use super::{
    lane::{LaneContext, Trouble, trouble},
    verdict,
};
use crate::{
    db::tasks::{
        TaskReply,
        claim::ChunkLease,
        settle::{self, Settled},
    },
    gateway::{GatewayClass, Reply, ReplyClass},
};
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

/// Replies in one transaction at most.
const GROUP: usize = 500;
/// How long a small group waits for company: nobody holds a slot for it, and fewer commits leave more of the database
/// to others.
const LINGER: Duration = Duration::from_millis(10);

/// A reply to a row of a chunk.
#[derive(Debug)]
pub(super) struct SentReply {
    pub(super) hold: ChunkLease,
    pub(super) row: i32,
    pub(super) revision: i16,
    pub(super) answer: TaskReply,
    pub(super) reply: Reply,
    /// Dropped when it is recorded, or given up.
    pub(super) _recorded: TaskTrackerToken,
}

/// Records what arrives until all senders are gone. Returns the batches it touched.
pub(super) async fn run(lane: LaneContext, mut arriving: mpsc::Receiver<SentReply>) -> BTreeSet<Uuid> {
    let mut touched = BTreeSet::new();
    let mut group = Vec::with_capacity(GROUP);
    while arriving.recv_many(&mut group, GROUP).await > 0 {
        if group.len() < GROUP / 8 {
            // What is not recorded when this process dies is a person's work there.
            let alone = lane.connection.weakest == GatewayClass::N;
            tokio::time::sleep(if alone { LINGER } else { lane.connection.limits.linger(LINGER) }).await;
            while group.len() < GROUP
                && let Ok(sent) = arriving.try_recv()
            {
                group.push(sent);
            }
        }
        if let Some(refused) = group.iter().find(|sent| sent.reply.class == ReplyClass::Refused) {
            lane.disable_connection(&refused.reply).await;
        }
        touched.extend(group.iter().map(|sent| sent.hold.batch));
        record(&lane, &group).await;
        // The tokens go with the group: whoever waits for these rows goes on.
        group.clear();
    }
    touched
}

async fn record(lane: &LaneContext, group: &[SentReply]) {
    let runs = by_chunk(group);
    let give_up = Instant::now() + lane.state.config.lease;
    let mut wait = Duration::from_millis(20);
    loop {
        match settle_once(lane, &runs).await {
            Ok(unfenced) => {
                let ended = unfenced.iter().filter_map(|run| runs.get(*run)).flat_map(|run| &run.answers);
                lane.connection.limits.count_finished(ended.filter(|(_, answer)| answer.verdict.is_counted()).count());
                let fenced = runs.len() - unfenced.len();
                if fenced > 0 {
                    tracing::warn!(organisation = %lane.organisation, fenced, "processor.late_replies_kept_as_evidence");
                }
                break;
            }
            Err(error) if trouble(&error) == Trouble::Violation => {
                lane.halt_organisation(&format!("replies could not be recorded ({error}).")).await;
                keep(lane, &runs).await;
                break;
            }
            // Forgotten after that: the next holder finds the rows without a reply and asks the gateway.
            Err(error) if Instant::now() > give_up => {
                tracing::error!(%error, "processor.replies_lost");
                break;
            }
            Err(error) => {
                tracing::warn!(%error, "processor.settle_again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(2));
            }
        }
    }
}

/// Which runs were not fenced.
async fn settle_once(lane: &LaneContext, runs: &[Settled]) -> sqlx::Result<Vec<usize>> {
    let mut tx = lane.tx().await?;
    let unfenced = settle::settle(&mut tx, runs).await?;
    tx.commit_at("settle").await?;
    Ok(unfenced)
}

async fn keep(lane: &LaneContext, runs: &[Settled]) {
    let kept = async {
        let mut tx = lane.tx().await?;
        settle::keep_evidence(&mut tx, runs).await?;
        tx.commit().await
    };
    if let Err(error) = kept.await {
        tracing::error!(%error, "processor.evidence_lost");
    }
}

fn by_chunk(group: &[SentReply]) -> Vec<Settled> {
    let mut chunks: HashMap<ChunkLease, Vec<&SentReply>> = HashMap::new();
    for sent in group {
        chunks.entry(sent.hold).or_default().push(sent);
    }
    let settled = |(hold, sent): (ChunkLease, Vec<&SentReply>)| Settled {
        evidence: Uuid::now_v7(),
        hold,
        answers: sent.iter().map(|sent| (sent.row, sent.answer.clone())).collect(),
        replies: sent
            .iter()
            .map(|sent| verdict::evidence(sent.row, sent.revision, &sent.reply))
            .collect::<serde_json::Value>()
            .to_string(),
    };
    chunks.into_iter().map(settled).collect()
}
