//! What a row holds that this program does not know is an error that names its place. Guessed, it would be shown,
//! exported or sent again as something else.

use super::support::{TestState, refunds};
use crate::{
    domain::{error::RefusalKind, ids::BatchId, operation::Operation},
    server::{
        error::OpError,
        ops::{access::Caller, approvals, batches, downloads, history},
        state::AppState,
    },
};
use futures::TryStreamExt;

/// Takes every rule about values off a table.
fn without_rules(table: &str) -> String {
    format!(
        "DO $do$ DECLARE c record; BEGIN
           FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass
             AND contype IN ('c', 'f') LOOP
             EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', c.conname);
           END LOOP; END $do$"
    )
}

/// The refusal is ours and says nothing; the log is told table, column and row.
fn names<T: std::fmt::Debug>(answer: Result<T, OpError>, place: &[&str]) {
    let error = answer.unwrap_err();
    assert_eq!(error.refusal.kind, RefusalKind::Internal);
    let context = error.context.unwrap_or_default();
    assert!(place.iter().all(|part| context.contains(part)), "{place:?} in {context}");
    assert!(place.iter().all(|part| !error.refusal.message.contains(part)), "{}", error.refusal.message);
}

async fn page(state: &AppState, caller: &Caller, batch: BatchId) -> Result<(), OpError> {
    batches::detail(state, caller, Operation::Refund, batch, &Default::default()).await.map(drop)
}

/// The failed rows as a file; an error while they are sent cuts the file off.
async fn failed_rows(state: &AppState, caller: &Caller, batch: BatchId) -> Result<String, String> {
    let download = downloads::failed_rows(state, caller, Operation::Refund, batch).await.map_err(|e| e.to_string())?;
    let parts: Vec<_> = download.body.try_collect().await.map_err(|error: std::io::Error| error.to_string())?;
    Ok(parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect())
}

#[tokio::test]
async fn an_unknown_code_of_a_batch_is_no_other_batch() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let caller = test.caller("owner@acme.test").await;
    let (state, id) = (&test.state, batch.to_string());
    test.as_superuser(&without_rules("batch")).await.unwrap();
    for (column, code, good) in [("operation", "refunds_of_a_kind", "refund"), ("currency", "XQX", "INR")] {
        let set = |code: &str| format!("SET session_replication_role = replica; UPDATE batch SET {column} = '{code}'");
        test.as_superuser(&set(code)).await.unwrap();
        let place = ["batch", column, code, id.as_str()];
        names(batches::snapshot(state, &caller, batch).await, &place);
        if column == "operation" {
            names(batches::locate(state, &caller, batch, crate::domain::access::Right::Read).await, &place);
        } else {
            names(approvals::inbox(state, &caller).await, &place);
            names(batches::list(state, &caller, Operation::Refund, &Default::default()).await.map(drop), &place);
            names(crate::server::ops::search::search(state, &caller, "refunds").await.map(drop), &place);
        }
        test.as_superuser(&set(good)).await.unwrap();
        assert!(batches::snapshot(state, &caller, batch).await.is_ok());
    }
}

#[tokio::test]
async fn an_unknown_state_of_a_task_is_not_shown_as_another() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1"), ("ORD_2", "2")])).await;
    let caller = test.caller("owner@acme.test").await;
    let (state, id) = (&test.state, batch.to_string());
    test.as_superuser(&without_rules("open_task")).await.unwrap();
    let insert = "SET session_replication_role = replica;
        INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, run_at, attempts,
          first_sent_at, last_sent_at)
        SELECT r.organisation_id, r.batch_id, r.row_no, 1, b.gateway_id, 'HELD_UP', now(), 1, now(), now()
          FROM record r JOIN batch b ON b.id = r.batch_id WHERE r.row_no = 2";
    test.as_superuser(insert).await.unwrap();
    let row = format!("{id} 2");
    let place = ["task", "state", "HELD_UP", row.as_str()];
    names(page(state, &caller, batch).await, &place);
    names(history::task(state, &caller, Operation::Refund, batch, 2).await.map(drop), &place);
}

#[tokio::test]
async fn what_a_record_has_beside_its_columns_is_never_taken_for_nothing() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let caller = test.caller("owner@acme.test").await;
    let (state, id) = (&test.state, batch.to_string());
    let break_it = "SET session_replication_role = replica; UPDATE record SET extra = '{\"split\": 7}'";
    test.as_superuser(break_it).await.unwrap();
    let row = format!("{id} 1");
    names(page(state, &caller, batch).await, &["extra", row.as_str()]);
    names(approvals::detail(state, &caller, batch).await.map(drop), &["extra", row.as_str()]);
    // In the file of failed rows a split settlement would be one without its parts.
    let failed = "SET session_replication_role = replica;
        INSERT INTO outcome (organisation_id, batch_id, row_no, revision, succeeded, attempts)
          SELECT organisation_id, batch_id, row_no, 1, false, 1 FROM record";
    test.as_superuser(failed).await.unwrap();
    let file = failed_rows(state, &caller, batch).await;
    assert!(file.is_err(), "{file:?}");
}
