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

/// Which tasks match, in file order, as a condition on `row_no`: found in one pass over the batch, where the view would
/// look every row up in each table.
const fn numbers(operation: Operation) -> &'static str {
    match operation.work() {
        Work::Send(_) => "SELECT row_no FROM task_numbers($1, $2, $3, $4)",
        Work::Query => "SELECT row_no FROM sync_task_numbers($1, $2, $3, $4)",
        Work::Import => {
            "SELECT row_no FROM import_task WHERE organisation_id = $1 AND batch_id = $2
              AND ($3::text IS NULL OR status = $3) AND order_id ^@ $4 ORDER BY row_no"
        }
    }
}

/// A page of a batch's tasks, and how many match. `known` is how many there are where that is known already.
pub async fn tasks(
    tx: &mut Tx,
    operation: Operation,
    id: BatchId,
    query: &TaskQuery,
    known: Option<u64>,
) -> sqlx::Result<(Vec<TaskRow>, u64)> {
    let organisation = tx.organisation();
    let (size, skipped) = (i64::from(PAGE_SIZE), i64::from(query.page.saturating_sub(1)) * i64::from(PAGE_SIZE));
    // Records are numbered without gaps, so a page of all of them is a range.
    let all = query.status.is_none() && query.order.is_empty() && operation.work() != Work::Import;
    let (page, total) = match known.filter(|_| all) {
        Some(total) => {
            let first = i32::try_from(skipped).unwrap_or(i32::MAX);
            ((1..=PAGE_SIZE).map(|n| first.saturating_add_unsigned(n)).collect(), total)
        }
        None => {
            let matching = numbers(operation);
            let sql = format!(
                "WITH n AS MATERIALIZED ({matching})
                 SELECT ARRAY(SELECT row_no FROM n ORDER BY row_no LIMIT $5 OFFSET $6), (SELECT count(*) FROM n)"
            );
            let (page, total): (Vec<i32>, i64) = sqlx::query_as(AssertSqlSafe(sql))
                .bind(organisation.0)
                .bind(id.0)
                .bind(query.status.map(|status| status.code()))
                .bind(&query.order)
                .bind(size)
                .bind(skipped)
                .fetch_one(tx.conn())
                .await?;
            (page, u64::try_from(total).unwrap_or(0))
        }
    };
    // The bounds are what a batch that looks like one row to the planner is read by.
    let sql = format!("{} AND row_no BETWEEN $3 AND $4 AND row_no = ANY($5) ORDER BY row_no", select(operation));
    let (first, last) = (page.first().copied().unwrap_or(0), page.last().copied().unwrap_or(0));
    let found = sqlx::query(AssertSqlSafe(sql)).bind(organisation.0).bind(id.0).bind(first).bind(last).bind(page);
    Ok((found.try_map(task).fetch_all(tx.conn()).await?, total))
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

/// A reason why tasks failed, beside all of them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct FailureRow {
    /// Short code.
    pub code: Option<String>,
    /// Sentence without the ids of a row.
    pub message: Option<String>,
    /// Its tasks.
    pub tasks: i64,
    /// Their sum in minor units.
    pub amount_minor: i64,
    /// How many reasons there are.
    pub reasons: i64,
    /// Tasks of all of them.
    pub all_tasks: i64,
    /// The sum of all of them in minor units.
    pub all_minor: i64,
}

/// Why tasks failed, most tasks first, at most `limit`.
pub async fn failures(tx: &mut Tx, operation: Operation, id: BatchId, limit: i64) -> sqlx::Result<Vec<FailureRow>> {
    let organisation = tx.organisation();
    let reasons = match operation.work() {
        Work::Send(_) | Work::Query => "SELECT code, message, tasks, amount_minor FROM failure_reasons($1, $2)",
        Work::Import => {
            "SELECT code, message, count(*) AS tasks, sum(amount_minor)::bigint AS amount_minor FROM import_task
              WHERE organisation_id = $1 AND batch_id = $2 AND status = 'FAILED' GROUP BY 1, 2"
        }
    };
    let sql = format!(
        "SELECT code, message, tasks, amount_minor, count(*) OVER () AS reasons, sum(tasks) OVER ()::bigint AS all_tasks,
                sum(amount_minor) OVER ()::bigint AS all_minor
           FROM ({reasons}) f ORDER BY tasks DESC, code, message LIMIT $3"
    );
    let found = sqlx::query_as(AssertSqlSafe(sql)).bind(organisation.0).bind(id.0).bind(limit);
    found.fetch_all(tx.conn()).await
}
