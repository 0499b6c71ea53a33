//! How long files are kept, and whose are kept whatever their age.

use super::support::{TestState, refunds};
use crate::{
    domain::{error::RefusalKind, ids::BatchId, operation::Operation, page::TaskQuery},
    server::{
        db,
        ops::{batches, downloads, housekeeping, retention},
    },
};
use sqlx::ConnectOptions;
use time::Duration;

const OWNER: &str = "owner@globex.test";

impl TestState {
    /// A batch whose refunds have all ended.
    async fn ended(&self, order: &str) -> BatchId {
        let batch = self.upload(OWNER, &refunds(&[(order, "1.00")])).await;
        self.change(&format!(
            "UPDATE batch SET status = 'completed' WHERE id = '{batch}';
             UPDATE batch_progress SET queued = 0, queued_minor = 0, accepted = records, accepted_minor = amount_minor
              WHERE batch_id = '{batch}'"
        ))
        .await;
        batch
    }

    /// Changes what no role of ours can change.
    async fn change(&self, sql: &str) {
        self.as_superuser(&format!("SET session_replication_role = replica; {sql}")).await.unwrap();
    }

    async fn names(&self, sql: &str) -> Vec<String> {
        let mut admin = self.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut admin).await.unwrap()
    }

    async fn deleted(&self) -> Vec<String> {
        self.names("SELECT description FROM batch WHERE file_deleted_at IS NOT NULL ORDER BY 1").await
    }

    async fn audited(&self) -> Vec<String> {
        self.names("SELECT detail::text FROM audit WHERE action = 'files.deleted' ORDER BY id").await
    }
}

#[tokio::test]
async fn the_file_of_a_batch_is_kept_for_seven_years() {
    let test = TestState::new().await;
    let owner = test.caller(OWNER).await;
    let batch = test.ended("ORD_1").await;
    let original = async |batch| {
        let file = downloads::original(&test.state, &owner, Operation::Refund, batch).await;
        file.map(|_| ()).map_err(|error| error.refusal)
    };
    let page = async || {
        let query = TaskQuery::default();
        batches::detail(&test.state, &owner, Operation::Refund, batch, &query).await.unwrap().file_deleted
    };
    test.state.clock.advance(Duration::days(2_556));
    housekeeping::tidy_up(&test.state).await.unwrap();
    assert!(original(batch).await.is_ok() && page().await.is_none());
    // The same bytes again, in a batch that is young: they stay for its sake.
    let young = test.ended("ORD_1").await;
    let moved = "UPDATE batch b SET created_at = created_at + interval '2556 days', updated_at = updated_at + interval";
    test.change(&format!("{moved} '2556 days' WHERE id = '{young}'")).await;
    test.state.clock.advance(Duration::days(2));
    housekeeping::tidy_up(&test.state).await.unwrap();
    let refused = original(batch).await.unwrap_err();
    assert_eq!(refused.kind, RefusalKind::NotFound);
    let at = page().await.unwrap();
    assert_eq!(
        refused.message,
        format!("refunds.csv was deleted on {}, as old files are. What was read from it stays.", at.text)
    );
    assert!(original(young).await.is_ok());
    assert!(downloads::failed_rows(&test.state, &owner, Operation::Refund, batch).await.is_ok(), "its rows stay");
    test.state.clock.advance(Duration::days(2_556));
    housekeeping::tidy_up(&test.state).await.unwrap();
    assert_eq!(original(young).await.unwrap_err().kind, RefusalKind::NotFound);
    assert_eq!(test.as_superuser("SELECT FROM file").await.unwrap(), 0, "nothing names it any more");
    // Whoever sends the same bytes again makes no old batch whole.
    let again = test.upload(OWNER, &refunds(&[("ORD_1", "1.00")])).await;
    assert!(original(again).await.is_ok());
    assert_eq!(original(batch).await.unwrap_err().kind, RefusalKind::NotFound);
    let bytes = refunds(&[("ORD_1", "1.00")]).len();
    let audited = format!("{{\"batches\":1,\"bytes\":{bytes},\"kept_days\":2557}}");
    assert_eq!(test.audited().await, [audited.clone(), audited]);
}

#[tokio::test]
async fn the_file_of_an_import_is_kept_for_thirty_days() {
    let test = TestState::new().await;
    let (import, _) = (test.ended("ORD_1").await, test.ended("ORD_2").await);
    test.change(&format!(
        "UPDATE batch SET work = 'import', gateway_id = NULL, currency = NULL, description = 'import' WHERE id = '{import}'"
    ))
    .await;
    let organisation = test.caller(OWNER).await.organisation.id;
    for (days, deleted) in [(29, &[][..]), (2, &["import"])] {
        test.state.clock.advance(Duration::days(days));
        retention::run(&test.state, organisation).await.unwrap();
        assert_eq!(test.deleted().await, deleted);
    }
}

#[tokio::test]
async fn what_is_open_or_under_review_keeps_its_file() {
    let open = |state: &str| {
        format!(
            "INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, run_at, attempts,
               first_sent_at, last_sent_at)
             SELECT organisation_id, id, 1, 1, gateway_id, '{state}', 'infinity', 1, now(), now() FROM batch
              WHERE id = '{{batch}}'"
        )
    };
    let status = |status: &str| format!("UPDATE batch SET status = '{status}' WHERE id = '{{batch}}'");
    let late = "now() + interval '7 years'";
    let entry =
        "INSERT INTO review_entry (organisation_id, batch_id, row_no, revision, kind, order_id, gateway_key, ours,
                   ours_minor, fact)
                 SELECT organisation_id, id, 1, 1, 'status', 'ORD', 'KEY', 'SUCCEEDED', 100, 'fact' FROM batch
                  WHERE id = '{batch}'";
    let acknowledged = format!(
        "{entry}; INSERT INTO review_acknowledgement (organisation_id, entry_id, person_id, note)
           SELECT organisation_id, id, gen_random_uuid(), 'seen' FROM review_entry WHERE batch_id = '{{batch}}'"
    );
    let compared = |finished: &str| {
        format!(
            "INSERT INTO reconciliation (organisation_id, batch_id, gateway_id, cause, run_at, finished_at, result)
             SELECT organisation_id, id, gateway_id, 'NIGHT', 'infinity', {finished} FROM batch WHERE id = '{{batch}}'"
        )
    };
    let counted = |counter: &str| {
        let sum = if counter == "queued" { "accepted = 0," } else { "" };
        format!("UPDATE batch_progress SET {sum} {counter} = 1 WHERE batch_id = '{{batch}}'")
    };
    let kept = [
        status("validating"),
        status("awaiting_approval"),
        status("processing"),
        status("paused"),
        format!("{}; {}", status("cancelled"), counted("queued")),
        counted("pending"),
        open("RETRY"),
        open("SENDING"),
        open("UNKNOWN"),
        open("PENDING"),
        open("REVIEW"),
        entry.to_owned(),
        compared("NULL, NULL"),
        format!("UPDATE batch SET updated_at = {late} WHERE id = '{{batch}}'"),
        format!("UPDATE batch_progress SET updated_at = {late} WHERE batch_id = '{{batch}}'"),
    ];
    let over = [
        status("completed"),
        status("completed_with_failures"),
        status("cancelled"),
        format!("{}; {}", status("rejected"), counted("queued")),
        format!("{}; {}", status("withdrawn"), counted("queued")),
        format!("{}; {}", status("expired"), counted("queued")),
        status("invalid"),
        acknowledged,
        compared("now(), 'DONE'"),
    ];
    let test = TestState::new().await;
    for (number, state) in kept.iter().chain(&over).enumerate() {
        let batch = test.ended(&format!("ORD_{number}")).await.to_string();
        let kind = if number < kept.len() { "kept" } else { "over" };
        let name = format!("UPDATE batch SET description = '{kind} {number:02}' WHERE id = '{batch}'");
        test.change(&format!("{name}; {}", state.replace("{batch}", &batch))).await;
    }
    // Of somebody else, and over for as long.
    let other = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1.00")])).await;
    test.change(&format!("UPDATE batch SET status = 'withdrawn', description = 'other' WHERE id = '{other}'")).await;
    test.state.clock.advance(Duration::days(8 * 365));
    let organisation = test.caller(OWNER).await.organisation.id;
    retention::run(&test.state, organisation).await.unwrap();
    let expected: Vec<_> = (0..over.len()).map(|number| format!("over {:02}", kept.len() + number)).collect();
    assert_eq!(test.deleted().await, expected);
    housekeeping::tidy_up(&test.state).await.unwrap();
    let left = test.as_superuser("SELECT FROM file").await.unwrap();
    assert_eq!(left as usize, kept.len(), "their bytes, and those of no other");
}

#[tokio::test]
async fn old_files_are_looked_for_once_an_hour_by_one_process_in_steps() {
    let test = TestState::new().await;
    for order in ["ORD_1", "ORD_2", "ORD_3"] {
        test.ended(order).await;
    }
    let organisation = test.caller(OWNER).await.organisation.id;
    test.state.clock.advance(Duration::days(8 * 365));
    let (now, mut steps) = (test.state.clock.now(), Vec::new());
    for _ in 0..2 {
        let mut tx = test.state.db.worker(organisation).await.unwrap();
        steps.push(db::files::expire(&mut tx, &["send"], now, now, 1).await.unwrap().0);
        tx.commit().await.unwrap();
    }
    assert_eq!(steps, [1, 1]);
    let run = || retention::run(&test.state, organisation);
    let (one, other) = tokio::join!(run(), run());
    one.and(other).unwrap();
    assert_eq!(test.audited().await.len(), 1, "one of two at once");
    test.ended("ORD_4").await;
    test.state.clock.advance(Duration::minutes(59));
    run().await.unwrap();
    assert_eq!(test.as_superuser("SELECT FROM batch WHERE file_deleted_at IS NULL").await.unwrap(), 1);
    test.state.clock.advance(Duration::minutes(2));
    run().await.unwrap();
    assert_eq!(test.as_superuser("SELECT FROM batch WHERE file_deleted_at IS NULL").await.unwrap(), 0);
    assert_eq!(test.audited().await.len(), 2);
}
