//! How a checked file becomes a batch, and what earlier batches it repeats.

use super::Tx;
use crate::domain::{
    ids::{BatchId, GatewayId},
    money::Currency,
    operation::Operation,
    task::RecordExtra,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// Batches with the same bytes of the last 30 days that were not rejected, withdrawn or expired.
pub async fn same_file(
    tx: &mut Tx,
    operation: Operation,
    sha256: &[u8],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<(Uuid, String, OffsetDateTime)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT id, file_name, created_at FROM batch WHERE organisation_id = $1 AND operation = $2 AND file_sha256 = $3
         AND created_at >= $4
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

/// Rows that are asked about at once.
const ASKED: usize = 10_000;

/// Which of these (row of the spreadsheet, order, amount) went out in another batch since `since`, newest match each. A
/// refund that failed did not go out.
pub async fn look_alikes(
    tx: &mut Tx,
    sent: &[(u32, &str, i64)],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<LookAlike>> {
    let mut all = Vec::new();
    let mut before = 0_i64;
    for asked in sent.chunks(ASKED) {
        for alike in look_alikes_of(tx, asked, since).await? {
            all.push(LookAlike { place: alike.place + before, ..alike });
        }
        before += i64::try_from(asked.len()).unwrap_or(0);
    }
    Ok(all)
}

async fn look_alikes_of(
    tx: &mut Tx,
    asked: &[(u32, &str, i64)],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<LookAlike>> {
    let organisation = tx.organisation();
    let (orders, amounts): (Vec<_>, Vec<_>) = asked.iter().map(|(_, order, amount)| (*order, *amount)).unzip();
    sqlx::query_as(
        // Each row is looked up by itself, however many batches there are: what is joined to it hangs on it.
        "SELECT DISTINCT ON (u.place) u.place - 1 AS place, r.batch_id, b.file_name, b.created_at
           FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS u(order_id, amount_minor, place)
           CROSS JOIN LATERAL (SELECT r.batch_id, r.row_no, r.revision FROM record r WHERE r.organisation_id = $1
             AND r.order_id = u.order_id COLLATE \"C\" AND r.amount_minor = u.amount_minor OFFSET 0) r
           CROSS JOIN LATERAL (SELECT b.file_name, v.created_at FROM batch b
             JOIN batch_revision v ON v.organisation_id = b.organisation_id AND v.batch_id = b.id
            WHERE b.organisation_id = $1 AND b.id = r.batch_id AND v.revision = r.revision AND v.created_at >= $4
              AND b.status NOT IN ('rejected', 'withdrawn', 'expired', 'validating') OFFSET 0) b
          WHERE EXISTS (SELECT FROM task t WHERE t.organisation_id = $1 AND t.batch_id = r.batch_id
              AND t.row_no = r.row_no AND t.revision = r.revision AND t.status <> 'FAILED' OFFSET 0)
          ORDER BY u.place, r.batch_id DESC",
    )
    .bind(organisation.0)
    .bind(orders)
    .bind(amounts)
    .bind(since)
    .fetch_all(tx.conn())
    .await
}

/// Waits until nobody else of the organisation is making a batch of this operation, and keeps others waiting to the end
/// of the transaction: what is looked at before a batch is made still holds when it is made.
pub async fn one_at_a_time(tx: &mut Tx, operation: Operation) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1::text || $2, 0))")
        .bind(organisation.0)
        .bind(operation.code())
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// What a new batch is made of.
#[derive(Debug)]
pub struct NewBatch<'a> {
    /// Which.
    pub id: BatchId,
    /// The connection it will be sent to; none: an import.
    pub gateway: Option<GatewayId>,
    /// What it does.
    pub operation: Operation,
    /// Name of the file.
    pub file_name: &'a str,
    /// Currency of all amounts; none: an import.
    pub currency: Option<Currency>,
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

/// One record as it is stored.
#[derive(Debug)]
pub struct NewRecord {
    /// S.No, from 1.
    pub number: u32,
    /// Row of the spreadsheet.
    pub sheet_row: u32,
    /// Order.
    pub order_id: String,
    /// Minor units; zero where nothing is moved.
    pub amount_minor: i64,
    /// Key at the gateway; empty where nothing is moved.
    pub key: String,
    /// As uploaded.
    pub unique_id: Option<String>,
    /// Transaction.
    pub txn_id: Option<String>,
    /// Hash of the canonical request.
    pub hash: Vec<u8>,
    /// What else the record has.
    pub extra: RecordExtra,
}

impl NewRecord {
    /// What else it has, as it is stored; nothing where there is nothing.
    pub(super) fn extra_text(&self) -> Option<String> {
        let plain = self.extra == RecordExtra::default();
        (!plain).then(|| serde_json::to_string(&self.extra).unwrap_or_default())
    }
}

/// Records of a new revision, column by column.
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

impl NewRecords {
    /// Adds a record.
    pub fn push(&mut self, record: NewRecord) {
        self.extras.push(record.extra_text());
        self.numbers.push(i32::try_from(record.number).unwrap_or(i32::MAX));
        self.sheet_rows.push(i32::try_from(record.sheet_row).unwrap_or(i32::MAX));
        self.orders.push(record.order_id);
        self.amounts.push(record.amount_minor);
        self.keys.push(record.key);
        self.unique_ids.push(record.unique_id);
        self.txn_ids.push(record.txn_id);
        self.hashes.push(record.hash);
    }
}

/// Makes a batch that is being read in.
pub async fn insert(tx: &mut Tx, batch: &NewBatch<'_>) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO batch (organisation_id, id, gateway_id, operation, options, file_name, description, template,
         file_sha256, file_bytes, row_limit, currency)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING set_config('app.batch', id::text, true)",
    )
    .bind(organisation.0)
    .bind(batch.id.0)
    .bind(batch.gateway.map(|gateway| gateway.0))
    .bind(batch.operation.code())
    .bind(batch.options)
    .bind(batch.file_name)
    .bind(batch.description)
    .bind(batch.template)
    .bind(batch.file_sha256)
    .bind(batch.file_bytes)
    .bind(batch.row_limit)
    .bind(batch.currency.map(Currency::code))
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
    if crate::db::guard_code(error)? != "BD423" {
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
