//! Tasks that are not final: asked after, sent again where that is safe, or given to people.

use super::{
    backoff, instruction,
    lane::{LaneContext, SEND_DEADLINE, TIME_SLICE, Trouble, trouble},
    verdict,
};
use crate::{
    db::tasks::{
        TaskReply, Verdict,
        resolve::{self, OpenTask, Resolution, RowKey, Source},
    },
    domain::{
        protocol::{Before, Event, Illegal, Now, State, Step, Then},
        task::TaskState,
    },
    gateway::{Found, Instruction, Reply, ReplyClass},
};
use futures::{StreamExt, stream};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Most tasks claimed at a time: all of them are on the wire at once, so that no lease is used up by waiting.
const CLAIM: usize = 64;
/// Sends of one task that left it in doubt, each after an answer that it is not there: then people must look.
const DOUBTS: i16 = 8;

/// Works on due open tasks until there are none, or the slice is over. Returns whether it did anything.
pub(super) async fn run(lane: &LaneContext) -> bool {
    let (started, mut worked, mut touched) = (Instant::now(), false, BTreeSet::new());
    while !lane.soft.is_cancelled() && started.elapsed() < TIME_SLICE && lane.connection.closed_for().is_zero() {
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
        let looks: Vec<_> = tasks.iter().map(|task| resolve_task(lane, task)).collect();
        let done: Vec<_> = stream::iter(looks).buffer_unordered(CLAIM).collect().await;
        let done: Vec<_> = done.into_iter().flatten().collect();
        let was_open = |key| tasks.iter().any(|task| task.key() == key && task.state != "PENDING");
        for source in [Source::Send, Source::Query] {
            let group: Vec<Resolution> =
                done.iter().filter(|(from, _)| *from == source).map(|(_, resolution)| resolution.clone()).collect();
            let became = record(lane, source, &group).await;
            let ended = became.iter().filter(|(key, verdict)| verdict.is_counted() && was_open(*key)).count();
            lane.connection.limits.count_finished(ended);
        }
    }
    lane.check_ended(&touched).await;
    worked
}

async fn claim(lane: &LaneContext) -> sqlx::Result<Vec<OpenTask>> {
    let limit = lane.connection.claimable(CLAIM);
    let mut tx = lane.tx().await?;
    let tasks = resolve::claim_open(&mut tx, lane.gateway, limit, lane.worker, lane.state.config.lease).await?;
    tx.commit_at("claim_open").await?;
    Ok(tasks)
}

/// Records answers, retried while the leases last. Returns what each task became.
pub(super) async fn record(lane: &LaneContext, source: Source, group: &[Resolution]) -> Vec<(RowKey, Verdict)> {
    if group.is_empty() {
        return Vec::new();
    }
    let give_up = Instant::now() + lane.state.config.lease;
    let mut wait = Duration::from_millis(20);
    loop {
        let recorded = async {
            let mut tx = lane.tx().await?;
            let became = resolve::resolve(&mut tx, source, group).await?;
            tx.commit_at("resolve").await?;
            Ok(became)
        };
        match recorded.await {
            Ok(became) => return became,
            Err(error) if trouble(&error) == Trouble::Violation => {
                lane.halt_organisation(&format!("answers could not be recorded ({error}).")).await;
                return Vec::new();
            }
            Err(error) if Instant::now() > give_up => {
                tracing::error!(%error, "processor.answers_lost");
                return Vec::new();
            }
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
    let answer = TaskReply { code: None, message: None, ..verdict::own(verdict, "", "", wait) };
    Some((Source::Query, Resolution { key: task.key(), epoch: task.epoch, answer, counts: false, evidence: None }))
}

fn answered(
    task: &OpenTask,
    source: Source,
    answer: TaskReply,
    replies: &[&Reply],
    counts: bool,
) -> Option<(Source, Resolution)> {
    let replies: serde_json::Value =
        replies.iter().map(|reply| verdict::evidence(task.record.row_no, task.record.revision, reply)).collect();
    let evidence = Some((Uuid::now_v7(), replies.to_string()));
    Some((source, Resolution { key: task.key(), epoch: task.epoch, answer, counts, evidence }))
}

/// What to record about a task; nothing when its lease is to lapse.
async fn resolve_task(lane: &LaneContext, task: &OpenTask) -> Option<(Source, Resolution)> {
    let request = match instruction::to_send(lane.connection.gateway.descriptor(), &task.record) {
        Ok(request) => request,
        Err(sentence) => {
            lane.halt_organisation(&format!("row {} of batch {}: {sentence}", task.record.row_no, task.batch_id)).await;
            return None;
        }
    };
    let Some(state) = TaskState::from_code(&task.state).map(State::stored) else {
        let what =
            format!("row {} of batch {}: its state {:?} is not known", task.record.row_no, task.batch_id, task.state);
        lane.halt_organisation(&what).await;
        return None;
    };
    let looked = match state.next(Event::Claimed, now(lane, task)) {
        Ok(Step { then: Then::Send, .. }) => send_again(lane, task, &request, state, None).await,
        Ok(Step { state: State::Unknown, .. }) => query_unknown(lane, task, &request).await,
        Ok(Step { state: State::Pending, .. }) => poll_pending(lane, task, &request).await,
        // Nobody can be asked any more.
        Ok(step) if step.state != state => Ok(waits(task, verdict::verdict(step), Duration::ZERO)),
        // An abandoned send of class N: people must look, and the claim has said so already.
        Ok(_) => Ok(None),
        Err(illegal) => Err(illegal),
    };
    match looked {
        Ok(looked) => looked,
        Err(illegal) => {
            lane.halt_organisation(&format!("row {} of batch {}: {illegal}.", task.record.row_no, task.batch_id)).await;
            None
        }
    }
}

/// What counts for this task beside its state.
fn now(lane: &LaneContext, task: &OpenTask) -> Now {
    let cancelled = task.batch_status == "cancelled";
    Now { class: lane.connection.class(task.record.effect()), in_window: task.in_window, cancelled }
}

/// What to record, or the rule that does not hold.
type ResolveResult = Result<Option<(Source, Resolution)>, Illegal>;

/// UNKNOWN: only the gateway's own record ends it.
async fn query_unknown(lane: &LaneContext, task: &OpenTask, request: &Instruction) -> ResolveResult {
    let (state, now) = (State::Unknown, now(lane, task));
    let found = match find(lane, request).await {
        Ok(found) => found,
        Err(wait) => return Ok(waits(task, verdict::verdict(state.next(Event::NoAnswer, now)?), wait)),
    };
    Ok(match found {
        Found::Record(reply) => {
            let answer = verdict::to_query(&reply, state, task.record.amount_minor, now, 0)?;
            answered(task, Source::Query, answer, &[&reply], true)
        }
        Found::NoAnswer(reply) => {
            let wait = no_answer(lane, &reply).await;
            let verdict = verdict::verdict(state.next(Event::NoAnswer, now)?);
            answered(task, Source::Query, verdict::read(&reply, verdict, wait), &[&reply], false)
        }
        Found::NotFound(reply) => {
            // What people had asked once more goes back to them, and is never sent again by itself.
            let wait = backoff::not_found(task.queries).filter(|_| !task.reviewed);
            let now = Now { in_window: now.in_window && !task.reviewed, ..now };
            let step = state.next(Event::NotFound { spent: wait.is_none() }, now)?;
            if step.then == Then::Send {
                return send_again(lane, task, request, step.state, Some(reply)).await;
            }
            let answer = match step.then {
                Then::Look => verdict::own(
                    verdict::verdict(step),
                    "not_found",
                    if task.reviewed {
                        "The gateway was asked again and still shows no refund under its key. Look it up at the \
                         gateway."
                    } else {
                        "It was sent without a clear reply, and the gateway shows no refund under its key. Look it up \
                         at the gateway."
                    },
                    Duration::ZERO,
                ),
                _ => verdict::read(&reply, verdict::verdict(step), wait.unwrap_or_default()),
            };
            answered(task, Source::Query, answer, &[&reply], true)
        }
    })
}

/// PENDING: asked after until the gateway's last word.
async fn poll_pending(lane: &LaneContext, task: &OpenTask, request: &Instruction) -> ResolveResult {
    let (state, now, answered_before) = (State::Pending, now(lane, task), task.queries.saturating_add(1));
    let found = match find(lane, request).await {
        Ok(found) => found,
        Err(wait) => return Ok(waits(task, verdict::verdict(state.next(Event::NoAnswer, now)?), wait)),
    };
    Ok(match found {
        Found::Record(reply) => {
            let answer = verdict::to_query(&reply, state, task.record.amount_minor, now, answered_before)?;
            answered(task, Source::Query, answer, &[&reply], true)
        }
        Found::NotFound(reply) => {
            let verdict = verdict::verdict(state.next(Event::NotFound { spent: false }, now)?);
            let wait = backoff::pending(answered_before);
            answered(task, Source::Query, verdict::read(&reply, verdict, wait), &[&reply], true)
        }
        Found::NoAnswer(reply) => {
            let wait = no_answer(lane, &reply).await;
            let verdict = verdict::verdict(state.next(Event::NoAnswer, now)?);
            answered(task, Source::Query, verdict::read(&reply, verdict, wait), &[&reply], false)
        }
    })
}

/// Asks what became of what was sent. Err: it is not our turn; how long to wait.
pub(super) async fn find(lane: &LaneContext, request: &Instruction) -> Result<Found, Duration> {
    let _slot = lane.connection.turn_to_ask().await?;
    failpoint!("query", "before");
    let found = lane.connection.gateway.find(request).await;
    failpoint!("query", "after");
    Ok(found)
}

/// How long to wait after a query that said nothing.
pub(super) async fn no_answer(lane: &LaneContext, reply: &Reply) -> Duration {
    if reply.class == ReplyClass::Refused {
        lane.disable_connection(reply).await;
    }
    lane.apply_retry_after(reply).await;
    reply.wait.unwrap_or_default().max(backoff::NO_ANSWER)
}

/// Sends a task again, with the same key. `asked`: the gateway's answer that it has no refund under it.
async fn send_again(
    lane: &LaneContext,
    task: &OpenTask,
    request: &Instruction,
    from: State,
    asked: Option<Reply>,
) -> ResolveResult {
    let (connection, now) = (&lane.connection, now(lane, task));
    if now.cancelled {
        let verdict = verdict::verdict(from.next(Event::Cancelled, now)?);
        let answer = verdict::own(verdict, "CANCELLED", "Cancelled before it was sent", Duration::ZERO);
        let resolution = Resolution { key: task.key(), epoch: task.epoch, answer, counts: false, evidence: None };
        return Ok(Some((Source::Send, resolution)));
    }
    let stay = verdict::verdict(from.next(Event::Held, now)?);
    let before = match from.next(Event::Intended, now)?.state {
        State::Sending(before) => before,
        _ => Before::Uncertain,
    };
    if task.batch_status != "processing" {
        return Ok(waits(task, stay, backoff::HELD));
    }
    let closed = connection.breaker.closed_for(Instant::now());
    if !closed.is_zero() {
        return Ok(waits(task, stay, closed));
    }
    let turn = match connection.pace.take(&task.record.order_id, task.record.amount_minor, Instant::now()) {
        Ok(turn) => turn,
        Err(wait) => return Ok(waits(task, stay, wait)),
    };
    let Ok(_slot) = connection.slots.acquire().await else {
        turn.give_back();
        return Ok(None);
    };
    if let Err(wait) = connection.limits.throttle.take(1, Instant::now()) {
        turn.give_back();
        return Ok(waits(task, stay, wait));
    }
    // From before the commit: its reply may have waited in a process that was paused.
    let begun = Instant::now();
    match intend(lane, task).await {
        Ok(true) => {}
        Ok(false) => {
            turn.give_back();
            return Ok(waits(task, stay, backoff::HELD));
        }
        Err(error) => {
            tracing::warn!(%error, "processor.cannot_intend_again");
            turn.give_back();
            return Ok(None);
        }
    }
    let reply = if begun.elapsed() > SEND_DEADLINE {
        turn.give_back();
        verdict::not_sent("not_sent_in_time", "It was not sent in time, so it was not sent.")
    } else {
        failpoint!("resend", "before");
        let reply = connection.gateway.send(request).await;
        failpoint!("resend", "after");
        lane.record_call(&reply).await;
        drop(turn);
        reply
    };
    if reply.class == ReplyClass::Refused {
        lane.disable_connection(&reply).await;
    }
    let mut answer =
        verdict::to_send(&reply, task.record.amount_minor, now.class, before, lane.state.config.resolve_after);
    if answer.verdict == Verdict::Retry && reply.wait.is_none() {
        let step = u32::from(task.attempts.unsigned_abs()).min(6);
        answer.wait = answer.wait.saturating_mul(1 << step);
    }
    if answer.verdict == Verdict::Unknown {
        let step = u32::from(task.attempts.unsigned_abs()).saturating_sub(1).min(8);
        answer.wait = answer.wait.saturating_mul(1 << step);
        if reply.class == ReplyClass::Unknown && task.attempts >= DOUBTS {
            let given_up = verdict::verdict(State::Unknown.next(Event::NeverClear, now)?);
            answer = verdict::read(&reply, given_up, Duration::ZERO);
        }
    }
    let replies: Vec<&Reply> = asked.iter().chain([&reply]).collect();
    Ok(answered(task, Source::Send, answer, &replies, false))
}

/// Whether the intent is committed. After an error nothing is known, and nothing is sent.
async fn intend(lane: &LaneContext, task: &OpenTask) -> sqlx::Result<bool> {
    let mut tx = lane.tx().await?;
    let allowed = resolve::intend_again(&mut tx, lane.worker, &[task]).await?;
    tx.commit_at("intent_again").await?;
    let allowed = allowed.contains(&task.key());
    if allowed {
        lane.remember(task.batch_id, task.record.revision, task.record.row_no, task.epoch);
    }
    Ok(allowed)
}
