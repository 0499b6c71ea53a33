//! Batch Sync at work: ask the gateway, remember the order, tell the external system. Nothing of it moves money, so
//! whatever is lost (this process's life, a COMMIT's reply, a lease) is simply done again by whoever takes the task
//! next: the gateway is only read, and the external system knows a message that it has seen by its id.

mod external_system;
mod message;

use super::lane::{LaneContext, Trouble, trouble};
use crate::{
    db::{
        self,
        orders::{SeenOrder, StoredOrder},
        sync::{self, ClaimedTask, EvidenceRow, Settled},
    },
    domain::{ids::BatchId, text::storable},
    gateway::{OrderState, Reply, ReplyClass},
    outbound::webhook,
};
use external_system::{ExternalSystem, OrderDelivery};
use futures::{StreamExt, stream};
use message::Content;
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

/// After that a lane makes room for others.
const TIME_SLICE: Duration = Duration::from_secs(10);
/// Tasks that are worked on at a time: all of them are on the wire at once, so that no lease is used up by waiting.
const TAKE: usize = 32;
/// Seconds between questions that the gateway does not answer.
const ASK_AGAIN: [u64; 5] = [2, 5, 15, 30, 60];
/// A gateway that has not answered for so long does not answer.
const GIVE_UP_ASKING: i64 = 24 * 3600;
/// The same where there is a result already, which stays as it is.
const GIVE_UP_ASKING_AGAIN: i64 = 600;
/// Seconds between deliveries that the external system does not take; after the last one the task fails.
const TELL_AGAIN: [u64; 5] = [2, 5, 15, 60, 300];

/// Works on due tasks until there are none, or the slice is over. Returns whether it did anything.
pub(super) async fn run(lane: &LaneContext) -> bool {
    let (started, mut touched) = (Instant::now(), BTreeSet::new());
    match begin(lane).await {
        Ok(begun) => touched.extend(begun),
        Err(error) => tracing::warn!(%error, "sync.cannot_begin"),
    }
    let external = match ExternalSystem::load(lane).await {
        Ok(external) => external,
        Err(error) => {
            tracing::warn!(%error, "sync.no_external_system");
            return false;
        }
    };
    while !lane.soft.is_cancelled() && started.elapsed() < TIME_SLICE {
        let tasks = match take(lane).await {
            Ok(tasks) => tasks,
            Err(error) => {
                tracing::warn!(%error, "sync.cannot_take");
                break;
            }
        };
        if tasks.is_empty() {
            break;
        }
        touched.extend(tasks.iter().map(|task| task.batch_id));
        work(lane, &external, &tasks).await;
    }
    check(lane, &touched).await;
    !touched.is_empty()
}

async fn begin(lane: &LaneContext) -> sqlx::Result<Vec<uuid::Uuid>> {
    let mut tx = lane.tx().await?;
    let mut begun = sync::open(&mut tx, lane.gateway).await?;
    begun.extend(sync::call_off(&mut tx, lane.gateway).await?);
    tx.commit().await?;
    Ok(begun.into_iter().map(|BatchId(batch)| batch).collect())
}

/// A gateway that is stopped, or does not answer anybody, is not asked: its tasks wait and are not counted as tries.
async fn take(lane: &LaneContext) -> sqlx::Result<Vec<ClaimedTask>> {
    let limit = lane.connection.claimable(TAKE);
    let mut tx = lane.tx().await?;
    let gateway = db::gateways::load(&mut tx, lane.gateway).await?;
    let open = lane.connection.closed_for().is_zero() && lane.connection.breaker.closed_for(Instant::now()).is_zero();
    let asking = open && gateway.is_some_and(|gateway| gateway.sending);
    let tasks = sync::take(&mut tx, lane.gateway, lane.worker, limit, lane.state.config.lease, asking).await?;
    tx.commit().await?;
    Ok(tasks)
}

async fn check(lane: &LaneContext, batches: &BTreeSet<uuid::Uuid>) {
    for batch in batches {
        let found = async {
            let mut tx = lane.tx().await?;
            let found = sync::check_batch(&mut tx, *batch).await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>(found)
        };
        match found.await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => lane.halt_organisation(&format!("batch {batch}: {}.", found.join("; "))).await,
            Err(error) => tracing::warn!(%error, %batch, "sync.cannot_check"),
        }
    }
}

/// What came of a task, to be written down together.
#[derive(Default)]
struct Outcome {
    settled: Option<Settled>,
    seen: Option<SeenOrder>,
    kept: Vec<EvidenceRow>,
    refused: Option<Reply>,
}

async fn work(lane: &LaneContext, external: &ExternalSystem, tasks: &[ClaimedTask]) {
    let known = match known(lane, tasks).await {
        Ok(known) => known,
        // The leases lapse, and the tasks are taken again.
        Err(error) => return tracing::warn!(%error, "sync.cannot_read_orders"),
    };
    let looks: Vec<_> =
        tasks.iter().map(|task| sync_task(lane, external, task, known.get(task.order_id.as_str()))).collect();
    let outcomes: Vec<Outcome> = stream::iter(looks).buffer_unordered(TAKE).collect().await;
    if let Some(refused) = outcomes.iter().find_map(|outcome| outcome.refused.as_ref()) {
        lane.disable_connection(refused).await;
    }
    let give_up = Instant::now() + lane.state.config.lease;
    let mut wait = Duration::from_millis(20);
    loop {
        match record(lane, &outcomes).await {
            Ok(()) => {
                let ended = |outcome: &&Outcome| outcome.settled.as_ref().is_some_and(Settled::is_counted);
                return lane.connection.limits.count_finished(outcomes.iter().filter(ended).count());
            }
            Err(error) if trouble(&error) == Trouble::Violation => {
                return lane.halt_organisation(&format!("results of a sync could not be recorded ({error}).")).await;
            }
            Err(error) if Instant::now() > give_up => return tracing::error!(%error, "sync.results_lost"),
            Err(error) => {
                tracing::warn!(%error, "sync.record_again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(2));
            }
        }
    }
}

async fn known(lane: &LaneContext, tasks: &[ClaimedTask]) -> sqlx::Result<HashMap<String, StoredOrder>> {
    let orders: Vec<String> = tasks.iter().filter(|task| !task.asks).map(|task| task.order_id.clone()).collect();
    let mut tx = lane.tx().await?;
    let stored = db::orders::load(&mut tx, &orders).await?;
    tx.commit().await?;
    Ok(stored.into_iter().map(|order| (order.order_id.clone(), order)).collect())
}

async fn record(lane: &LaneContext, outcomes: &[Outcome]) -> sqlx::Result<()> {
    let settled: Vec<Settled> = outcomes.iter().filter_map(|outcome| outcome.settled.clone()).collect();
    let seen: Vec<SeenOrder> = outcomes.iter().filter_map(|outcome| outcome.seen.clone()).collect();
    let kept: Vec<EvidenceRow> = outcomes.iter().flat_map(|outcome| outcome.kept.clone()).collect();
    let mut tx = lane.tx().await?;
    sync::settle(&mut tx, lane.worker, &settled).await?;
    db::orders::see(&mut tx, lane.gateway, &seen, lane.state.clock.now()).await?;
    sync::keep_evidence(&mut tx, &kept).await?;
    tx.commit().await
}

async fn sync_task(
    lane: &LaneContext,
    external: &ExternalSystem,
    task: &ClaimedTask,
    stored: Option<&StoredOrder>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let content = if task.asks {
        match ask(lane, task, &mut outcome).await {
            Ok(content) => content,
            Err(settled) => {
                outcome.settled = Some(settled);
                return outcome;
            }
        }
    } else {
        match stored {
            Some(stored) => Content::stored(stored),
            None => {
                let message = format!(
                    "Order {} has never been read from the gateway. Turn Sync With Gateway on and upload it again.",
                    task.order_id
                );
                outcome.settled = Some(failed(task, "never_seen", message));
                return outcome;
            }
        }
    };
    if let Some(txn_id) = task.txn_id.as_ref().filter(|txn_id| !content.transactions.contains(txn_id)) {
        let order = &task.order_id;
        let message = match content.transactions.as_slice() {
            [] => format!(
                "Transaction {txn_id} does not belong to order {order}: the gateway names no transaction of it."
            ),
            known => format!("Transaction {txn_id} does not belong to order {order}, which has {}.", known.join(", ")),
        };
        outcome.settled = Some(failed(task, "other_transaction", message));
        return outcome;
    }
    outcome.settled = Some(deliver(external, task, &content, &mut outcome.kept).await);
    outcome
}

/// The order as the gateway has it now; or what that question came to.
async fn ask(lane: &LaneContext, task: &ClaimedTask, outcome: &mut Outcome) -> Result<Content, Settled> {
    let slot = match lane.connection.turn_to_ask().await {
        Ok(slot) => slot,
        Err(wait) => return Err(not_its_turn(task, wait)),
    };
    let asked = Instant::now();
    let state = lane.connection.gateway.order(&task.order_id).await;
    let took = asked.elapsed();
    drop(slot);
    match state {
        OrderState::Known(seen) => {
            outcome.kept.push(kept(task, "QUERY", None, Some(200), &seen.body, took));
            let content = Content::seen(&task.order_id, &seen);
            outcome.seen = Some(content.to_store(task.batch_id, &seen));
            Ok(content)
        }
        OrderState::Missing(reply) => {
            outcome.kept.push(kept(task, "QUERY", None, reply.http, &reply.body, took));
            let message = format!("The gateway does not know order {}.", task.order_id);
            Err(failed(task, "order_not_found", message))
        }
        OrderState::NoAnswer(reply) => {
            lane.apply_retry_after(&reply).await;
            outcome.kept.push(kept(task, "QUERY", None, reply.http, &reply.body, took));
            let final_already = task.status != "QUEUED";
            let most = if final_already { GIVE_UP_ASKING_AGAIN } else { GIVE_UP_ASKING };
            let said = reply.message.clone().unwrap_or_else(|| "The gateway did not answer.".to_owned());
            let code = reply.code.clone().unwrap_or_else(|| "no_answer".to_owned());
            // It may have waited for its turn most of that time: it was asked often as well.
            let often = usize::try_from(task.tries).is_ok_and(|tries| tries >= ASK_AGAIN.len());
            let gave_up = often && task.waited > most && reply.class != ReplyClass::Refused;
            let wait = reply.wait.map_or_else(|| step(&ASK_AGAIN, task.tries), |wait| Some(wait.as_secs()));
            if reply.class == ReplyClass::Refused {
                outcome.refused = Some(reply);
            }
            let settled = match (gave_up, final_already) {
                (true, true) => Settled { wait_seconds: None, ..unchanged(task) },
                (true, false) => {
                    failed(task, &code, format!("{said} It was asked for a day. Sync with Gateway asks again."))
                }
                (false, true) => Settled { wait_seconds: wait, ..unchanged(task) },
                (false, false) => {
                    Settled { wait_seconds: wait, ..waiting(task, &code, format!("{said} It is asked again.")) }
                }
            };
            Err(settled)
        }
    }
}

/// Tells the external system, where it does not have this content from this task already.
async fn deliver(
    external: &ExternalSystem,
    task: &ClaimedTask,
    content: &Content,
    replies: &mut Vec<EvidenceRow>,
) -> Settled {
    let took = |response: Option<String>, delivered: Option<String>| Settled {
        status: "ACCEPTED",
        gateway_status: Some(if task.asks { "SYNCED" } else { "NOT REQUESTED" }),
        response,
        delivered,
        ..blank(task)
    };
    let told = Instant::now();
    let delivery = match external {
        ExternalSystem::Here => return took(Some("Stored in Batchdesk".to_owned()), None),
        ExternalSystem::There(_)
            if task.delivered_sha256.as_deref() == Some(content.sha256.as_slice()) && task.status == "ACCEPTED" =>
        {
            return took(task.response.clone(), None);
        }
        ExternalSystem::There(_) | ExternalSystem::Broken(_) => external.deliver(task, content).await,
    };
    let OrderDelivery { delivery, id } = delivery;
    if let Some(id) = id {
        replies.push(kept(task, "DELIVERY", Some(&id), delivery.http, &delivery.body, told.elapsed()));
    }
    let response = (!delivery.response.is_empty()).then(|| delivery.response.clone());
    match delivery.taken {
        webhook::DeliveryOutcome::Accepted => took(response, Some(hex::encode(&content.sha256))),
        webhook::DeliveryOutcome::Retry(wait) if within(&TELL_AGAIN, task.tries) => {
            let seconds = wait.map(|wait| wait.as_secs()).or_else(|| step(&TELL_AGAIN, task.tries));
            if task.status == "QUEUED" {
                let message = format!("{} It is told again.", delivery.message);
                Settled { wait_seconds: seconds, ..waiting(task, &delivery.code, message) }
            } else {
                Settled { wait_seconds: seconds, ..unchanged(task) }
            }
        }
        webhook::DeliveryOutcome::Rejected | webhook::DeliveryOutcome::Retry(_) => {
            let tries = task.tries.saturating_add(1);
            let message = match tries {
                _ if delivery.taken == webhook::DeliveryOutcome::Rejected => delivery.message.clone(),
                1 => delivery.message.clone(),
                tries => format!("{} It was told {tries} times.", delivery.message),
            };
            let gateway_status = Some(if task.asks { "SYNCED" } else { "NOT REQUESTED" });
            Settled { gateway_status, response, ..failed(task, &delivery.code, message) }
        }
    }
}

/// The wait after `tries` tries; the last one for ever.
fn step(steps: &[u64], tries: i16) -> Option<u64> {
    let place = usize::try_from(tries).unwrap_or(0);
    steps.get(place).or(steps.last()).copied()
}

fn within(steps: &[u64], tries: i16) -> bool {
    usize::try_from(tries).is_ok_and(|tries| tries < steps.len())
}

fn blank(task: &ClaimedTask) -> Settled {
    Settled {
        batch_id: task.batch_id,
        row_no: task.row_no,
        epoch: task.epoch,
        status: "QUEUED",
        gateway_status: None,
        response: None,
        code: None,
        message: None,
        delivered: None,
        wait_seconds: None,
        unchanged: false,
        counts: true,
    }
}

fn failed(task: &ClaimedTask, code: &str, message: String) -> Settled {
    let gateway_status = Some(if task.asks { "FAILED" } else { "NOT REQUESTED" });
    Settled { status: "FAILED", gateway_status, code: Some(code.to_owned()), message: Some(message), ..blank(task) }
}

fn waiting(task: &ClaimedTask, code: &str, message: String) -> Settled {
    Settled { code: Some(code.to_owned()), message: Some(message), ..blank(task) }
}

fn unchanged(task: &ClaimedTask) -> Settled {
    Settled { unchanged: true, ..blank(task) }
}

/// The connection's limits let nobody ask about it now: that is no try.
fn not_its_turn(task: &ClaimedTask, wait: Duration) -> Settled {
    Settled { wait_seconds: Some(wait.as_secs() + 1), counts: false, ..unchanged(task) }
}

/// A reply as it is kept, with the name of the message that it answers, and how long it was waited for.
fn kept(
    task: &ClaimedTask,
    source: &'static str,
    id: Option<&str>,
    http: Option<u16>,
    body: &str,
    took: Duration,
) -> EvidenceRow {
    let body = storable(body);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let replies =
        serde_json::json!([{ "row": task.row_no, "id": id, "http": http, "ms": ms, "body": body }]).to_string();
    EvidenceRow { batch: task.batch_id, row: task.row_no, source, replies }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<_> = (0..7).map(|tries| step(&TELL_AGAIN, tries)).collect();
        assert_eq!(waits, [2, 5, 15, 60, 300, 300, 300].map(Some));
        assert!(within(&TELL_AGAIN, 4) && !within(&TELL_AGAIN, 5));
        assert_eq!(step(&ASK_AGAIN, 500), Some(60));
    }
}
