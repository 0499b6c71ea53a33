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
use bench::OWNER;
use sqlx::ConnectOptions;

async fn as_role(bench: &Bench, role: &str, sql: &str) -> String {
    let mut connection = bench.world.options.clone().options([("search_path", "desk")]).connect().await.unwrap();
    let organisation = bench.organisation;
    let all = format!("SET ROLE {role}; SET app.organisation = '{organisation}'; {sql}");
    match sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut connection).await {
        Ok(_) => "done".to_owned(),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned(),
    }
}

/// How many tasks the processor may begin.
async fn begun(bench: &Bench, organisation: crate::domain::ids::OrganisationId) -> usize {
    bench.sql("UPDATE chunk SET state = 'WAITING', run_at = now()").await;
    let mut tx = bench.world.state.db.worker(organisation).await.unwrap();
    let gateway = db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id;
    let begun = db::sync::open(&mut tx, crate::domain::ids::GatewayId(gateway)).await.unwrap().len();
    tx.commit().await.unwrap();
    begun
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_without_a_decision_for_exactly_this_content() {
    let bench = Bench::new().await;
    let acme = bench.world.caller("maker@acme.test").await.organisation.id;
    bench.upload("maker@acme.test", &["A,,"], true).await;
    assert_eq!(begun(&bench, acme).await, 0, "it waits for a decision");
    bench.sql("UPDATE batch SET status = 'processing'").await;
    assert_eq!(begun(&bench, acme).await, 0, "no decision");
    bench.sql("SET session_replication_role = replica; INSERT INTO decision (organisation_id, batch_id, revision, checker, verdict, content_sha256)
               SELECT organisation_id, id, 1, maker, 'APPROVE', sha256('something else') FROM batch").await;
    assert_eq!(begun(&bench, acme).await, 0, "a decision for another content");
    bench.sql("UPDATE decision d SET verdict = 'REJECT', reason = 'no', content_sha256 = v.content_sha256 FROM batch_revision v WHERE v.batch_id = d.batch_id").await;
    assert_eq!(begun(&bench, acme).await, 0, "rejected");
    bench.sql("UPDATE decision SET verdict = 'APPROVE'").await;
    assert_eq!(begun(&bench, acme).await, 1, "the test must be able to fail");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_toggle_is_part_of_what_is_approved() {
    let bench = Bench::new().await;
    let batch = bench.upload("maker@acme.test", &["A,,"], true).await;
    let other = bench.upload("maker@acme.test", &["A,,"], false).await;
    let checker = bench.world.caller("checker@acme.test").await;
    let state = &bench.world.state;
    let shown = batches::snapshot(state, &checker, batch).await.unwrap();
    assert_ne!(shown.content_sha256, batches::snapshot(state, &checker, other).await.unwrap().content_sha256);
    let detail = crate::server::ops::approvals::detail(state, &checker, batch).await.unwrap();
    assert_eq!((detail.switch, detail.snapshot.records), (Some(true), 1));
    bench.sql(&format!("UPDATE batch SET options = 'sync_with_gateway=off' WHERE id = '{batch}'")).await;
    let refused = bench.world.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Changed);
    let refused = bench.world.decide("maker@acme.test", other, Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Forbidden, "nobody approves their own");
    bench.world.decide("checker@acme.test", other, Verdict::Approve).await.unwrap();
    assert_eq!(bench.status(other).await, "processing");
    let running = bench.start();
    bench.until("it runs", async || bench.task(other, "A").await.status == "FAILED").await;
    running.stop().await;
    assert_eq!(bench.status(batch).await, "awaiting_approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_and_questions_are_not_taken_for_each_other() {
    let bench = Bench::new().await;
    let sync = bench.batch(&["A,,"], true).await;
    let refund = bench.world.upload(OWNER, &super::super::support::refunds(&[("B", "10.00")])).await;
    let operations = "SELECT count(*) FROM chunk c JOIN batch b ON b.id = c.batch_id AND b.work = c.work";
    assert_eq!(bench.number(operations).await, 2);
    // The lane of refunds does not see the sync, nor the other way round.
    let mut tx = bench.world.state.db.worker(bench.organisation).await.unwrap();
    let lease = std::time::Duration::from_secs(20);
    let claimed =
        db::tasks::claim::claim_chunks(&mut tx, bench.gateway, 9, uuid::Uuid::now_v7(), lease, false).await.unwrap();
    assert_eq!(claimed.iter().map(|chunk| chunk.batch_id).collect::<Vec<_>>(), [refund.0]);
    let opened = db::sync::open(&mut tx, bench.gateway).await.unwrap();
    assert_eq!(opened, [sync]);
    drop(tx);
    // A refund without amount or key, a question with them: no revision can be made of them.
    let broken = [
        ("INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, gateway_key, order_id, request_sha256, amount_minor)
          SELECT organisation_id, id, 9, 9, '', 'X', '', 100 FROM batch LIMIT 1", "23514"),
        ("INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, gateway_key, order_id, request_sha256, amount_minor)
          SELECT organisation_id, id, 9, 9, 'KEY', 'X', '', 0 FROM batch LIMIT 1", "23514"),
    ];
    for (sql, code) in broken {
        let error = bench.world.as_superuser(sql).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), code);
    }
    for (batch, key, minor) in [(refund, "", 0), (sync, "KEY", 100)] {
        let sql = format!(
            "INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, revision, gateway_key, order_id, request_sha256, amount_minor)
             SELECT organisation_id, id, 1, 2, 2, '{key}', 'X', '', {minor} FROM batch WHERE id = '{batch}';
             INSERT INTO batch_revision SELECT organisation_id, id, 2, maker, sha256('x'), false, 1, 0, now() FROM batch WHERE id = '{batch}'"
        );
        let error = bench
            .world
            .as_superuser(&format!("BEGIN; SET LOCAL app.organisation = '{}'; {sql}; COMMIT", bench.organisation))
            .await
            .unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "BD422");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_does_its_own_part_only() {
    let bench = Bench::new().await;
    let batch = bench.batch(&["A,,"], true).await;
    const DENIED: &str = "42501";
    let task = format!("INSERT INTO order_task (organisation_id, batch_id, row_no, gateway_id, asks, run_at)
                        SELECT organisation_id, batch_id, 1, gateway_id, true, now() FROM chunk WHERE batch_id = '{batch}'");
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
        assert_eq!(as_role(&bench, role, sql).await, code, "{role}: {sql}");
    }
    // Another organisation sees none of it.
    let acme = bench.world.caller("owner@acme.test").await;
    let mut tx = bench.world.state.db.web(acme.organisation.id, Some(acme.person.id)).await.unwrap();
    assert!(db::batches::tasks(&mut tx, Operation::OrderSync, batch, &Default::default()).await.unwrap().is_empty());
    assert!(db::orders::load(&mut tx, &["A".to_owned()]).await.unwrap().is_empty());
    drop(tx);
    let refused = batches::sync(&bench.world.state, &acme, Operation::OrderSync, batch).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::NotFound);
    let viewer = bench.world.caller("viewer@acme.test").await;
    let refused = batches::sync(&bench.world.state, &viewer, Operation::OrderSync, batch).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_and_cancel_stop_what_nobody_works_on() {
    let bench = Bench::told().await;
    bench.book.write("SLOW", Order::Silent(1_000_000));
    let batch = bench.batch(&["SLOW,,", "PLAIN,,"], true).await;
    let owner = bench.world.caller(OWNER).await;
    let (state, sync) = (&bench.world.state, Operation::OrderSync);
    batches::pause(state, &owner, sync, batch, "").await.unwrap();
    let running = bench.start();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(bench.book.asked("PLAIN"), 0, "paused before it began");
    batches::resume(state, &owner, sync, batch).await.unwrap();
    bench.until("it runs", async || bench.task(batch, "PLAIN").await.status == "ACCEPTED").await;
    bench.until("it waits", async || bench.book.asked("SLOW") > 2).await;
    batches::cancel(state, &owner, sync, batch).await.unwrap();
    bench.settled(batch).await;
    running.stop().await;
    let slow = bench.task(batch, "SLOW").await;
    assert_eq!((slow.status.as_str(), slow.message.as_deref()), ("FAILED", Some("Cancelled before it was sent")));
    assert_eq!(bench.status(batch).await, "cancelled");
    assert_eq!(bench.number(&format!("SELECT queued::bigint FROM batch_progress WHERE batch_id = '{batch}'")).await, 0);

    // Cancelled before anything began.
    let batch = bench.batch(&["ONE,,"], true).await;
    batches::cancel(state, &owner, sync, batch).await.unwrap();
    let running = bench.start();
    bench.settled(batch).await;
    running.stop().await;
    assert_eq!(bench.book.asked("ONE"), 0);
    assert_eq!(bench.task(batch, "ONE").await.status, "FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_a_lease_writes_nothing_down() {
    let bench = Bench::new().await;
    bench.batch(&["A,,"], true).await;
    assert_eq!(begun(&bench, bench.organisation).await, 1);
    let lease = std::time::Duration::from_secs(20);
    let (slow, quick) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let mut tx = bench.world.state.db.worker(bench.organisation).await.unwrap();
    let first = db::sync::take(&mut tx, bench.gateway, slow, 9, lease, true).await.unwrap().remove(0);
    assert!(db::sync::take(&mut tx, bench.gateway, quick, 9, lease, true).await.unwrap().is_empty(), "it is leased");
    tx.commit().await.unwrap();
    bench.sql("UPDATE order_task SET run_at = now() - interval '1 second'").await;
    let mut tx = bench.world.state.db.worker(bench.organisation).await.unwrap();
    let second = db::sync::take(&mut tx, bench.gateway, quick, 9, lease, true).await.unwrap().remove(0);
    let settled = |task: &db::sync::Taken, status| db::sync::Settled {
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
    assert_eq!(bench.number(counted).await, 10);
}
