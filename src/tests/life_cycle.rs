//! The life cycle of a batch: every pair of status and event, through the statements that production runs. It is the
//! database that keeps it; what a page offers and what a function refuses beforehand only follow.

use super::support::{TestState, refunds};
use crate::{
    domain::{batch::BatchStatus as S, ids::BatchId},
    server::db::{
        self, Tx,
        batches::{Control, NewRecord, NewRecords},
    },
};
use sqlx::ConnectOptions;

/// What is asked of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Submit {
        needs_decision: bool,
    },
    Approve,
    Reject,
    Withdraw,
    Expire,
    Pause,
    Resume,
    Cancel,
    /// Nothing is queued any more.
    Finish {
        failures: bool,
    },
    /// Failed rows are sent again.
    Retry {
        needs_decision: bool,
    },
    /// Failed rows that were to be sent again are not: refused, taken back, nobody decided in time.
    RejectRetry,
    WithdrawRetry,
    ExpireRetry,
}

use Event as E;

const EVENTS: [Event; 16] = [
    E::Submit { needs_decision: true },
    E::Submit { needs_decision: false },
    E::Approve,
    E::Reject,
    E::Withdraw,
    E::Expire,
    E::Pause,
    E::Resume,
    E::Cancel,
    E::Finish { failures: false },
    E::Finish { failures: true },
    E::Retry { needs_decision: true },
    E::Retry { needs_decision: false },
    E::RejectRetry,
    E::WithdrawRetry,
    E::ExpireRetry,
];

/// One line a status, one place an event in the order above; `-` is refused or does nothing.
const TABLE: [(S, &str); 11] = [
    (S::Validating, "awaiting_approval processing - - - - - - - - - - - - - -"),
    (S::Invalid, "- - - - - - - - - - - - - - - -"),
    (
        S::AwaitingApproval,
        "- - processing rejected withdrawn expired - - - - - - - completed_with_failures completed_with_failures \
         completed_with_failures",
    ),
    (S::Rejected, "- - - - - - - - - - - - - - - -"),
    (S::Withdrawn, "- - - - - - - - - - - - - - - -"),
    (S::Expired, "- - - - - - - - - - - - - - - -"),
    (S::Processing, "- - - - - - paused - cancelled completed completed_with_failures - - - - -"),
    (S::Paused, "- - - - - - - processing cancelled completed completed_with_failures - - - - -"),
    (S::Completed, "- - - - - - - - - - completed_with_failures - - - - -"),
    (S::CompletedWithFailures, "- - - - - - - - - completed - awaiting_approval processing - - -"),
    (S::Cancelled, "- - - - - - - - - - - - - - - -"),
];

const MAKER: &str = "maker@acme.test";

/// A batch of one row, whose status is set to whatever is to be tried.
struct Case<'a> {
    test: &'a TestState,
    batch: BatchId,
}

impl<'a> Case<'a> {
    async fn new(test: &'a TestState, order: &str) -> Self {
        test.as_superuser("UPDATE approval_rule SET needed = true").await.unwrap();
        let batch = test.upload(MAKER, &refunds(&[(order, "10.00")])).await;
        Self { test, batch }
    }

    /// Past the guards: what stands in the database is only what the test needs. `$B` is the batch.
    async fn set(&self, statements: &str) {
        let sql = format!("SET session_replication_role = replica; {statements}");
        self.test.as_superuser(&sql.replace("$B", &format!("'{}'", self.batch))).await.unwrap();
    }

    async fn read<T>(&self, column: &str) -> T
    where
        for<'r> T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let organisation = self.test.caller(MAKER).await.organisation.id.to_string();
        let session = [("search_path", "batchdesk"), ("app.organisation", organisation.as_str())];
        let mut admin = self.test.options.clone().options(session).connect().await.unwrap();
        let sql = format!("SELECT {column} FROM batch b WHERE b.id = $1");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(self.batch.0).fetch_one(&mut admin).await.unwrap()
    }

    async fn tx(&self, email: &str) -> Tx {
        let caller = self.test.caller(email).await;
        self.test.state.db.web(caller.organisation.id, Some(caller.person.id)).await.unwrap()
    }

    /// What must be there for the event to be possible where it is: the rule, a row that failed, a retry that waits.
    async fn prepare(&self, event: Event) {
        if let E::Submit { needs_decision } | E::Retry { needs_decision } = event {
            self.set(&format!("UPDATE approval_rule SET needed = {needs_decision}")).await;
        }
        if matches!(event, E::Retry { .. } | E::RejectRetry | E::WithdrawRetry | E::ExpireRetry) {
            self.set(
                "INSERT INTO outcome (organisation_id, batch_id, row_no, revision, succeeded, attempts)
                 SELECT organisation_id, batch_id, row_no, 1, false, 1 FROM record WHERE batch_id = $B;
                 UPDATE batch_progress SET queued = 0, queued_minor = 0, failed = records, failed_minor = amount_minor
                   WHERE batch_id = $B;
                 UPDATE chunk SET state = 'DONE', remaining = 0 WHERE batch_id = $B;
                 UPDATE batch SET status = 'completed_with_failures' WHERE id = $B",
            )
            .await;
        }
        if matches!(event, E::RejectRetry | E::WithdrawRetry | E::ExpireRetry) {
            self.retry().await.unwrap();
        }
    }

    /// Past every guard into the status.
    async fn stand(&self, status: S, event: Event) {
        if status == S::Validating && matches!(event, E::Submit { .. }) {
            // A file that was read in and not sealed: nothing hangs on it yet.
            self.set(
                "DELETE FROM chunk WHERE batch_id = $B; DELETE FROM batch_progress WHERE batch_id = $B;
                 DELETE FROM batch_revision WHERE batch_id = $B",
            )
            .await;
        }
        let past = matches!(event, E::Expire | E::ExpireRetry);
        let expires = if past { "now() - interval '1 second'" } else { "expires_at" };
        self.set(&format!("UPDATE batch SET status = '{}', expires_at = {expires} WHERE id = $B", status.code())).await;
    }

    async fn happen(&self, event: Event) -> sqlx::Result<()> {
        let batch = self.batch;
        match event {
            E::Submit { .. } => {
                let hash: Vec<u8> = self.read("content_sha256(b.id, b.revision)").await;
                let mut tx = self.tx(MAKER).await;
                db::batches::submit(&mut tx, batch, &hash, 7).await?;
                tx.commit().await
            }
            E::Approve | E::Reject | E::RejectRetry => {
                let hash: Vec<u8> = self.read("content_sha256(b.id, b.revision)").await;
                let mut tx = self.tx("checker@acme.test").await;
                db::approvals::decide(&mut tx, batch, event == E::Approve, &hash, Some("because")).await?;
                tx.commit().await
            }
            E::Withdraw | E::WithdrawRetry => {
                let mut tx = self.tx(MAKER).await;
                db::batches::withdraw(&mut tx, batch).await?;
                tx.commit().await
            }
            E::Expire | E::ExpireRetry => {
                let organisation = self.test.caller(MAKER).await.organisation.id;
                let mut tx = self.test.state.db.worker(organisation).await?;
                db::tasks::expire_due(&mut tx).await?;
                tx.commit().await
            }
            E::Pause => self.control(Control::Pause).await,
            E::Resume => self.control(Control::Resume).await,
            E::Cancel => self.control(Control::Cancel).await,
            // The counters' own trigger; who moves them is the settling of replies.
            E::Finish { failures } => {
                let (accepted, failed) = if failures { (0, 1) } else { (1, 0) };
                let organisation = self.test.caller(MAKER).await.organisation.id;
                let sql = format!(
                    "SET app.organisation = '{organisation}';
                     UPDATE batch_progress SET queued = 0, queued_minor = 0, accepted = {accepted},
                       accepted_minor = {accepted} * amount_minor,
                            failed = {failed}, failed_minor = {failed} * amount_minor WHERE batch_id = '{batch}'"
                );
                self.test.as_superuser(&sql).await.map(drop)
            }
            E::Retry { .. } => self.retry().await,
        }
    }

    async fn control(&self, control: Control) -> sqlx::Result<()> {
        let mut tx = self.tx(MAKER).await;
        db::batches::control(&mut tx, self.batch, control).await?;
        tx.commit().await
    }

    async fn retry(&self) -> sqlx::Result<()> {
        let mut tx = self.tx(MAKER).await;
        db::retries::open_revision(&mut tx, self.batch, 1, &again()).await?;
        tx.commit().await
    }
}

/// The only row, under a new key.
fn again() -> NewRecords {
    let mut records = NewRecords::default();
    records.push(NewRecord {
        number: 1,
        sheet_row: 2,
        order_id: "ORD_1".to_owned(),
        amount_minor: 1_000,
        key: "another_key".to_owned(),
        unique_id: None,
        txn_id: None,
        hash: vec![7; 32],
        extra: Default::default(),
    });
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_of_status_and_event_ends_as_the_table_says() {
    assert_eq!(TABLE.map(|(status, _)| status), S::ALL);
    let test = TestState::new().await;
    let (mut wrong, mut order) = (Vec::new(), 0_u32..);
    for (status, line) in TABLE {
        let expected: Vec<&str> = line.split(' ').collect();
        assert_eq!(expected.len(), EVENTS.len());
        for (event, expected) in EVENTS.into_iter().zip(expected) {
            let case = Case::new(&test, &format!("ORD_{}", order.next().unwrap())).await;
            case.prepare(event).await;
            case.stand(status, event).await;
            let happened = case.happen(event).await;
            let db::codes::Code::<S>(now) = case.read("b.status").await;
            let told = if now == status { "-" } else { now.code() };
            // What is refused is refused by a guard, and not because the test cannot ask.
            let asked = happened.as_ref().err().is_none_or(|error| db::guard_code(error).is_some());
            if told != expected || !asked {
                wrong.push(format!("{status:?} {event:?}: {told}, not {expected}: {happened:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
