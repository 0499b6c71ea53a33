//! What the database refuses, whatever the code above it does; and who decides.

use super::*;
use crate::{
    domain::{
        error::RefusalKind,
        operation::{Effect, Operation},
    },
    server::{
        db,
        ops::{approvals::Verdict, batches},
    },
};
use harness::OWNER;
use sqlx::ConnectOptions;

async fn as_role(harness: &SyncHarness, role: &str, sql: &str) -> String {
    let mut connection = harness.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let organisation = harness.organisation;
    let all = format!("SET ROLE {role}; SET app.organisation = '{organisation}'; {sql}");
    match sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut connection).await {
        Ok(_) => "done".to_owned(),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned(),
    }
}

/// How many tasks the processor may begin.
async fn begun(harness: &SyncHarness, organisation: crate::domain::ids::OrganisationId) -> usize {
    harness.sql("UPDATE chunk SET state = 'WAITING', run_at = now()").await;
    let mut tx = harness.test.state.db.worker(organisation).await.unwrap();
    let gateway = db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id;
    let begun = db::sync::open(&mut tx, crate::domain::ids::GatewayId(gateway)).await.unwrap().len();
    tx.commit().await.unwrap();
    begun
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_without_a_decision_for_exactly_this_content() {
    let harness = SyncHarness::new().await;
    let acme = harness.test.caller("maker@acme.test").await.organisation.id;
    harness.upload("maker@acme.test", &["A,,"], true).await;
    assert_eq!(begun(&harness, acme).await, 0, "it waits for a decision");
    harness.sql("UPDATE batch SET status = 'processing'").await;
    assert_eq!(begun(&harness, acme).await, 0, "no decision");
    harness
        .sql(
            "SET session_replication_role = replica; INSERT INTO decision (organisation_id, batch_id, revision,
                 checker, verdict, content_sha256)
               SELECT organisation_id, id, 1, maker, 'APPROVE', sha256('something else') FROM batch",
        )
        .await;
    assert_eq!(begun(&harness, acme).await, 0, "a decision for another content");
    harness
        .sql(
            "UPDATE decision d SET verdict = 'REJECT', reason = 'no', content_sha256 = v.content_sha256
                 FROM batch_revision v WHERE v.batch_id = d.batch_id",
        )
        .await;
    assert_eq!(begun(&harness, acme).await, 0, "rejected");
    harness.sql("UPDATE decision SET verdict = 'APPROVE'").await;
    assert_eq!(begun(&harness, acme).await, 1, "the test must be able to fail");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_toggle_is_part_of_what_is_approved() {
    let harness = SyncHarness::new().await;
    let batch = harness.upload("maker@acme.test", &["A,,"], true).await;
    let other = harness.upload("maker@acme.test", &["A,,"], false).await;
    let checker = harness.test.caller("checker@acme.test").await;
    let state = &harness.test.state;
    let shown = batches::snapshot(state, &checker, batch).await.unwrap();
    assert_ne!(shown.content_sha256, batches::snapshot(state, &checker, other).await.unwrap().content_sha256);
    let detail = crate::server::ops::approvals::detail(state, &checker, batch).await.unwrap();
    assert_eq!((detail.switch, detail.snapshot.records), (Some(true), 1));
    harness.sql(&format!("UPDATE batch SET options = 'sync_with_gateway=off' WHERE id = '{batch}'")).await;
    let refused = harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Changed);
    let refused = harness.test.decide("maker@acme.test", other, Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Forbidden, "nobody approves their own");
    harness.test.decide("checker@acme.test", other, Verdict::Approve).await.unwrap();
    assert_eq!(harness.status(other).await, "processing");
    let running = harness.start();
    harness.until("it runs", async || harness.task(other, "A").await.status == "FAILED").await;
    running.stop().await;
    assert_eq!(harness.status(batch).await, "awaiting_approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_and_questions_are_not_taken_for_each_other() {
    let harness = SyncHarness::new().await;
    let sync = harness.batch(&["A,,"], true).await;
    let refund = harness.test.upload(OWNER, &super::super::support::refunds(&[("B", "10.00")])).await;
    let operations = "SELECT count(*) FROM chunk c JOIN batch b ON b.id = c.batch_id AND b.work = c.work";
    assert_eq!(harness.number(operations).await, 2);
    // The lane of refunds does not see the sync, nor the other way round.
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    let lease = std::time::Duration::from_secs(20);
    let claimed =
        db::tasks::claim::claim_chunks(&mut tx, harness.gateway, 9, uuid::Uuid::now_v7(), lease, false).await.unwrap();
    assert_eq!(claimed.iter().map(|chunk| chunk.batch_id).collect::<Vec<_>>(), [refund.0]);
    let opened = db::sync::open(&mut tx, harness.gateway).await.unwrap();
    assert_eq!(opened, [sync]);
    drop(tx);
    // A refund without amount or key, a question with them: no revision can be made of them.
    let broken = [
        (
            "INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, gateway_key, order_id, request_sha256,
          amount_minor)
          SELECT organisation_id, id, 9, 9, '', 'X', '', 100 FROM batch LIMIT 1",
            "23514",
        ),
        (
            "INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, gateway_key, order_id, request_sha256,
          amount_minor)
          SELECT organisation_id, id, 9, 9, 'KEY', 'X', '', 0 FROM batch LIMIT 1",
            "23514",
        ),
    ];
    for (sql, code) in broken {
        let error = harness.test.as_superuser(sql).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), code);
    }
    for (batch, key, minor) in [(refund, "", 0), (sync, "KEY", 100)] {
        let sql = format!(
            "INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, revision, gateway_key, order_id,
             request_sha256, amount_minor)
             SELECT organisation_id, id, 1, 2, 2, '{key}', 'X', '', {minor} FROM batch WHERE id = '{batch}';
             INSERT INTO batch_revision SELECT organisation_id, id, 2, maker, sha256('x'), false, 1, 0, now() FROM batch
               WHERE id = '{batch}'"
        );
        let error = harness
            .test
            .as_superuser(&format!("BEGIN; SET LOCAL app.organisation = '{}'; {sql}; COMMIT", harness.organisation))
            .await
            .unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "BD422");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_does_its_own_part_only() {
    let harness = SyncHarness::new().await;
    let batch = harness.batch(&["A,,"], true).await;
    const DENIED: &str = "42501";
    let task = format!(
        "INSERT INTO order_task (organisation_id, batch_id, row_no, gateway_id, asks, run_at)
                        SELECT organisation_id, batch_id, 1, gateway_id, true, now() FROM chunk
                          WHERE batch_id = '{batch}'"
    );
    for (role, sql, code) in [
        ("batchdesk_worker", task.as_str(), DENIED),
        ("batchdesk_web", task.as_str(), DENIED),
        ("batchdesk_web", "UPDATE order_task SET status = 'ACCEPTED'", DENIED),
        ("batchdesk_web", "UPDATE stored_order SET status = 'CHARGED'", DENIED),
        ("batchdesk_worker", "UPDATE order_task SET asks = false", DENIED),
        ("batchdesk_worker", "UPDATE external_system SET url = 'https://evil.example'", DENIED),
        ("batchdesk_web", "SELECT open_order_tasks(gateway_id) FROM chunk", DENIED),
        ("batchdesk_worker", "SELECT sync_orders(id) FROM batch", DENIED),
        ("batchdesk_worker", "DELETE FROM stored_order", DENIED),
        ("batchdesk_web", "SELECT * FROM sync_task", "done"),
    ] {
        assert_eq!(as_role(&harness, role, sql).await, code, "{role}: {sql}");
    }
    // Another organisation sees none of it.
    let acme = harness.test.caller("owner@acme.test").await;
    let mut tx = harness.test.state.db.web(acme.organisation.id, Some(acme.person.id)).await.unwrap();
    assert!(
        db::batches::tasks(&mut tx, Operation::OrderSync, batch, &Default::default(), None).await.unwrap().0.is_empty()
    );
    assert!(db::orders::load(&mut tx, &["A".to_owned()]).await.unwrap().is_empty());
    drop(tx);
    let refused = batches::sync(&harness.test.state, &acme, Operation::OrderSync, batch).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::NotFound);
    let viewer = harness.test.caller("viewer@acme.test").await;
    let refused = batches::sync(&harness.test.state, &viewer, Operation::OrderSync, batch).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_and_cancel_stop_what_nobody_works_on() {
    let harness = SyncHarness::with_external_system().await;
    harness.book.write("SLOW", Order::Silent(1_000_000));
    let batch = harness.batch(&["SLOW,,", "PLAIN,,"], true).await;
    let owner = harness.test.caller(OWNER).await;
    let (state, sync) = (&harness.test.state, Operation::OrderSync);
    batches::pause(state, &owner, sync, batch, "").await.unwrap();
    let running = harness.start();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(harness.book.asked("PLAIN"), 0, "paused before it began");
    batches::resume(state, &owner, sync, batch).await.unwrap();
    harness.until("it runs", async || harness.task(batch, "PLAIN").await.status == "ACCEPTED").await;
    harness.until("it waits", async || harness.book.asked("SLOW") > 2).await;
    batches::cancel(state, &owner, sync, batch).await.unwrap();
    harness.settled(batch).await;
    running.stop().await;
    let slow = harness.task(batch, "SLOW").await;
    assert_eq!((slow.status.as_str(), slow.message.as_deref()), ("FAILED", Some("Cancelled before it was sent")));
    assert_eq!(harness.status(batch).await, "cancelled");
    assert_eq!(
        harness.number(&format!("SELECT queued::bigint FROM batch_progress WHERE batch_id = '{batch}'")).await,
        0
    );

    // Cancelled before anything began.
    let batch = harness.batch(&["ONE,,"], true).await;
    batches::cancel(state, &owner, sync, batch).await.unwrap();
    let running = harness.start();
    harness.settled(batch).await;
    running.stop().await;
    assert_eq!(harness.book.asked("ONE"), 0);
    assert_eq!(harness.task(batch, "ONE").await.status, "FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_a_lease_writes_nothing_down() {
    let harness = SyncHarness::new().await;
    harness.batch(&["A,,"], true).await;
    assert_eq!(begun(&harness, harness.organisation).await, 1);
    let lease = std::time::Duration::from_secs(20);
    let (slow, quick) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    let first = db::sync::take(&mut tx, harness.gateway, slow, 9, lease, true).await.unwrap().remove(0);
    assert!(db::sync::take(&mut tx, harness.gateway, quick, 9, lease, true).await.unwrap().is_empty(), "it is leased");
    tx.commit().await.unwrap();
    harness.sql("UPDATE order_task SET run_at = now() - interval '1 second'").await;
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    let second = db::sync::take(&mut tx, harness.gateway, quick, 9, lease, true).await.unwrap().remove(0);
    let settled = |task: &db::sync::ClaimedTask, status| db::sync::Settled {
        batch_id: task.batch_id,
        row_no: task.row_no,
        epoch: task.epoch,
        status,
        gateway_status: Some("SYNCED"),
        response: None,
        code: None,
        message: None,
        delivered: None,
        wait_seconds: None,
        unchanged: false,
        counts: true,
    };
    assert_eq!(db::sync::settle(&mut tx, slow, &[settled(&first, "FAILED")]).await.unwrap(), 0, "another one holds it");
    let stale = db::sync::Settled { epoch: first.epoch, ..settled(&second, "FAILED") };
    assert_eq!(db::sync::settle(&mut tx, quick, &[stale]).await.unwrap(), 0, "an earlier turn of the same process");
    assert_eq!(db::sync::settle(&mut tx, quick, &[settled(&second, "ACCEPTED")]).await.unwrap(), 1);
    assert_eq!(db::sync::settle(&mut tx, quick, &[settled(&second, "ACCEPTED")]).await.unwrap(), 0, "once");
    tx.commit().await.unwrap();
    let counted = "SELECT (queued * 100 + accepted * 10 + failed)::bigint FROM batch_progress";
    assert_eq!(harness.number(counted).await, 10);
}
