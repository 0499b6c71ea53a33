//! Claiming runs of rows: lease, recovery of abandoned sends, release, cancel.

use super::{
    TaskRecord,
    record::{self, record_columns},
};
use crate::{
    db::Tx,
    domain::{ids::GatewayId, operation::Effect},
};
use std::time::Duration;
use uuid::Uuid;

/// A lease over a run of rows.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Chunk {
    /// Batch.
    pub batch_id: Uuid,
    /// Number within the batch.
    pub chunk_no: i32,
    /// Revision of its rows.
    pub revision: i16,
    /// Operation of the batch.
    pub operation: String,
    /// The fence: every write names it.
    pub epoch: i64,
    /// First row.
    pub from_row: i32,
    /// Last row.
    pub to_row: i32,
    /// First row that was never sent.
    pub next_row: i32,
    /// Rows with neither an outcome nor an open task.
    pub remaining: i32,
    /// Status of the batch at the claim.
    pub batch_status: String,
    /// Rows from it on are asked about before they are sent; none: no row is.
    pub asked_to: Option<i32>,
    /// Seconds until they may be asked about.
    pub ask_in: Option<f64>,
    /// Whether the older state that the database went back to had them.
    pub forgotten: bool,
}

impl Chunk {
    /// Whether its rows take from orders, so that these are read first.
    pub fn takes_from_orders(&self) -> bool {
        self.effect().is_some_and(Effect::takes_from_an_order)
    }

    /// What its rows do at their gateway; none for an operation that sends nothing.
    pub fn effect(&self) -> Option<Effect> {
        record::effect(&self.operation)
    }

    /// Whether this row is to be asked about before it is sent.
    pub fn must_ask(&self, row: i32) -> bool {
        self.asked_to.is_some_and(|asked_to| row >= asked_to)
    }
}

/// Names a held chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkLease {
    /// Batch.
    pub batch: Uuid,
    /// Number within the batch.
    pub chunk: i32,
    /// The epoch it was claimed with.
    pub epoch: i64,
}

/// T1: leases up to `limit` due chunks. Waiting work and lapsed leases are one index range; no chunk goes to two
/// workers. `leftovers`: only what was cancelled or abandoned, for connections that do not send.
pub async fn claim_chunks(
    tx: &mut Tx,
    gateway: GatewayId,
    limit: i32,
    worker: Uuid,
    lease: Duration,
    leftovers: bool,
) -> sqlx::Result<Vec<Chunk>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "WITH due AS MATERIALIZED (
           SELECT k.batch_id, k.chunk_no FROM chunk k
            WHERE k.organisation_id = $1 AND k.gateway_id = $2 AND k.work = 'send' AND k.state IN ('WAITING', 'LEASED')
              AND k.run_at <= now()
              AND (NOT $6 OR k.state = 'LEASED'
                   OR EXISTS (SELECT FROM batch b WHERE b.organisation_id = $1 AND b.id = k.batch_id
                     AND b.status = 'cancelled'))
            ORDER BY k.run_at, k.batch_id, k.chunk_no LIMIT $3 FOR UPDATE SKIP LOCKED)
         UPDATE chunk c SET state = 'LEASED', epoch = c.epoch + 1, owner = $4, leased_at = now(),
           run_at = now() + make_interval(secs => $5)
           FROM due WHERE c.organisation_id = $1 AND c.batch_id = due.batch_id AND c.chunk_no = due.chunk_no
         RETURNING c.batch_id, c.chunk_no, c.revision, c.epoch, c.from_row, c.to_row, c.next_row, c.remaining,
           c.asked_to, c.forgotten,
                   extract(epoch FROM c.ask_after - clock_timestamp())::float8 AS ask_in,
                   (SELECT b.operation FROM batch b WHERE b.organisation_id = $1 AND b.id = c.batch_id) AS operation,
                   (SELECT b.status FROM batch b WHERE b.organisation_id = $1 AND b.id = c.batch_id) AS batch_status",
    )
    .bind(organisation.0)
    .bind(gateway.0)
    .bind(limit)
    .bind(worker)
    .bind(lease.as_secs_f64())
    .bind(leftovers)
    .fetch_all(tx.conn())
    .await
}

/// T1, in the same transaction, for chunks that were held before: sends of an earlier holder that have neither an
/// outcome nor an open task are abandoned. They become UNKNOWN, to be asked after `resolve_after` from their intent
/// (REVIEW on class N). Answers how many, by batch and chunk.
pub async fn recover(
    tx: &mut Tx,
    holds: &[ChunkLease],
    resolve_after: Duration,
) -> sqlx::Result<Vec<(Uuid, i32, i32)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "WITH lost AS (
           INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, run_at, attempts,
             first_sent_at, last_sent_at, code, message)
           SELECT $1, c.batch_id, r.row_no, r.revision, c.gateway_id, CASE coalesce(g.class, 'N') WHEN 'N' THEN 'REVIEW'
             ELSE 'UNKNOWN' END,
                  a.at + make_interval(secs => $4), 1, a.at, a.at, 'abandoned',
                    'The worker that sent it stopped before it could record the reply.'
             FROM unnest($2::uuid[], $3::int[]) AS u(batch_id, chunk_no)
             JOIN chunk c ON c.organisation_id = $1 AND c.batch_id = u.batch_id AND c.chunk_no = u.chunk_no
             JOIN batch b ON b.organisation_id = $1 AND b.id = c.batch_id
             JOIN operation e ON e.code = b.operation
             LEFT JOIN gateway_promise g ON g.organisation_id = $1 AND g.gateway_id = c.gateway_id
               AND g.effect = e.effect
             JOIN record r ON r.organisation_id = $1 AND r.batch_id = c.batch_id AND r.row_no >= c.from_row
               AND r.row_no < c.next_row AND r.revision = c.revision
             JOIN LATERAL (SELECT at FROM attempt a WHERE a.organisation_id = $1 AND a.batch_id = c.batch_id
               AND a.revision = c.revision AND a.attempt = 1
                              AND a.from_row <= r.row_no ORDER BY a.from_row DESC LIMIT 1) a ON true
            WHERE NOT EXISTS (SELECT FROM outcome o   WHERE o.organisation_id = $1 AND o.batch_id = c.batch_id
              AND o.row_no = r.row_no AND o.revision = r.revision OFFSET 0)
              AND NOT EXISTS (SELECT FROM open_task t WHERE t.organisation_id = $1 AND t.batch_id = c.batch_id
                AND t.row_no = r.row_no AND t.revision = r.revision OFFSET 0)
           RETURNING batch_id, row_no, revision)
         UPDATE chunk c SET remaining = c.remaining - m.n, state = CASE WHEN c.remaining = m.n THEN 'DONE'
           ELSE c.state END
           FROM (SELECT c.batch_id, c.chunk_no, count(*)::int AS n
                   FROM lost l JOIN chunk c ON c.organisation_id = $1 AND c.batch_id = l.batch_id
                     AND c.revision = l.revision AND l.row_no BETWEEN c.from_row AND c.to_row
                  WHERE (c.batch_id, c.chunk_no) IN (SELECT * FROM unnest($2::uuid[], $3::int[]))
                  GROUP BY 1, 2) m
          WHERE c.organisation_id = $1 AND c.batch_id = m.batch_id AND c.chunk_no = m.chunk_no
         RETURNING c.batch_id, c.chunk_no, m.n",
    )
    .bind(organisation.0)
    .bind(holds.iter().map(|hold| hold.batch).collect::<Vec<_>>())
    .bind(holds.iter().map(|hold| hold.chunk).collect::<Vec<_>>())
    .bind(resolve_after.as_secs_f64())
    .fetch_all(tx.conn())
    .await
}

/// Heartbeat: one statement for all chunks that a worker holds. What does not come back is lost.
pub async fn keep_leases(
    tx: &mut Tx,
    worker: Uuid,
    holds: &[ChunkLease],
    lease: Duration,
) -> sqlx::Result<Vec<(Uuid, i32)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "UPDATE chunk c SET leased_at = now(), run_at = now() + make_interval(secs => $6)
           FROM unnest($3::uuid[], $4::int[], $5::bigint[]) AS u(batch_id, chunk_no, epoch)
          WHERE c.organisation_id = $1 AND c.batch_id = u.batch_id AND c.chunk_no = u.chunk_no AND c.epoch = u.epoch
            AND c.owner = $2 AND c.state = 'LEASED'
         RETURNING c.batch_id, c.chunk_no",
    )
    .bind(organisation.0)
    .bind(worker)
    .bind(holds.iter().map(|hold| hold.batch).collect::<Vec<_>>())
    .bind(holds.iter().map(|hold| hold.chunk).collect::<Vec<_>>())
    .bind(holds.iter().map(|hold| hold.epoch).collect::<Vec<_>>())
    .bind(lease.as_secs_f64())
    .fetch_all(tx.conn())
    .await
}

/// Gives a chunk back, due after `delay`: on a graceful stop, when its intent was refused, when orders cannot be read.
pub async fn release(tx: &mut Tx, hold: ChunkLease, delay: Duration) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query(
        "WITH b AS MATERIALIZED (SELECT held_status($2) AS status)
         UPDATE chunk c SET state = CASE b.status WHEN 'paused' THEN 'HELD' ELSE 'WAITING' END,
                run_at = CASE b.status WHEN 'paused' THEN 'infinity' WHEN 'cancelled' THEN now()
                  ELSE now() + make_interval(secs => $5) END
           FROM b WHERE c.organisation_id = $1 AND c.batch_id = $2 AND c.chunk_no = $3 AND c.epoch = $4
             AND c.state = 'LEASED'",
    )
    .bind(organisation.0)
    .bind(hold.batch)
    .bind(hold.chunk)
    .bind(hold.epoch)
    .bind(delay.as_secs_f64())
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() > 0)
}

/// Rows of a cancelled batch that were never sent: FAILED, no attempt, nothing to give back. Rows already sent keep
/// their own outcome, and rows that must be asked about first are left. Returns how many rows.
pub async fn cancel_rows(tx: &mut Tx, hold: ChunkLease) -> sqlx::Result<i32> {
    let organisation = tx.organisation();
    let rows: Option<i32> = sqlx::query_scalar(
        "WITH c AS MATERIALIZED (
           SELECT c.batch_id, c.chunk_no, c.revision, c.next_row, least(c.to_row, c.asked_to - 1) AS to_row FROM batch b
             JOIN chunk c ON c.organisation_id = $1 AND c.batch_id = b.id AND c.chunk_no = $3 AND c.epoch = $4
               AND c.state = 'LEASED'
            WHERE b.organisation_id = $1 AND b.id = $2 AND b.status = 'cancelled' FOR UPDATE OF c),
         r AS MATERIALIZED (
           SELECT r.batch_id, r.row_no, r.revision, r.amount_minor
             FROM c JOIN record r ON r.organisation_id = $1 AND r.batch_id = c.batch_id
               AND r.row_no BETWEEN c.next_row AND c.to_row AND r.revision = c.revision),
         dropped AS (
           INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code, message)
           SELECT $1, r.batch_id, r.row_no, r.revision, 0, false, 'CANCELLED', 'Cancelled before it was sent' FROM r),
         s AS MATERIALIZED (SELECT count(*)::int AS n, coalesce(sum(amount_minor), 0)::bigint AS minor FROM r),
         lowered AS (
           UPDATE chunk k SET next_row = c.to_row + 1, remaining = k.remaining - s.n, run_at = CASE
             WHEN c.to_row < k.to_row THEN k.run_at ELSE now() END,
                  state = CASE WHEN k.remaining = s.n THEN 'DONE' ELSE 'LEASED' END
             FROM c, s WHERE k.organisation_id = $1 AND k.batch_id = c.batch_id AND k.chunk_no = c.chunk_no)
         UPDATE batch_progress p SET queued = p.queued - s.n, failed = p.failed + s.n,
           queued_minor = p.queued_minor - s.minor,
                failed_minor = p.failed_minor + s.minor, updated_at = now()
           FROM s, c WHERE p.organisation_id = $1 AND p.batch_id = $2 AND s.n > 0
         RETURNING s.n",
    )
    .bind(organisation.0)
    .bind(hold.batch)
    .bind(hold.chunk)
    .bind(hold.epoch)
    .fetch_optional(tx.conn())
    .await?;
    Ok(rows.unwrap_or(0))
}

/// A row as it waits, for what must be known before its intent.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WaitingRow {
    /// Row of the batch.
    pub row_no: i32,
    /// Order.
    pub order_id: String,
    /// Minor units.
    pub amount_minor: i64,
}

/// A row of a chunk, to ask about it before it was sent: only to hear whether the gateway answers.
pub async fn question(tx: &mut Tx, chunk: &Chunk, row: i32) -> sqlx::Result<Option<TaskRecord>> {
    let organisation = tx.organisation();
    sqlx::query_as(concat!(
        "SELECT ",
        record_columns!(),
        " FROM record r JOIN batch b ON b.organisation_id = $1 AND b.id = r.batch_id
          WHERE r.organisation_id = $1 AND r.batch_id = $2 AND r.revision = $3 AND r.row_no = $4",
    ))
    .bind(organisation.0)
    .bind(chunk.batch_id)
    .bind(chunk.revision)
    .bind(row)
    .fetch_optional(tx.conn())
    .await
}

/// The rows of a chunk from `from_row` on.
pub async fn waiting_rows(tx: &mut Tx, chunk: &Chunk, from_row: i32) -> sqlx::Result<Vec<WaitingRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT row_no, order_id, amount_minor FROM record
          WHERE organisation_id = $1 AND batch_id = $2 AND revision = $3 AND row_no BETWEEN $4 AND $5 ORDER BY row_no",
    )
    .bind(organisation.0)
    .bind(chunk.batch_id)
    .bind(chunk.revision)
    .bind(from_row)
    .bind(chunk.to_row)
    .fetch_all(tx.conn())
    .await
}
