//! Everything that is written down about one row of a batch.

use super::{Tx, approvals::Submission, codes};
use crate::domain::{
    ids::BatchId,
    operation::{Operation, Work},
    task::RecordExtra,
};
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

/// When the first task of a batch came to an end and when the last one did so far; none while none did. A sync's tasks
/// may come to another end later: then it is that end.
pub async fn ends(
    tx: &mut Tx,
    operation: Operation,
    batch: BatchId,
) -> sqlx::Result<Option<(OffsetDateTime, OffsetDateTime)>> {
    let organisation = tx.organisation();
    let sql = match operation.work() {
        // Its rows are stored by runs, and have no end of their own.
        Work::Import => return Ok(None),
        Work::Send(_) => "SELECT min(at), max(at) FROM outcome WHERE organisation_id = $1 AND batch_id = $2",
        Work::Query => {
            "SELECT min(updated_at), max(updated_at) FROM order_task WHERE organisation_id = $1 AND batch_id = $2
             AND status <> 'QUEUED'"
        }
    };
    let (first, last) = sqlx::query_as::<_, (Option<OffsetDateTime>, Option<OffsetDateTime>)>(sql)
        .bind(organisation.0)
        .bind(batch.0)
        .fetch_one(tx.conn())
        .await?;
    Ok(first.zip(last))
}

/// The row in one submission.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RowRevision {
    /// 1 is the file.
    pub revision: i16,
    /// Row of the spreadsheet.
    pub sheet_row: i32,
    /// Order.
    pub order_id: String,
    /// Minor units.
    pub amount_minor: i64,
    /// Key at the gateway.
    pub gateway_key: String,
    /// As uploaded.
    pub unique_id: Option<String>,
    /// Transaction.
    pub txn_id: Option<String>,
    /// What it has beside its columns.
    #[sqlx(try_from = "codes::Code<Option<RecordExtra>>")]
    pub extra: Option<RecordExtra>,
    /// Who submitted it, and what was decided.
    #[sqlx(flatten)]
    pub submission: Submission,
    /// When it came to an outcome; none before.
    pub ended_at: Option<OffsetDateTime>,
    /// Which way.
    pub succeeded: Option<bool>,
    /// Sends until then.
    pub attempts: Option<i16>,
    /// HTTP status of the deciding reply.
    pub http: Option<i16>,
    /// The gateway's reference.
    pub gw_ref: Option<String>,
    /// The gateway's word.
    pub gateway_status: Option<String>,
    /// Short code.
    pub code: Option<String>,
    /// Sentence.
    pub message: Option<String>,
    /// When the gateway took back its last word; none when it did not.
    pub reversed_at: Option<OffsetDateTime>,
    /// Which way then.
    pub reversed: Option<bool>,
    /// The sentence.
    pub reversal: Option<String>,
    /// The state of what is not final: PENDING, UNKNOWN, REVIEW, RETRY, SENDING.
    pub open: Option<String>,
    /// When that changed last.
    pub open_at: Option<OffsetDateTime>,
    /// The sentence.
    pub open_message: Option<String>,
    /// The gateway's reference so far.
    pub open_ref: Option<String>,
}

/// The row in each submission that it was part of, oldest first; empty when there is no such row.
pub async fn revisions(tx: &mut Tx, batch: BatchId, row: i32) -> sqlx::Result<Vec<RowRevision>> {
    let organisation = tx.organisation();
    sqlx::query(
        "SELECT r.batch_id, r.row_no, r.revision, r.sheet_row, r.order_id, r.amount_minor, r.gateway_key, r.unique_id,
         r.txn_id, r.extra,
                coalesce(m.email, 'API key') AS maker_email, v.created_at, d.verdict, c.email AS checker_email,
                  d.at AS decided_at, d.reason,
                o.at AS ended_at, o.succeeded, o.attempts, o.http, o.gw_ref, o.gateway_status, o.code, o.message,
                x.at AS reversed_at, x.succeeded AS reversed, x.message AS reversal,
                t.state AS open, t.updated_at AS open_at, t.message AS open_message, t.gw_ref AS open_ref
           FROM record r
           JOIN batch_revision v ON v.organisation_id = $1 AND v.batch_id = $2 AND v.revision = r.revision
           LEFT JOIN person m ON m.id = v.maker
           LEFT JOIN decision d ON d.organisation_id = $1 AND d.batch_id = $2 AND d.revision = r.revision
           LEFT JOIN person c ON c.id = d.checker
           LEFT JOIN outcome   o ON o.organisation_id = $1 AND o.batch_id = $2 AND o.row_no = $3
             AND o.revision = r.revision
           LEFT JOIN reversal  x ON x.organisation_id = $1 AND x.batch_id = $2 AND x.row_no = $3
             AND x.revision = r.revision
           LEFT JOIN open_task t ON t.organisation_id = $1 AND t.batch_id = $2 AND t.row_no = $3
             AND t.revision = r.revision
          WHERE r.organisation_id = $1 AND r.batch_id = $2 AND r.row_no = $3 ORDER BY r.revision",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(row)
    .try_map(|row: PgRow| codes::row("record", &["batch_id", "row_no", "revision"], &row))
    .fetch_all(tx.conn())
    .await
}

/// An intent that covers the row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RowAttempt {
    /// Revision.
    pub revision: i16,
    /// 1 from a chunk, 2 and up sent again.
    pub attempt: i16,
    /// The fence.
    pub epoch: i64,
    /// Which worker.
    pub owner: uuid::Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// Rows of the same intent.
    pub rows: i64,
}

/// The intents that cover the row, oldest first.
pub async fn attempts(tx: &mut Tx, batch: BatchId, row: i32) -> sqlx::Result<Vec<RowAttempt>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT a.revision, a.attempt, a.epoch, a.owner, a.at,
                (SELECT count(*) FROM record k WHERE k.organisation_id = $1 AND k.batch_id = $2
                  AND k.revision = a.revision AND k.row_no BETWEEN a.from_row AND a.to_row) AS rows
           FROM attempt a
          WHERE a.organisation_id = $1 AND a.batch_id = $2 AND a.from_row <= $3 AND a.to_row >= $3
            AND EXISTS (SELECT FROM record r WHERE r.organisation_id = $1 AND r.batch_id = $2 AND r.row_no = $3
              AND r.revision = a.revision)
          ORDER BY a.at, a.attempt",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(row)
    .fetch_all(tx.conn())
    .await
}

/// A reply about the row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RowReply {
    /// SEND, QUERY, WEBHOOK, RECONCILE.
    pub source: String,
    /// Whether it came from a worker that had lost its lease.
    pub fenced: bool,
    /// When.
    pub at: OffsetDateTime,
    /// The submission that it is about.
    pub revision: i16,
    /// The reply, JSON: row, revision, class, http, ref, code, confirmed_minor, body.
    pub reply: String,
}

/// Every reply about the row, oldest first.
pub async fn replies(tx: &mut Tx, batch: BatchId, row: i32) -> sqlx::Result<Vec<RowReply>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT e.source, e.fenced, e.at, coalesce((k.reply ->> 'revision')::smallint, 1::smallint) AS revision,
         k.reply::text AS reply
           FROM evidence e CROSS JOIN LATERAL json_array_elements(e.replies::json) AS k(reply)
          WHERE e.organisation_id = $1 AND e.batch_id = $2 AND e.from_row <= $3 AND e.to_row >= $3
            AND (k.reply ->> 'row')::int = $3
          ORDER BY e.at, e.id",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(row)
    .fetch_all(tx.conn())
    .await
}

/// What two people said about a row that needed review.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RowReview {
    /// Revision.
    pub revision: i16,
    /// DONE, NOT_DONE, ASK_AGAIN.
    pub verdict: String,
    /// Who proposed it.
    pub proposer_email: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: OffsetDateTime,
    /// Who confirmed it; none while nobody did.
    pub confirmer_email: Option<String>,
    /// When.
    pub confirmed_at: Option<OffsetDateTime>,
}

/// The reviews of the row, oldest first.
pub async fn reviews(tx: &mut Tx, batch: BatchId, row: i32) -> sqlx::Result<Vec<RowReview>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT p.revision, p.verdict, coalesce(m.email, 'somebody') AS proposer_email, p.reason, p.at,
         c.email AS confirmer_email, k.at AS confirmed_at
           FROM review_proposal p
           LEFT JOIN person m ON m.id = p.proposer
           LEFT JOIN review_confirmation k ON k.organisation_id = p.organisation_id AND k.batch_id = p.batch_id
             AND k.row_no = p.row_no
                 AND k.revision = p.revision AND k.n = p.n
           LEFT JOIN person c ON c.id = k.confirmer
          WHERE p.organisation_id = $1 AND p.batch_id = $2 AND p.row_no = $3 ORDER BY p.at, p.n",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(row)
    .fetch_all(tx.conn())
    .await
}

/// The order as the gateway had it when it was last read for the batch.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RowOrder {
    /// Order.
    pub order_id: String,
    /// False: the gateway has no such order.
    pub known: bool,
    /// The gateway's word.
    pub status: Option<String>,
    /// Amount of the order.
    pub amount_minor: Option<i64>,
    /// Its currency.
    pub currency: Option<String>,
    /// What could still be refunded.
    pub refundable_minor: Option<i64>,
    /// What was refunded already.
    pub refunded_minor: Option<i64>,
    /// The answer as it came.
    pub body: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

/// The readings of the orders that the row has named.
pub async fn orders(tx: &mut Tx, batch: BatchId, row: i32) -> sqlx::Result<Vec<RowOrder>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT s.order_id, s.known, s.status, s.amount_minor, s.currency::text AS currency, s.refundable_minor,
         s.refunded_minor, s.body, s.at FROM order_seen s
          WHERE s.organisation_id = $1 AND s.batch_id = $2
            AND s.order_id IN (SELECT order_id FROM record r WHERE r.organisation_id = $1 AND r.batch_id = $2
              AND r.row_no = $3)
          ORDER BY s.at",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(row)
    .fetch_all(tx.conn())
    .await
}
