//! The database goes back to an older state: what the gateways did since is not done again.

use super::{script::listed, *};
use crate::{
    domain::operation::Operation,
    server::{
        db::Db,
        ops::{batches, connections, past},
    },
};

/// A unique id on the n-th row (from 1) of a file.
fn with_unique_id(file: &str, row: usize, id: &str) -> String {
    let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let mut cells: Vec<&str> = lines[row].split(',').collect();
    cells[3] = id;
    lines[row] = cells.join(",");
    lines.join("\n") + "\n"
}

impl ProcessorHarness {
    /// The refund of this order was made after the state that the database went back to.
    async fn was_made(&self, batch: BatchId, order: &str) {
        let key = self.key(batch, order).await;
        self.script.books.lock().unwrap().make(&key);
    }
}

const ENDS: [&str; 3] = ["SUCCEEDED", "FAILED", "REVIEW"];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_since_is_found_and_only_the_rest_is_sent() {
    for class in GatewayClass::ALL {
        let harness = ProcessorHarness::new(class, Script { lists: true, ..Script::default() }).await;
        let rows = [("A_1", "10.00"), ("A_2", "10.00"), ("B_1", "10.00"), ("A_3", "10.00"), ("B_2", "10.00")];
        let batch = harness.batch(&rows).await;
        for order in ["A_1", "A_2", "A_3"] {
            harness.was_made(batch, order).await;
        }
        let done = past::restored(&harness.test.state).await.unwrap();
        let own = done.iter().find(|one| one.organisation == "Globex").unwrap();
        assert_eq!((own.asked.unsent, own.asked.open, own.sends), (5, 0, true));
        let running = harness.start();
        harness.until(batch, &ENDS).await;
        running.stop().await;
        for order in ["A_1", "A_2", "A_3"] {
            let task = harness.task(batch, order).await;
            assert_eq!((task.state.as_str(), task.attempts), ("SUCCEEDED", Some(1)), "{class:?} {task:?}");
            assert!(harness.script.calls(order).is_empty(), "{class:?} {order} was sent again");
        }
        for order in ["B_1", "B_2"] {
            let task = harness.task(batch, order).await;
            match class {
                GatewayClass::K | GatewayClass::Q => assert_eq!(task.state, "SUCCEEDED", "{class:?} {task:?}"),
                GatewayClass::N => {
                    assert_eq!(task.state, "REVIEW", "{task:?}");
                    assert!(task.message.unwrap().contains("went back to an older state"));
                }
            }
        }
        harness.sound(batch).await;
        let audit = "SELECT count(*) FROM audit WHERE action = 'database.restored'";
        assert_eq!(harness.number(audit).await, 2, "each organisation's trail has it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_before_what_was_sent_may_have_arrived() {
    let harness = ProcessorHarness::new(GatewayClass::Q, Script { lists: true, ..Script::default() }).await;
    let batch = harness.batch(&[("A_1", "10.00")]).await;
    past::restored(&harness.test.state).await.unwrap();
    harness
        .sql(
            "UPDATE restore SET ask_after = ask_after + interval '1 hour'; UPDATE chunk
                 SET ask_after = ask_after + interval '1 hour', run_at = now()",
        )
        .await;
    let running = harness.start();
    let epoch = "SELECT epoch FROM chunk";
    // Claimed twice, and given back.
    for _ in 0..2_400 {
        if harness.number(epoch).await >= 3 {
            break;
        }
        harness.hurry().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(harness.number(epoch).await >= 3, "nobody looked at it");
    running.stop().await;
    assert_eq!(harness.task(batch, "A_1").await.state, "READY");
    assert_eq!(harness.script.sends(), 0);
    // A worker that asks all the same is not believed.
    let worker = harness.worker();
    harness.sql("UPDATE chunk SET run_at = now() - interval '1 s'").await;
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    let lease = Duration::from_secs(20);
    let chunk =
        db::tasks::claim::claim_chunks(&mut tx, harness.gateway, 1, worker, lease, false).await.unwrap().remove(0);
    assert!(chunk.ask_in.unwrap() > 3_000.0 && chunk.forgotten && chunk.must_ask(1));
    let hold = db::tasks::claim::ChunkLease { batch: chunk.batch_id, chunk: chunk.chunk_no, epoch: chunk.epoch };
    assert!(!db::tasks::ask::asked(&mut tx, hold, worker, 2).await.unwrap());
    assert!(!db::tasks::ask::take_over(&mut tx, hold, worker, 1).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_doubt_or_to_be_repeated_is_asked_about_and_keeps_its_rules() {
    for class in GatewayClass::ALL {
        let harness = ProcessorHarness::new(class, Script { keyed: true, lists: true, ..Script::default() }).await;
        let batch = harness.batch(&[("A_1", "10.00"), ("B_1", "10.00")]).await;
        // Both were refused by a gateway that was too busy, and wait to be repeated; then the backup; then the first
        // was repeated.
        super::protocol::intend_first(&harness, harness.worker(), 2).await;
        harness.sql("UPDATE chunk SET run_at = now() - interval '1 s'").await;
        past::restored(&harness.test.state).await.unwrap();
        harness.sql("UPDATE open_task SET state = 'RETRY' WHERE state <> 'REVIEW'").await;
        harness.was_made(batch, "A_1").await;
        let done = past::restored(&harness.test.state).await.unwrap();
        let own = done.iter().find(|one| one.organisation == "Globex").unwrap();
        assert_eq!(own.asked.unsent, 0, "{class:?}");
        let running = harness.start();
        harness.ends(batch, "A_1", "SUCCEEDED").await;
        match class {
            GatewayClass::K => harness.ends(batch, "B_1", "SUCCEEDED").await,
            GatewayClass::Q | GatewayClass::N => harness.ends(batch, "B_1", "REVIEW").await,
        }
        running.stop().await;
        assert!(harness.script.calls("A_1").is_empty(), "{class:?}");
        assert_eq!(harness.script.calls("B_1").len(), usize::from(class == GatewayClass::K));
        harness.sound(batch).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_calls_off_what_was_never_sent_and_nothing_else() {
    let harness = ProcessorHarness::new(GatewayClass::Q, Script { lists: true, ..Script::default() }).await;
    let rows = [("B_1", "10.00"), ("A_1", "10.00"), ("B_2", "10.00"), ("A_2", "10.00"), ("B_3", "10.00")];
    let batch = harness.batch(&rows).await;
    harness.was_made(batch, "A_1").await;
    harness.was_made(batch, "A_2").await;
    past::restored(&harness.test.state).await.unwrap();
    let owner = harness.test.caller("owner@globex.test").await;
    batches::cancel(&harness.test.state, &owner, Operation::Refund, batch).await.unwrap();
    let running = harness.start();
    harness.until(batch, &ENDS).await;
    running.stop().await;
    for (order, _) in rows {
        let expected = if order.starts_with('A') { "SUCCEEDED" } else { "FAILED" };
        assert_eq!(harness.task(batch, order).await.state, expected, "{order}");
    }
    assert_eq!(harness.script.sends(), 0);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_uploaded_again_afterwards_is_known_by_its_key_or_looked_at_by_people() {
    for class in GatewayClass::ALL {
        let harness = ProcessorHarness::new(class, Script { lists: true, ..Script::default() }).await;
        past::restored(&harness.test.state).await.unwrap();
        // A_1 was sent under its unique id; A_2 had none, and so another key; B_1 is new; C_1 has a refund of another
        // amount.
        harness.script.books.lock().unwrap().make("UNIQUE1");
        let shows = [
            ("A_2", vec![listed("ELSEWHERE", "SUCCESS", 1_000)]),
            ("B_1", vec![listed("DECLINED", "FAILURE", 1_000)]),
            ("C_1", vec![listed("OTHER", "SUCCESS", 999)]),
        ];
        for (order, refunds) in shows {
            harness.script.shows.lock().unwrap().insert(order.to_owned(), Some(refunds));
        }
        let file = refunds(&[("A_1", "10.00"), ("A_2", "10.00"), ("B_1", "10.00"), ("C_1", "10.00")]);
        let batch = harness.test.upload("owner@globex.test", &with_unique_id(&file, 1, "UNIQUE1")).await;
        let running = harness.start();
        harness.until(batch, &ENDS).await;
        running.stop().await;
        for (order, state, sends) in
            [("A_1", "SUCCEEDED", 0), ("A_2", "REVIEW", 0), ("B_1", "SUCCEEDED", 1), ("C_1", "SUCCEEDED", 1)]
        {
            let task = harness.task(batch, order).await;
            assert_eq!((task.state.as_str(), harness.script.calls(order).len()), (state, sends), "{class:?} {task:?}");
        }
        harness.sound(batch).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_rows_of_an_older_batch_are_asked_about_however_late_they_are_sent_again() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script { lists: true, ..Script::default() }).await;
    let old = harness.batch(&[("A_1", "10.00")]).await;
    past::restored(&harness.test.state).await.unwrap();
    harness
        .sql(
            "UPDATE restore SET at = at - interval '31 days'; UPDATE batch
                 SET created_at = created_at - interval '32 days'",
        )
        .await;
    let sql = format!("SELECT count(*) FROM chunk WHERE batch_id = '{old}' AND asked_to IS NOT NULL");
    harness
        .sql(&format!(
            "SET app.organisation = '{}'; INSERT INTO chunk
                          SELECT organisation_id, batch_id, 1, revision, gateway_id, 2, 2, 2, 1, 1, 'DONE', 0, NULL,
                          NULL, 'infinity' FROM chunk WHERE batch_id = '{old}'",
            harness.organisation
        ))
        .await;
    assert_eq!(harness.number(&sql).await, 2, "of an older batch");
    let new = harness.batch(&[("B_1", "10.00")]).await;
    let sql = format!("SELECT count(*) FROM chunk WHERE batch_id = '{new}' AND asked_to IS NOT NULL");
    assert_eq!(harness.number(&sql).await, 0, "a month later nothing new is asked about");
}

/// A process that remembers the harness's database in a folder of its own: its own pools, and the part that compares.
async fn remembering(harness: &ProcessorHarness, folder: &std::path::Path) -> crate::server::state::AppState {
    let state = crate::tests::support::state(&harness.test.options).await;
    state.db.remember(folder).unwrap();
    state
}

async fn looks(db: &Db) -> Option<String> {
    db.look_back().await.unwrap().unwrap().behind
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_went_back_is_noticed_and_nothing_is_sent_until_it_was_said() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let folder = tempfile::tempdir().unwrap();
    let state = remembering(&harness, folder.path()).await;
    assert_eq!(past::begin(&state).await.unwrap(), None);
    let first = harness.batch(&[("A_1", "10.00")]).await;
    let running = harness.start_with(state.clone());
    harness.until(first, &["SUCCEEDED"]).await;
    assert_eq!(looks(&state.db).await, None);
    assert_eq!(harness.number("SELECT count(*) FROM mark").await, 1, "something was sent, so a mark was left");
    assert_eq!(looks(&state.db).await, None);
    state.db.keep_memory().unwrap();
    running.stop().await;
    state.db.close().await;

    // Each of them alone is enough: the mark, and the intent that was committed.
    let mark = "UPDATE mark SET token = gen_random_uuid()";
    let intent = "UPDATE attempt SET owner = gen_random_uuid()";
    for (lost, missing) in [(mark, "had seen in it"), (intent, "written down before it sent them")] {
        harness
            .sql("CREATE TABLE kept_mark AS SELECT * FROM mark; CREATE TABLE kept_attempt AS SELECT * FROM attempt")
            .await;
        harness.sql(lost).await;
        let again = remembering(&harness, folder.path()).await;
        let why = past::begin(&again).await.unwrap().unwrap();
        assert!(why.contains(missing), "{why}");
        again.db.close().await;
        harness
            .sql(
                "UPDATE mark m SET token = k.token FROM kept_mark k WHERE k.number = m.number; UPDATE attempt
                     SET owner = k.owner FROM kept_attempt k; DROP TABLE kept_mark, kept_attempt",
            )
            .await;
        let again = remembering(&harness, folder.path()).await;
        assert_eq!(past::begin(&again).await.unwrap(), None, "it is whole again");
        again.db.close().await;
    }

    harness.sql(mark).await;
    let second = harness.batch(&[("A_2", "10.00")]).await;
    let again = remembering(&harness, folder.path()).await;
    assert!(past::begin(&again).await.unwrap().is_some());
    let soft = CancellationToken::new();
    let memory = tokio::spawn(past::run(again.clone(), soft.clone()));
    let running = harness.start_with(again.clone());
    let stopped = "SELECT count(*) FROM organisation WHERE NOT sending AND stopped_reason LIKE '%batchdesk restored%'";
    while harness.number(stopped).await < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A process that remembers nothing, and people, are held by that.
    let other = harness.start();
    let owner = harness.test.caller("owner@globex.test").await;
    let refused = connections::resume_all(&harness.test.state, &owner).await.unwrap_err();
    assert!(refused.refusal.message.contains("batchdesk restored"), "{refused:?}");
    harness.sql("UPDATE chunk SET run_at = now()").await;
    let claims = harness.number("SELECT max(epoch) FROM chunk").await;
    for _ in 0..20 {
        harness.hurry().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(harness.script.calls("A_2").len(), 0);
    assert_eq!(harness.number("SELECT max(epoch) FROM chunk").await, claims);

    past::restored(&harness.test.state).await.unwrap();
    harness.until(second, &["SUCCEEDED"]).await;
    assert_eq!(harness.script.calls("A_2").len(), 1);
    running.stop().await;
    other.stop().await;
    soft.cancel();
    memory.await.unwrap();
    // What was forgotten is known to be: the next start has nothing to say.
    let last = remembering(&harness, folder.path()).await;
    assert_eq!(past::begin(&last).await.unwrap(), None);
    harness.sound(second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_took_over_is_compared_before_the_first_statement_on_a_new_connection() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let folder = tempfile::tempdir().unwrap();
    let state = remembering(&harness, folder.path()).await;
    assert_eq!(past::begin(&state).await.unwrap(), None);
    let batch = harness.batch(&[("A_1", "10.00")]).await;
    let running = harness.start_with(state.clone());
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    assert!(state.db.sending(harness.organisation).await.is_ok());
    // The intent is only in this process's memory and file, and no look comes in between.
    harness.sql("UPDATE attempt SET owner = gen_random_uuid()").await;
    harness
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
                 AND pid <> pg_backend_pid()",
        )
        .await;
    assert!(state.db.sending(harness.organisation).await.is_err());
    assert!(state.db.behind().is_some());
    assert!(state.db.worker(harness.organisation).await.is_ok(), "what sends nothing goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_in_another_cluster_is_noticed_without_any_memory() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let folder = tempfile::tempdir().unwrap();
    let state = remembering(&harness, folder.path()).await;
    assert_eq!(past::begin(&state).await.unwrap(), None);
    let system =
        "SELECT count(*) FROM installation WHERE system = (SELECT system_identifier::text FROM pg_control_system())";
    assert_eq!(harness.number(system).await, 1, "it knows where it is");
    harness.sql("UPDATE installation SET system = 'another'").await;
    let fresh = tempfile::tempdir().unwrap();
    let moved = remembering(&harness, fresh.path()).await;
    let why = past::begin(&moved).await.unwrap().unwrap();
    assert!(why.contains("another PostgreSQL server"), "{why}");
    past::restored(&harness.test.state).await.unwrap();
    assert_eq!(past::begin(&moved).await.unwrap(), None);
    assert_eq!(harness.number(system).await, 1);
    // A process that begins while one is under way waits for its end.
    harness.sql("UPDATE restore SET done_at = NULL").await;
    assert!(past::begin(&moved).await.unwrap().unwrap().contains("has not ended"));
}
