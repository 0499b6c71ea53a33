//! Every reply, every class, every fault.

use super::*;
use crate::server::db::tasks::{
    TaskReply, Verdict, claim,
    claim::ChunkLease,
    intend::{self, Run},
    orders,
    settle::{self, Settled},
};

const FINAL: [&str; 3] = ["SUCCEEDED", "FAILED", "REVIEW"];

#[tokio::test(flavor = "multi_thread")]
async fn class_k_carries_everything_out_once() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let orders = [
        "PLAIN_1",
        "DECLINE_1",
        "LATER_1",
        "LATERNO_1",
        "BEFORE_1",
        "AFTER_1",
        "BUSY_1",
        "WRONG_1",
        "MISSING_1",
        "UNPAID_1",
        "DOLLAR_1",
    ];
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (*order, "10.00")).collect();
    let batch = harness.batch(&rows).await;
    let running = harness.start();
    harness.until(batch, &FINAL).await;
    running.stop().await;
    let expected = [
        ("PLAIN_1", "SUCCEEDED", 1),
        ("DECLINE_1", "FAILED", 1),
        ("LATER_1", "SUCCEEDED", 1),
        ("LATERNO_1", "FAILED", 1),
        ("BEFORE_1", "SUCCEEDED", 2),
        ("AFTER_1", "SUCCEEDED", 1),
        ("BUSY_1", "SUCCEEDED", 3),
        ("WRONG_1", "REVIEW", 1),
        ("MISSING_1", "FAILED", 0),
        ("UNPAID_1", "FAILED", 0),
        ("DOLLAR_1", "FAILED", 0),
    ];
    for (order, state, attempts) in expected {
        let task = harness.task(batch, order).await;
        assert_eq!((task.state.as_str(), task.attempts), (state, Some(attempts)), "{task:?}");
        assert_eq!(harness.script.calls(order).len(), usize::try_from(attempts).unwrap(), "{order}");
    }
    assert_eq!(harness.task(batch, "LATERNO_1").await.gateway_status.as_deref(), Some("FAILURE"));
    let message = harness.task(batch, "UNPAID_1").await.message.unwrap();
    assert!(message.contains("AUTHORIZED") && message.contains("Nothing was sent"), "{message}");
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_q_never_sends_again_what_may_have_happened() {
    let harness = ProcessorHarness::new(GatewayClass::Q, Script::default()).await;
    let batch =
        harness.batch(&[("BEFORE_1", "10.00"), ("AFTER_1", "10.00"), ("BUSY_1", "10.00"), ("PLAIN_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &FINAL).await;
    running.stop().await;
    assert_eq!(harness.task(batch, "BEFORE_1").await.state, "REVIEW");
    assert_eq!(harness.task(batch, "AFTER_1").await.state, "SUCCEEDED");
    assert_eq!(
        harness.task(batch, "BUSY_1").await.state,
        "SUCCEEDED",
        "proved not carried out, so it may be sent again"
    );
    for order in ["BEFORE_1", "AFTER_1"] {
        assert_eq!(harness.script.calls(order).len(), 1, "{order}");
    }
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_n_gives_what_may_have_happened_to_people() {
    let harness = ProcessorHarness::new(GatewayClass::N, Script::default()).await;
    let batch = harness.batch(&[("BEFORE_1", "10.00"), ("AFTER_1", "10.00"), ("PLAIN_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &FINAL).await;
    running.stop().await;
    assert_eq!(harness.task(batch, "BEFORE_1").await.state, "REVIEW");
    assert_eq!(harness.task(batch, "AFTER_1").await.state, "REVIEW");
    assert_eq!(harness.script.sends(), 3);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_send_every_row_of_a_batch_once() {
    let harness =
        ProcessorHarness::new(GatewayClass::Q, Script { latency: Duration::from_millis(3), ..Script::default() }).await;
    let orders: Vec<String> = (0..150).map(|n| format!("PLAIN_{n}")).collect();
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (order.as_str(), "1.00")).collect();
    let batch = harness.batch(&rows).await;
    harness.sql("UPDATE chunk SET state = 'HELD'").await;
    // Two chunks, so that both have something to do.
    let organisation = harness.organisation;
    harness
        .sql(&format!(
            "SET app.organisation = '{organisation}'; INSERT INTO chunk
                          SELECT organisation_id, batch_id, 1, revision, gateway_id, 76, 150, 76, 75, 75, 'HELD', 0,
                          NULL, NULL, 'infinity' FROM chunk"
        ))
        .await;
    harness.sql("UPDATE chunk SET to_row = 75, size = 75, remaining = 75 WHERE chunk_no = 0").await;
    harness.sql("UPDATE chunk SET state = 'WAITING', run_at = now()").await;
    let (one, two) = (harness.start(), harness.start());
    harness.until(batch, &FINAL).await;
    one.stop().await;
    two.stop().await;
    assert_eq!((harness.script.sends(), harness.script.effects()), (150, 150));
    assert_eq!(harness.status(batch).await, "completed");
    harness.sound(batch).await;
}

/// Claims the batch's chunk and writes the intent of its first `rows` rows, as a worker would.
pub(super) async fn intend_first(harness: &ProcessorHarness, worker: Uuid, rows: i32) -> ChunkLease {
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    let lease = Duration::from_secs(20);
    let chunk = claim::claim_chunks(&mut tx, harness.gateway, 1, worker, lease, false).await.unwrap().remove(0);
    let read = orders::to_read(&mut tx, &chunk, 1, chunk.to_row).await.unwrap();
    let seen: Vec<_> = read.into_iter().map(|order| charged(&order.order_id, 0)).collect();
    orders::see(&mut tx, chunk.batch_id, &seen).await.unwrap();
    let hold = ChunkLease { batch: chunk.batch_id, chunk: chunk.chunk_no, epoch: chunk.epoch };
    let run = Run { hold, from_row: 1, to_row: rows };
    assert_eq!(intend::intend(&mut tx, worker, run).await.unwrap().len(), usize::try_from(rows).unwrap());
    tx.commit().await.unwrap();
    hold
}

fn charged(order: &str, committed_minor: i64) -> orders::OrderRead {
    orders::OrderRead {
        order_id: order.to_owned(),
        committed_minor,
        known: true,
        charged: true,
        status: Some("CHARGED".to_owned()),
        amount_minor: Some(10_000),
        currency: Some("INR".to_owned()),
        refundable_minor: Some(10_000),
        refunded_minor: Some(0),
        transactions: Vec::new(),
        body: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_sends_are_asked_after_and_late_replies_move_nothing() {
    let harness = ProcessorHarness::new(GatewayClass::Q, Script::default()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("PLAIN_2", "10.00"), ("PLAIN_3", "10.00")]).await;
    // A worker that wrote its intent and was never heard of again.
    let hold = intend_first(&harness, harness.worker(), 2).await;
    harness.sql("UPDATE chunk SET run_at = now() - interval '1 second'").await;
    let running = harness.start();
    harness.until(batch, &FINAL).await;
    running.stop().await;
    assert_eq!(harness.task(batch, "PLAIN_1").await.state, "REVIEW", "nobody knows, and class Q is not sent again");
    assert_eq!(harness.task(batch, "PLAIN_3").await.state, "SUCCEEDED");
    assert_eq!(harness.script.sends(), 1);
    // It wakes up and has its reply: kept, but the rows are another's by now.
    let answer = TaskReply {
        verdict: Verdict::Succeeded,
        http: Some(200),
        reference: None,
        gateway_status: None,
        gateway_kind: None,
        code: None,
        message: None,
        confirmed_minor: Some(1_000),
        wait: Duration::ZERO,
    };
    let late = Settled { evidence: Uuid::now_v7(), hold, answers: vec![(1, answer)], replies: "[]".to_owned() };
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    assert_eq!(settle::settle(&mut tx, &[late]).await.unwrap(), Vec::<usize>::new());
    tx.commit().await.unwrap();
    assert_eq!(harness.task(batch, "PLAIN_1").await.state, "REVIEW");
    assert_eq!(harness.number("SELECT count(*) FROM evidence WHERE fenced").await, 1);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settle_repeated_after_a_lost_commit_reply_does_nothing_twice() {
    let harness = ProcessorHarness::new(GatewayClass::Q, Script::default()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("PLAIN_2", "10.00")]).await;
    let hold = intend_first(&harness, harness.worker(), 2).await;
    let failed = TaskReply {
        verdict: Verdict::Failed,
        http: Some(400),
        reference: None,
        gateway_status: None,
        gateway_kind: None,
        code: Some("x".to_owned()),
        message: None,
        confirmed_minor: None,
        wait: Duration::ZERO,
    };
    let settled = Settled {
        evidence: Uuid::now_v7(),
        hold,
        answers: vec![(1, failed.clone()), (2, failed)],
        replies: "[]".to_owned(),
    };
    for _ in 0..2 {
        let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
        assert_eq!(settle::settle(&mut tx, std::slice::from_ref(&settled)).await.unwrap(), vec![0]);
        tx.commit().await.unwrap();
    }
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_never_refunded_beyond_what_is_left() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    // 100.00 were captured of each; 70.00 of OUTSIDE_1 were refunded by somebody else.
    let batch = harness
        .batch(&[
            ("PLAIN_1", "60.00"),
            ("PLAIN_1", "60.01"),
            ("PLAIN_1", "40.00"),
            ("OUTSIDE_1", "30.01"),
            ("OUTSIDE_1", "30.00"),
        ])
        .await;
    let running = harness.start();
    harness.until(batch, &FINAL).await;
    let states: Vec<String> = harness.tasks(batch).await.into_iter().map(|task| task.state).collect();
    assert_eq!(states, ["SUCCEEDED", "FAILED", "SUCCEEDED", "FAILED", "SUCCEEDED"]);
    let tasks = harness.tasks(batch).await;
    assert_eq!(
        tasks[3].message.as_deref(),
        Some("More than what is left: 30.00 of this order can still be refunded. Nothing was sent.")
    );
    // What an earlier batch took is gone for the next one.
    let second = harness.batch(&[("PLAIN_1", "0.01")]).await;
    harness.until(second, &FINAL).await;
    running.stop().await;
    let task = harness.task(second, "PLAIN_1").await;
    assert_eq!((task.state.as_str(), task.attempts), ("FAILED", Some(0)), "{task:?}");
    assert_eq!(harness.script.sends(), 3);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_stops_the_connection_and_burns_no_row() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    harness.sql("UPDATE gateway SET preflight = false").await;
    *harness.script.locked.lock().unwrap() = true;
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("PLAIN_2", "10.00"), ("PLAIN_3", "10.00")]).await;
    let running = harness.start();
    for _ in 0..2_400 {
        if harness
            .number(
                "SELECT count(*) FROM gateway WHERE NOT sending AND stopped_reason LIKE '%401%'
                           AND stopped_at IS NOT NULL",
            )
            .await
            == 1
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(harness.number("SELECT count(*) FROM gateway WHERE NOT sending").await, 1);
    assert!(harness.tasks(batch).await.iter().all(|task| task.status == "QUEUED"));
    *harness.script.locked.lock().unwrap() = false;
    harness.sql("UPDATE gateway SET sending = true").await;
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_read_keeps_its_rows_waiting() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("UNREADABLE_1", "10.00")]).await;
    let running = harness.start();
    for _ in 0..2_400 {
        if harness.task(batch, "PLAIN_1").await.state == "SUCCEEDED" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop().await;
    assert_eq!(harness.task(batch, "PLAIN_1").await.state, "SUCCEEDED");
    assert_eq!(harness.task(batch, "UNREADABLE_1").await.state, "READY");
    assert_eq!(harness.script.calls("UNREADABLE_1").len(), 0);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_records_what_is_on_the_wire_and_gives_the_rest_back() {
    let harness =
        ProcessorHarness::new(GatewayClass::Q, Script { latency: Duration::from_millis(200), ..Script::default() })
            .await;
    let orders: Vec<String> = (0..60).map(|n| format!("PLAIN_{n}")).collect();
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (order.as_str(), "1.00")).collect();
    let batch = harness.batch(&rows).await;
    let running = harness.start();
    for _ in 0..12_000 {
        if harness.script.sends() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.stop().await;
    let tasks = harness.tasks(batch).await;
    let count = |state: &str| tasks.iter().filter(|task| task.state == state).count();
    assert!(count("SUCCEEDED") > 0 && count("READY") > 0, "stopped in the middle");
    assert_eq!(count("SUCCEEDED") + count("READY"), 60, "{tasks:#?}");
    assert_eq!(count("SUCCEEDED"), harness.script.sends());
    assert_eq!(
        harness.number("SELECT count(*) FROM chunk WHERE state = 'WAITING'").await,
        1,
        "given back, not left to lapse"
    );
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_order_and_amount_are_sent_apart() {
    let gap = Duration::from_millis(400);
    let harness = ProcessorHarness::new(GatewayClass::K, Script { gap, ..Script::keyed() }).await;
    let batch =
        harness.batch(&[("PLAIN_1", "5.00"), ("PLAIN_1", "5.00"), ("PLAIN_1", "5.00"), ("PLAIN_2", "5.00")]).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    let calls = harness.script.calls("PLAIN_1");
    assert_eq!(calls.len(), 3);
    for pair in calls.windows(2) {
        assert!(pair[1].at - pair[0].at >= gap, "{pair:?}");
        assert_ne!(pair[0].key, pair[1].key);
    }
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_is_a_reversal() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("DECLINE_1", "10.00"), ("PLAIN_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &FINAL).await;
    assert_eq!(harness.task(batch, "DECLINE_1").await.status, "FAILED");
    *harness.script.contradicts.lock().unwrap() = true;
    let caller = harness.test.caller("owner@globex.test").await;
    crate::server::ops::batches::sync(&harness.test.state, &caller, crate::domain::operation::Operation::Refund, batch)
        .await
        .unwrap();
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    assert_eq!(harness.number("SELECT count(*) FROM reversal WHERE succeeded AND code = 'contradiction'").await, 1);
    assert_eq!(harness.script.calls("DECLINE_1").len(), 1, "a question sends nothing");
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_or_cancel_between_claim_and_intent_stops_the_send() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("PLAIN_2", "10.00")]).await;
    harness.sql("UPDATE gateway SET preflight = false").await;
    let (worker, lease) = (harness.worker(), Duration::from_secs(20));
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    let chunk = claim::claim_chunks(&mut tx, harness.gateway, 1, worker, lease, false).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    let caller = harness.test.caller("owner@globex.test").await;
    let refund = crate::domain::operation::Operation::Refund;
    crate::server::ops::batches::pause(&harness.test.state, &caller, refund, batch, "").await.unwrap();
    let hold = ChunkLease { batch: batch.0, chunk: chunk.chunk_no, epoch: chunk.epoch };
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    let run = Run { hold, from_row: 1, to_row: 2 };
    assert!(intend::intend(&mut tx, worker, run).await.unwrap().is_empty(), "an intent passed a committed pause");
    assert!(claim::release(&mut tx, hold, Duration::ZERO).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(harness.number("SELECT count(*) FROM chunk WHERE state = 'HELD'").await, 1);
    crate::server::ops::batches::cancel(&harness.test.state, &caller, refund, batch).await.unwrap();
    let running = harness.start();
    harness.until(batch, &["FAILED"]).await;
    running.stop().await;
    assert_eq!(harness.script.sends(), 0);
    assert_eq!(harness.status(batch).await, "cancelled");
    assert_eq!(harness.task(batch, "PLAIN_1").await.message.as_deref(), Some("Cancelled before it was sent"));
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn something_that_does_not_add_up_stops_the_organisation() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("PLAIN_2", "10.00")]).await;
    // A row has an outcome that nobody sent for; its reply cannot be recorded.
    harness
        .sql(
            "SET session_replication_role = replica; INSERT INTO outcome (organisation_id, batch_id, row_no,
                 revision, attempts, succeeded)
               SELECT organisation_id, batch_id, row_no, revision, 1, true FROM record WHERE row_no = 1",
        )
        .await;
    let running = harness.start();
    for _ in 0..2_400 {
        if harness.number("SELECT count(*) FROM organisation WHERE NOT sending").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop().await;
    assert_eq!(
        harness
            .number("SELECT count(*) FROM organisation WHERE NOT sending AND stopped_reason LIKE '%does not add up%'")
            .await,
        1
    );
    assert!(harness.number("SELECT count(*) FROM evidence WHERE fenced").await >= 1, "the reply is kept");
    assert_eq!(harness.status(batch).await, "processing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_changed_after_it_was_decided_on_is_never_sent() {
    for change in [
        "amount_minor = 900000",
        "order_id = 'PLAIN_9'",
        "txn_id = 'T1'",
        "unique_id = 'RF9'",
        "extra = '{\"split\":{\"marketplace\":1000,\"vendors\":[]}}'",
    ] {
        let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
        let batch = harness.batch(&[("PLAIN_1", "10.00")]).await;
        harness.sql(&format!("SET session_replication_role = replica; UPDATE record SET {change}")).await;
        let running = harness.start();
        for _ in 0..2_400 {
            if harness.number("SELECT count(*) FROM organisation WHERE NOT sending").await == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        running.stop().await;
        assert_eq!(harness.number("SELECT count(*) FROM organisation WHERE NOT sending").await, 1, "{change}");
        assert_eq!(harness.script.most_effects(), 0, "{change}");
        assert_eq!(harness.status(batch).await, "processing");
    }
}
