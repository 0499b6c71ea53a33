//! Rows that a person asked about again. Only questions: nothing is sent.

use super::{instruction, lane::LaneContext, resolver, verdict};
use crate::{
    db::tasks::{
        recheck::{self, Recheck},
        resolve::{self, Resolution, RowKey, Source},
    },
    domain::protocol::{Confirmed, Event, Now, State, Then},
    gateway::{Found, Reply},
};
use futures::{StreamExt, stream};
use std::{collections::BTreeSet, time::Duration};
use uuid::Uuid;

/// Questions without an answer before a row is left as it is.
const TRIES: i16 = 5;
const TAKE: usize = 64;

/// Works on due rows until there are none. Returns whether it did anything.
pub(super) async fn run(lane: &LaneContext) -> bool {
    let mut touched = BTreeSet::new();
    while !lane.soft.is_cancelled() && lane.connection.closed_for().is_zero() {
        let rows = match take(lane).await {
            Ok(rows) if rows.is_empty() => break,
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "processor.cannot_take_rechecks");
                break;
            }
        };
        touched.extend(rows.iter().map(|row| row.batch_id));
        let questions: Vec<_> = rows.iter().map(|row| ask(lane, row)).collect();
        let asked: Vec<_> = stream::iter(questions).buffer_unordered(TAKE).collect().await;
        let done: Vec<RowKey> = asked.into_iter().flatten().collect();
        let dropped = async {
            let mut tx = lane.tx().await?;
            recheck::drop_rows(&mut tx, &done).await?;
            tx.commit().await
        };
        if let Err(error) = dropped.await {
            tracing::warn!(%error, "processor.rechecks_stay");
        }
    }
    lane.check_ended(&touched).await;
    !touched.is_empty()
}

async fn take(lane: &LaneContext) -> sqlx::Result<Vec<Recheck>> {
    let limit = lane.connection.claimable(TAKE);
    let mut tx = lane.tx().await?;
    let rows = recheck::take(&mut tx, lane.gateway, limit, lane.state.config.lease).await?;
    tx.commit().await?;
    Ok(rows)
}

/// The row's name when it is done with.
async fn ask(lane: &LaneContext, row: &Recheck) -> Option<RowKey> {
    let request = instruction::to_ask(lane.connection.gateway.descriptor(), &row.record);
    let Ok(request) = request else { return Some(row.key()) };
    // Not our turn: it is asked again when its lease is over.
    let found = resolver::find(lane, &request).await.ok()?;
    let reply = match found {
        Found::Record(reply) => {
            return match record(lane, row, &reply).await {
                Ok(()) => Some(row.key()),
                Err(error) => {
                    tracing::warn!(%error, "processor.recheck_again");
                    None
                }
            };
        }
        Found::NotFound(reply) => reply,
        Found::NoAnswer(reply) => {
            resolver::no_answer(lane, &reply).await;
            if row.tries < TRIES {
                return None;
            }
            reply
        }
    };
    match keep(lane, row, &reply).await {
        Ok(()) => Some(row.key()),
        Err(error) => {
            tracing::warn!(%error, "processor.recheck_again");
            None
        }
    }
}

fn replies(row: &Recheck, reply: &Reply) -> String {
    serde_json::Value::from(vec![verdict::evidence(row.record.row_no, row.record.revision, reply)]).to_string()
}

async fn keep(lane: &LaneContext, row: &Recheck, reply: &Reply) -> sqlx::Result<()> {
    let mut tx = lane.tx().await?;
    recheck::keep_evidence(&mut tx, row.key(), Uuid::now_v7(), &replies(row, reply)).await?;
    tx.commit().await
}

async fn record(lane: &LaneContext, row: &Recheck, reply: &Reply) -> sqlx::Result<()> {
    // A question sends nothing, so neither window nor cancel counts.
    let now = Now { class: lane.connection.class(row.record.effect()), in_window: false, cancelled: false };
    let before = match row.succeeded {
        None => State::Review,
        Some(true) => State::Succeeded,
        Some(false) => State::Failed,
    };
    let event = Event::Record(reply.class, Confirmed::of(reply.confirmed_minor, row.record.amount_minor));
    let step = match before.next(event, now) {
        Ok(step) if step.state != before => step,
        Ok(_) => return keep(lane, row, reply).await,
        Err(illegal) => {
            tracing::error!(%illegal, "processor.record_without_a_rule");
            return keep(lane, row, reply).await;
        }
    };
    let mut tx = lane.tx().await?;
    if step.then == Then::Reverse {
        recheck::keep_evidence(&mut tx, row.key(), Uuid::now_v7(), &replies(row, reply)).await?;
        let took_it = step.state == State::Succeeded;
        let mut found = verdict::read(reply, verdict::verdict(step), Duration::ZERO);
        found.code = Some("contradiction".to_owned());
        found.message = Some(match took_it {
            true => "The gateway had refused it and now says that it was carried out.".to_owned(),
            false => "The gateway had carried it out and now says that it failed.".to_owned(),
        });
        if recheck::reverse(&mut tx, row.key(), took_it, &found).await? {
            tracing::error!(organisation = %lane.organisation, batch = %row.batch_id, row = row.record.row_no, took_it, "gateway.contradiction");
        }
        return tx.commit().await;
    }
    // In review: the gateway has a record after all. It may have left review since.
    let Some((epoch, state)) = resolve::claim_one(&mut tx, row.key(), lane.worker, lane.state.config.lease).await?
    else {
        return keep(lane, row, reply).await;
    };
    let state = State::stored(state);
    let Ok(found) = verdict::to_query(reply, state, row.record.amount_minor, now, 0) else {
        return keep(lane, row, reply).await;
    };
    let evidence = Some((Uuid::now_v7(), replies(row, reply)));
    let resolution = Resolution { key: row.key(), epoch, answer: found, counts: false, evidence };
    resolve::resolve(&mut tx, Source::Query, &[resolution]).await?;
    tx.commit().await
}
