//! What waits for a decision, what a checker is shown, and the decision itself.

use super::{Tx, codes};
use crate::domain::{batch::BatchStatus, ids::BatchId, money::Currency, operation::Operation, task::RecordExtra};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// Batches of an operation that wait for somebody else than the transaction's person.
pub async fn count_waiting(tx: &mut Tx, operation: Operation) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (i64,)>(
        "SELECT count(*) FROM batch b JOIN batch_revision v ON v.organisation_id = b.organisation_id
         AND v.batch_id = b.id AND v.revision = b.revision
          WHERE b.organisation_id = $1 AND b.operation = $2 AND b.status = 'awaiting_approval'
            AND NOT had_part(b, v.maker)",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .fetch_one(tx.conn())
    .await
    .map(|(n,)| u64::try_from(n).unwrap_or(0))
}

/// Part of the inbox that a request stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxPart {
    /// Waits for a decision of somebody else than its maker.
    Waiting,
    /// Asked for by the person.
    Submitted,
    /// Decided.
    Decided,
}

/// Who submitted a revision of a batch, and what was decided on it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Submission {
    /// Who.
    pub maker_email: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// APPROVE, REJECT, NOT_REQUIRED; none while nobody decided.
    pub verdict: Option<String>,
    /// Who decided.
    pub checker_email: Option<String>,
    /// When.
    pub decided_at: Option<OffsetDateTime>,
    /// What the checker wrote.
    pub reason: Option<String>,
}

/// A request: a batch, or failed rows of one that are sent again.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where it stands in the inbox.
    pub part: InboxPart,
    /// Which batch.
    pub id: BatchId,
    /// Which submission of it.
    pub revision: i16,
    /// Name of the file.
    pub file_name: String,
    /// What the maker wrote.
    pub description: String,
    /// E-mail of who asked.
    pub maker_email: String,
    /// When.
    pub at: OffsetDateTime,
    /// Rows.
    pub records: i32,
    /// Their sum.
    pub amount_minor: i64,
    /// Currency.
    pub currency: Currency,
    /// When it expires, while it waits.
    pub expires_at: Option<OffsetDateTime>,
    /// Where the batch stands.
    pub status: BatchStatus,
    /// APPROVE, REJECT; none while nobody decided.
    pub verdict: Option<String>,
    /// Who decided.
    pub checker_email: Option<String>,
    /// When.
    pub decided_at: Option<OffsetDateTime>,
    /// What the checker wrote.
    pub reason: Option<String>,
    /// How failed rows ended that nobody decided on: EXPIRED, WITHDRAWN.
    pub dropped: Option<String>,
}

/// The inbox of the transaction's person for one operation, at most 50 of each part: what waits oldest first, the
/// others newest first.
pub async fn inbox(tx: &mut Tx, operation: Operation) -> sqlx::Result<Vec<Request>> {
    let organisation = tx.organisation();
    let rows = sqlx::query(
        "WITH part AS (
           (SELECT 1 AS part, b.id, b.revision FROM batch b JOIN batch_revision v
             ON v.organisation_id = b.organisation_id AND v.batch_id = b.id AND v.revision = b.revision
             WHERE b.organisation_id = $1 AND b.operation = $2 AND b.status = 'awaiting_approval'
               AND NOT had_part(b, v.maker) ORDER BY v.created_at LIMIT 50)
           UNION ALL
           (SELECT 2, b.id, v.revision FROM batch_revision v JOIN batch b ON b.organisation_id = v.organisation_id
             AND b.id = v.batch_id
             WHERE v.organisation_id = $1 AND b.operation = $2 AND v.maker = current_person() AND v.needs_decision
               ORDER BY v.created_at DESC LIMIT 50)
           UNION ALL
           (SELECT 3, b.id, d.revision FROM decision d JOIN batch b ON b.organisation_id = d.organisation_id
             AND b.id = d.batch_id
             WHERE d.organisation_id = $1 AND b.operation = $2 AND d.verdict <> 'NOT_REQUIRED' ORDER BY d.at DESC
               LIMIT 50))
         SELECT p.part, b.id, v.revision, b.file_name, b.description, coalesce(m.email, 'API key') AS maker_email,
           v.created_at AS at, v.records, v.amount_minor,
                b.currency, CASE WHEN v.revision = b.revision THEN b.expires_at END AS expires_at, b.status,
                d.verdict, c.email AS checker_email, d.at AS decided_at, d.reason, o.code AS dropped
           FROM part p
           JOIN batch b ON b.organisation_id = $1 AND b.id = p.id
           JOIN batch_revision v ON v.organisation_id = $1 AND v.batch_id = p.id AND v.revision = p.revision
           LEFT JOIN person m ON m.id = v.maker
           LEFT JOIN decision d ON d.organisation_id = $1 AND d.batch_id = p.id AND d.revision = p.revision
           LEFT JOIN person c ON c.id = d.checker
           LEFT JOIN LATERAL (SELECT o.code FROM outcome o WHERE o.organisation_id = $1 AND o.batch_id = p.id
             AND o.revision = p.revision
                                 AND p.revision > 1 AND d.verdict IS NULL LIMIT 1) o ON true
          ORDER BY p.part, CASE WHEN p.part = 1 THEN v.created_at END, coalesce(d.at, v.created_at) DESC",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|row| codes::read("batch", &["id", "revision"], row, request)).collect()
}

fn request(row: &PgRow) -> sqlx::Result<Request> {
    Ok(Request {
        part: match row.try_get::<i32, _>("part")? {
            1 => InboxPart::Waiting,
            2 => InboxPart::Submitted,
            _ => InboxPart::Decided,
        },
        id: BatchId(row.try_get("id")?),
        revision: row.try_get("revision")?,
        file_name: row.try_get("file_name")?,
        description: row.try_get("description")?,
        maker_email: row.try_get("maker_email")?,
        at: row.try_get("at")?,
        records: row.try_get("records")?,
        amount_minor: row.try_get("amount_minor")?,
        currency: codes::code(row, "currency")?,
        expires_at: row.try_get("expires_at")?,
        status: codes::code(row, "status")?,
        verdict: row.try_get("verdict")?,
        checker_email: row.try_get("checker_email")?,
        decided_at: row.try_get("decided_at")?,
        reason: row.try_get("reason")?,
        dropped: row.try_get("dropped")?,
    })
}

/// Decides on the latest revision. Guards of the database refuse the maker (`BD403`), a second decision or a batch that
/// does not wait (`BD409`), and another content than `content_sha256` (`BD412`).
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

/// The five largest rows of a submission.
pub async fn largest(tx: &mut Tx, batch: BatchId, revision: i16) -> sqlx::Result<Vec<LargeRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT sheet_row, order_id, amount_minor FROM record WHERE organisation_id = $1 AND batch_id = $2
         AND revision = $3
          ORDER BY amount_minor DESC, row_no LIMIT 5",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(revision)
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
pub async fn repeated(tx: &mut Tx, batch: BatchId, revision: i16) -> sqlx::Result<Vec<RepeatedOrder>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT order_id, array_agg(sheet_row ORDER BY row_no) AS rows, array_agg(amount_minor
         ORDER BY row_no) AS amounts
           FROM record WHERE organisation_id = $1 AND batch_id = $2 AND revision = $3 GROUP BY order_id
             HAVING count(*) > 1 ORDER BY sum(amount_minor) DESC LIMIT 50",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(revision)
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

/// Look-alikes of a submission's rows since `since`, at most 50: rows of other batches made before it, or of any batch
/// where it is a later submission, that did not fail.
pub async fn earlier(
    tx: &mut Tx,
    batch: BatchId,
    revision: i16,
    since: OffsetDateTime,
) -> sqlx::Result<Vec<EarlierRefund>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT DISTINCT ON (t.row_no) t.sheet_row, t.order_id, t.amount_minor, b.id AS other, b.file_name, v.created_at
           FROM record t
           CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1 AND r.order_id = t.order_id
             AND r.amount_minor = t.amount_minor
                        AND CASE WHEN $4 > 1 THEN (r.batch_id, r.row_no) <> (t.batch_id, t.row_no)
                          ELSE r.batch_id < $2 END OFFSET 0) r
           JOIN batch b ON b.organisation_id = $1 AND b.id = r.batch_id
           JOIN batch_revision v ON v.organisation_id = $1 AND v.batch_id = r.batch_id AND v.revision = r.revision
          WHERE t.organisation_id = $1 AND t.batch_id = $2 AND t.revision = $4 AND v.created_at >= $3
            AND b.status NOT IN ('rejected', 'withdrawn', 'expired', 'validating')
            AND EXISTS (SELECT FROM task f WHERE f.organisation_id = $1 AND f.batch_id = r.batch_id
              AND f.row_no = r.row_no AND f.revision = r.revision AND f.status <> 'FAILED' OFFSET 0)
          ORDER BY t.row_no, b.id DESC LIMIT 50",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(since)
    .bind(revision)
    .fetch_all(tx.conn())
    .await
}

/// Rows by upper bound of their amount class (`bounds` ascending, minor units); one figure more than bounds.
pub async fn classes(tx: &mut Tx, batch: BatchId, revision: i16, bounds: &[i64]) -> sqlx::Result<Vec<u64>> {
    let organisation = tx.organisation();
    let rows = sqlx::query_as::<_, (i32, i64)>(
        "SELECT width_bucket(amount_minor, $3::bigint[]) AS class, count(*) FROM record WHERE organisation_id = $1
         AND batch_id = $2 AND revision = $4 GROUP BY 1",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(bounds)
    .bind(revision)
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

/// What rows with parts have beside their columns.
pub async fn extras(tx: &mut Tx, batch: BatchId, revision: i16) -> sqlx::Result<Vec<RecordExtra>> {
    let organisation = tx.organisation();
    sqlx::query(
        "SELECT batch_id, row_no, extra FROM record WHERE organisation_id = $1 AND batch_id = $2 AND revision = $3
         AND extra LIKE '%\"split\"%'",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(revision)
    .try_map(|row: PgRow| codes::read("record", &["batch_id", "row_no"], &row, |row| codes::code(row, "extra")))
    .fetch_all(tx.conn())
    .await
}

/// Accepted since `since`: minor units by currency.
pub async fn accepted_since(
    tx: &mut Tx,
    operation: Operation,
    since: OffsetDateTime,
) -> sqlx::Result<Vec<(String, i64)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT b.currency::text, sum(r.amount_minor)::bigint
           FROM outcome o JOIN record r USING (organisation_id, batch_id, row_no, revision)
           JOIN batch b ON b.organisation_id = o.organisation_id AND b.id = o.batch_id
          WHERE o.organisation_id = $1 AND o.succeeded AND o.at >= $3 AND b.operation = $2
          GROUP BY 1 ORDER BY 1",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .bind(since)
    .fetch_all(tx.conn())
    .await
}
