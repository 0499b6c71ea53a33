//! Rows that a person asked about again. Only questions: nothing is sent.

use super::{answer, lane::LaneContext, open};
use crate::server::{
    db::tasks::{
        Verdict,
        recheck::{self, Recheck},
        resolve::{self, Resolution, RowKey, Source},
    },
    gateway::{Found, Reply},
};
use futures::{StreamExt, stream};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Questions without an answer before a row is left as it is.
const TRIES: i16 = 5;
const TAKE: usize = 64;

/// Works on due rows until there are none. Answers whether it did anything.
pub(super) async fn run(lane: &LaneContext) -> bool {
    let mut touched = BTreeSet::new();
    while !lane.soft.is_cancelled() {
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
    let limit = i32::try_from(lane.connection.concurrency.min(TAKE)).unwrap_or(1);
    let mut tx = lane.tx().await?;
    let rows = recheck::take(&mut tx, lane.gateway, limit, lane.state.config.lease).await?;
    tx.commit().await?;
    Ok(rows)
}

/// The row's name when it is done with.
async fn ask(lane: &LaneContext, row: &Recheck) -> Option<RowKey> {
    let request = answer::request(
        &row.gateway_key,
        &row.order_id,
        row.txn_id.as_deref(),
        row.amount_minor,
        &row.currency,
        row.extra.as_deref(),
    );
    let Ok(request) = request else { return Some(row.key()) };
    let reply = match open::find(lane, &request).await {
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
            open::no_answer(lane, &reply).await;
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
    serde_json::Value::from(vec![answer::evidence(row.row_no, row.revision, reply)]).to_string()
}

async fn keep(lane: &LaneContext, row: &Recheck, reply: &Reply) -> sqlx::Result<()> {
    let mut tx = lane.tx().await?;
    recheck::keep_evidence(&mut tx, row.key(), Uuid::now_v7(), &replies(row, reply)).await?;
    tx.commit().await
}

async fn record(lane: &LaneContext, row: &Recheck, reply: &Reply) -> sqlx::Result<()> {
    let mut found = answer::to_query(reply, 0);
    let took_it = match found.verdict {
        Verdict::Succeeded | Verdict::Pending => true,
        Verdict::Failed => false,
        Verdict::Unknown | Verdict::Retry | Verdict::Review => return keep(lane, row, reply).await,
    };
    let mut tx = lane.tx().await?;
    match row.succeeded {
        // In review: the gateway has a record after all.
        None => {
            let Some((epoch, _)) = resolve::claim_one(&mut tx, row.key(), lane.worker, lane.state.config.lease).await?
            else {
                return keep(lane, row, reply).await;
            };
            let evidence = Some((Uuid::now_v7(), replies(row, reply)));
            let resolution = Resolution { key: row.key(), epoch, answer: found, counts: false, evidence };
            resolve::resolve(&mut tx, Source::Query, &[resolution]).await?;
        }
        Some(before) => {
            recheck::keep_evidence(&mut tx, row.key(), Uuid::now_v7(), &replies(row, reply)).await?;
            if before != took_it && reply.confirmed_minor.is_none_or(|minor| minor == row.amount_minor) {
                found.code = Some("contradiction".to_owned());
                found.message = Some(match took_it {
                    true => "The gateway had refused it and now says that it was carried out.".to_owned(),
                    false => "The gateway had carried it out and now says that it failed.".to_owned(),
                });
                if recheck::reverse(&mut tx, row.key(), took_it, &found).await? {
                    tracing::error!(organisation = %lane.organisation, batch = %row.batch_id, row = row.row_no, took_it, "gateway.contradiction");
                }
            }
        }
    }
    tx.commit().await
}
