//! The tasks of a batch as its page and its exports show them.

use super::{Tx, codes};
use crate::domain::{
    ids::BatchId,
    operation::{Operation, Work},
    page::{PAGE_SIZE, TaskQuery},
    task::{RecordExtra, TaskState},
};
use sqlx::{AssertSqlSafe, postgres::PgRow};
use time::OffsetDateTime;

/// A task of a batch's table or export.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TaskRow {
    /// S.No.
    pub row_no: i32,
    /// Row of the spreadsheet.
    pub sheet_row: i32,
    /// Order.
    pub order_id: String,
    /// Transaction.
    pub txn_id: Option<String>,
    /// Minor units.
    pub amount_minor: i64,
    /// The state of the money protocol.
    #[sqlx(try_from = "codes::Code<TaskState>")]
    pub state: TaskState,
    /// The gateway's word; of an order sync, what became of asking it.
    pub gateway_status: Option<String>,
    /// STANDARD, INSTANT.
    pub gateway_kind: Option<String>,
    /// As uploaded.
    pub unique_id: Option<String>,
    /// The key at the gateway.
    pub gateway_key: String,
    /// The gateway's reference.
    pub gw_ref: Option<String>,
    /// Short code of the last reply.
    pub code: Option<String>,
    /// Sentence of the last reply.
    pub message: Option<String>,
    /// What it has beside its columns.
    #[sqlx(try_from = "codes::Code<Option<RecordExtra>>")]
    pub extra: Option<RecordExtra>,
    /// When it changed last; none while nothing happened to it.
    pub updated_at: Option<OffsetDateTime>,
    /// Order sync: what the external system answered.
    pub response: Option<String>,
}

/// Where the tasks of an operation stand, in the same columns for each kind of work.
const fn view(operation: Operation) -> &'static str {
    match operation.work() {
        Work::Send(_) => "task",
        Work::Query => "sync_task",
        Work::Import => "import_task",
    }
}

fn select(operation: Operation) -> String {
    format!(
        "SELECT batch_id, row_no, sheet_row, order_id, txn_id, amount_minor, state, gateway_status, gateway_kind,
         unique_id, gateway_key, gw_ref,
                code, message, extra, updated_at, response
           FROM {} WHERE organisation_id = $1 AND batch_id = $2 ",
        view(operation)
    )
}

fn task(row: PgRow) -> sqlx::Result<TaskRow> {
    codes::row("task", &["batch_id", "row_no"], &row)
}

/// A page of a batch's tasks.
pub async fn tasks(tx: &mut Tx, operation: Operation, id: BatchId, query: &TaskQuery) -> sqlx::Result<Vec<TaskRow>> {
    let organisation = tx.organisation();
    let sql = format!(
        "{} AND ($3::text IS NULL OR status = $3) AND order_id ^@ $4 ORDER BY row_no LIMIT $5 OFFSET $6",
        select(operation)
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(id.0)
        .bind(query.status.map(|status| status.code()))
        .bind(&query.order)
        .bind(i64::from(PAGE_SIZE))
        .bind(i64::from(query.page.saturating_sub(1)) * i64::from(PAGE_SIZE))
        .try_map(task)
        .fetch_all(tx.conn())
        .await
}

/// How many tasks of a batch match.
pub async fn count_tasks(tx: &mut Tx, operation: Operation, id: BatchId, query: &TaskQuery) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (i64,)>(AssertSqlSafe(format!(
        "SELECT count(*) FROM {} WHERE organisation_id = $1 AND batch_id = $2 AND ($3::text IS NULL OR status = $3)
         AND order_id ^@ $4",
        view(operation)
    )))
    .bind(organisation.0)
    .bind(id.0)
    .bind(query.status.map(|status| status.code()))
    .bind(&query.order)
    .fetch_one(tx.conn())
    .await
    .map(|(n,)| u64::try_from(n).unwrap_or(0))
}

/// The next tasks in file order after `after` (an S.No), for exports.
pub async fn tasks_after(
    tx: &mut Tx,
    operation: Operation,
    id: BatchId,
    after: i32,
    limit: i64,
    failed_only: bool,
) -> sqlx::Result<Vec<TaskRow>> {
    let organisation = tx.organisation();
    let sql =
        format!("{} AND row_no > $3 AND (NOT $5 OR status = 'FAILED') ORDER BY row_no LIMIT $4", select(operation));
    sqlx::query(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(id.0)
        .bind(after)
        .bind(limit)
        .bind(failed_only)
        .try_map(task)
        .fetch_all(tx.conn())
        .await
}

/// One letter a record in file order: `A`, `F`, `Q`.
pub async fn row_map(tx: &mut Tx, operation: Operation, id: BatchId) -> sqlx::Result<String> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (Option<String>,)>(AssertSqlSafe(format!(
        "SELECT string_agg(left(status, 1), '' ORDER BY row_no) FROM {} WHERE organisation_id = $1 AND batch_id = $2",
        view(operation)
    )))
    .bind(organisation.0)
    .bind(id.0)
    .fetch_one(tx.conn())
    .await
    .map(|(map,)| map.unwrap_or_default())
}

/// Why tasks failed: code, sentence, tasks, minor units; largest first, at most ten.
pub async fn failures(
    tx: &mut Tx,
    operation: Operation,
    id: BatchId,
) -> sqlx::Result<Vec<(Option<String>, Option<String>, i64, i64)>> {
    let organisation = tx.organisation();
    sqlx::query_as(AssertSqlSafe(format!(
        "SELECT code, message, count(*), sum(amount_minor)::bigint FROM {}
          WHERE organisation_id = $1 AND batch_id = $2 AND status = 'FAILED' GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 10",
        view(operation)
    )))
    .bind(organisation.0)
    .bind(id.0)
    .fetch_all(tx.conn())
    .await
}
