//! Reads orders before their first refund of a batch.

use super::{instruction, lane::LaneContext, rate_limiter::MAX_WAIT, verdict};
use crate::{
    db::tasks::{
        claim::{self, Chunk, WaitingRow},
        orders::{self, OrderRead, OrderToRead},
    },
    domain::text::storable,
    gateway::{Found, GatewayClass, OrderState, Reply, ReplyClass},
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

/// The code of a question that was not put.
const NOT_ASKED: &str = "not_asked";

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
            lane.disable_connection(&reply).await;
        }
        if !reads.is_empty() {
            // The order of locks: one statement takes the balances by order id.
            reads.sort_by(|a, b| a.order_id.cmp(&b.order_id));
            let mut tx = lane.tx().await?;
            let seen = orders::see(&mut tx, chunk.batch_id, &reads).await?;
            tx.commit_at("orders").await?;
            if usize::try_from(seen).is_ok_and(|seen| seen == missing.len()) {
                missing.clear();
                break;
            }
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

/// Whether a gateway that failed is back: asked by a question, which moves no money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// Asked. The breaker knows what became of it.
    Queried,
    /// This gateway answers no questions: only a row can tell.
    OnlyByRow,
}

/// Asks about the first row: its order where orders can be read, else the refund itself, which was never sent.
pub(super) async fn probe(lane: &LaneContext, chunk: &Chunk, rows: &[WaitingRow]) -> sqlx::Result<Probe> {
    let connection = &lane.connection;
    let Some(row) = rows.first() else {
        connection.breaker.probed(true, Instant::now());
        return Ok(Probe::Queried);
    };
    let silence = if chunk.takes_from_orders() && connection.gateway.descriptor().reads_orders {
        match read_one(lane, &row.order_id).await {
            OrderState::Known(_) | OrderState::Missing(_) => None,
            OrderState::NoAnswer(reply) => Some(reply),
        }
    } else if connection.class(chunk.effect()) == GatewayClass::N {
        return Ok(Probe::OnlyByRow);
    } else {
        match ask_about(lane, chunk, row).await {
            Ok(Some(Found::Record(_) | Found::NotFound(_))) => None,
            Ok(Some(Found::NoAnswer(reply))) => Some(reply),
            Ok(None) => return Ok(Probe::OnlyByRow),
            Err(error) => {
                connection.breaker.untried();
                return Err(error);
            }
        }
    };
    let turned = match &silence {
        Some(reply) if reply.code.as_deref() == Some(NOT_ASKED) => {
            connection.breaker.untried();
            lane.pause(reply.wait.unwrap_or_default().min(MAX_WAIT)).await;
            return Ok(Probe::Queried);
        }
        Some(reply) => {
            lane.apply_retry_after(reply).await;
            if reply.class == ReplyClass::Refused {
                lane.disable_connection(reply).await;
            }
            connection.breaker.probed(false, Instant::now())
        }
        None => connection.breaker.probed(true, Instant::now()),
    };
    if let (Some(turned), Some(reply)) = (turned, &silence) {
        lane.tell_of_trouble(turned, reply).await;
    }
    Ok(Probe::Queried)
}

/// Asks what became of a row that was never sent. None: there is no such question.
async fn ask_about(lane: &LaneContext, chunk: &Chunk, row: &WaitingRow) -> sqlx::Result<Option<Found>> {
    let mut tx = lane.tx().await?;
    let asked = claim::question(&mut tx, chunk, row.row_no).await?;
    tx.commit().await?;
    let connector = lane.connection.gateway.descriptor();
    let request = asked.and_then(|record| instruction::to_ask(connector, &record).ok());
    let Some(request) = request else { return Ok(None) };
    match lane.connection.turn_to_ask().await {
        Ok(_slot) => Ok(Some(lane.connection.gateway.find(&request).await)),
        Err(wait) => Ok(Some(Found::NoAnswer(not_asked(wait)))),
    }
}

/// Reads an order when it is this lane's turn to ask.
async fn read_one(lane: &LaneContext, order: &str) -> OrderState {
    match lane.connection.turn_to_ask().await {
        Ok(_slot) => lane.connection.gateway.order(order).await,
        Err(wait) => OrderState::NoAnswer(not_asked(wait)),
    }
}

fn not_asked(wait: Duration) -> Reply {
    let reply = verdict::not_sent(NOT_ASKED, "Nothing was asked: the gateway is left alone for a while.");
    Reply { wait: Some(wait), ..reply }
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
    match read_one(lane, &order.order_id).await {
        OrderState::Known(seen) => Ok(OrderRead {
            known: true,
            charged: seen.charged,
            status: Some(seen.status),
            amount_minor: Some(seen.amount.minor),
            currency: Some(seen.amount.currency.code().to_owned()),
            refundable_minor: seen.refundable_minor,
            refunded_minor: Some(seen.refunded_minor),
            transactions: seen.transactions,
            body: Some(storable(&seen.body)),
            ..unread(order)
        }),
        OrderState::Missing(reply) => Ok(OrderRead { body: Some(storable(&reply.body)), ..unread(order) }),
        OrderState::NoAnswer(reply) => {
            if reply.code.as_deref() != Some(NOT_ASKED) {
                lane.record_call(&reply).await;
            }
            Err(reply)
        }
    }
}
