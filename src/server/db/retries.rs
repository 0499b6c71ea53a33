//! Failed rows sent again in place: what was typed, the new revision, and what a revision changes.

use super::{Tx, approvals::Submission, batches::NewRecords, codes};
use crate::domain::{ids::BatchId, task::RecordExtra};
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

/// What a person typed over a failed row.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Draft {
    /// S.No.
    pub row_no: i32,
    /// Whether it is to be sent again.
    pub take: bool,
    /// JSON array of its cells; none: as they are.
    pub cells: Option<String>,
}

/// What the transaction's person typed over this revision of the batch.
pub async fn drafts(tx: &mut Tx, batch: BatchId, revision: i16) -> sqlx::Result<Vec<Draft>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT row_no, take, cells FROM retry_draft
          WHERE organisation_id = $1 AND batch_id = $2 AND person_id = current_person() AND revision = $3
            ORDER BY row_no",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(revision)
    .fetch_all(tx.conn())
    .await
}

/// Keeps what the transaction's person typed. `keep_cells`: only whether rows are taken is new.
pub async fn keep_drafts(
    tx: &mut Tx,
    batch: BatchId,
    revision: i16,
    drafts: &[Draft],
    keep_cells: bool,
) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO retry_draft AS d (organisation_id, batch_id, row_no, revision, take, cells)
         SELECT $1, $2, u.row_no, $3, u.take, u.cells
           FROM unnest($4::int[], $5::bool[], $6::text[]) AS u(row_no, take, cells) ORDER BY u.row_no
         ON CONFLICT (organisation_id, batch_id, person_id, row_no) DO UPDATE
           SET take = excluded.take, revision = excluded.revision, updated_at = now(),
               cells = CASE WHEN $7 AND d.revision = excluded.revision THEN d.cells ELSE excluded.cells END",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(revision)
    .bind(drafts.iter().map(|draft| draft.row_no).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.take).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.cells.clone()).collect::<Vec<_>>())
    .bind(keep_cells)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Forgets what the transaction's person typed over this batch.
pub async fn forget_drafts(tx: &mut Tx, batch: BatchId) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query("DELETE FROM retry_draft WHERE organisation_id = $1 AND batch_id = $2 AND person_id = current_person()")
        .bind(organisation.0)
        .bind(batch.0)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Forgets what everybody left lying since before `before`.
pub async fn forget_old_drafts(tx: &mut Tx, before: OffsetDateTime) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    sqlx::query("DELETE FROM retry_draft WHERE organisation_id = $1 AND updated_at < $2")
        .bind(organisation.0)
        .bind(before)
        .execute(tx.conn())
        .await
        .map(|done| done.rows_affected())
}

/// What may not be a key again: the keys and unique ids that each of these rows has had.
pub async fn earlier_ids(tx: &mut Tx, batch: BatchId, rows: &[i32]) -> sqlx::Result<Vec<(i32, String)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT row_no, gateway_key FROM record WHERE organisation_id = $1 AND batch_id = $2 AND row_no = ANY ($3)
         UNION SELECT row_no, unique_id FROM record WHERE organisation_id = $1 AND batch_id = $2 AND row_no = ANY ($3)
           AND unique_id IS NOT NULL",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(rows)
    .fetch_all(tx.conn())
    .await
}

/// Makes the next revision of the batch from these rows; returns its number. Guards refuse: another retry meanwhile
/// (`BD412`), a batch or a row that cannot be retried, or a key that was there before (`BD409`), rows that the gateway
/// is being asked about (`BD429`), unique ids that are taken (`BD423`).
pub async fn open_revision(tx: &mut Tx, batch: BatchId, base: i16, records: &NewRecords) -> sqlx::Result<i16> {
    sqlx::query_scalar("SELECT open_revision($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(batch.0)
        .bind(base)
        .bind(&records.numbers)
        .bind(&records.orders)
        .bind(&records.amounts)
        .bind(&records.keys)
        .bind(&records.unique_ids)
        .bind(&records.txn_ids)
        .bind(&records.hashes)
        .bind(&records.extras)
        .fetch_one(tx.conn())
        .await
}

/// A submission of a batch.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Revision {
    /// 1 is the file.
    pub revision: i16,
    /// Who submitted it, and what was decided.
    #[sqlx(flatten)]
    pub submission: Submission,
    /// Rows.
    pub records: i32,
    /// Their sum.
    pub amount_minor: i64,
    /// Rows that ended well in it; pending ones too.
    pub accepted: i64,
    /// Rows that failed in it.
    pub failed: i64,
    /// How its rows ended without a decision: EXPIRED, WITHDRAWN.
    pub dropped: Option<String>,
}

/// The submissions of a batch, newest first.
pub async fn revisions(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<Revision>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT v.revision, coalesce(m.email, 'API key') AS maker_email, v.created_at, v.records, v.amount_minor,
         d.verdict, c.email AS checker_email, d.at AS decided_at,
                d.reason, f.succeeded + p.pending AS accepted, f.failed, f.dropped
           FROM batch_revision v
           LEFT JOIN person m ON m.id = v.maker
           LEFT JOIN decision d ON d.organisation_id = v.organisation_id AND d.batch_id = v.batch_id
             AND d.revision = v.revision
           LEFT JOIN person c ON c.id = d.checker
           CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE coalesce(x.succeeded, o.succeeded)) AS succeeded, count(*)
               FILTER (WHERE NOT coalesce(x.succeeded, o.succeeded)) AS failed,
                    min(o.code) FILTER (WHERE o.attempts = 0 AND o.code IN ('EXPIRED', 'WITHDRAWN')) AS dropped
               FROM outcome o
               LEFT JOIN reversal x ON x.organisation_id = o.organisation_id AND x.batch_id = o.batch_id
                 AND x.row_no = o.row_no AND x.revision = o.revision
              WHERE o.organisation_id = v.organisation_id AND o.batch_id = v.batch_id AND o.revision = v.revision) f
           CROSS JOIN LATERAL (
             SELECT count(*) AS pending FROM open_task t
              WHERE t.organisation_id = v.organisation_id AND t.batch_id = v.batch_id AND t.revision = v.revision
                AND t.state = 'PENDING') p
          WHERE v.organisation_id = $1 AND v.batch_id = $2 ORDER BY v.revision DESC",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .fetch_all(tx.conn())
    .await
}

/// A row of a revision beside what it was before.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Change {
    /// S.No.
    pub row_no: i32,
    /// Row of the spreadsheet.
    pub sheet_row: i32,
    /// Order now.
    pub order_id: String,
    /// Minor units now.
    pub amount_minor: i64,
    /// Transaction now.
    pub txn_id: Option<String>,
    /// Unique id now.
    pub unique_id: Option<String>,
    /// JSON with split and udf now.
    #[sqlx(try_from = "codes::Code<Option<RecordExtra>>")]
    pub extra: Option<RecordExtra>,
    /// Order before.
    pub was_order_id: String,
    /// Minor units before.
    pub was_amount_minor: i64,
    /// Transaction before.
    pub was_txn_id: Option<String>,
    /// Unique id before.
    pub was_unique_id: Option<String>,
    /// JSON with split and udf before.
    #[sqlx(try_from = "codes::Code<Option<RecordExtra>>")]
    pub was_extra: Option<RecordExtra>,
    /// Short code of why it failed before.
    pub code: Option<String>,
    /// The sentence.
    pub message: Option<String>,
}

/// The rows of a later revision beside what they were before, in file order.
pub async fn changes(tx: &mut Tx, batch: BatchId, revision: i16) -> sqlx::Result<Vec<Change>> {
    let organisation = tx.organisation();
    sqlx::query(
        "SELECT n.batch_id, n.row_no, n.sheet_row, n.order_id, n.amount_minor, n.txn_id, n.unique_id, n.extra,
                w.order_id AS was_order_id, w.amount_minor AS was_amount_minor, w.txn_id AS was_txn_id,
                  w.unique_id AS was_unique_id, w.extra AS was_extra,
                coalesce(x.code, o.code) AS code, coalesce(x.message, o.message) AS message
           FROM record n
           JOIN LATERAL (SELECT * FROM record l WHERE l.organisation_id = $1 AND l.batch_id = $2 AND l.row_no = n.row_no
             AND l.revision < n.revision
                          ORDER BY l.revision DESC LIMIT 1) w ON true
           LEFT JOIN outcome  o ON o.organisation_id = $1 AND o.batch_id = $2 AND o.row_no = w.row_no
             AND o.revision = w.revision
           LEFT JOIN reversal x ON x.organisation_id = $1 AND x.batch_id = $2 AND x.row_no = w.row_no
             AND x.revision = w.revision
          WHERE n.organisation_id = $1 AND n.batch_id = $2 AND n.revision = $3 ORDER BY n.row_no",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(revision)
    .try_map(|row: PgRow| codes::row("record", &["batch_id", "row_no"], &row))
    .fetch_all(tx.conn())
    .await
}
