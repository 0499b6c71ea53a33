//! Batches compared with the gateway: at their end, and every night. Reads only; a comparison never sends.
//!
//! The gateway's list of each order's refunds is held against the records of the file and our outcomes. What differs is
//! written down; where the gateway took back its last word, that word wins by a reversal; what is about money goes to
//! people.

mod compare;

use super::{lane::LaneContext, verdict};
use crate::{
    db::{
        self, GlobalTx,
        outbox::Notice,
        reconcile::{Advance, Ended, Held, NightlyRun, OurRow},
        tasks::{Lane, Queue, Verdict, Work, recheck, resolve::RowKey},
    },
    domain::{
        ids::{BatchId, OrganisationId},
        money::Currency,
        notice::{Audience, NoticeKind},
    },
    error::OpResult,
    gateway::{Listing, Reply, ReplyClass},
    ops::{self, time_format},
    state::AppState,
};
use compare::{Compared, compare};
use futures::{StreamExt, stream};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use uuid::Uuid;

/// The hour of the nightly comparison, in the organisation's zone.
const HOUR: i8 = 2;
/// How long after its last change a batch is still compared at night: gateways change their mind late.
const NIGHTS: time::Duration = time::Duration::days(14);
/// How often a process looks whether a night has begun somewhere.
const REFRESH_INTERVAL: Duration = Duration::from_secs(20);
/// Orders of one slice: written down together, and what is read anew after a crash.
const SLICE_ROWS: i32 = 200;
/// Questions without an answer before an order is named as not read and passed over.
const TRIES: i16 = 5;
/// Before orders that could not be read are read again.
const AGAIN: Duration = Duration::from_secs(15);
/// Before a connection that refuses our key is read again.
const REFUSED: Duration = Duration::from_secs(600);

/// Which lanes have a comparison due.
pub(super) async fn due(tx: &mut GlobalTx) -> sqlx::Result<Vec<Lane>> {
    let lane =
        |(organisation, gateway)| Lane { organisation, queue: Queue::Connection(gateway), work: Work::Reconciliations };
    Ok(db::reconcile::due(tx).await?.into_iter().map(lane).collect())
}

/// Plans the nightly comparisons. What was planned stands in the database, so that several processes plan a night once.
#[derive(Debug, Default)]
pub(super) struct NightlySchedule {
    looked: Option<(Instant, OffsetDateTime)>,
}

impl NightlySchedule {
    /// Plans the nights that have begun since the last look.
    pub(super) async fn plan(&mut self, state: &AppState) -> sqlx::Result<()> {
        let now = state.clock.now();
        let fresh =
            |(at, then): (Instant, OffsetDateTime)| at.elapsed() < REFRESH_INTERVAL && now - then < REFRESH_INTERVAL;
        if self.looked.is_some_and(fresh) {
            return Ok(());
        }
        let mut tx = state.db.worker_global().await?;
        let nights = db::reconcile::nights(&mut tx).await?;
        tx.commit().await?;
        for row in nights {
            // One organisation's trouble is not the others'.
            if let Err(error) = plan_one(state, now, &row).await {
                tracing::warn!(%error, organisation = %row.organisation_id, "processor.cannot_plan_night");
            }
        }
        self.looked = Some((Instant::now(), now));
        Ok(())
    }
}

async fn plan_one(state: &AppState, now: OffsetDateTime, row: &NightlyRun) -> sqlx::Result<()> {
    let last = time_format::last_time_of_day(now, &time_format::zone(&row.zone), HOUR);
    if row.night.is_some_and(|night| night >= last) {
        return Ok(());
    }
    let mut tx = state.db.worker(OrganisationId(row.organisation_id)).await?;
    match row.night {
        // An organisation that is new: its first night is the next one.
        None => db::reconcile::begin_nights(&mut tx, last).await?,
        Some(_) if db::reconcile::claim_run(&mut tx, last).await? => {
            let planned = db::reconcile::plan_night(&mut tx, now - NIGHTS).await?;
            tracing::info!(organisation = %row.organisation_id, planned, "reconciliation.night");
        }
        Some(_) => {}
    }
    tx.commit().await
}

/// Works on due comparisons of the connection until there are none. Returns whether it did anything.
pub(super) async fn run(lane: &LaneContext) -> bool {
    let mut worked = false;
    while !lane.soft.is_cancelled() {
        let claimed = async {
            let mut tx = lane.tx().await?;
            let held = db::reconcile::claim(&mut tx, lane.gateway, lane.worker, lane.state.config.lease).await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>(held)
        };
        let held = match claimed.await {
            Ok(Some(held)) => held,
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "processor.cannot_claim_reconciliation");
                break;
            }
        };
        worked = true;
        if let Err(error) = work(lane, &held).await {
            // Its lease lapses, and it goes on from its last slice.
            tracing::warn!(%error, batch = %held.batch_id, "processor.reconciliation_again");
            break;
        }
    }
    worked
}

/// What a look at a slice led to.
enum Look {
    /// Everything was read.
    Read(HashMap<String, Listing>),
    /// The connector has no lists.
    CannotList,
    /// Nothing more is to be had now.
    Later(Duration),
}

async fn work(lane: &LaneContext, held: &Held) -> OpResult<()> {
    let Ok(currency) = held.currency.trim().parse::<Currency>() else { return finish(lane, held, "CANNOT_LIST").await };
    let (mut from, mut tries) = (held.next_row, held.tries);
    loop {
        let mut tx = lane.tx().await?;
        let (rows, next_row) = db::reconcile::slice(&mut tx, held.batch_id, from, SLICE_ROWS).await?;
        let mut ours: BTreeMap<String, Vec<OurRow>> = BTreeMap::new();
        for row in rows {
            ours.entry(row.order_id.clone()).or_default().push(row);
        }
        let orders: Vec<String> = ours.keys().cloned().collect();
        let others = db::reconcile::other_keys(&mut tx, held.batch_id, &orders).await?;
        tx.commit().await?;
        if ours.is_empty() {
            return finish(lane, held, "DONE").await;
        }
        let listings = match read(lane, &orders, currency, tries >= TRIES).await {
            Look::Read(listings) => listings,
            Look::CannotList => return finish(lane, held, "CANNOT_LIST").await,
            Look::Later(wait) => {
                let mut tx = lane.tx().await?;
                db::reconcile::postpone(&mut tx, held, wait, !lane.soft.is_cancelled()).await?;
                return Ok(tx.commit().await?);
            }
        };
        tries = 0;
        let others: BTreeSet<(String, String)> = others.into_iter().collect();
        let compared = compare(&ours, &listings, &others);
        if !write(lane, held, compared, next_row).await? {
            return Ok(());
        }
        from = next_row;
    }
}

/// Reads the lists of these orders, through the slots of the connection but never with more than a quarter of them:
/// what is to be sent goes first. With `pass`, an order that does not answer is passed over.
async fn read(lane: &LaneContext, orders: &[String], currency: Currency, pass: bool) -> Look {
    let at_once = (lane.connection.concurrency / 4).max(1);
    let ask = |order: String| async move {
        let Ok(_slot) = lane.connection.slots.acquire().await else { return (order, None) };
        let listing = lane.connection.gateway.refunds_of(&order, currency).await;
        (order, Some(listing))
    };
    // Lists that are not asked for any more once one did not answer: the gateway is not to be pressed.
    let mut answers = stream::iter(orders.iter().cloned().map(ask)).buffer_unordered(at_once);
    let mut listings = HashMap::new();
    while let Some((order, listing)) = answers.next().await {
        if lane.soft.is_cancelled() {
            return Look::Later(Duration::ZERO);
        }
        match listing {
            None => return Look::Later(Duration::ZERO),
            Some(Listing::CannotList) => return Look::CannotList,
            Some(Listing::NoAnswer(reply)) if !pass || reply.class == ReplyClass::Refused => {
                return Look::Later(no_answer(lane, &reply).await);
            }
            Some(listing) => {
                listings.insert(order, listing);
            }
        }
    }
    Look::Read(listings)
}

async fn no_answer(lane: &LaneContext, reply: &Reply) -> Duration {
    if reply.class == ReplyClass::Refused {
        lane.disable_connection(reply).await;
        return REFUSED;
    }
    reply.wait.unwrap_or_default().max(AGAIN)
}

/// Writes a slice down. False: another process has the comparison.
async fn write(lane: &LaneContext, held: &Held, compared: Compared, next_row: i32) -> OpResult<bool> {
    let mut tx = lane.tx().await?;
    let advance = Advance { next_row, orders: compared.orders, unread: compared.unread };
    // First: it holds the comparison's row until the end, so that of two processes only one writes.
    if !db::reconcile::advance(&mut tx, held, advance, lane.state.config.lease).await? {
        return Ok(false);
    }
    let mut found = compared.found;
    for reversal in &compared.reversals {
        let key = RowKey { batch: held.batch_id, row: reversal.row, revision: reversal.revision };
        let evidence = json!([{ "row": reversal.row, "revision": reversal.revision, "class": format!("{:?}", reversal.refund.class),
            "ref": reversal.refund.reference, "confirmed_minor": reversal.refund.amount_minor,
            "body": format!("The gateway lists it as {}.", reversal.refund.status) }]);
        recheck::keep_evidence(&mut tx, key, Uuid::now_v7(), &evidence.to_string()).await?;
        let mut answer = verdict::own(
            if reversal.succeeded { Verdict::Succeeded } else { Verdict::Failed },
            "contradiction",
            match reversal.succeeded {
                true => "The gateway had refused it and now shows that it was carried out.",
                false => "The gateway had carried it out and now shows that it failed.",
            },
            Duration::ZERO,
        );
        answer.reference = reversal.refund.reference.clone();
        answer.gateway_status = Some(reversal.refund.status.clone());
        if recheck::reverse(&mut tx, key, reversal.succeeded, &answer).await? {
            tracing::error!(organisation = %lane.organisation, batch = %held.batch_id, row = reversal.row, succeeded = reversal.succeeded, "gateway.contradiction");
            for difference in found.iter_mut().filter(|f| f.row == Some((reversal.row, reversal.revision))) {
                difference.reversed = true;
                difference.money = false;
            }
        }
    }
    db::reconcile::record(&mut tx, held, &found).await?;
    if !compared.ask.is_empty() {
        db::reconcile::ask_now(&mut tx, held.batch_id, &compared.ask).await?;
    }
    tx.commit().await?;
    if !compared.reversals.is_empty() {
        lane.check_ended(&BTreeSet::from([held.batch_id])).await;
    }
    Ok(true)
}

async fn finish(lane: &LaneContext, held: &Held, result: &str) -> OpResult<()> {
    let mut tx = lane.tx().await?;
    let Some(Ended { records, agreed, open, entries }) = db::reconcile::finish(&mut tx, held, result).await? else {
        return Ok(());
    };
    if entries > 0 {
        let news = Notice {
            kind: NoticeKind::Differences,
            batch: Some(BatchId(held.batch_id)),
            audience: Audience::MakerAndChecker,
            payload: json!({ "tasks": entries }),
        };
        db::outbox::put(&mut tx, &news).await?;
    }
    db::outbox::changed(&mut tx, &[held.batch_id]).await?;
    let detail = json!({ "result": result, "records": records, "agreed": agreed, "open": open, "entries": entries });
    ops::audit::record_own(&lane.state, &mut tx, "batch.reconciled", Some(held.batch_id), detail).await?;
    Ok(tx.commit().await?)
}
