//! Tasks that are not final: asked after, sent again where that is safe, or given to people.

use super::{
    answer::{self, Before},
    backoff,
    lane::{LaneContext, Trouble, trouble},
};
use crate::server::{
    db::tasks::{
        Answer, Verdict,
        resolve::{self, OpenTask, Resolution, Source},
    },
    gateway::{Found, GatewayClass, RefundRequest, Reply, ReplyClass},
};
use futures::{StreamExt, stream};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// After that a lane makes room for others.
const SLICE: Duration = Duration::from_secs(10);
/// Most tasks claimed at a time: all of them are on the wire at once, so that no lease is used up by waiting.
const CLAIM: usize = 64;
const FENCE: Duration = Duration::from_secs(5);

/// Works on due open tasks until there are none, or the slice is over. Answers whether it did anything.
pub(super) async fn run(lane: &LaneContext) -> bool {
    let (started, mut worked, mut touched) = (Instant::now(), false, BTreeSet::new());
    while !lane.soft.is_cancelled() && started.elapsed() < SLICE {
        let tasks = match claim(lane).await {
            Ok(tasks) => tasks,
            Err(error) => {
                tracing::warn!(%error, "processor.cannot_claim_open_tasks");
                break;
            }
        };
        if tasks.is_empty() {
            break;
        }
        worked = true;
        touched.extend(tasks.iter().map(|task| task.batch_id));
        let looks: Vec<_> = tasks.iter().map(|task| look_at(lane, task)).collect();
        let done: Vec<_> = stream::iter(looks).buffer_unordered(CLAIM).collect().await;
        let done: Vec<_> = done.into_iter().flatten().collect();
        for source in [Source::Send, Source::Query] {
            let group: Vec<Resolution> =
                done.iter().filter(|(from, _)| *from == source).map(|(_, resolution)| resolution.clone()).collect();
            record(lane, source, &group).await;
        }
    }
    lane.check_ended(&touched).await;
    worked
}

async fn claim(lane: &LaneContext) -> sqlx::Result<Vec<OpenTask>> {
    let limit = i32::try_from(lane.connection.concurrency.min(CLAIM)).unwrap_or(1);
    let mut tx = lane.tx().await?;
    let tasks = resolve::claim_open(&mut tx, lane.gateway, limit, lane.worker, lane.state.config.lease).await?;
    tx.commit().await?;
    Ok(tasks)
}

/// Records answers, retried while the leases last.
pub(super) async fn record(lane: &LaneContext, source: Source, group: &[Resolution]) {
    if group.is_empty() {
        return;
    }
    let give_up = Instant::now() + lane.state.config.lease;
    let mut wait = Duration::from_millis(20);
    loop {
        let recorded = async {
            let mut tx = lane.tx().await?;
            resolve::resolve(&mut tx, source, group).await?;
            tx.commit().await
        };
        match recorded.await {
            Ok(()) => return,
            Err(error) if trouble(&error) == Trouble::Violation => {
                return lane.violated(&format!("answers could not be recorded ({error}).")).await;
            }
            Err(error) if Instant::now() > give_up => return tracing::error!(%error, "processor.answers_lost"),
            Err(error) => {
                tracing::warn!(%error, "processor.resolve_again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(2));
            }
        }
    }
}

/// An answer that nobody gave, for a task that waits.
fn waits(task: &OpenTask, verdict: Verdict, wait: Duration) -> Option<(Source, Resolution)> {
    let answer = Answer { code: None, message: None, ..answer::own(verdict, "", "", wait) };
    Some((Source::Query, Resolution { key: task.key(), epoch: task.epoch, answer, counts: false, evidence: None }))
}

fn answered(
    task: &OpenTask,
    source: Source,
    answer: Answer,
    replies: &[&Reply],
    counts: bool,
) -> Option<(Source, Resolution)> {
    let replies: serde_json::Value =
        replies.iter().map(|reply| answer::evidence(task.row_no, task.revision, reply)).collect();
    let evidence = Some((Uuid::now_v7(), replies.to_string()));
    Some((source, Resolution { key: task.key(), epoch: task.epoch, answer, counts, evidence }))
}

/// What to record about a task; nothing when its lease is to lapse.
async fn look_at(lane: &LaneContext, task: &OpenTask) -> Option<(Source, Resolution)> {
    let request = answer::request(
        &task.gateway_key,
        &task.order_id,
        task.txn_id.as_deref(),
        task.amount_minor,
        &task.currency,
        task.extra.as_deref(),
    );
    let request = match request {
        Ok(request) => request,
        Err(sentence) => {
            lane.violated(&format!("row {} of batch {}: {sentence}", task.row_no, task.batch_id)).await;
            return None;
        }
    };
    match task.state.as_str() {
        "RETRY" => send_again(lane, task, &request, Before::Nothing, None).await,
        "UNKNOWN" => ask(lane, task, &request).await,
        "PENDING" => follow(lane, task, &request).await,
        // An abandoned send of class N: people must look, and the claim has said so already.
        _ => None,
    }
}

/// UNKNOWN: only the gateway's own record ends it.
async fn ask(lane: &LaneContext, task: &OpenTask, request: &RefundRequest) -> Option<(Source, Resolution)> {
    let class = lane.connection.class;
    if class == GatewayClass::N {
        return waits(task, Verdict::Review, Duration::ZERO);
    }
    match find(lane, request).await {
        Found::Record(reply) => answered(task, Source::Query, answer::to_query(&reply, 0), &[&reply], true),
        Found::NoAnswer(reply) => {
            let wait = no_answer(lane, &reply).await;
            answered(task, Source::Query, answer::read(&reply, Verdict::Unknown, wait), &[&reply], false)
        }
        // Never means that it failed: it may still arrive. Sent again only where the key makes a second one harmless.
        Found::NotFound(reply) if class == GatewayClass::K && task.in_window && task.batch_status != "cancelled" => {
            send_again(lane, task, request, Before::Uncertain, Some(reply)).await
        }
        Found::NotFound(reply) => match backoff::not_found(task.queries) {
            Some(wait) => answered(task, Source::Query, answer::read(&reply, Verdict::Unknown, wait), &[&reply], true),
            None => {
                let answer = answer::own(
                    Verdict::Review,
                    "not_found",
                    "It was sent without a clear reply, and the gateway shows no refund under its key. Look it up at the gateway.",
                    Duration::ZERO,
                );
                answered(task, Source::Query, answer, &[&reply], true)
            }
        },
    }
}

/// PENDING: asked after until the gateway's last word.
async fn follow(lane: &LaneContext, task: &OpenTask, request: &RefundRequest) -> Option<(Source, Resolution)> {
    match find(lane, request).await {
        Found::Record(reply) => {
            answered(task, Source::Query, answer::to_query(&reply, task.queries.saturating_add(1)), &[&reply], true)
        }
        Found::NotFound(reply) => {
            let wait = backoff::pending(task.queries.saturating_add(1));
            answered(task, Source::Query, answer::read(&reply, Verdict::Pending, wait), &[&reply], true)
        }
        Found::NoAnswer(reply) => {
            let wait = no_answer(lane, &reply).await;
            answered(task, Source::Query, answer::read(&reply, Verdict::Pending, wait), &[&reply], false)
        }
    }
}

pub(super) async fn find(lane: &LaneContext, request: &RefundRequest) -> Found {
    let Ok(_slot) = lane.connection.slots.acquire().await else {
        return Found::NoAnswer(answer::not_sent("stopping", "The process is stopping."));
    };
    lane.connection.gateway.find(request).await
}

/// How long to wait after a query that said nothing.
pub(super) async fn no_answer(lane: &LaneContext, reply: &Reply) -> Duration {
    if reply.class == ReplyClass::Refused {
        lane.refused(reply).await;
    }
    reply.wait.unwrap_or_default().max(backoff::NO_ANSWER)
}

/// Sends a task again, with the same key. `asked`: the gateway's answer that it has no refund under it.
async fn send_again(
    lane: &LaneContext,
    task: &OpenTask,
    request: &RefundRequest,
    before: Before,
    asked: Option<Reply>,
) -> Option<(Source, Resolution)> {
    let connection = &lane.connection;
    let stay = if before == Before::Uncertain { Verdict::Unknown } else { Verdict::Retry };
    if task.batch_status == "cancelled" {
        // RETRY: proved not carried out, and now never to be.
        let answer = answer::own(Verdict::Failed, "CANCELLED", "Cancelled before it was sent", Duration::ZERO);
        let resolution = Resolution { key: task.key(), epoch: task.epoch, answer, counts: false, evidence: None };
        return Some((Source::Send, resolution));
    }
    if task.batch_status != "processing" {
        return waits(task, stay, backoff::HELD);
    }
    let closed = connection.breaker.closed_for(Instant::now());
    if !closed.is_zero() {
        return waits(task, stay, closed);
    }
    let turn = match connection.pace.take(&request.order_id, request.amount.minor, Instant::now()) {
        Ok(turn) => turn,
        Err(wait) => return waits(task, stay, wait),
    };
    let Ok(_slot) = connection.slots.acquire().await else {
        turn.give_back();
        return None;
    };
    // From before the commit: its reply may have waited in a process that was paused.
    let begun = Instant::now();
    match intend(lane, task).await {
        Ok(true) => {}
        Ok(false) => {
            turn.give_back();
            return waits(task, stay, backoff::HELD);
        }
        Err(error) => {
            tracing::warn!(%error, "processor.cannot_intend_again");
            turn.give_back();
            return None;
        }
    }
    let reply = if begun.elapsed() > FENCE {
        turn.give_back();
        answer::not_sent("not_sent_in_time", "It was not sent in time, so it was not sent.")
    } else {
        let reply = connection.gateway.refund(request).await;
        lane.note(&reply).await;
        drop(turn);
        reply
    };
    if reply.class == ReplyClass::Refused {
        lane.refused(&reply).await;
    }
    let mut answer = answer::to_send(&reply, connection.class, before, lane.state.config.resolve_after);
    if answer.verdict == Verdict::Retry && reply.wait.is_none() {
        let step = u32::from(task.attempts.unsigned_abs()).min(6);
        answer.wait = answer.wait.saturating_mul(1 << step);
    }
    let replies: Vec<&Reply> = asked.iter().chain([&reply]).collect();
    answered(task, Source::Send, answer, &replies, false)
}

/// Whether the intent is committed. After an error nothing is known, and nothing is sent.
async fn intend(lane: &LaneContext, task: &OpenTask) -> sqlx::Result<bool> {
    let mut tx = lane.tx().await?;
    let allowed = resolve::intend_again(&mut tx, lane.worker, &[task]).await?;
    tx.commit().await?;
    Ok(allowed.contains(&task.key()))
}
