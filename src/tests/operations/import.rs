//! Imports: rows that are stored as a set, run by run, whoever dies on the way.

use super::{CHECKER, MAKER, OperationHarness, rows};
use crate::{
    domain::{
        batch::BatchStatus,
        ids::BatchId,
        operation::Operation::TestImport,
        page::BatchQuery,
        view::{ImportCounts, SourceCounts},
    },
    server::{
        db::{
            self, Tx,
            imports::{CHECK, Held, STORE, Stored},
        },
        ops::{approvals::Verdict, batches, history},
    },
    tests::files::stores::Store,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};
use std::time::Duration;

const FILE: &str = "item_id,note\nONE,first\n,nameless\nTHREE,\n";
const LEASE: Duration = Duration::from_secs(20);

fn counts(created: u64, skipped: u64, failed: u64, phase: &str) -> Option<ImportCounts> {
    Some(ImportCounts { created, skipped, failed, phase: phase.to_owned() })
}

fn code<T: std::fmt::Debug>(result: sqlx::Result<T>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned(),
    }
}

impl OperationHarness {
    async fn tx(&self) -> Tx {
        self.test.state.db.worker(self.organisation).await.unwrap()
    }

    async fn claim(&self) -> Option<Held> {
        let mut tx = self.tx().await;
        let held = db::imports::claim(&mut tx, LEASE).await.unwrap();
        tx.commit().await.unwrap();
        held
    }

    /// Checks an import of so many rows, as its worker does.
    async fn count(&self, held: &Held, rows: i32) {
        let mut tx = self.tx().await;
        assert!(db::imports::hold(&mut tx, held, CHECK).await.unwrap());
        db::imports::counted(&mut tx, &[rows]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn lapse(&self) {
        self.sql("UPDATE import_run SET lease_until = now() - interval '1 second' WHERE phase <> 'done'").await;
    }

    async fn lanes(&self) -> i64 {
        self.number("SELECT count(*) FROM runnable_lanes() WHERE kind = 'imports' AND gateway_id IS NULL").await
    }

    /// Counters, sources and rows against each other.
    async fn adds_up(&self, batch: BatchId) {
        let wrong = format!(
            "SELECT count(*) FROM batch_progress p
               JOIN (SELECT sum(total) AS total, sum(created) AS created, sum(skipped) AS skipped, sum(failed) AS failed
                 FROM batch_source WHERE batch_id = '{batch}') s ON true
               JOIN (SELECT count(*) AS all_, count(DISTINCT row_no) AS rows, coalesce(max(row_no), 0) AS last
                 FROM record WHERE batch_id = '{batch}') r ON true
               JOIN (SELECT count(*) AS refused FROM outcome WHERE batch_id = '{batch}') o ON true
              WHERE p.batch_id = '{batch}' AND (p.records, p.accepted, p.failed, r.all_, r.rows, r.last, o.refused)
                 IS DISTINCT FROM (s.total, s.created, s.skipped + s.failed, s.created + s.failed, r.all_, r.all_,
                   s.failed)"
        );
        assert_eq!(self.number(&wrong).await, 0);
    }
}

#[tokio::test]
async fn an_import_goes_from_upload_to_its_result_file() {
    let harness = OperationHarness::new().await;
    for (bad, finding) in [
        ("item,note\nONE,\n", "no column item_id"),
        ("item_id,note\n", "no rows"),
        ("item_id,note\nONE,\"open\n", "quotation mark"),
    ] {
        let findings = harness.findings(TestImport, bad).await;
        assert!(findings[0].contains(finding), "{findings:?}");
    }
    let batch = harness.upload(TestImport, FILE).await;
    let waiting = harness.snapshot(batch).await;
    assert_eq!((waiting.status, waiting.records), (BatchStatus::Validating, 0));
    assert_eq!(waiting.import, counts(0, 0, 0, "check"));
    let maker = harness.test.caller(MAKER).await;
    let list = batches::list(&harness.test.state, &maker, TestImport, &BatchQuery::default()).await.unwrap();
    assert_eq!((list.page.total, list.by_status), (1, vec![(BatchStatus::Validating, 1)]));
    assert!(!list.page.rows[0].can_sync, "there is nobody to ask about it");
    harness.is_kept_from_strangers(TestImport, batch, FILE).await;
    assert!(harness.test.decide(CHECKER, batch, Verdict::Approve).await.is_err(), "nobody decides on an import");

    let running = harness.start();
    let ended = harness.until(batch, BatchStatus::CompletedWithFailures).await;
    running.stop().await;
    assert_eq!((ended.records, ended.counts.queued, ended.counts.accepted, ended.counts.failed), (3, 0, 2, 1));
    assert_eq!(ended.import, counts(2, 0, 1, "done"));
    let source = SourceCounts { name: "rows.csv".to_owned(), total: Some(3), created: 2, skipped: 0, failed: 1 };
    assert_eq!(ended.files, [source]);
    let json = serde_json::to_value(&ended).unwrap();
    for none in ["amounts", "decision"] {
        assert!(json.as_object().unwrap().contains_key(none) && json[none].is_null(), "{none}: {json}");
    }
    assert_eq!(harness.audited(batch).await, ["maker@acme.test batch.created", "Batchdesk batch.imported"]);
    assert_eq!(
        harness.notices_of(MAKER).await,
        ["Your import rows.csv has ended: 2 rows were stored, 0 were there already, 1 failed."]
    );
    let detail = harness.detail(TestImport, batch).await;
    let empty = "Empty item ID: item_id is empty.";
    assert_eq!(
        rows(&detail),
        [
            ("ONE".to_owned(), "ACCEPTED", String::new()),
            (String::new(), "FAILED", empty.to_owned()),
            ("THREE".to_owned(), "ACCEPTED", String::new())
        ]
    );
    assert_eq!((detail.row_map.as_str(), detail.failures.reasons), ("AFA", vec![(empty.to_owned(), 1, 0)]));
    for (number, title) in [(1, "Stored"), (2, "Not stored")] {
        let history = history::task(&harness.test.state, &maker, TestImport, batch, number).await.unwrap();
        let titles: Vec<_> = history.steps.iter().map(|step| step.title.as_str()).collect();
        assert_eq!(titles, [title]);
    }
    assert!(!detail.actions.sync && !detail.actions.withdraw && !detail.actions.retry && !detail.actions.cancel);
    assert_eq!(
        harness.result(TestImport, batch).await,
        format!(
            "S.No,Item ID,Note,Task Status,Error \
             Message\n1,ONE,first,ACCEPTED,\n2,,,FAILED,{empty}\n3,THREE,,ACCEPTED,\n"
        )
    );
    harness.adds_up(batch).await;
    assert_eq!(harness.script.sends(), 0);

    // With nothing that fails it is Completed.
    let clean = harness.upload(TestImport, "item_id,note\nFOUR,\n").await;
    let running = harness.start();
    harness.until(clean, BatchStatus::Completed).await;
    running.stop().await;
}

#[tokio::test]
async fn an_import_that_is_killed_between_two_runs_goes_on_and_stores_every_row_once() {
    let harness = OperationHarness::new().await;
    harness.sql("UPDATE organisation SET row_limit = 100000").await;
    let id = |n: u32| if n.is_multiple_of(500) { String::new() } else { format!("ITEM_{n}") };
    let lines: Vec<String> = (1..=3_500).map(|n| format!("{},\"line {n}\"", id(n))).collect();
    let batch = harness.upload(TestImport, &format!("item_id,note\n{}\n", lines.join("\n"))).await;
    // The second run waits for somebody who is adding one of its rows.
    let mut blocking = harness.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let row = format!(
        "BEGIN; INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, amount_minor, gateway_key, order_id,
         request_sha256)
         VALUES ('{}', '{batch}', 1500, 1, 0, '', 'x', '')",
        harness.organisation
    );
    blocking.execute(AssertSqlSafe(row)).await.unwrap();
    // Another process than the one that goes on: it takes its connections with it.
    let running = harness.start_with(crate::tests::support::state(&harness.test.options).await);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while harness.number(waits).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.kill().await;
    blocking.execute("ROLLBACK").await.unwrap();
    // Waits for the transaction that was under way, which comes to nothing.
    harness.lapse().await;
    let half = harness.snapshot(batch).await;
    assert_eq!((half.status, half.import), (BatchStatus::Processing, counts(998, 0, 2, STORE)));
    harness.adds_up(batch).await;

    let running = harness.start();
    let ended = harness.until(batch, BatchStatus::CompletedWithFailures).await;
    running.stop().await;
    assert_eq!(ended.import, counts(3_493, 0, 7, "done"));
    harness.adds_up(batch).await;
    let wrong = format!(
        "SELECT count(*) FROM record WHERE batch_id = '{batch}' AND (order_id, sheet_row)
           IS DISTINCT FROM (CASE WHEN row_no % 500 = 0 THEN '' ELSE 'ITEM_' || row_no END, row_no + 1)"
    );
    assert_eq!(harness.number(&wrong).await, 0);
    assert_eq!(harness.number("SELECT max(epoch) FROM import_run").await, 2, "two workers, one after the other");
    assert_eq!(harness.notices_of(MAKER).await.len(), 1, "told once");
}

#[tokio::test]
async fn a_worker_whose_lease_went_to_another_moves_nothing() {
    let harness = OperationHarness::new().await;
    let batch = harness.upload(TestImport, FILE).await;
    assert_eq!(harness.lanes().await, 1);
    let first = harness.claim().await.unwrap();
    assert!(harness.claim().await.is_none(), "it is leased");
    assert_eq!(harness.lanes().await, 0);
    harness.lapse().await;
    let mut tx = harness.tx().await;
    assert!(!db::imports::hold(&mut tx, &first, CHECK).await.unwrap(), "its time is over");
    drop(tx);
    let second = harness.claim().await.unwrap();
    assert_eq!((first.epoch, second.epoch), (1, 2));
    let late = async |what: &str| {
        for phase in [CHECK, STORE] {
            let mut tx = harness.tx().await;
            assert!(!db::imports::hold(&mut tx, &first, phase).await.unwrap(), "{what}, {phase}");
            assert_eq!(code(db::imports::refused(&mut tx, phase, "x").await), "BD409", "{what}");
        }
        let mut tx = harness.tx().await;
        let _ = db::imports::hold(&mut tx, &first, CHECK).await.unwrap();
        assert_eq!(code(db::imports::counted(&mut tx, &[3]).await), "BD409", "{what}");
        let mut tx = harness.tx().await;
        let _ = db::imports::hold(&mut tx, &first, STORE).await.unwrap();
        let all = Stored { created: 3, ..Stored::default() };
        assert_eq!(code(db::imports::stored(&mut tx, all, None, LEASE).await), "BD409", "{what}");
    };
    late("before it was counted").await;
    harness.count(&second, 3).await;
    late("after it was counted").await;
    assert_eq!(harness.snapshot(batch).await.import, counts(0, 0, 0, STORE));

    // Without the fence the first one would go on: the test must be able to fail.
    harness
        .sql(
            "SET ROLE batchdesk_owner; CREATE OR REPLACE FUNCTION leased_import(p_phase text) RETURNS uuid
             LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
               SELECT batch_id FROM import_run WHERE organisation_id = current_organisation()
                  AND batch_id = nullif(current_setting('app.batch', true), '')::uuid
                  AND phase = p_phase AND lease_until > clock_timestamp() FOR UPDATE $$",
        )
        .await;
    let mut tx = harness.tx().await;
    assert!(db::imports::hold(&mut tx, &first, STORE).await.unwrap());
}

/// A session of the worker that says it works on this import.
async fn worker(harness: &OperationHarness, held: &Held, epoch: i64) -> PgConnection {
    let mut worker = harness.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let (organisation, batch) = (harness.organisation, held.batch_id);
    let session = format!(
        "SET ROLE batchdesk_worker; SET app.organisation = '{organisation}'; SET app.batch = '{batch}'; SET app.epoch \
         = '{epoch}'"
    );
    worker.execute(AssertSqlSafe(session)).await.unwrap();
    worker
}

#[tokio::test]
async fn the_worker_adds_rows_to_the_import_that_it_has_the_lease_of_and_to_nothing_else() {
    let harness = OperationHarness::new().await;
    harness.upload(TestImport, FILE).await;
    let held = harness.claim().await.unwrap();
    let other = harness.upload(TestImport, "item_id,note\nTWO,\n").await;
    let refund = harness.test.upload(MAKER, &crate::tests::support::refunds(&[("ORD_1", "1")])).await;
    let globex = harness.test.caller("owner@globex.test").await.organisation.id;
    let row = |organisation: &str, batch: &str, number: i32| {
        format!(
            "INSERT INTO record_leaf (organisation_id, batch_id, row_no, sheet_row, amount_minor, gateway_key, order_id,
             request_sha256)
             VALUES ('{organisation}', '{batch}', {number}, 2, 0, '', 'ONE', '')"
        )
    };
    let ours = harness.organisation.to_string();
    let batch = held.batch_id.to_string();
    let try_it = async |worker: &mut PgConnection, sql: String| code(worker.execute(AssertSqlSafe(sql)).await);
    let mut session = worker(&harness, &held, held.epoch).await;
    assert_eq!(try_it(&mut session, row(&ours, &batch, 1)).await, "BD409", "it is not checked yet");
    harness.count(&held, 3).await;
    let outcome = |batch: &str| {
        format!(
            "INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code)
             VALUES ('{ours}', '{batch}', 1, 1, 0, false, 'INVALID')"
        )
    };
    for (sql, expected, what) in [
        (row(&ours, &other.to_string(), 1), "BD409", "another import"),
        (row(&ours, &refund.to_string(), 2), "BD409", "what is sent"),
        (row(&globex.to_string(), &batch, 1), "BD403", "another organisation"),
        (outcome(&other.to_string()), "BD409", "the end of a row of another import"),
        (row(&ours, &batch, 1), "done", "its own"),
        (row(&ours, &batch, 1), "23505", "twice"),
        (outcome(&batch), "done", "why it was not stored"),
    ] {
        assert_eq!(try_it(&mut session, sql).await, expected, "{what}");
    }
    let mut fenced = worker(&harness, &held, held.epoch - 1).await;
    assert_eq!(try_it(&mut fenced, row(&ours, &batch, 2)).await, "BD409", "an epoch that is over");
    harness.lapse().await;
    assert_eq!(try_it(&mut session, row(&ours, &batch, 2)).await, "BD409", "a lease that is over");
    assert_eq!(try_it(&mut session, "UPDATE import_run SET byte_offset = 0".to_owned()).await, "42501");
    assert_eq!(try_it(&mut session, "UPDATE batch_source SET created = 1".to_owned()).await, "42501");

    // The guard is what refuses: without it all of that would be taken.
    harness.sql("DROP TRIGGER record_leaf_guard ON record_leaf").await;
    for sql in [row(&ours, &other.to_string(), 1), row(&ours, &refund.to_string(), 2), row(&ours, &batch, 2)] {
        assert_eq!(try_it(&mut session, sql).await, "done", "the test must be able to fail");
    }
}

#[tokio::test]
async fn an_import_has_no_connection_no_tasks_and_no_decision() {
    let harness = OperationHarness::new().await;
    let batch = harness.upload(TestImport, FILE).await;
    let organisation = harness.organisation;
    let session = format!("SET app.organisation = '{organisation}';");
    let gateway = format!("(SELECT id FROM gateway WHERE organisation_id = '{organisation}' LIMIT 1)");
    for (sql, expected) in [
        (format!("UPDATE batch SET gateway_id = {gateway} WHERE id = '{batch}'"), "23514"),
        (format!("UPDATE batch SET currency = 'INR' WHERE id = '{batch}'"), "23514"),
        (
            format!(
                "INSERT INTO batch_revision
                 VALUES ('{organisation}', '{batch}', 1, NULL, sha256('x'), true, 1, 0, now())"
            ),
            "BD422",
        ),
        (
            format!(
                "INSERT INTO decision (organisation_id, batch_id, checker, verdict, content_sha256)
                 VALUES ('{organisation}', '{batch}', NULL, 'NOT_REQUIRED', '')"
            ),
            "",
        ),
        (
            format!(
                "INSERT INTO chunk (organisation_id, batch_id, chunk_no, revision, gateway_id, from_row, to_row,
                 next_row, size, remaining) VALUES ('{organisation}', '{batch}', 0, 1, {gateway}, 1, 1, 1, 1, 1)"
            ),
            "BD422",
        ),
        (
            format!(
                "INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, run_at,
                 attempts, first_sent_at, last_sent_at)
                 VALUES ('{organisation}', '{batch}', 1, 1, {gateway}, 'UNKNOWN', now(), 1, now(), now())"
            ),
            "BD422",
        ),
    ] {
        let said = code(harness.test.as_superuser(&format!("{session} {sql}")).await);
        assert!(said != "done" && (expected.is_empty() || said == expected), "{said} {sql}");
    }
    // An attempt that may not be is skipped, whoever adds it.
    let attempt = format!(
        "{session} INSERT INTO attempt (organisation_id, batch_id, from_row, to_row, revision, attempt, epoch, owner)
         VALUES ('{organisation}', '{batch}', 1, 1, 1, 1, 1, gen_random_uuid())"
    );
    harness.sql(&attempt).await;
    let running = harness.start();
    harness.until(batch, BatchStatus::CompletedWithFailures).await;
    running.stop().await;
    for table in ["chunk", "attempt", "open_task", "order_task", "decision", "batch_revision", "evidence"] {
        assert_eq!(harness.number(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_import_is_paused_goes_on_and_is_cancelled() {
    let harness = OperationHarness::new().await;
    let (state, maker) = (&harness.test.state, harness.test.caller(MAKER).await);
    let batch = harness.upload(TestImport, FILE).await;
    let held = harness.claim().await.unwrap();
    harness.count(&held, 3).await;
    batches::pause(state, &maker, TestImport, batch, "later").await.unwrap();
    let mut tx = harness.tx().await;
    assert!(!db::imports::hold(&mut tx, &held, STORE).await.unwrap(), "whoever had it has it no more");
    drop(tx);
    assert_eq!((harness.lanes().await, harness.claim().await.is_none()), (0, true));
    let paused = harness.snapshot(batch).await;
    assert_eq!(paused.status, BatchStatus::Paused);
    assert!(paused.notice.unwrap().contains("later"));
    batches::resume(state, &maker, TestImport, batch).await.unwrap();
    // Sending is stopped: that is no reason for an import to wait.
    harness.sql("UPDATE organisation SET sending = false").await;
    let running = harness.start();
    harness.until(batch, BatchStatus::CompletedWithFailures).await;
    running.stop().await;
    harness.adds_up(batch).await;

    let batch = harness.upload(TestImport, "item_id,note\nTWO,\nTHREE,\n").await;
    let held = harness.claim().await.unwrap();
    harness.count(&held, 2).await;
    assert!(harness.detail(TestImport, batch).await.actions.cancel);
    batches::cancel(state, &maker, TestImport, batch).await.unwrap();
    let cancelled = harness.snapshot(batch).await;
    assert_eq!((cancelled.status, cancelled.counts.queued), (BatchStatus::Cancelled, 0));
    assert_eq!(cancelled.import, counts(0, 2, 0, "done"));
    assert_eq!((harness.lanes().await, harness.number("SELECT count(*) FROM record").await), (0, 3));
}

#[tokio::test]
async fn an_import_that_cannot_be_read_or_stored_is_invalid_and_says_why() {
    let harness = OperationHarness::new().await;
    let batch = harness.upload(TestImport, FILE).await;
    let other = "UPDATE file SET bytes = 'other,note\nONE,\n'";
    harness
        .sql(&format!(
            "{other}, sha256 = sha256('other,note\nONE,\n'); UPDATE batch_source SET sha256 = f.sha256 FROM file f"
        ))
        .await;
    let running = harness.start();
    let ended = harness.until(batch, BatchStatus::Invalid).await;
    assert_eq!((ended.records, ended.import), (0, counts(0, 0, 0, "done")));
    let notice = ended.notice.unwrap();
    assert!(notice.starts_with("rows.csv: ") && notice.contains("no column item_id"), "{notice}");
    assert_eq!(harness.audited(batch).await, ["maker@acme.test batch.created", "Batchdesk batch.invalid"]);
    assert_eq!(harness.notices_of(MAKER).await, ["Your import rows.csv could not be stored."]);

    // What the database refuses would be refused again: it ends, and what was not stored is counted.
    harness.sql("ALTER TABLE record ADD CONSTRAINT refused CHECK (order_id <> 'BAD')").await;
    let batch = harness.upload(TestImport, "item_id,note\nBAD,\n").await;
    let ended = harness.until(batch, BatchStatus::Invalid).await;
    running.stop().await;
    assert_eq!(ended.import, counts(0, 1, 0, "done"));
    assert!(ended.notice.unwrap().contains("cannot be stored"));

    // Bytes that are not what came are nobody's rows.
    let batch = harness.upload(TestImport, "item_id,note\nNINE,\n").await;
    harness.sql(other).await;
    let running = harness.start();
    let notice = harness.until(batch, BatchStatus::Invalid).await.notice.unwrap();
    running.stop().await;
    assert!(notice.starts_with("rows.csv is damaged where it is kept, so it is not used."), "{notice}");
}

#[tokio::test]
async fn an_import_whose_file_cannot_be_reached_waits_for_it() {
    let store = Store::folder();
    let mut harness = OperationHarness::new().await;
    harness.test = store.with(harness.test, 1);
    let batch = harness.upload(TestImport, FILE).await;
    store.set_away(true);
    let running = harness.start();
    while harness.number("SELECT count(*) FROM import_run WHERE epoch > 0").await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.stop().await;
    let waiting = harness.snapshot(batch).await;
    assert_eq!((waiting.status, waiting.import), (BatchStatus::Validating, counts(0, 0, 0, "check")));
    store.set_away(false);
    harness.lapse().await;
    let running = harness.start();
    let ended = harness.until(batch, BatchStatus::CompletedWithFailures).await;
    running.stop().await;
    assert_eq!(ended.import, counts(2, 0, 1, "done"));
}
