//! What the database refuses, whatever the code above it does.

use super::*;
use crate::server::{
    db::tasks::{
        claim,
        claim::ChunkLease,
        intend::{self, Run},
    },
    ops::approvals::Verdict,
};
use sqlx::{Connection, PgConnection};

async fn as_role(harness: &ProcessorHarness, role: &str, organisation: Uuid, person: Option<Uuid>) -> PgConnection {
    let mut connection = harness.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let person = person.map(|id| id.to_string()).unwrap_or_default();
    let sql = format!("SET ROLE {role}; SET app.organisation = '{organisation}'; SET app.person = '{person}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection
}

async fn code_of(connection: &mut PgConnection, sql: &str) -> String {
    match sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection).await {
        Ok(_) => "done".to_owned(),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned(),
    }
}

/// Whether a worker could write an intent for the batch's first chunk.
async fn can_intend(harness: &ProcessorHarness, organisation: OrganisationId, batch: BatchId) -> bool {
    harness.sql("UPDATE gateway SET preflight = false").await;
    harness.sql("UPDATE chunk SET state = 'WAITING', run_at = now()").await;
    let mut tx = harness.test.state.db.worker(organisation).await.unwrap();
    let gateway = GatewayId(db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id);
    let worker = harness.worker();
    let chunk =
        claim::claim_chunks(&mut tx, gateway, 1, worker, Duration::from_secs(20), false).await.unwrap().remove(0);
    let hold = ChunkLease { batch: batch.0, chunk: chunk.chunk_no, epoch: chunk.epoch };
    let rows = intend::intend(&mut tx, worker, Run { hold, from_row: 1, to_row: 1 }).await.unwrap();
    !rows.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_without_a_decision_for_exactly_this_content() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let acme = harness.test.caller("maker@acme.test").await.organisation.id;
    let batch = harness.test.upload("maker@acme.test", &refunds(&[("PLAIN_1", "10.00")])).await;
    harness.sql("UPDATE batch SET status = 'processing'").await;
    assert!(!can_intend(&harness, acme, batch).await, "no decision");
    harness
        .sql(
            "SET session_replication_role = replica; INSERT INTO decision (organisation_id, batch_id, revision,
                 checker, verdict, content_sha256)
               SELECT organisation_id, id, 1, maker, 'APPROVE', sha256('something else') FROM batch",
        )
        .await;
    assert!(!can_intend(&harness, acme, batch).await, "a decision for another content");
    harness
        .sql(
            "UPDATE decision d SET verdict = 'REJECT', reason = 'no', content_sha256 = v.content_sha256
                 FROM batch_revision v WHERE v.batch_id = d.batch_id",
        )
        .await;
    assert!(!can_intend(&harness, acme, batch).await, "rejected");
    harness.sql("UPDATE decision SET verdict = 'APPROVE'").await;
    assert!(can_intend(&harness, acme, batch).await, "the test must be able to fail");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_cannot_decide_and_neither_role_can_do_the_others_part() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.test.upload("maker@acme.test", &refunds(&[("PLAIN_1", "10.00")])).await;
    let maker = harness.test.caller("maker@acme.test").await;
    let checker = harness.test.caller("checker@acme.test").await;
    let (organisation, batch_id) = (maker.organisation.id.0, batch.0);
    let decide = format!(
        "INSERT INTO decision (organisation_id, batch_id, verdict, content_sha256)
         SELECT organisation_id, batch_id, 'APPROVE', content_sha256 FROM batch_revision WHERE batch_id = '{batch_id}'"
    );
    let mut web = as_role(&harness, "batchdesk_web", organisation, Some(maker.person.id.0)).await;
    assert_eq!(code_of(&mut web, &decide).await, "BD403", "the maker");
    assert_eq!(
        code_of(&mut web, &decide.replace("'APPROVE'", "'NOT_REQUIRED'")).await,
        "BD403",
        "no way around the checker"
    );
    let naming = decide
        .replace("(organisation_id, batch_id, verdict", "(checker, organisation_id, batch_id, verdict")
        .replace("SELECT ", &format!("SELECT '{}', ", checker.person.id.0));
    assert_eq!(code_of(&mut web, &naming).await, "42501", "another person's name");
    for forbidden in [
        "INSERT INTO attempt (organisation_id, batch_id, from_row, to_row, revision, attempt, chunk_no, epoch, owner)
         SELECT organisation_id, batch_id, 1, 1, 1, 1, 0, 1, batch_id FROM chunk",
        "INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded)
         SELECT organisation_id, batch_id, 1, 1, 0, false FROM chunk",
        "UPDATE batch SET status = 'processing'",
        "UPDATE chunk SET state = 'WAITING'",
        "UPDATE record SET amount_minor = 1",
        "DELETE FROM record",
        "INSERT INTO record SELECT * FROM record",
        "UPDATE batch_progress SET queued = 0",
        "DELETE FROM unique_id_taken",
        "SELECT * FROM runnable_lanes()",
    ] {
        assert_eq!(code_of(&mut web, forbidden).await, "42501", "web: {forbidden}");
    }
    let mut worker = as_role(&harness, "batchdesk_worker", organisation, Some(checker.person.id.0)).await;
    for forbidden in [
        decide.as_str(),
        "UPDATE batch SET status = 'processing'",
        "INSERT INTO batch (organisation_id, id, gateway_id, operation, file_name, currency)
         SELECT organisation_id, gateway_id, gateway_id, 'refund', 'x', 'INR' FROM chunk",
        "INSERT INTO record SELECT * FROM record",
        "UPDATE record SET amount_minor = 1",
        "UPDATE gateway SET sending = true",
        "UPDATE organisation SET sending = true",
        "UPDATE outcome SET succeeded = true",
        "DELETE FROM evidence",
        "SELECT control('00000000-0000-0000-0000-000000000000', 'RESUME')",
    ] {
        assert_eq!(code_of(&mut worker, forbidden).await, "42501", "worker: {forbidden}");
    }
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    assert_eq!(harness.status(batch).await, "processing");
    web.close().await.unwrap();
}

/// Runs of rows 2 and 3, 4, and 7 and 8; everything else was never sent.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_of_a_send_needs_its_intent() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let rows: Vec<String> = (0..9).map(|n| format!("PLAIN_{n}")).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|order| (order.as_str(), "1.00")).collect();
    harness.batch(&rows).await;
    for (from, to) in [(2, 3), (4, 4), (7, 8)] {
        harness
            .sql(&format!(
                "SET session_replication_role = replica; INSERT INTO attempt (organisation_id, batch_id, from_row,
                 to_row, revision, attempt, chunk_no, epoch, owner)
                 SELECT organisation_id, batch_id, {from}, {to}, 1, 1, 0, 1, batch_id FROM chunk"
            ))
            .await;
    }
    let mut worker = as_role(&harness, "batchdesk_worker", harness.organisation.0, None).await;
    let rows_of = |rows: &[i32]| {
        let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
        format!(
            "INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded)
             SELECT organisation_id, batch_id, n, 1, 1, true FROM chunk, unnest(ARRAY[{}]) AS n",
            rows.join(",")
        )
    };
    for unsent in
        [&[1][..], &[5], &[9], &[1, 2], &[2, 5], &[4, 6, 7], &[3, 4, 9], &[1, 2, 3, 4, 7, 8], &[2, 3, 4, 5, 7]]
    {
        assert_eq!(code_of(&mut worker, &rows_of(unsent)).await, "BD409", "{unsent:?}");
    }
    for sent in [&[3][..], &[2, 4, 8], &[7]] {
        assert_eq!(code_of(&mut worker, &rows_of(sent)).await, "done", "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_sees_nothing() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    harness.batch(&[("PLAIN_1", "10.00")]).await;
    let acme = harness.test.caller("maker@acme.test").await.organisation.id.0;
    let tables = [
        "batch",
        "batch_progress",
        "batch_revision",
        "decision",
        "record",
        "unique_id_taken",
        "chunk",
        "attempt",
        "outcome",
        "open_task",
        "evidence",
        "order_balance",
        "order_seen",
        "task",
    ];
    for role in ["batchdesk_web", "batchdesk_worker", "batchdesk_owner"] {
        let mut theirs = as_role(&harness, role, acme, None).await;
        let mut own = as_role(&harness, role, harness.organisation.0, None).await;
        for table in tables {
            let sql = format!("SELECT count(*) FROM {table}");
            let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone())).fetch_one(&mut theirs).await.unwrap();
            assert_eq!(count, 0, "{role} {table}");
            if ["batch", "record", "chunk", "decision"].contains(&table) {
                let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut own).await.unwrap();
                assert_eq!(count, 1, "{role} {table}: the test must be able to fail");
            }
        }
    }
    let bare: i64 = harness
        .number(
            "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                                    AND a.attname = 'organisation_id'
        WHERE c.relnamespace = 'batchdesk'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
          AND NOT c.relispartition AND c.relname NOT IN ('organisation_name', 'person_organisation',
            'api_key_organisation')",
        )
        .await;
    // What leaves have in its place: tests/record_partitions.rs.
    assert_eq!(bare, 0, "a table of an organisation without row-level security");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_batches_expire_and_give_their_unique_ids_back() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let file = refunds(&[("PLAIN_1", "10.00")]).replace("PLAIN_1,10.00,,", "PLAIN_1,10.00,,UNIQUE1");
    let batch = harness.test.upload("maker@acme.test", &file).await;
    assert_eq!(harness.number("SELECT count(*) FROM unique_id_taken").await, 1);
    harness.sql("UPDATE batch SET expires_at = now() - interval '1 second'").await;
    let running = harness.start();
    for _ in 0..2_400 {
        if harness.status(batch).await == "expired" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop().await;
    assert_eq!(harness.status(batch).await, "expired");
    assert_eq!(harness.number("SELECT count(*) FROM unique_id_taken").await, 0);
    harness.test.upload("maker@acme.test", &file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_for_one_organisation_stops_no_other() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let waiting = harness.test.upload("maker@acme.test", &refunds(&[("PLAIN_1", "10.00")])).await;
    harness.sql("UPDATE batch SET expires_at = now() - interval '1 second'").await;
    harness
        .sql("CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$")
        .await;
    harness
        .sql(
            "CREATE TRIGGER broken BEFORE UPDATE ON batch FOR EACH ROW
                 WHEN (NEW.status = 'expired') EXECUTE FUNCTION broken()",
        )
        .await;
    let batch = harness.batch(&[("PLAIN_2", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    assert_eq!(harness.status(waiting).await, "awaiting_approval", "the test must be able to fail");
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_of_another_effect_says_nothing_about_refunds() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    harness.sql("UPDATE gateway_promise SET effect = 'payment_initiation'").await;
    let batch = harness.batch(&[("AFTER_1", "10.00"), ("PLAIN_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED", "REVIEW"]).await;
    running.stop().await;
    assert_eq!(harness.task(batch, "AFTER_1").await.state, "REVIEW", "nobody has promised that it can be asked about");
    assert_eq!(harness.task(batch, "PLAIN_1").await.state, "SUCCEEDED");
    assert_eq!(harness.script.calls("AFTER_1").len(), 1);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_chosen_for_another_effect_moves_no_refund() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    harness
        .sql(
            "INSERT INTO gateway (organisation_id, id, connector, base_url, merchant_id, sealed_key)
               SELECT organisation_id, gen_random_uuid(), 'payments', base_url, 'payments', sealed_key FROM gateway",
        )
        .await;
    let mut tx = harness.test.state.db.web(harness.organisation, None).await.unwrap();
    let other = db::gateways::all(&mut tx).await.unwrap().into_iter().find(|row| row.connector == "payments").unwrap();
    assert!(!other.chosen);
    let effects = [Effect::PaymentInitiation, Effect::PaymentRequest];
    db::gateways::choose(&mut tx, GatewayId(other.id), &effects).await.unwrap();
    db::gateways::choose_first(&mut tx, GatewayId(other.id), &Effect::ALL).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = harness.test.state.db.web(harness.organisation, None).await.unwrap();
    assert_eq!(db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id, harness.gateway.0);
    for effect in [Effect::PaymentInitiation, Effect::PaymentRequest, Effect::PaymentInitiationRefund] {
        assert_eq!(db::gateways::chosen(&mut tx, effect).await.unwrap().unwrap().id, other.id, "{effect:?}");
    }
    drop(tx);
    let batch = harness.batch(&[("PLAIN_1", "10.00")]).await;
    let sql = format!("SELECT gateway_id::text FROM batch WHERE id = '{batch}'");
    assert_eq!(harness.texts(&sql).await, [harness.gateway.0.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_not_known_stops_the_organisation_and_nothing_is_sent() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("LATER_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["PENDING"]).await;
    running.stop().await;
    let sends = harness.script.sends();
    harness
        .sql(
            "DO $do$ DECLARE c record; BEGIN
               FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'open_task'::regclass AND contype = 'c' LOOP
                 EXECUTE format('ALTER TABLE open_task DROP CONSTRAINT %I', c.conname);
               END LOOP; END $do$;
             UPDATE open_task SET state = 'HELD_UP', run_at = now()",
        )
        .await;
    let running = harness.start();
    let stopped = "SELECT count(*) FROM organisation WHERE NOT sending AND stopped_reason LIKE '%HELD_UP%'";
    let begun = std::time::Instant::now();
    while harness.number(stopped).await == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it still sends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
    assert_eq!(harness.script.sends(), sends);
}
