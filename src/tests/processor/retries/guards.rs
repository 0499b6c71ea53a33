//! What the database refuses of a retry, whatever the code above it does.

use super::*;
use crate::server::ops::uploads::Ticks;
use crate::{
    domain::error::RefusalKind,
    server::{
        db::batches::NewRecords,
        error::OpResult,
        ops::{
            approvals::{self, Decision},
            batches,
        },
    },
};

/// One row for the database, round the operations.
fn records(number: i32, order: &str, key: &str) -> NewRecords {
    NewRecords {
        numbers: vec![number],
        sheet_rows: vec![number + 1],
        orders: vec![order.to_owned()],
        amounts: vec![1_000],
        keys: vec![key.to_owned()],
        unique_ids: vec![None],
        txn_ids: vec![None],
        hashes: vec![vec![7; 32]],
        extras: vec![None],
    }
}

async fn open(harness: &ProcessorHarness, email: &str, batch: BatchId, base: i16, records: &NewRecords) -> String {
    let caller = harness.test.caller(email).await;
    let mut tx = harness.test.state.db.web(caller.organisation.id, Some(caller.person.id)).await.unwrap();
    match db::retries::open_revision(&mut tx, batch, base, records).await {
        Ok(_) => "done".to_owned(),
        Err(error) => db::guard_code(&error).unwrap_or_else(|| error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_failed_rows_of_an_ended_batch_become_a_revision_and_under_new_keys() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00")]).await;
    let maker = "maker@acme.test";
    let old = &harness.keys("DECLINE_2")[0];
    let other = &harness.keys("PLAIN_1")[0];
    assert_eq!(open(&harness, maker, batch, 1, &records(1, "PLAIN_1", "NEW1")).await, "BD409", "accepted");
    assert_eq!(open(&harness, maker, batch, 1, &records(9, "PLAIN_1", "NEW1")).await, "BD409", "no such row");
    assert_eq!(open(&harness, maker, batch, 1, &records(2, "PLAIN_2", old)).await, "BD409", "its old key");
    assert_eq!(open(&harness, maker, batch, 1, &records(2, "PLAIN_2", other)).await, "BD409", "another row's key");
    assert_eq!(open(&harness, maker, batch, 2, &records(2, "PLAIN_2", "NEW1")).await, "BD412", "another revision");
    assert_eq!(open(&harness, "owner@globex.test", batch, 1, &records(2, "PLAIN_2", "NEW1")).await, "BD404");
    let sql = format!(
        "INSERT INTO recheck (organisation_id, batch_id, row_no, revision, gateway_id)
         SELECT organisation_id, id, 2, 1, gateway_id FROM batch WHERE id = '{batch}'"
    );
    harness.sql(&sql).await;
    assert_eq!(open(&harness, maker, batch, 1, &records(2, "PLAIN_2", "NEW1")).await, "BD429", "being asked about");
    let refused = harness.try_retry(maker, batch, &[]).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::TooMany);
    harness.sql("DELETE FROM recheck").await;
    for status in ["awaiting_approval", "processing", "paused", "completed", "cancelled", "rejected"] {
        harness.sql(&format!("UPDATE batch SET status = '{status}' WHERE id = '{batch}'")).await;
        assert_eq!(open(&harness, maker, batch, 1, &records(2, "PLAIN_2", "NEW1")).await, "BD409", "{status}");
    }
    harness.sql(&format!("UPDATE batch SET status = 'completed_with_failures' WHERE id = '{batch}'")).await;
    assert_eq!(open(&harness, maker, batch, 1, &records(2, "PLAIN_2", "NEW1")).await, "done", "the test can fail");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_who_send_the_same_rows_again_at_once_one_does() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00"), ("DECLINE_3", "30.00")]).await;
    let state = &harness.test.state;
    let send = |email: &'static str| {
        let harness = &harness;
        async move {
            let caller = harness.test.caller(email).await;
            retries::send(state, &caller, Operation::Refund, batch, 1, Ticks::default()).await
        }
    };
    let (one, other) = tokio::join!(send("maker@acme.test"), send("maker2@acme.test"));
    let (won, lost): (Vec<OpResult<RetryOutcome>>, Vec<OpResult<RetryOutcome>>) =
        [one, other].into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 1));
    let refused = lost.into_iter().next().unwrap().unwrap_err().refusal;
    assert!(matches!(refused.kind, RefusalKind::Changed | RefusalKind::Conflict), "{refused:?}");
    assert!(refused.message.contains("sent 2 failed rows of this batch again"), "{}", refused.message);
    assert_eq!(harness.number("SELECT count(*) FROM batch_revision WHERE revision = 2").await, 1);
    harness.conserved(batch).await;

    // A page that was loaded before is void also after everything failed once more.
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    let maker = harness.test.caller("maker@acme.test").await;
    let late = retries::send(state, &maker, Operation::Refund, batch, 1, Ticks::default()).await.unwrap_err();
    assert_eq!(late.refusal.kind, RefusalKind::Changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_succeeded_after_all_is_not_sent_again() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00"), ("DECLINE_3", "30.00")]).await;
    let maker = harness.test.caller("maker@acme.test").await;
    let mut tx = harness.test.state.db.worker(maker.organisation.id).await.unwrap();
    let key = db::tasks::resolve::RowKey { batch: batch.0, row: 2, revision: 1 };
    let answer = db::tasks::TaskReply {
        verdict: db::tasks::Verdict::Succeeded,
        http: Some(200),
        reference: Some("REF2".to_owned()),
        gateway_status: Some("SUCCESS".to_owned()),
        gateway_kind: None,
        code: None,
        message: None,
        confirmed_minor: Some(2_000),
        wait: Duration::ZERO,
    };
    assert!(db::tasks::recheck::reverse(&mut tx, key, true, &answer).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(open(&harness, "maker@acme.test", batch, 1, &records(2, "PLAIN_2", "NEW1")).await, "BD409");
    let shown = retries::page(&harness.test.state, &maker, Operation::Refund, batch, 1).await.unwrap();
    assert_eq!(shown.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_batch_s_maker_nor_the_retry_s_decides_on_it() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let hash_of = |caller: Caller, batch| {
        let state = harness.test.state.clone();
        async move { batches::snapshot(&state, &caller, batch).await.unwrap().content_sha256 }
    };
    // Asked for by the owner, who has every right; then made by the owner and asked for by another.
    for (maker, asks) in [("maker@acme.test", "owner@acme.test"), ("owner@acme.test", "maker@acme.test")] {
        let order = format!("DECLINE_{}", maker.len());
        let batch = harness.test.upload(maker, &refunds(&[(&order, "20.00")])).await;
        harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
        harness.carry_out(batch).await;
        harness.retry(asks, batch, &[]).await;
        let refused = harness.test.decide("owner@acme.test", batch, Verdict::Approve).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Forbidden, "{asks}");
        let owner = harness.test.caller("owner@acme.test").await;
        let shown = approvals::detail(&harness.test.state, &owner, batch).await.unwrap();
        assert!(!shown.can_decide && shown.why_not.is_some());
        // Round the operation, as the role that the web part has.
        let hash: Vec<u8> = {
            let text = hash_of(owner.clone(), batch).await;
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let mut tx = harness.test.state.db.web(owner.organisation.id, Some(owner.person.id)).await.unwrap();
        let error = db::approvals::decide(&mut tx, batch, true, &hash, None).await.unwrap_err();
        assert_eq!(db::guard_code(&error).as_deref(), Some("BD403"), "{asks}");
        drop(tx);
        harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_counts_for_the_revision_that_was_shown_and_no_other() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("DECLINE_1", "20.00")]).await;
    let checker = harness.test.caller("checker@acme.test").await;
    let state = &harness.test.state;
    let hash = || async { batches::snapshot(state, &checker, batch).await.unwrap().content_sha256 };
    let approve = |content_hash: String| {
        let decision = Decision { verdict: Some(Verdict::Approve), content_hash, reason: String::new() };
        approvals::decide(state, &checker, batch, decision)
    };
    let file = hash().await;
    // The same rows unchanged: not the same request.
    harness.retry("maker@acme.test", batch, &[]).await;
    let first = hash().await;
    assert_ne!(file, first);
    assert_eq!(approve(file).await.unwrap_err().0.refusal.kind, RefusalKind::Changed);
    harness.test.decide("checker@acme.test", batch, Verdict::Reject).await.unwrap();
    harness.retry("maker@acme.test", batch, &[]).await;
    assert_eq!(approve(first).await.unwrap_err().0.refusal.kind, RefusalKind::Changed, "of the one that was rejected");
    assert_eq!(harness.status(batch).await, "awaiting_approval");
    approve(hash().await).await.unwrap();
    assert_eq!(harness.status(batch).await, "processing");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_s_batch_is_not_there() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("DECLINE_1", "20.00")]).await;
    let stranger = harness.test.caller("owner@globex.test").await;
    let (state, refund) = (&harness.test.state, Operation::Refund);
    let kinds = [
        retries::page(state, &stranger, refund, batch, 1).await.err(),
        retries::keep(state, &stranger, refund, batch, 1, &[typed(1, &[])]).await.err(),
        retries::take_all(state, &stranger, refund, batch, 1, true).await.err(),
        retries::reset(state, &stranger, refund, batch).await.err(),
        retries::send(state, &stranger, refund, batch, 1, Ticks::default()).await.err(),
        history::task(state, &stranger, refund, batch, 1).await.err(),
    ];
    for kind in kinds {
        assert_eq!(kind.map(|error| error.refusal.kind), Some(RefusalKind::NotFound));
    }
    for email in ["viewer@acme.test", "checker@acme.test", "admin@acme.test"] {
        let caller = harness.test.caller(email).await;
        let refused = retries::send(state, &caller, refund, batch, 1, Ticks::default()).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Forbidden, "{email}");
    }
}
