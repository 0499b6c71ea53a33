//! The hourly look at balances: what does not add up stops sending, and people are told.

use super::{ProcessorHarness, Script};
use crate::server::{
    gateway::GatewayClass,
    ops::{self, balances},
};
use tokio_util::sync::CancellationToken;

const DUE: &str = "UPDATE balance_check SET at = now() - interval '61 minutes'";

async fn stopped(harness: &ProcessorHarness) -> Vec<String> {
    harness.texts("SELECT stopped_reason FROM organisation WHERE NOT sending").await
}

/// A batch of two orders that was carried out.
async fn carried_out(harness: &ProcessorHarness, orders: [&str; 2]) -> crate::domain::ids::BatchId {
    let batch = harness.batch(&[(orders[0], "10"), (orders[1], "20")]).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    batch
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_that_differs_from_the_facts_stops_sending_and_administrators_are_told() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let state = &harness.test.state;
    carried_out(&harness, ["ORD_1", "ORD_2"]).await;
    harness.sql("UPDATE gateway SET balances = true").await;
    balances::check(state).await.unwrap();
    assert_eq!(stopped(&harness).await, Vec::<String>::new(), "sound");

    // Once an hour, by whichever process comes first.
    harness.sql("UPDATE order_balance SET committed_minor = committed_minor - 100 WHERE order_id = 'ORD_1'").await;
    balances::check(state).await.unwrap();
    assert_eq!(stopped(&harness).await, Vec::<String>::new(), "not due yet");
    harness.sql(DUE).await;
    let (one, other) = tokio::join!(balances::check(state), balances::check(state));
    one.unwrap();
    other.unwrap();
    let sentence = "Batchdesk stopped sending because something does not add up: order ORD_1 has 900 committed, its \
                    tasks say 1000.";
    assert_eq!(stopped(&harness).await, [sentence]);
    let acts = "SELECT actor FROM audit WHERE action = 'organisation.stopped'";
    assert_eq!(harness.texts(acts).await, ["Batchdesk"], "said once");
    ops::outbox::dispatch_all(state).await.unwrap();
    let told = "SELECT p.email || ': ' || (n.payload ->> 'message') FROM notice n JOIN person p ON p.id = n.person_id
                WHERE n.kind = 'organisation_stopped'";
    assert_eq!(harness.texts(told).await, [format!("owner@globex.test: {sentence}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hour_only_orders_of_batches_that_changed_are_looked_at() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let state = &harness.test.state;
    let old = carried_out(&harness, ["OLD_1", "OLD_2"]).await;
    balances::check(state).await.unwrap();
    harness
        .sql(&format!("UPDATE batch_progress SET updated_at = now() - interval '1 day' WHERE batch_id = '{old}'"))
        .await;
    harness.sql("UPDATE order_balance SET committed_minor = 0 WHERE order_id = 'OLD_1'").await;
    harness.sql(DUE).await;
    balances::check(state).await.unwrap();
    assert_eq!(stopped(&harness).await, Vec::<String>::new(), "nothing of it changed");
    // Another batch about the same order: all of its refunds count, those of the old batch too.
    carried_out(&harness, ["OLD_1", "NEW_1"]).await;
    harness.sql("UPDATE order_balance SET committed_minor = committed_minor + 5000 WHERE order_id = 'NEW_1'").await;
    harness.sql(DUE).await;
    balances::check(state).await.unwrap();
    let found =
        "order NEW_1 has 7000 committed, its tasks say 2000; order OLD_1 has 1000 committed, its tasks say 2000.";
    assert_eq!(
        stopped(&harness).await,
        [format!("Batchdesk stopped sending because something does not add up: {found}")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_runs_by_itself() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    carried_out(&harness, ["ORD_1", "ORD_2"]).await;
    harness.sql("UPDATE order_balance SET committed_minor = 1").await;
    let soft = CancellationToken::new();
    let job = tokio::spawn(ops::housekeeping::run(harness.test.state.clone(), soft.clone()));
    let looked = async {
        while stopped(&harness).await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), looked).await.unwrap();
    soft.cancel();
    job.await.unwrap();
}
