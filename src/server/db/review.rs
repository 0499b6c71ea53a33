//! Review: tasks that people must decide on, two at a time, and differences that they acknowledge.

use super::Tx;
use crate::domain::{ids::BatchId, operation::Operation};
use time::OffsetDateTime;
use uuid::Uuid;

/// What is open in review: tasks, and differences that nobody acknowledged.
pub async fn count(tx: &mut Tx, operation: Operation) -> sqlx::Result<(i64, i64)> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM open_task t JOIN batch b ON b.organisation_id = $1 AND b.id = t.batch_id
                  WHERE t.organisation_id = $1 AND b.operation = $2
                    AND (t.state = 'REVIEW' OR t.gateway_status = 'MANUAL_REVIEW')
                    AND in_review(t.state, t.gateway_status)),
                (SELECT count(*) FROM review_entry e JOIN batch b ON b.organisation_id = $1 AND b.id = e.batch_id
                  WHERE e.organisation_id = $1 AND b.operation = $2
                    AND NOT EXISTS (SELECT FROM review_acknowledgement k WHERE k.organisation_id = $1
                      AND k.entry_id = e.id))",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .fetch_one(tx.conn())
    .await
}

/// A batch with something in review.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BatchInReview {
    /// Which.
    pub batch_id: Uuid,
    /// Tasks that need a decision.
    pub tasks: i64,
    /// Differences that nobody acknowledged.
    pub entries: i64,
}

/// Batches of an operation with something in review, newest first.
pub async fn batches(tx: &mut Tx, operation: Operation) -> sqlx::Result<Vec<BatchInReview>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT b.id AS batch_id, coalesce(t.n, 0) AS tasks, coalesce(e.n, 0) AS entries
           FROM (SELECT batch_id, count(*) AS n FROM open_task
                  WHERE organisation_id = $1 AND (state = 'REVIEW' OR gateway_status = 'MANUAL_REVIEW')
                    AND in_review(state, gateway_status) GROUP BY 1) t
           FULL JOIN (SELECT batch_id, count(*) AS n FROM review_entry e
                       WHERE e.organisation_id = $1 AND NOT EXISTS (SELECT FROM review_acknowledgement k
                         WHERE k.organisation_id = $1 AND k.entry_id = e.id)
                       GROUP BY 1) e USING (batch_id)
           JOIN batch b ON b.organisation_id = $1 AND b.id = batch_id
          WHERE b.operation = $2 ORDER BY b.id DESC",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .fetch_all(tx.conn())
    .await
}

/// A task that needs a decision, with the proposal that is open about it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TaskInReview {
    /// S.No.
    pub row_no: i32,
    /// Row of the spreadsheet.
    pub sheet_row: i32,
    /// Revision.
    pub revision: i16,
    /// Where it stands, as a proposal is bound to it.
    pub seen: String,
    /// REVIEW, or PENDING when the gateway took it.
    pub state: String,
    /// Order.
    pub order_id: String,
    /// Minor units.
    pub amount_minor: i64,
    /// The key at the gateway.
    pub gateway_key: String,
    /// The gateway's reference, where it gave one.
    pub gw_ref: Option<String>,
    /// Code of the last reply.
    pub code: Option<String>,
    /// Sentence of the last reply.
    pub message: Option<String>,
    /// When it was sent last.
    pub last_sent_at: OffsetDateTime,
    /// The open proposal's number.
    pub n: Option<i16>,
    /// DONE, NOT_DONE, ASK_AGAIN.
    pub verdict: Option<String>,
    /// The reference that was proposed.
    pub proposed_ref: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who proposed.
    pub proposer: Option<Uuid>,
    /// Their e-mail.
    pub proposer_email: Option<String>,
    /// When.
    pub proposed_at: Option<OffsetDateTime>,
}

/// Tasks of a batch that need a decision, in file order.
pub async fn tasks(tx: &mut Tx, batch: BatchId, limit: i64) -> sqlx::Result<Vec<TaskInReview>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT t.row_no, r.sheet_row, t.revision, review_seen(t) AS seen, t.state, r.order_id, r.amount_minor,
         r.gateway_key, t.gw_ref, t.code, t.message, t.last_sent_at,
                p.n, p.verdict, p.gw_ref AS proposed_ref, p.reason, p.proposer, m.email AS proposer_email,
                  p.at AS proposed_at
           FROM open_task t
           CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1 AND r.batch_id = $2
             AND r.row_no = t.row_no AND r.revision = t.revision OFFSET 0) r
           LEFT JOIN LATERAL (SELECT * FROM review_proposal p WHERE p.organisation_id = $1 AND p.batch_id = $2
             AND p.row_no = t.row_no AND p.revision = t.revision
                                 AND p.seen = review_seen(t)
                                 AND NOT EXISTS (SELECT FROM review_confirmation c WHERE c.organisation_id = $1
                                   AND c.batch_id = $2 AND c.row_no = p.row_no
                                                    AND c.revision = p.revision AND c.n = p.n)
                               ORDER BY p.n DESC LIMIT 1) p ON true
           LEFT JOIN person m ON m.id = p.proposer
          WHERE t.organisation_id = $1 AND t.batch_id = $2
            AND (t.state = 'REVIEW' OR t.gateway_status = 'MANUAL_REVIEW') AND in_review(t.state, t.gateway_status)
          ORDER BY t.row_no LIMIT $3",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// A piece of evidence about a row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EvidenceRow {
    /// Row it is about.
    pub row_no: i32,
    /// SEND, QUERY, WEBHOOK, RECONCILE, PEOPLE.
    pub source: String,
    /// When it came.
    pub at: OffsetDateTime,
    /// JSON array of replies, also of other rows of the same run.
    pub replies: String,
}

/// The newest evidence about rows, at most `limit` a row, newest first.
pub async fn evidence(tx: &mut Tx, batch: BatchId, rows: &[i32], limit: i64) -> sqlx::Result<Vec<EvidenceRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT u.row_no, e.source, e.at, e.replies FROM unnest($3::int[]) AS u(row_no)
          CROSS JOIN LATERAL (SELECT e.source, e.at, e.replies FROM evidence e
                               WHERE e.organisation_id = $1 AND e.batch_id = $2 AND e.from_row BETWEEN u.row_no - 1000
                                 AND u.row_no AND e.to_row >= u.row_no
                               ORDER BY e.at DESC LIMIT $4) e
          ORDER BY u.row_no, e.at DESC",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(rows)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// A row of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedRow {
    /// S.No.
    pub row: i32,
    /// Revision.
    pub revision: i16,
    /// Where it stood when it was shown.
    pub seen: String,
    /// The gateway's reference, for DONE.
    pub reference: String,
}

/// One person says what became of these rows, all or none. Guards: `BD412` one of them is not as shown (DETAIL: rows),
/// `BD409` one has a proposal already, `BD422` the gateway cannot be asked.
pub async fn propose(
    tx: &mut Tx,
    batch: BatchId,
    verdict: &str,
    rows: &[ProposedRow],
    reason: &str,
) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT review_propose($1, $2, $3, $4, $5, $6, $7)")
        .bind(batch.0)
        .bind(rows.iter().map(|row| row.row).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.revision).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.seen.clone()).collect::<Vec<_>>())
        .bind(verdict)
        .bind(rows.iter().map(|row| row.reference.clone()).collect::<Vec<_>>())
        .bind(reason)
        .fetch_one(tx.conn())
        .await
}

/// Names a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalKey {
    /// S.No.
    pub row: i32,
    /// Revision.
    pub revision: i16,
    /// Its number.
    pub n: i16,
}

/// Ends proposals, all or none: CONFIRM carries them out, REJECT and WITHDRAW leave the tasks in review. Guards:
/// `BD403` the wrong person, `BD409` decided already, `BD412` a task is not as it was proposed on (DETAIL: rows).
pub async fn close(
    tx: &mut Tx,
    batch: BatchId,
    verdict: &str,
    proposals: &[ProposalKey],
    note: &str,
) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT review_close($1, $2, $3, $4, $5, $6)")
        .bind(batch.0)
        .bind(proposals.iter().map(|proposal| proposal.row).collect::<Vec<_>>())
        .bind(proposals.iter().map(|proposal| proposal.revision).collect::<Vec<_>>())
        .bind(proposals.iter().map(|proposal| proposal.n).collect::<Vec<_>>())
        .bind(verdict)
        .bind(note)
        .fetch_one(tx.conn())
        .await
}

/// Who ended a proposal, how and when.
pub async fn closed_by(
    tx: &mut Tx,
    batch: BatchId,
    proposal: ProposalKey,
) -> sqlx::Result<Option<(String, String, OffsetDateTime)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT c.verdict, coalesce(m.email, 'API key'), c.at FROM review_confirmation c LEFT JOIN person m
         ON m.id = c.confirmer
          WHERE c.organisation_id = $1 AND c.batch_id = $2 AND c.row_no = $3 AND c.revision = $4 AND c.n = $5",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(proposal.row)
    .bind(proposal.revision)
    .bind(proposal.n)
    .fetch_optional(tx.conn())
    .await
}

/// A difference about money, with who acknowledged it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EntryRow {
    /// Which.
    pub id: Uuid,
    /// S.No.
    pub row_no: i32,
    /// Row of the spreadsheet.
    pub sheet_row: Option<i32>,
    /// done_after_failure, failed_after_success, missing, extra, amount, status.
    pub kind: String,
    /// Order.
    pub order_id: String,
    /// Key at the gateway.
    pub gateway_key: String,
    /// The task's state as we had it.
    pub ours: String,
    /// Minor units.
    pub ours_minor: i64,
    /// The gateway's word.
    pub theirs: Option<String>,
    /// Minor units.
    pub theirs_minor: Option<i64>,
    /// The gateway's reference.
    pub gw_ref: Option<String>,
    /// Since when we had it so.
    pub since: Option<OffsetDateTime>,
    /// When it was found.
    pub at: OffsetDateTime,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged_at: Option<OffsetDateTime>,
    /// What they wrote.
    pub note: Option<String>,
}

/// Differences of a batch: those that nobody acknowledged first, at most `limit`.
pub async fn entries(tx: &mut Tx, batch: BatchId, limit: i64) -> sqlx::Result<Vec<EntryRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT e.id, e.row_no, r.sheet_row, e.kind, e.order_id, e.gateway_key, e.ours, e.ours_minor, e.theirs,
         e.theirs_minor, e.gw_ref, e.since, e.at,
                m.email AS acknowledged_by, k.at AS acknowledged_at, k.note
           FROM review_entry e
           LEFT JOIN record r ON r.organisation_id = $1 AND r.batch_id = e.batch_id AND r.row_no = e.row_no
             AND r.revision = e.revision
           LEFT JOIN review_acknowledgement k ON k.organisation_id = $1 AND k.entry_id = e.id
           LEFT JOIN person m ON m.id = k.person_id
          WHERE e.organisation_id = $1 AND e.batch_id = $2 ORDER BY k.at IS NOT NULL, e.row_no, e.at LIMIT $3",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// The batch of a difference; none when there is no such entry.
pub async fn batch_of_entry(tx: &mut Tx, entry: Uuid) -> sqlx::Result<Option<BatchId>> {
    let organisation = tx.organisation();
    sqlx::query_scalar("SELECT batch_id FROM review_entry WHERE organisation_id = $1 AND id = $2")
        .bind(organisation.0)
        .bind(entry)
        .fetch_optional(tx.conn())
        .await
        .map(|batch: Option<Uuid>| batch.map(BatchId))
}

/// The person of the transaction has seen it. False: somebody had already.
pub async fn acknowledge(tx: &mut Tx, entry: Uuid, note: &str) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO review_acknowledgement (organisation_id, entry_id, note) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(organisation.0)
    .bind(entry)
    .bind(note)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// How many differences of a batch nobody has acknowledged.
pub async fn entries_open(tx: &mut Tx, batch: BatchId) -> sqlx::Result<i64> {
    let organisation = tx.organisation();
    sqlx::query_scalar(
        "SELECT count(*) FROM review_entry e WHERE e.organisation_id = $1 AND e.batch_id = $2
            AND NOT EXISTS (SELECT FROM review_acknowledgement k WHERE k.organisation_id = $1 AND k.entry_id = e.id)",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .fetch_one(tx.conn())
    .await
}
