//! Reads orders before their first refund of a batch.

use super::{answer, lane::LaneContext};
use crate::server::{
    db::tasks::{
        claim::{Chunk, WaitingRow},
        orders::{self, OrderRead, OrderToRead},
    },
    gateway::{OrderState, Reply, ReplyClass},
};
use futures::{StreamExt, stream};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

/// Readings of one order before it is left for later.
const ROUNDS: usize = 3;
/// Before an order that could not be read is tried again.
const UNREADABLE: Duration = Duration::from_secs(5);

/// How far the rows may be sent.
#[derive(Debug)]
pub(super) struct Read {
    /// Rows from the start of the slice whose orders are known.
    pub(super) rows: usize,
    /// How long to wait before the order that stopped it is read again.
    pub(super) wait: Duration,
}

/// Reads the orders of `rows` (a slice of the chunk, in row order) that this batch has not read yet.
pub(super) async fn read(lane: &LaneContext, chunk: &Chunk, rows: &[WaitingRow]) -> sqlx::Result<Read> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Read { rows: 0, wait: UNREADABLE }) };
    let mut wait = Duration::ZERO;
    let mut missing = Vec::new();
    for _ in 0..ROUNDS {
        let mut tx = lane.tx().await?;
        missing = orders::to_read(&mut tx, chunk, first.row_no, last.row_no).await?;
        tx.commit().await?;
        if missing.is_empty() || lane.soft.is_cancelled() {
            break;
        }
        let questions: Vec<_> = missing.iter().map(|order| ask(lane, order)).collect();
        let answers: Vec<_> = stream::iter(questions).buffer_unordered(lane.connection.concurrency).collect().await;
        let mut reads = Vec::new();
        let mut refused = None;
        for answer in answers {
            match answer {
                Ok(read) => reads.push(read),
                Err(reply) => {
                    wait = wait.max(reply.wait.unwrap_or(UNREADABLE));
                    if reply.class == ReplyClass::Refused {
                        refused = Some(reply);
                    }
                }
            }
        }
        if let Some(reply) = refused {
            lane.refused(&reply).await;
        }
        if !reads.is_empty() {
            // The order of locks: one statement takes the balances by order id.
            reads.sort_by(|a, b| a.order_id.cmp(&b.order_id));
            let mut tx = lane.tx().await?;
            orders::see(&mut tx, chunk.batch_id, &reads).await?;
            tx.commit_at("orders").await?;
        }
        if !wait.is_zero() {
            let mut tx = lane.tx().await?;
            missing = orders::to_read(&mut tx, chunk, first.row_no, last.row_no).await?;
            tx.commit().await?;
            break;
        }
    }
    let missing: HashSet<&str> = missing.iter().map(|order| order.order_id.as_str()).collect();
    let known = rows.iter().position(|row| missing.contains(row.order_id.as_str())).unwrap_or(rows.len());
    Ok(Read { rows: known, wait: if wait.is_zero() { UNREADABLE } else { wait } })
}

/// Reads the first row's order, to see whether a gateway that failed is back.
pub(super) async fn probe(lane: &LaneContext, rows: &[WaitingRow]) {
    let answered = match rows.first() {
        None => true,
        Some(row) => match lane.connection.gateway.order(&row.order_id).await {
            OrderState::Known(_) | OrderState::Missing(_) => true,
            OrderState::NoAnswer(reply) => {
                if reply.class == ReplyClass::Refused {
                    lane.refused(&reply).await;
                }
                if let Some(turned) = lane.connection.breaker.probed(false, Instant::now()) {
                    lane.tell_of_trouble(turned, &reply).await;
                }
                return;
            }
        },
    };
    lane.connection.breaker.probed(answered, Instant::now());
}

async fn ask(lane: &LaneContext, order: &OrderToRead) -> Result<OrderRead, Reply> {
    let unread = |order: &OrderToRead| OrderRead {
        order_id: order.order_id.clone(),
        committed_minor: order.committed_minor,
        known: false,
        charged: false,
        status: None,
        amount_minor: None,
        currency: None,
        refundable_minor: None,
        refunded_minor: None,
        transactions: Vec::new(),
        body: None,
    };
    let Ok(_slot) = lane.connection.slots.acquire().await else {
        return Err(answer::not_sent("stopping", "The process is stopping."));
    };
    match lane.connection.gateway.order(&order.order_id).await {
        OrderState::Known(seen) => Ok(OrderRead {
            known: true,
            charged: seen.charged,
            status: Some(seen.status),
            amount_minor: Some(seen.amount.minor),
            currency: Some(seen.amount.currency.code().to_owned()),
            refundable_minor: seen.refundable_minor,
            refunded_minor: Some(seen.refunded_minor),
            transactions: seen.transactions,
            body: Some(seen.body.replace('\0', "\u{fffd}")),
            ..unread(order)
        }),
        OrderState::Missing(reply) => {
            Ok(OrderRead { body: Some(reply.body.replace('\0', "\u{fffd}")), ..unread(order) })
        }
        OrderState::NoAnswer(reply) => {
            lane.note(&reply).await;
            Err(reply)
        }
    }
}
