//! The money protocol on a real PostgreSQL, against a scripted gateway that knows what really happened.

mod agreement;
mod balances;
mod guards;
mod home;
mod limits;
mod matrix;
mod notices;
mod plans;
mod protocol;
mod reconciled;
mod restored;
mod retries;
mod reviewed;
pub(super) mod script;

use super::support::{TestState, refunds};
use crate::{
    domain::{
        ids::{BatchId, GatewayId, OrganisationId},
        operation::Effect,
    },
    server::{db, gateway::GatewayClass, processor, state::AppState},
};
use script::{Give, Script};
use sqlx::ConnectOptions;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A test state with a processor's view: its organisation works without maker-checker.
struct ProcessorHarness {
    test: TestState,
    script: Arc<Script>,
    organisation: OrganisationId,
    gateway: GatewayId,
}

/// A processor that runs.
struct Running {
    soft: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.soft.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap();
    }
}

/// A task as the view shows it.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Seen {
    order_id: String,
    state: String,
    status: String,
    message: Option<String>,
    attempts: Option<i16>,
    gateway_status: Option<String>,
}

impl ProcessorHarness {
    async fn new(class: GatewayClass, script: Script) -> Self {
        let test = TestState::new().await;
        let organisation = test.caller("owner@globex.test").await.organisation.id;
        let class = class.code();
        test.as_superuser(&format!("UPDATE gateway_promise SET class = '{class}', key_window = '24 hours'"))
            .await
            .unwrap();
        let mut tx = test.state.db.worker(organisation).await.unwrap();
        let gateway = db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id;
        Self { test, script: Arc::new(script), organisation, gateway: GatewayId(gateway) }
    }

    async fn batch(&self, rows: &[(&str, &str)]) -> BatchId {
        self.test.upload("owner@globex.test", &refunds(rows)).await
    }

    fn start(&self) -> Running {
        self.start_with(self.test.state.clone())
    }

    fn start_with(&self, state: AppState) -> Running {
        let soft = CancellationToken::new();
        let give = Arc::new(Give(self.script.clone()));
        let task = tokio::spawn(processor::run(state, give, soft.clone(), CancellationToken::new()));
        Running { soft, task }
    }

    async fn sql(&self, sql: &str) {
        self.test.as_superuser(sql).await.unwrap();
    }

    /// The texts that a query answers.
    async fn texts(&self, sql: &str) -> Vec<String> {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut admin).await.unwrap()
    }

    /// The key of an order's only row.
    async fn key(&self, batch: BatchId, order: &str) -> String {
        let sql = format!("SELECT gateway_key FROM record WHERE batch_id = '{batch}' AND order_id = '{order}'");
        self.texts(&sql).await.remove(0)
    }

    async fn number(&self, sql: &str) -> i64 {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut admin).await.unwrap()
    }

    async fn tasks(&self, batch: BatchId) -> Vec<Seen> {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_as(
            "SELECT order_id, state, status, message, attempts, gateway_status FROM task WHERE batch_id = $1
                        ORDER BY row_no",
        )
        .bind(batch.0)
        .fetch_all(&mut admin)
        .await
        .unwrap()
    }

    async fn task(&self, batch: BatchId, order: &str) -> Seen {
        self.tasks(batch).await.into_iter().find(|task| task.order_id == order).unwrap()
    }

    /// Makes everything that waits due now: tests do not sit out back-offs.
    async fn hurry(&self) {
        self.sql(
            "UPDATE open_task SET run_at = now() WHERE state <> 'REVIEW' AND owner IS NULL
                  OR state IN ('UNKNOWN', 'RETRY') AND run_at > now() + interval '25 s'",
        )
        .await;
        self.sql("UPDATE chunk SET run_at = now() WHERE state = 'WAITING'").await;
    }

    /// Waits until every task of the batch is in one of `states`.
    async fn until(&self, batch: BatchId, states: &[&str]) {
        let mut last = Vec::new();
        for round in 0..2_400 {
            last = self.tasks(batch).await;
            if last.iter().all(|task| states.contains(&task.state.as_str())) {
                self.same_numbers(batch).await;
                return;
            }
            if round % 5 == 4 {
                self.hurry().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not all in {states:?}: {last:#?}");
    }

    /// Waits until one task stands so.
    async fn ends(&self, batch: BatchId, order: &str, state: &str) {
        for round in 0..2_400 {
            if self.task(batch, order).await.state == state {
                return;
            }
            if round % 5 == 4 {
                self.hurry().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{order} is not {state}: {:#?}", self.task(batch, order).await);
    }

    /// What is read of a whole batch at once agrees with what is read of each of its tasks.
    async fn same_numbers(&self, batch: BatchId) {
        let differences = format!(
            "WITH b AS (SELECT organisation_id AS org, id FROM batch WHERE id = '{batch}'),
                  s (status) AS (VALUES (NULL), ('QUEUED'), ('ACCEPTED'), ('FAILED')),
                  p (start) AS (VALUES (''), ('D'), ('PLAIN_')),
                  n AS (SELECT s.status, p.start, n.row_no FROM b, s, p, task_numbers(b.org, b.id, s.status, p.start) n),
                  t AS (SELECT s.status, p.start, t.row_no FROM s, p, task t
                         WHERE t.batch_id = '{batch}' AND (s.status IS NULL OR t.status = s.status)
                           AND t.order_id ^@ p.start),
                  r AS (SELECT sum(r.tasks) AS tasks, sum(r.amount_minor) AS minor
                          FROM b, failure_reasons(b.org, b.id) r),
                  f AS (SELECT nullif(count(*), 0) AS tasks, sum(t.amount_minor) AS minor FROM task t
                         WHERE t.batch_id = '{batch}' AND t.status = 'FAILED')
             SELECT (SELECT count(*) FROM (TABLE n EXCEPT ALL TABLE t) d)
                  + (SELECT count(*) FROM (TABLE t EXCEPT ALL TABLE n) d)
                  + (SELECT count(*) FROM (TABLE r EXCEPT TABLE f) d)"
        );
        assert_eq!(self.number(&differences).await, 0, "{:#?}", self.tasks(batch).await);
    }

    /// Counters, facts and balances against each other, and the gateway's own books.
    async fn sound(&self, batch: BatchId) {
        let mut tx = self.test.state.db.worker(self.organisation).await.unwrap();
        assert_eq!(db::tasks::checks::check_batch(&mut tx, batch.0).await.unwrap(), Vec::<String>::new());
        assert_eq!(db::tasks::checks::check_balances(&mut tx, None).await.unwrap(), Vec::<String>::new());
        assert!(self.script.most_effects() <= 1, "money moved twice for one key");
        assert_eq!(
            self.number("SELECT count(*) FROM organisation WHERE NOT sending").await,
            0,
            "an assertion was violated"
        );
        self.same_numbers(batch).await;
    }

    async fn status(&self, batch: BatchId) -> String {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_scalar("SELECT status FROM batch WHERE id = $1").bind(batch.0).fetch_one(&mut admin).await.unwrap()
    }

    fn worker(&self) -> Uuid {
        Uuid::now_v7()
    }
}
