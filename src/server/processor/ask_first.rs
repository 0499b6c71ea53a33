//! Rows that an older state of the database says were never sent: looked up at the gateway before they are.

use super::{
    instruction,
    lane::LaneContext,
    resolver::{find, no_answer},
    verdict,
};
use crate::{
    db::tasks::{
        TaskReply, Verdict,
        ask::{self, Row},
        claim::{Chunk, ChunkLease, WaitingRow},
        resolve::{self, Resolution, RowKey, Source},
    },
    domain::protocol::{Event, GatewayClass, Illegal, Now, ReplyClass, Since, State},
    gateway::{Found, Instruction, Listing, Reply},
};
use futures::{StreamExt, stream};
use std::time::Duration;
use uuid::Uuid;

/// Most rows that are asked about before some of them are sent.
const WINDOW: usize = 64;

/// What became of the first rows.
#[derive(Debug)]
pub(super) enum AskOutcome {
    /// They may be sent: all before this row.
    Before(i32),
    /// So many were sent, or may have been: they are open tasks or final now.
    TakenOver(usize),
    /// Nobody answers: to be asked again after so long.
    Wait(Duration),
    /// Another worker has them.
    Lost,
}

/// What the gateway says of one row.
enum Lookup {
    NeverThere,
    Known(Box<(TaskReply, String)>),
    NoAnswer(Duration),
}

/// Asks about the first of `rows` (a slice of the chunk, in row order).
pub(super) async fn ask(
    lane: &LaneContext,
    chunk: &mut Chunk,
    hold: ChunkLease,
    rows: &[WaitingRow],
) -> sqlx::Result<AskOutcome> {
    if let Some(early) = chunk.ask_in.filter(|early| *early > 0.0) {
        return Ok(AskOutcome::Wait(Duration::from_secs_f64(early)));
    }
    let connection = &lane.connection;
    let window = connection.concurrency.min(WINDOW).min(connection.limits.throttle.within_patience()).max(1);
    let window = rows.get(..window).unwrap_or(rows);
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return Ok(AskOutcome::TakenOver(0)) };
    let mut tx = lane.tx().await?;
    let rows = ask::rows(&mut tx, chunk, first.row_no, last.row_no).await?;
    tx.commit().await?;
    let questions: Vec<_> = rows.iter().map(|row| look(lane, chunk.forgotten, row)).collect();
    let mut answers = Vec::with_capacity(rows.len());
    for (row, looked) in
        rows.iter().zip(stream::iter(questions).buffered(connection.concurrency).collect::<Vec<_>>().await)
    {
        match looked {
            Ok(looked) => answers.push((row.record.row_no, looked)),
            Err(illegal) => {
                lane.halt_organisation(&format!("row {} of batch {}: {illegal}.", row.record.row_no, chunk.batch_id))
                    .await;
                return Ok(AskOutcome::Wait(super::backoff::HELD));
            }
        }
    }
    let free = answers.iter().take_while(|(_, looked)| matches!(looked, Lookup::NeverThere)).count();
    if let Some((row, _)) = free.checked_sub(1).and_then(|last| answers.get(last)) {
        let to = row + 1;
        let mut tx = lane.tx().await?;
        let there = ask::asked(&mut tx, hold, lane.worker, to).await?;
        tx.commit_at("asked").await?;
        chunk.asked_to = Some(to);
        return Ok(if there { AskOutcome::Before(to) } else { AskOutcome::Lost });
    }
    if let Some((_, Lookup::NoAnswer(wait))) = answers.first() {
        return Ok(AskOutcome::Wait(*wait));
    }
    let known = answers.into_iter().map_while(|(row, looked)| match looked {
        Lookup::Known(known) => Some((row, *known)),
        _ => None,
    });
    take_over(lane, chunk, hold, known.collect()).await
}

/// Writes down what was found: the lost intent, and what the gateway says of it.
async fn take_over(
    lane: &LaneContext,
    chunk: &mut Chunk,
    hold: ChunkLease,
    known: Vec<(i32, (TaskReply, String))>,
) -> sqlx::Result<AskOutcome> {
    let mut tx = lane.tx().await?;
    for (row, _) in &known {
        if !ask::take_over(&mut tx, hold, lane.worker, *row).await? {
            return Ok(AskOutcome::Lost);
        }
    }
    let count = known.len();
    if let Some((last, _)) = known.last() {
        chunk.next_row = last + 1;
        chunk.asked_to = chunk.asked_to.max(Some(last + 1));
    }
    let group: Vec<Resolution> = known
        .into_iter()
        .map(|(row, (answer, replies))| Resolution {
            key: RowKey { batch: chunk.batch_id, row, revision: chunk.revision },
            epoch: ask::TAKEN,
            answer,
            counts: false,
            evidence: Some((Uuid::now_v7(), replies)),
        })
        .collect();
    let became = resolve::resolve(&mut tx, Source::Query, &group).await?;
    tx.commit_at("take_over").await?;
    lane.connection.limits.count_finished(became.iter().filter(|(_, verdict)| verdict.is_counted()).count());
    lane.check_ended(&[chunk.batch_id].into()).await;
    Ok(AskOutcome::TakenOver(count))
}

async fn look(lane: &LaneContext, forgotten: bool, row: &Row) -> Result<Lookup, Illegal> {
    let gateway = &lane.connection.gateway;
    let class = lane.connection.class(row.record.effect());
    let state = State::AskFirst(if forgotten { Since::Before } else { Since::After });
    let now = Now { class, in_window: false, cancelled: false };
    let request = instruction::to_ask(gateway.descriptor(), &row.record);
    // What cannot be sent was not; the sender says why.
    let Ok(request) = request else { return Ok(Lookup::NeverThere) };
    if class == GatewayClass::N && !gateway.descriptor().reads_orders {
        let why = "The database went back to an older state, and this gateway cannot be asked whether it was sent \
                   since. Look it up at the gateway.";
        return decided(state, Event::Unaskable, now, row, "restored", why, None);
    }
    let found = match find(lane, &request).await {
        Ok(found) => found,
        Err(wait) => return Ok(Lookup::NoAnswer(wait)),
    };
    match found {
        Found::Record(reply) => {
            let answer = verdict::to_query(&reply, state, row.record.amount_minor, now, 0)?;
            Ok(Lookup::Known(Box::new((answer, evidence(row, Some(&reply))))))
        }
        Found::NoAnswer(reply) => Ok(Lookup::NoAnswer(no_answer(lane, &reply).await)),
        // Its key was made before the older state, where it was kept: the gateway would know it by that one.
        Found::NotFound(reply) if forgotten && class != GatewayClass::N => {
            decided(state, Event::NeverThere, now, row, "", "", Some(&reply))
        }
        Found::NotFound(reply) => match alike(lane, &request, row).await {
            Err(wait) => Ok(Lookup::NoAnswer(wait)),
            Ok(true) => {
                let why = "The database went back to an older state, and the gateway shows a refund of this order and \
                           amount that is not known here. Look up which it is.";
                decided(state, Event::Alike, now, row, "restored_alike", why, Some(&reply))
            }
            Ok(false) => {
                let why = "The database went back to an older state. The gateway shows no refund under its key, but \
                           this connection promises nothing about what it shows. Look it up at the gateway.";
                decided(state, Event::NeverThere, now, row, "restored", why, Some(&reply))
            }
        },
    }
}

/// Whether the gateway shows a refund of this order and amount under a key that no row of ours has. Err: how long to
/// wait.
async fn alike(lane: &LaneContext, request: &Instruction, row: &Row) -> Result<bool, Duration> {
    let Instruction::Refund(request) = request;
    let slot = lane.connection.turn_to_ask().await?;
    let listing = lane.connection.gateway.refunds_of(&request.order_id, request.amount.currency).await;
    drop(slot);
    match listing {
        Listing::CannotList => Ok(false),
        Listing::NoAnswer(reply) => Err(no_answer(lane, &reply).await),
        Listing::Refunds(refunds) => Ok(refunds.iter().any(|refund| {
            refund.class != ReplyClass::Failed
                && refund.amount_minor.is_none_or(|minor| minor == row.record.amount_minor)
                && !refund.key.as_ref().is_some_and(|key| row.our_keys.contains(key))
        })),
    }
}

fn decided(
    state: State,
    event: Event,
    now: Now,
    row: &Row,
    code: &str,
    why: &str,
    reply: Option<&Reply>,
) -> Result<Lookup, Illegal> {
    let step = state.next(event, now)?;
    if step.state == State::Ready {
        return Ok(Lookup::NeverThere);
    }
    let verdict = verdict::verdict(step);
    debug_assert_eq!(verdict, Verdict::Review);
    Ok(Lookup::Known(Box::new((verdict::own(verdict, code, why, Duration::ZERO), evidence(row, reply)))))
}

fn evidence(row: &Row, reply: Option<&Reply>) -> String {
    reply
        .into_iter()
        .map(|reply| verdict::evidence(row.record.row_no, 0, reply))
        .collect::<serde_json::Value>()
        .to_string()
}
