//! What waits for a decision, what a checker is shown, and the decision itself.

use super::Tx;
use crate::domain::{batch::Operation, ids::BatchId};
use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

/// Batches of an operation that wait for somebody else than the transaction's person.
pub async fn count_waiting(tx: &mut Tx, operation: Operation) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (i64,)>(
        "SELECT count(*) FROM batch WHERE organisation_id = $1 AND operation = $2 AND status = 'awaiting_approval'
            AND maker IS DISTINCT FROM current_person()",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .fetch_one(tx.conn())
    .await
    .map(|(n,)| u64::try_from(n).unwrap_or(0))
}

/// Ids of batches for the three parts of the inbox.
#[derive(Clone, Debug, Default)]
pub struct InboxIds {
    /// Wait for a decision of somebody else than their maker.
    pub waiting: Vec<BatchId>,
    /// Asked for by the person, newest first.
    pub submitted: Vec<BatchId>,
    /// Decided or ended, newest decision first.
    pub decided: Vec<BatchId>,
}

/// The inbox of the transaction's person for one operation, at most 50 of each.
pub async fn inbox(tx: &mut Tx, operation: Operation) -> sqlx::Result<InboxIds> {
    let organisation = tx.organisation();
    let rows = sqlx::query(
        "(SELECT 'waiting' AS part, id, created_at AS at FROM batch WHERE organisation_id = $1 AND operation = $2 AND status = 'awaiting_approval'
             AND maker IS DISTINCT FROM current_person() ORDER BY id LIMIT 50)
         UNION ALL
         (SELECT 'submitted', b.id, b.created_at FROM batch b JOIN batch_revision v ON v.organisation_id = b.organisation_id AND v.batch_id = b.id AND v.revision = b.revision
           WHERE b.organisation_id = $1 AND b.operation = $2 AND b.maker = current_person() AND v.needs_decision ORDER BY b.id DESC LIMIT 50)
         UNION ALL
         (SELECT 'decided', b.id, d.at FROM decision d JOIN batch b ON b.organisation_id = d.organisation_id AND b.id = d.batch_id
           WHERE d.organisation_id = $1 AND b.operation = $2 AND d.verdict <> 'NOT_REQUIRED' ORDER BY d.at DESC LIMIT 50)",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .fetch_all(tx.conn())
    .await?;
    let mut ids = InboxIds::default();
    for row in rows {
        let id = BatchId(row.try_get::<Uuid, _>("id")?);
        match row.try_get::<&str, _>("part")? {
            "waiting" => ids.waiting.push(id),
            "submitted" => ids.submitted.push(id),
            _ => ids.decided.push(id),
        }
    }
    Ok(ids)
}

/// Decides on the latest revision. Guards of the database refuse the maker (`BD403`), a second decision or a batch that does
/// not wait (`BD409`), and another content than `content_sha256` (`BD412`).
pub async fn decide(
    tx: &mut Tx,
    batch: BatchId,
    approve: bool,
    content_sha256: &[u8],
    reason: Option<&str>,
) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO decision (organisation_id, batch_id, revision, verdict, content_sha256, reason)
         SELECT organisation_id, id, revision, $3, $4, $5 FROM batch WHERE organisation_id = $1 AND id = $2",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(if approve { "APPROVE" } else { "REJECT" })
    .bind(content_sha256)
    .bind(reason)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// One of the largest rows.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LargeRow {
    /// Row of the spreadsheet.
    pub sheet_row: i32,
    /// Order.
    pub order_id: String,
    /// Minor units.
    pub amount_minor: i64,
}

/// The five largest rows.
pub async fn largest(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<LargeRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT sheet_row, order_id, amount_minor FROM task WHERE organisation_id = $1 AND batch_id = $2
          ORDER BY amount_minor DESC, row_no LIMIT 5",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .fetch_all(tx.conn())
    .await
}

/// An order that stands in the file more than once.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RepeatedOrder {
    /// Order.
    pub order_id: String,
    /// Rows of the spreadsheet.
    pub rows: Vec<i32>,
    /// Minor units of each.
    pub amounts: Vec<i64>,
}

/// Orders with several rows, largest sum first, at most 50.
pub async fn repeated(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<RepeatedOrder>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT order_id, array_agg(sheet_row ORDER BY row_no) AS rows, array_agg(amount_minor ORDER BY row_no) AS amounts
           FROM task WHERE organisation_id = $1 AND batch_id = $2 GROUP BY order_id HAVING count(*) > 1 ORDER BY sum(amount_minor) DESC LIMIT 50",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .fetch_all(tx.conn())
    .await
}

/// The same order and amount in another batch since `since`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EarlierRefund {
    /// Row of the spreadsheet.
    pub sheet_row: i32,
    /// Order.
    pub order_id: String,
    /// Minor units.
    pub amount_minor: i64,
    /// The other batch.
    pub other: Uuid,
    /// Its file.
    pub file_name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// Look-alikes in batches made before this one and since `since`, at most 50.
pub async fn earlier(tx: &mut Tx, batch: BatchId, since: OffsetDateTime) -> sqlx::Result<Vec<EarlierRefund>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT DISTINCT ON (t.row_no) t.sheet_row, t.order_id, t.amount_minor, b.id AS other, b.file_name, b.created_at
           FROM task t
           JOIN record r ON r.organisation_id = $1 AND r.order_id = t.order_id AND r.amount_minor = t.amount_minor AND r.batch_id <> $2
           JOIN batch b ON b.organisation_id = $1 AND b.id = r.batch_id
          WHERE t.organisation_id = $1 AND t.batch_id = $2 AND b.created_at >= $3 AND b.id < $2
            AND b.status NOT IN ('rejected', 'withdrawn', 'expired', 'validating')
            AND NOT EXISTS (SELECT FROM task f WHERE f.organisation_id = $1 AND f.batch_id = r.batch_id AND f.row_no = r.row_no AND f.status = 'FAILED')
          ORDER BY t.row_no, b.id DESC LIMIT 50",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(since)
    .fetch_all(tx.conn())
    .await
}

/// Rows by upper bound of their amount class (`bounds` ascending, minor units); one figure more than bounds.
pub async fn classes(tx: &mut Tx, batch: BatchId, bounds: &[i64]) -> sqlx::Result<Vec<u64>> {
    let organisation = tx.organisation();
    let rows = sqlx::query_as::<_, (i32, i64)>(
        "SELECT width_bucket(amount_minor, $3::bigint[]) AS class, count(*) FROM task WHERE organisation_id = $1 AND batch_id = $2 GROUP BY 1",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(bounds)
    .fetch_all(tx.conn())
    .await?;
    let mut counts = vec![0; bounds.len() + 1];
    for (class, n) in rows {
        if let Some(slot) = usize::try_from(class).ok().and_then(|class| counts.get_mut(class)) {
            *slot = u64::try_from(n).unwrap_or(0);
        }
    }
    Ok(counts)
}

/// The parts of all split rows: JSON as stored.
pub async fn extras(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<String>> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (String,)>(
        "SELECT extra FROM task WHERE organisation_id = $1 AND batch_id = $2 AND extra LIKE '%\"split\"%'",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .fetch_all(tx.conn())
    .await
    .map(|rows| rows.into_iter().map(|(extra,)| extra).collect())
}

/// Accepted since `since`, minor units, and batches by what needs attention: (processing, ended with failures since `week`).
pub async fn home_figures(
    tx: &mut Tx,
    operation: Operation,
    since: OffsetDateTime,
    week: OffsetDateTime,
) -> sqlx::Result<(i64, i64, i64)> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT coalesce((SELECT sum(r.amount_minor) FROM outcome o JOIN record r USING (organisation_id, batch_id, row_no, revision)
                            JOIN batch b ON b.organisation_id = o.organisation_id AND b.id = o.batch_id
                           WHERE o.organisation_id = $1 AND o.succeeded AND o.at >= $3 AND b.operation = $2), 0)::bigint,
                (SELECT count(*) FROM batch WHERE organisation_id = $1 AND operation = $2 AND status IN ('processing', 'paused')),
                (SELECT count(*) FROM batch WHERE organisation_id = $1 AND operation = $2 AND status = 'completed_with_failures' AND updated_at >= $4)",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .bind(since)
    .bind(week)
    .fetch_one(tx.conn())
    .await
}
