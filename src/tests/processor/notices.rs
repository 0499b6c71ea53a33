//! What happened is told: to open pages and to the people concerned, once it is committed and whoever dies then.

use super::{ProcessorHarness, Script};
use crate::{
    domain::{ids::BatchId, operation::Operation},
    server::{
        db::{self, Db, PoolSizes},
        gateway::GatewayClass,
        live::{CHANNEL, Changed},
        ops::{self, notices, outbox},
    },
};
use sqlx::postgres::PgListener;
use std::{collections::HashMap, time::Duration};
use tokio_util::sync::CancellationToken;

const OWNER: &str = "owner@globex.test";

/// Everything that is notified from now on.
async fn listener(harness: &ProcessorHarness) -> PgListener {
    let mut listener = harness.test.state.db.listener().await.unwrap();
    listener.listen(CHANNEL).await.unwrap();
    listener
}

/// Notifications by batch, until none comes for a while.
async fn heard(listener: &mut PgListener) -> HashMap<BatchId, usize> {
    let mut heard = HashMap::new();
    while let Ok(notification) = tokio::time::timeout(Duration::from_millis(300), listener.recv()).await {
        let changed = Changed::from_payload(notification.unwrap().payload()).unwrap();
        *heard.entry(changed.batch).or_default() += 1;
    }
    heard
}

/// The sentences of a person's notices.
async fn notices_of(harness: &ProcessorHarness, email: &str) -> Vec<String> {
    let caller = harness.test.caller(email).await;
    let shown = notices::list(&harness.test.state, &caller).await.unwrap();
    shown
        .notices
        .iter()
        .map(|notice| {
            let words = notice.parts.iter().map(|part| match part {
                crate::domain::view::notices::NoticePart::Words(words)
                | crate::domain::view::notices::NoticePart::Strong(words) => words.as_str(),
            });
            words.collect()
        })
        .collect()
}

/// A batch with tasks that the gateway holds as pending, its processor stopped.
async fn pending(harness: &ProcessorHarness, orders: &[&str]) -> BatchId {
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (*order, "12.00")).collect();
    let batch = harness.batch(&rows).await;
    let running = harness.start();
    harness.until(batch, &["PENDING"]).await;
    running.stop().await;
    batch
}

/// The gateway's last word about them is that it did not do it.
async fn fail_late(harness: &ProcessorHarness, batch: BatchId) {
    let running = harness.start();
    harness.until(batch, &["FAILED"]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_after_it_was_accepted_is_told_to_its_people_and_leads_to_the_task() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = pending(&harness, &["LATERNO_1"]).await;
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    assert_eq!(notices_of(&harness, OWNER).await, [""; 0], "a pending refund is no news");
    fail_late(&harness, batch).await;
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    let sentence = "A refund of ₹12.00 in batch refunds.csv failed at the gateway after it had been accepted.";
    assert_eq!(notices_of(&harness, OWNER).await, [sentence]);
    let caller = harness.test.caller(OWNER).await;
    let notices = notices::list(&harness.test.state, &caller).await.unwrap();
    let link = format!("/batch/batch-refunds/{batch}?q=LATERNO_1");
    assert_eq!(notices.notices[0].link, Some((link, "Show the task")));
    assert_eq!(notices.unread, 1);
    // Handed on once more, as after a lost reply: nothing is told twice.
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    assert_eq!(notices_of(&harness, OWNER).await, [sentence]);
    assert_eq!(notices_of(&harness, "maker@acme.test").await, [""; 0], "another organisation hears nothing");
    assert_eq!(notices::mark_read(&harness.test.state, &caller, &notices.until).await.unwrap(), 1);
    assert_eq!(notices::list(&harness.test.state, &caller).await.unwrap().unread, 0);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_late_failures_are_one_notice_with_their_sum() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = pending(&harness, &["LATERNO_1", "LATERNO_2", "LATERNO_3"]).await;
    fail_late(&harness, batch).await;
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    let sentence =
        "3 refunds, ₹36.00 together, in batch refunds.csv failed at the gateway after they had been accepted.";
    assert_eq!(notices_of(&harness, OWNER).await, [sentence]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_and_a_review_are_told() {
    let harness = ProcessorHarness::new(GatewayClass::N, Script::default()).await;
    let batch = harness.batch(&[("DECLINE_1", "10.00"), ("BEFORE_1", "20.00")]).await;
    let running = harness.start();
    harness.until(batch, &["FAILED", "REVIEW"]).await;
    *harness.script.contradicts.lock().unwrap() = true;
    let caller = harness.test.caller(OWNER).await;
    ops::batches::sync(&harness.test.state, &caller, Operation::Refund, batch).await.unwrap();
    harness.until(batch, &["SUCCEEDED", "REVIEW"]).await;
    running.stop().await;
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    let told = notices_of(&harness, OWNER).await.join("\n");
    assert!(told.contains("A refund of ₹10.00 in batch refunds.csv was carried out after all"), "{told}");
    assert!(told.contains("A refund of ₹20.00 in batch refunds.csv needs a review"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_decision_is_told_to_the_maker_alone() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let test = &harness.test;
    let batch = test.upload("maker@acme.test", &super::refunds(&[("PLAIN_1", "10.00")])).await;
    test.decide("checker@acme.test", batch, ops::approvals::Verdict::Reject).await.unwrap();
    outbox::dispatch_all(&test.state).await.unwrap();
    assert_eq!(notices_of(&harness, "maker@acme.test").await, ["checker@acme.test rejected your batch refunds.csv."]);
    assert_eq!(notices_of(&harness, "checker@acme.test").await, [""; 0]);
    assert_eq!(notices_of(&harness, "maker2@acme.test").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_connection_is_told_to_who_can_let_it_go_on() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00")]).await;
    *harness.script.locked.lock().unwrap() = true;
    let running = harness.start();
    for _ in 0..2_400 {
        if harness.number("SELECT count(*) FROM gateway WHERE NOT sending").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    running.stop().await;
    let mut listener = listener(&harness).await;
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    assert_eq!(notices_of(&harness, OWNER).await, ["Sending through the gateway connection has stopped."]);
    assert_eq!(heard(&mut listener).await.get(&batch), Some(&1), "its page shows why it waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_committed_and_did_not_hand_on_another_hands_on() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let mut listener = listener(&harness).await;
    // This one ends between its commit and its dispatcher's next look: it has none.
    let batch = harness.batch(&[("PLAIN_1", "10.00")]).await;
    // This one dies while it hands on: its transaction never ends well.
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    assert!(db::outbox::dispatch(&mut tx).await.unwrap().is_some_and(|rows| rows > 0));
    let mut beside = harness.test.state.db.worker(harness.organisation).await.unwrap();
    assert_eq!(db::outbox::dispatch(&mut beside).await.unwrap(), None, "one at a time, in order");
    drop(beside);
    drop(tx);
    assert_eq!(heard(&mut listener).await, HashMap::new(), "nothing was handed on so far");
    let other = Db::connect(harness.test.options.clone(), PoolSizes { web: 2, worker: 2 }).await.unwrap();
    let state = crate::server::state::AppState::new(
        crate::tests::support::config(),
        other,
        crate::server::clock::Clock::system(),
        crate::server::live::Live::default(),
        CancellationToken::new(),
    );
    let soft = CancellationToken::new();
    let dispatcher = tokio::spawn(outbox::run(state, soft.clone()));
    assert_eq!(heard(&mut listener).await.get(&batch), Some(&1));
    soft.cancel();
    dispatcher.await.unwrap();
    assert_eq!(harness.number("SELECT count(*) FROM outbox WHERE delivered_at IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tasks_leave_few_rows_and_few_notifications() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let orders: Vec<String> = (0..1_000).map(|number| format!("PLAIN_{number}")).collect();
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (order.as_str(), "10.00")).collect();
    let batch = harness.batch(&rows).await;
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    let (transactions, written) =
        ("SELECT count(DISTINCT xmin::text) FROM outcome", "SELECT coalesce(max(id), 0) FROM outbox");
    // Identity values count what was ever written.
    harness.sql("INSERT INTO outbox (organisation_id, kind) SELECT id, 'mark' FROM organisation LIMIT 1").await;
    let before = harness.number(written).await;
    let mut listener = listener(&harness).await;
    let soft = CancellationToken::new();
    let dispatcher = tokio::spawn(outbox::run(harness.test.state.clone(), soft.clone()));
    let started = std::time::Instant::now();
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    let took = started.elapsed();
    soft.cancel();
    dispatcher.await.unwrap();
    harness.sql("INSERT INTO outbox (organisation_id, kind) SELECT id, 'mark' FROM organisation LIMIT 1").await;
    let rows = harness.number(written).await - before - 1;
    let groups = harness.number(transactions).await;
    assert!(rows <= groups + 10, "{rows} rows for {groups} groups: not one a task");
    let heard = heard(&mut listener).await[&batch];
    let most = usize::try_from(took.as_millis() / 50).unwrap() + 2;
    assert!(heard >= 1 && heard <= most, "{heard} notifications in {took:?}");
    assert_eq!(harness.number("SELECT count(*) FROM outbox WHERE kind = 'batch_changed'").await, 0, "said and gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_on_goes_after_a_day_and_nothing_else() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = pending(&harness, &["LATERNO_1"]).await;
    fail_late(&harness, batch).await;
    let kept = "SELECT count(*) FROM outbox WHERE kind = 'failed_late'";
    harness.sql("UPDATE outbox SET at = now() - interval '3 days'").await;
    ops::housekeeping::tidy_up(&harness.test.state).await.unwrap();
    assert_eq!(harness.number(kept).await, 1, "what was not handed on stays, however old");
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    ops::housekeeping::tidy_up(&harness.test.state).await.unwrap();
    assert_eq!(harness.number(kept).await, 1, "handed on just now");
    harness.sql("UPDATE outbox SET delivered_at = now() - interval '25 hours'").await;
    ops::housekeeping::tidy_up(&harness.test.state).await.unwrap();
    assert_eq!(harness.number(kept).await, 0);
    assert_eq!(harness.number("SELECT count(*) FROM notice").await, 1, "the notice stays");
}
