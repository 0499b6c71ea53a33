//! Search over all batches of an organisation: ranges of an index, whatever is stored.

use super::{Tx, codes};
use crate::domain::{batch::BatchStatus, money::Currency, operation::Operation, task::TaskStatus};
use sqlx::{AssertSqlSafe, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// What a record is searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// `order_id`.
    Order,
    /// `txn_id`.
    Transaction,
    /// `unique_id`, as uploaded.
    UniqueId,
    /// The key at the gateway.
    Key,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Order, Self::Transaction, Self::UniqueId, Self::Key];

    /// Where, the column, and the rest of the condition.
    const fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Order => ("record r", "r.order_id"),
            Self::Transaction => ("record r", "r.txn_id"),
            Self::UniqueId => (
                "unique_id_taken u JOIN record r ON r.organisation_id = u.organisation_id AND r.batch_id = u.batch_id \
                 AND r.row_no = u.row_no",
                "u.unique_id",
            ),
            Self::Key => ("record r", "r.gateway_key"),
        }
    }
}

/// A record that was found, with its batch.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TaskHit {
    /// Its batch.
    pub batch_id: Uuid,
    /// Name of the operation.
    #[sqlx(try_from = "codes::Code<Operation>")]
    pub operation: Operation,
    /// Name of the batch's file.
    pub file_name: String,
    /// When the batch was made.
    pub created_at: OffsetDateTime,
    /// S.No.
    pub row_no: i32,
    /// Order.
    pub order_id: String,
    /// What matched.
    pub matched: String,
    /// Minor units.
    pub amount_minor: i64,
    /// Of the batch; none: an import.
    #[sqlx(try_from = "codes::Code<Option<Currency>>")]
    pub currency: Option<Currency>,
    /// ACCEPTED, FAILED, QUEUED.
    #[sqlx(try_from = "codes::Code<TaskStatus>")]
    pub status: TaskStatus,
}

/// Tasks whose `by` begins with `text`, in batches of these operations; at most `limit`, in the order of what matched.
pub async fn tasks(
    tx: &mut Tx,
    by: By,
    text: &str,
    operations: &[&'static str],
    limit: i64,
) -> sqlx::Result<Vec<TaskHit>> {
    let organisation = tx.organisation();
    let (source, column) = by.source();
    let owner = if by == By::UniqueId { "u" } else { "r" };
    let sql = format!(
        "SELECT h.batch_id, h.operation, h.file_name, h.created_at, h.row_no, h.order_id, h.matched, h.amount_minor,
         h.currency::text AS currency, t.status
           FROM (SELECT r.batch_id, r.row_no, r.order_id, r.amount_minor, {column} AS matched, b.operation, b.work,
             b.file_name, b.created_at, b.currency
                   FROM {source}
                   JOIN batch b ON b.organisation_id = r.organisation_id AND b.id = r.batch_id
                  WHERE {owner}.organisation_id = $1 AND {column} ^@ $2 AND b.operation = ANY ($3)
                    AND (b.status <> 'validating' OR b.work = 'import')
                    AND NOT EXISTS (SELECT FROM record n WHERE n.organisation_id = r.organisation_id
                      AND n.batch_id = r.batch_id
                                       AND n.row_no = r.row_no AND n.revision > r.revision)
                  ORDER BY {column} LIMIT $4) h
          CROSS JOIN LATERAL (SELECT t.status FROM task t WHERE h.work = 'send' AND t.organisation_id = $1
            AND t.batch_id = h.batch_id AND t.row_no = h.row_no
                              UNION ALL
                              SELECT t.status FROM sync_task t WHERE h.work = 'query' AND t.organisation_id = $1
                                AND t.batch_id = h.batch_id AND t.row_no = h.row_no
                              UNION ALL
                              SELECT t.status FROM import_task t WHERE h.work = 'import' AND t.organisation_id = $1
                                AND t.batch_id = h.batch_id AND t.row_no = h.row_no) t"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(text)
        .bind(operations)
        .bind(limit)
        .try_map(|row: PgRow| codes::row("task", &["batch_id", "row_no"], &row))
        .fetch_all(tx.conn())
        .await
}

/// A batch that was found.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BatchHit {
    /// Which.
    pub id: Uuid,
    /// Name of the operation.
    #[sqlx(try_from = "codes::Code<Operation>")]
    pub operation: Operation,
    /// Name of its file.
    pub file_name: String,
    /// Where it stands.
    #[sqlx(try_from = "codes::Code<BatchStatus>")]
    pub status: BatchStatus,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Data rows.
    pub records: i32,
    /// Minor units.
    pub amount_minor: i64,
    /// Of the batch; none: an import.
    #[sqlx(try_from = "codes::Code<Option<Currency>>")]
    pub currency: Option<Currency>,
}

const BATCH: &str =
    "SELECT id, operation, file_name, status, created_at, records, amount_minor, currency::text AS currency FROM batch
                      WHERE organisation_id = $1 AND (status <> 'validating' OR work = 'import') ";

fn batch(row: PgRow) -> sqlx::Result<BatchHit> {
    codes::row("batch", &["id"], &row)
}

/// Batches of an operation whose file name begins with `text`.
pub async fn batches_by_name(
    tx: &mut Tx,
    text: &str,
    operation: &'static str,
    limit: i64,
) -> sqlx::Result<Vec<BatchHit>> {
    let organisation = tx.organisation();
    sqlx::query(AssertSqlSafe(format!(
        "{BATCH} AND operation = $2 AND file_name ^@ $3 ORDER BY file_name, id LIMIT $4"
    )))
    .bind(organisation.0)
    .bind(operation)
    .bind(text)
    .bind(limit)
    .try_map(batch)
    .fetch_all(tx.conn())
    .await
}

/// Batches whose id lies between two ids.
pub async fn batches_by_id(
    tx: &mut Tx,
    from: Uuid,
    to: Uuid,
    operations: &[&'static str],
    limit: i64,
) -> sqlx::Result<Vec<BatchHit>> {
    let organisation = tx.organisation();
    sqlx::query(AssertSqlSafe(format!(
        "{BATCH} AND id BETWEEN $2 AND $3 AND operation = ANY ($4) ORDER BY id LIMIT $5"
    )))
    .bind(organisation.0)
    .bind(from)
    .bind(to)
    .bind(operations)
    .bind(limit)
    .try_map(batch)
    .fetch_all(tx.conn())
    .await
}
