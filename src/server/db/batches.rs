//! Batches: lists, pages, and what people do with them. The statements of the money protocol are in `tasks`.

use super::Tx;
use crate::domain::{
    batch::{BatchStatus, Operation},
    ids::{BatchId, GatewayId},
    money::Currency,
    page::{BatchQuery, BatchSort, PAGE_SIZE, TaskQuery},
};
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// A batch with its counters.
#[derive(Clone, Debug)]
pub struct BatchRow {
    /// Which.
    pub id: BatchId,
    /// What it does.
    pub operation: Operation,
    /// Name of the file.
    pub file_name: String,
    /// Where it stands.
    pub status: BatchStatus,
    /// Sum, minor units.
    pub amount_minor: i64,
    /// Currency of all amounts.
    pub currency: Currency,
    /// Date Created.
    pub created_at: OffsetDateTime,
    /// Last Modified.
    pub modified_at: OffsetDateTime,
    /// Data rows.
    pub records: i32,
    /// Counters: tasks and minor units.
    pub queued: (i32, i64),
    /// The gateway took them.
    pub accepted: (i32, i64),
    /// Definitely not done.
    pub failed: (i32, i64),
    /// Part of accepted: not final at the gateway.
    pub pending: i32,
    /// Part of queued: the gateway is asked.
    pub checking: i64,
    /// Part of queued: people must look.
    pub review: i64,
    /// Who submitted.
    pub maker: Uuid,
    /// E-mail of the maker.
    pub maker_email: String,
    /// What the maker wrote.
    pub description: String,
    /// Name of the template.
    pub template: String,
    /// What else is approved with it, canonical text.
    pub options: String,
    /// Hash of the file.
    pub file_sha256: Vec<u8>,
    /// Bytes of the file.
    pub file_bytes: i64,
    /// Hash of what a decision is about.
    pub content_sha256: Vec<u8>,
    /// Which connection it is sent to.
    pub gateway: GatewayId,
    /// When it expires, while it waits.
    pub expires_at: Option<OffsetDateTime>,
    /// When "Sync with Gateway" was pressed last.
    pub last_synced_at: Option<OffsetDateTime>,
    /// APPROVE, REJECT or NOT_REQUIRED.
    pub verdict: Option<String>,
    /// E-mail of the checker.
    pub checker_email: Option<String>,
    /// When it was decided.
    pub decided_at: Option<OffsetDateTime>,
    /// What the checker wrote.
    pub reason: Option<String>,
}

const SELECT: &str = "
SELECT b.id, b.operation, b.file_name, b.status, b.amount_minor, b.currency, b.created_at, greatest(b.updated_at, p.updated_at) AS modified_at,
       b.records, p.queued, p.queued_minor, p.accepted, p.accepted_minor, p.failed, p.failed_minor, p.pending,
       o.checking, o.review, b.maker, coalesce(m.email, 'API key') AS maker_email, b.description, b.template, b.options, b.file_sha256, b.file_bytes,
       v.content_sha256, b.gateway_id, b.expires_at, b.last_synced_at, d.verdict, c.email AS checker_email, d.at AS decided_at, d.reason
  FROM batch b
  JOIN batch_progress p ON p.organisation_id = b.organisation_id AND p.batch_id = b.id
  JOIN batch_revision v ON v.organisation_id = b.organisation_id AND v.batch_id = b.id AND v.revision = b.revision
  LEFT JOIN person m ON m.id = b.maker
  LEFT JOIN decision d ON d.organisation_id = b.organisation_id AND d.batch_id = b.id AND d.revision = b.revision
  LEFT JOIN person c ON c.id = d.checker
  CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE t.state IN ('UNKNOWN', 'SENDING')) AS checking, count(*) FILTER (WHERE t.state = 'REVIEW') AS review
                        FROM open_task t WHERE t.organisation_id = b.organisation_id AND t.batch_id = b.id) o
 WHERE b.organisation_id = $1 ";

fn decode(text: &str, what: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{what} {text:?} is not known").into())
}

fn batch(row: &PgRow) -> sqlx::Result<BatchRow> {
    let operation: String = row.try_get("operation")?;
    let status: String = row.try_get("status")?;
    let currency: String = row.try_get("currency")?;
    Ok(BatchRow {
        id: BatchId(row.try_get("id")?),
        operation: Operation::from_code(&operation).ok_or_else(|| decode(&operation, "operation"))?,
        file_name: row.try_get("file_name")?,
        status: BatchStatus::from_code(&status).ok_or_else(|| decode(&status, "status"))?,
        amount_minor: row.try_get("amount_minor")?,
        currency: currency.parse().map_err(|_| decode(&currency, "currency"))?,
        created_at: row.try_get("created_at")?,
        modified_at: row.try_get("modified_at")?,
        records: row.try_get("records")?,
        queued: (row.try_get("queued")?, row.try_get("queued_minor")?),
        accepted: (row.try_get("accepted")?, row.try_get("accepted_minor")?),
        failed: (row.try_get("failed")?, row.try_get("failed_minor")?),
        pending: row.try_get("pending")?,
        checking: row.try_get("checking")?,
        review: row.try_get("review")?,
        maker: row.try_get("maker")?,
        maker_email: row.try_get("maker_email")?,
        description: row.try_get("description")?,
        template: row.try_get("template")?,
        options: row.try_get("options")?,
        file_sha256: row.try_get("file_sha256")?,
        file_bytes: row.try_get("file_bytes")?,
        content_sha256: row.try_get("content_sha256")?,
        gateway: GatewayId(row.try_get("gateway_id")?),
        expires_at: row.try_get("expires_at")?,
        last_synced_at: row.try_get("last_synced_at")?,
        verdict: row.try_get("verdict")?,
        checker_email: row.try_get("checker_email")?,
        decided_at: row.try_get("decided_at")?,
        reason: row.try_get("reason")?,
    })
}

/// One batch; none when there is no such batch in this organisation.
pub async fn load(tx: &mut Tx, id: BatchId) -> sqlx::Result<Option<BatchRow>> {
    let organisation = tx.organisation();
    sqlx::query(AssertSqlSafe(format!("{SELECT} AND b.id = $2")))
        .bind(organisation.0)
        .bind(id.0)
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(batch)
        .transpose()
}

const SEARCH: &str = " AND b.operation = $2 AND ($3 = '' OR CASE WHEN $4 THEN strpos(b.file_name, $3) > 0
                       ELSE strpos(lower(b.file_name COLLATE \"und-x-icu\"), lower($3 COLLATE \"und-x-icu\")) > 0 END)";

const fn order(sort: BatchSort, descending: bool) -> &'static str {
    match (sort, descending) {
        (BatchSort::FileName, false) => " ORDER BY b.file_name, b.id",
        (BatchSort::FileName, true) => " ORDER BY b.file_name DESC, b.id DESC",
        (BatchSort::Status, false) => " ORDER BY b.status_rank, b.id",
        (BatchSort::Status, true) => " ORDER BY b.status_rank DESC, b.id DESC",
        (BatchSort::Amount, false) => " ORDER BY b.amount_minor, b.id",
        (BatchSort::Amount, true) => " ORDER BY b.amount_minor DESC, b.id DESC",
        (BatchSort::Created, false) => " ORDER BY b.id",
        (BatchSort::Created, true) => " ORDER BY b.id DESC",
        (BatchSort::Records, false) => " ORDER BY b.records, b.id",
        (BatchSort::Records, true) => " ORDER BY b.records DESC, b.id DESC",
        (BatchSort::Tasks, false) => " ORDER BY b.records, b.id",
        (BatchSort::Tasks, true) => " ORDER BY b.records DESC, b.id DESC",
    }
}

/// A page of the list of an operation.
pub async fn list(tx: &mut Tx, operation: Operation, query: &BatchQuery) -> sqlx::Result<Vec<BatchRow>> {
    let organisation = tx.organisation();
    let order = order(query.sort, query.descending);
    let sql = format!("{SELECT} {SEARCH} AND ($5::text IS NULL OR b.status = $5) {order} LIMIT $6 OFFSET $7");
    sqlx::query(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(operation.code())
        .bind(&query.search)
        .bind(query.case_sensitive)
        .bind(query.status.map(BatchStatus::code))
        .bind(i64::from(PAGE_SIZE))
        .bind(i64::from(query.page.saturating_sub(1)) * i64::from(PAGE_SIZE))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(batch)
        .collect()
}

/// How many batches of an operation match the search, by status.
pub async fn count_by_status(
    tx: &mut Tx,
    operation: Operation,
    query: &BatchQuery,
) -> sqlx::Result<Vec<(BatchStatus, u64)>> {
    let organisation = tx.organisation();
    let sql = format!(
        "SELECT b.status, count(*) FROM batch b WHERE b.organisation_id = $1 {SEARCH} AND b.status <> 'validating' GROUP BY b.status, b.status_rank ORDER BY b.status_rank"
    );
    let rows = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(operation.code())
        .bind(&query.search)
        .bind(query.case_sensitive)
        .fetch_all(tx.conn())
        .await?;
    rows.into_iter()
        .map(|(status, n)| {
            let status = BatchStatus::from_code(&status).ok_or_else(|| decode(&status, "status"))?;
            Ok((status, u64::try_from(n).unwrap_or(0)))
        })
        .collect()
}

/// Whether there is any batch of an operation.
pub async fn any(tx: &mut Tx, operation: Operation) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (bool,)>("SELECT EXISTS (SELECT FROM batch WHERE organisation_id = $1 AND operation = $2)")
        .bind(organisation.0)
        .bind(operation.code())
        .fetch_one(tx.conn())
        .await
        .map(|(any,)| any)
}

/// The newest batches of an operation.
pub async fn newest(tx: &mut Tx, operation: Operation, limit: u32) -> sqlx::Result<Vec<BatchRow>> {
    let organisation = tx.organisation();
    sqlx::query(AssertSqlSafe(format!("{SELECT} AND b.operation = $2 ORDER BY b.id DESC LIMIT $3")))
        .bind(organisation.0)
        .bind(operation.code())
        .bind(i64::from(limit))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(batch)
        .collect()
}

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
    pub state: String,
    /// The gateway's word.
    pub refund_status: Option<String>,
    /// STANDARD, INSTANT.
    pub refund_type: Option<String>,
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
    /// JSON with split and udf.
    pub extra: Option<String>,
    /// When it changed last; none while nothing happened to it.
    pub updated_at: Option<OffsetDateTime>,
    /// Order sync: what became of asking the gateway.
    pub gateway_status: Option<String>,
    /// Order sync: what the external system answered.
    pub response: Option<String>,
}

/// Where the tasks of an operation stand.
const fn view(operation: Operation) -> &'static str {
    match operation {
        Operation::Refund => "task",
        Operation::OrderSync => "sync_task",
    }
}

fn select(operation: Operation) -> String {
    let own = match operation {
        Operation::Refund => "NULL::text AS gateway_status, NULL::text AS response",
        Operation::OrderSync => "gateway_status, response",
    };
    format!(
        "SELECT row_no, sheet_row, order_id, txn_id, amount_minor, state, refund_status, refund_type, unique_id, gateway_key, gw_ref,
                code, message, extra, updated_at, {own}
           FROM {} WHERE organisation_id = $1 AND batch_id = $2 ",
        view(operation)
    )
}

/// A page of a batch's tasks.
pub async fn tasks(tx: &mut Tx, operation: Operation, id: BatchId, query: &TaskQuery) -> sqlx::Result<Vec<TaskRow>> {
    let organisation = tx.organisation();
    let sql = format!(
        "{} AND ($3::text IS NULL OR status = $3) AND order_id ^@ $4 ORDER BY row_no LIMIT $5 OFFSET $6",
        select(operation)
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(id.0)
        .bind(query.status.map(|status| status.code()))
        .bind(&query.order)
        .bind(i64::from(PAGE_SIZE))
        .bind(i64::from(query.page.saturating_sub(1)) * i64::from(PAGE_SIZE))
        .fetch_all(tx.conn())
        .await
}

/// How many tasks of a batch match.
pub async fn count_tasks(tx: &mut Tx, operation: Operation, id: BatchId, query: &TaskQuery) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (i64,)>(AssertSqlSafe(format!(
        "SELECT count(*) FROM {} WHERE organisation_id = $1 AND batch_id = $2 AND ($3::text IS NULL OR status = $3) AND order_id ^@ $4",
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
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(id.0)
        .bind(after)
        .bind(limit)
        .bind(failed_only)
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

/// "Sync with Gateway": makes everything that is not final due to be asked after; answers how many are being asked about.
pub async fn sync(tx: &mut Tx, id: BatchId) -> sqlx::Result<u64> {
    sqlx::query_as::<_, (i32,)>("SELECT sync_batch($1)")
        .bind(id.0)
        .fetch_one(tx.conn())
        .await
        .map(|(n,)| u64::try_from(n).unwrap_or(0))
}

/// Pause, resume and cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Nothing new is sent.
    Pause,
    /// Sending goes on.
    Resume,
    /// What was not sent is called off.
    Cancel,
}

/// Pauses, resumes or cancels. A guard refuses (`BD409`) what the status does not allow.
pub async fn control(tx: &mut Tx, id: BatchId, control: Control) -> sqlx::Result<()> {
    let action = match control {
        Control::Pause => "PAUSE",
        Control::Resume => "RESUME",
        Control::Cancel => "CANCEL",
    };
    sqlx::query("SELECT control($1, $2)").bind(id.0).bind(action).execute(tx.conn()).await.map(|_| ())
}

/// The maker takes the batch back. A guard refuses others (`BD403`) and a batch that does not wait (`BD409`).
pub async fn withdraw(tx: &mut Tx, id: BatchId) -> sqlx::Result<()> {
    sqlx::query("SELECT withdraw($1)").bind(id.0).execute(tx.conn()).await.map(|_| ())
}

/// Tells every process that a batch changed, with the commit of this transaction.
pub async fn tell(tx: &mut Tx, id: BatchId) -> sqlx::Result<()> {
    let payload = format!("{}:{id}", tx.organisation());
    sqlx::query("SELECT pg_notify('batchdesk_changed', $1)").bind(payload).execute(tx.conn()).await.map(|_| ())
}

/// Batches with the same bytes of the last 30 days that were not rejected, withdrawn or expired.
pub async fn same_file(
    tx: &mut Tx,
    operation: Operation,
    sha256: &[u8],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<(Uuid, String, OffsetDateTime)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT id, file_name, created_at FROM batch WHERE organisation_id = $1 AND operation = $2 AND file_sha256 = $3 AND created_at >= $4
            AND status NOT IN ('rejected', 'withdrawn', 'expired') ORDER BY id DESC LIMIT 5",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .bind(sha256)
    .bind(since)
    .fetch_all(tx.conn())
    .await
}

/// A row of an earlier batch with the same order and amount.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LookAlike {
    /// Place in the arrays that were asked about, from 0.
    pub place: i64,
    /// The earlier batch.
    pub batch_id: Uuid,
    /// Its file.
    pub file_name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// Which of these (order, amount) pairs went out in another batch since `since`, newest match each. A refund that failed did
/// not go out.
pub async fn look_alikes(
    tx: &mut Tx,
    orders: &[String],
    amounts: &[i64],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<LookAlike>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT DISTINCT ON (u.place) u.place - 1 AS place, b.id AS batch_id, b.file_name, b.created_at
           FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS u(order_id, amount_minor, place)
           JOIN record r ON r.organisation_id = $1 AND r.order_id = u.order_id COLLATE \"C\" AND r.amount_minor = u.amount_minor
           JOIN batch b ON b.organisation_id = $1 AND b.id = r.batch_id
          WHERE b.created_at >= $4 AND b.status NOT IN ('rejected', 'withdrawn', 'expired', 'validating')
            AND NOT EXISTS (SELECT FROM task t WHERE t.organisation_id = $1 AND t.batch_id = r.batch_id AND t.row_no = r.row_no AND t.status = 'FAILED')
          ORDER BY u.place, b.id DESC",
    )
    .bind(organisation.0)
    .bind(orders)
    .bind(amounts)
    .bind(since)
    .fetch_all(tx.conn())
    .await
}

/// What a new batch is made of.
#[derive(Debug)]
pub struct NewBatch<'a> {
    /// Which.
    pub id: BatchId,
    /// The connection it will be sent to.
    pub gateway: GatewayId,
    /// What it does.
    pub operation: Operation,
    /// Name of the file.
    pub file_name: &'a str,
    /// Currency of all amounts.
    pub currency: Currency,
    /// What the maker wrote.
    pub description: &'a str,
    /// Name of the template.
    pub template: &'a str,
    /// Hash of the file.
    pub file_sha256: &'a [u8],
    /// Bytes of the file.
    pub file_bytes: i64,
    /// The row limit it was accepted under.
    pub row_limit: i32,
    /// What else is approved with it, canonical text.
    pub options: &'a str,
}

/// Records of a new batch, column by column.
#[derive(Debug, Default)]
pub struct NewRecords {
    /// S.No.
    pub numbers: Vec<i32>,
    /// Row of the spreadsheet.
    pub sheet_rows: Vec<i32>,
    /// Order.
    pub orders: Vec<String>,
    /// Minor units.
    pub amounts: Vec<i64>,
    /// Key at the gateway.
    pub keys: Vec<String>,
    /// As uploaded.
    pub unique_ids: Vec<Option<String>>,
    /// Transaction.
    pub txn_ids: Vec<Option<String>>,
    /// Hash of the canonical request.
    pub hashes: Vec<Vec<u8>>,
    /// JSON with split and udf.
    pub extras: Vec<Option<String>>,
}

/// Makes a batch that is being read in.
pub async fn insert(tx: &mut Tx, batch: &NewBatch<'_>) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO batch (organisation_id, id, gateway_id, operation, options, file_name, description, template, file_sha256, file_bytes, row_limit, currency)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(organisation.0)
    .bind(batch.id.0)
    .bind(batch.gateway.0)
    .bind(batch.operation.code())
    .bind(batch.options)
    .bind(batch.file_name)
    .bind(batch.description)
    .bind(batch.template)
    .bind(batch.file_sha256)
    .bind(batch.file_bytes)
    .bind(batch.row_limit)
    .bind(batch.currency.code())
    .execute(tx.conn())
    .await?;
    sqlx::query("SELECT set_config('app.batch', $1, true)")
        .bind(batch.id.to_string())
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Adds records to the batch that this transaction is reading in.
pub async fn insert_records(tx: &mut Tx, id: BatchId, records: &NewRecords) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, order_id, amount_minor, gateway_key, unique_id, txn_id, request_sha256, extra)
         SELECT $1, $2, u.* FROM unnest($3::int[], $4::int[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::bytea[], $11::text[]) AS u",
    )
    .bind(organisation.0)
    .bind(id.0)
    .bind(&records.numbers)
    .bind(&records.sheet_rows)
    .bind(&records.orders)
    .bind(&records.amounts)
    .bind(&records.keys)
    .bind(&records.unique_ids)
    .bind(&records.txn_ids)
    .bind(&records.hashes)
    .bind(&records.extras)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Seals the batch that was read in. Guards refuse another content (`BD412`) and unique ids that are taken (`BD423`).
pub async fn submit(tx: &mut Tx, id: BatchId, content_sha256: &[u8], approval_days: u32) -> sqlx::Result<()> {
    sqlx::query("SELECT submit($1, $2, 500, make_interval(days => $3))")
        .bind(id.0)
        .bind(content_sha256)
        .bind(i32::try_from(approval_days).unwrap_or(7))
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// A unique_id that an earlier batch took.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct TakenId {
    /// Row of the spreadsheet.
    pub sheet_row: u32,
    /// The id.
    pub unique_id: String,
    /// Which batch has it.
    pub batch_id: Uuid,
}

/// The rows named by a guard that found unique ids taken; none for any other error.
pub fn taken_ids(error: &sqlx::Error) -> Option<Vec<TakenId>> {
    if super::guard_code(error)? != "BD423" {
        return None;
    }
    let detail = error.as_database_error()?.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?.detail()?;
    serde_json::from_str(detail).ok()
}

/// The unique ids that the batch still holds.
pub async fn unique_ids(tx: &mut Tx, id: BatchId) -> sqlx::Result<std::collections::HashSet<String>> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (String,)>("SELECT unique_id FROM unique_id_taken WHERE organisation_id = $1 AND batch_id = $2")
        .bind(organisation.0)
        .bind(id.0)
        .fetch_all(tx.conn())
        .await
        .map(|rows| rows.into_iter().map(|(unique_id,)| unique_id).collect())
}
