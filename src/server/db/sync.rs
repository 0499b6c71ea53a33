//! The work of Batch Sync: tasks that ask the gateway and tell the external system. They may be repeated at will, so
//! there are no intents; leases and epochs are those of the money protocol.

use super::Tx;
use crate::domain::ids::{BatchId, GatewayId};
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;

/// Turns due runs of rows into tasks; returns the batches it touched.
pub async fn open(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Vec<BatchId>> {
    let rows: Vec<(Uuid,)> =
        sqlx::query_as("SELECT DISTINCT open_order_tasks($1)").bind(gateway.0).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(|(id,)| BatchId(id)).collect())
}

/// "Sync with Gateway": every record is asked about now; returns how many.
pub async fn again(tx: &mut Tx, batch: BatchId) -> sqlx::Result<u64> {
    sqlx::query_scalar::<_, i32>("SELECT sync_orders($1)")
        .bind(batch.0)
        .fetch_one(tx.conn())
        .await
        .map(|n| u64::try_from(n).unwrap_or(0))
}

/// A task that this process works on.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ClaimedTask {
    /// Batch.
    pub batch_id: Uuid,
    /// S.No.
    pub row_no: i32,
    /// The fence.
    pub epoch: i64,
    /// Whether the gateway is asked.
    pub asks: bool,
    /// QUEUED, ACCEPTED or FAILED.
    pub status: String,
    /// Tries since it became due.
    pub tries: i16,
    /// Seconds since it became due.
    pub waited: i64,
    /// What the external system took last for this task.
    pub delivered_sha256: Option<Vec<u8>>,
    /// What it answered then.
    pub response: Option<String>,
    /// Order.
    pub order_id: String,
    /// The transaction that the order must have.
    pub txn_id: Option<String>,
    /// JSON with the unique request id.
    pub extra: Option<String>,
}

/// Leases due tasks. `asking`: also those that ask the gateway. Rows of a paused batch wait, unless a person asked
/// about them again.
pub async fn take(
    tx: &mut Tx,
    gateway: GatewayId,
    worker: Uuid,
    limit: i32,
    lease: Duration,
    asking: bool,
) -> sqlx::Result<Vec<ClaimedTask>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "WITH due AS MATERIALIZED (
           SELECT t.batch_id, t.row_no FROM order_task t
            CROSS JOIN LATERAL (SELECT * FROM batch b WHERE b.organisation_id = $1 AND b.id = t.batch_id OFFSET 0) b
            WHERE t.organisation_id = $1 AND t.gateway_id = $2 AND t.run_at <= now() AND ($6 OR NOT t.asks)
              AND (t.status <> 'QUEUED' OR b.status <> 'cancelled'
                AND (b.status <> 'paused' OR t.asked_at = b.last_synced_at))
            ORDER BY t.run_at, t.batch_id, t.row_no LIMIT $3 FOR UPDATE OF t SKIP LOCKED)
         UPDATE order_task t SET epoch = t.epoch + 1, owner = $4, run_at = now() + make_interval(secs => $5)
           FROM due CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1
             AND r.batch_id = due.batch_id AND r.row_no = due.row_no AND r.revision = 1 OFFSET 0) r
          WHERE t.organisation_id = $1 AND t.batch_id = due.batch_id AND t.row_no = due.row_no
         RETURNING t.batch_id, t.row_no, t.epoch, t.asks, t.status, t.tries, extract(epoch
           FROM now() - t.asked_at)::bigint AS waited, t.delivered_sha256, t.response,
                   r.order_id, r.txn_id, r.extra",
    )
    .bind(organisation.0)
    .bind(gateway.0)
    .bind(limit)
    .bind(worker)
    .bind(lease.as_secs_f64())
    .bind(asking)
    .fetch_all(tx.conn())
    .await
}

/// Calls off due tasks of cancelled batches that somebody worked on when they were cancelled. Returns the batches it
/// touched.
pub async fn call_off(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Vec<BatchId>> {
    let organisation = tx.organisation();
    let rows: Vec<(Uuid,)> = sqlx::query_as(
        "WITH due AS MATERIALIZED (
           SELECT t.batch_id, t.row_no FROM order_task t
            CROSS JOIN LATERAL (SELECT * FROM batch b WHERE b.organisation_id = $1 AND b.id = t.batch_id OFFSET 0) b
            WHERE t.organisation_id = $1 AND t.gateway_id = $2 AND t.run_at <= now() AND t.status = 'QUEUED'
              AND b.status = 'cancelled'
            ORDER BY t.batch_id, t.row_no FOR UPDATE OF t SKIP LOCKED),
         done AS (
           UPDATE order_task t SET status = 'FAILED', code = 'CANCELLED', message = 'Cancelled before it was sent',
             run_at = NULL, owner = NULL,
                  epoch = t.epoch + 1, updated_at = now()
             FROM due WHERE t.organisation_id = $1 AND t.batch_id = due.batch_id AND t.row_no = due.row_no
               RETURNING t.batch_id)
         UPDATE batch_progress p SET queued = p.queued - d.n, failed = p.failed + d.n, updated_at = now()
           FROM (SELECT batch_id, count(*)::int AS n FROM done GROUP BY 1) d
          WHERE p.organisation_id = $1 AND p.batch_id = d.batch_id RETURNING p.batch_id",
    )
    .bind(organisation.0)
    .bind(gateway.0)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(id,)| BatchId(id)).collect())
}

/// What became of a task.
#[derive(Clone, Debug, Serialize)]
pub struct Settled {
    /// Batch.
    pub batch_id: Uuid,
    /// S.No.
    pub row_no: i32,
    /// The epoch it was taken with.
    pub epoch: i64,
    /// QUEUED, ACCEPTED or FAILED.
    pub status: &'static str,
    /// SYNCED, FAILED or NOT REQUESTED; none while queued.
    pub gateway_status: Option<&'static str>,
    /// External System Response.
    pub response: Option<String>,
    /// Short code.
    pub code: Option<String>,
    /// One sentence.
    pub message: Option<String>,
    /// What the external system took, hex; none leaves what is there.
    pub delivered: Option<String>,
    /// Seconds until it is due again; none when there is nothing more to do.
    pub wait_seconds: Option<u64>,
    /// Whether the result stays as it was and only the next try is noted.
    pub unchanged: bool,
    /// Whether it was a try.
    pub counts: bool,
}

impl Settled {
    /// Whether it came to a result.
    pub fn is_counted(&self) -> bool {
        !self.unchanged && self.status != "QUEUED"
    }
}

/// Records what became of tasks that are still held, and moves the counters. A task that would wait in a cancelled
/// batch is called off.
pub async fn settle(tx: &mut Tx, worker: Uuid, settled: &[Settled]) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    let rows = serde_json::to_string(settled).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query_scalar::<_, i64>(
        "WITH x AS MATERIALIZED (
           SELECT * FROM json_to_recordset($3::json) AS x(batch_id uuid, row_no int, epoch bigint, status text,
             gateway_status text, response text,
                    code text, message text, delivered text, wait_seconds bigint, unchanged bool, counts bool)),
         held AS MATERIALIZED (
           SELECT t.batch_id, t.row_no, t.status AS old, x.status AS said, b.status = 'cancelled'
             AND x.wait_seconds IS NOT NULL AND t.status = 'QUEUED' AS off,
                  x.gateway_status, x.response, x.code, x.message, x.delivered, x.wait_seconds, x.unchanged, x.counts
             FROM x JOIN order_task t ON t.organisation_id = $1 AND t.batch_id = x.batch_id AND t.row_no = x.row_no
             JOIN batch b ON b.organisation_id = $1 AND b.id = x.batch_id
            WHERE t.epoch = x.epoch AND t.owner = $2 ORDER BY t.batch_id, t.row_no FOR UPDATE OF t),
         moved AS (
           UPDATE order_task t SET
                  status = CASE WHEN h.off THEN 'FAILED' WHEN h.unchanged THEN t.status ELSE h.said END,
                  gateway_status = CASE WHEN h.off THEN NULL WHEN h.unchanged THEN t.gateway_status
                    ELSE h.gateway_status END,
                  response = CASE WHEN h.off OR h.unchanged THEN t.response ELSE h.response END,
                  code = CASE WHEN h.off THEN 'CANCELLED' WHEN h.unchanged THEN t.code ELSE h.code END,
                  message = CASE WHEN h.off THEN 'Cancelled before it was sent' WHEN h.unchanged THEN t.message
                    ELSE h.message END,
                  delivered_sha256 = coalesce(decode(h.delivered, 'hex'), t.delivered_sha256),
                  tries = CASE WHEN h.wait_seconds IS NULL THEN 0 WHEN NOT h.counts THEN t.tries
                    ELSE least(t.tries + 1, 32000) END,
                  run_at = CASE WHEN NOT h.off AND h.wait_seconds IS NOT NULL
                    THEN now() + make_interval(secs => h.wait_seconds) END,
                  owner = NULL, updated_at = CASE WHEN h.unchanged THEN t.updated_at ELSE now() END
             FROM held h WHERE t.organisation_id = $1 AND t.batch_id = h.batch_id AND t.row_no = h.row_no
           RETURNING t.batch_id, h.old, t.status AS new),
         counted AS (
           UPDATE batch_progress p SET queued = p.queued + d.q, accepted = p.accepted + d.a, failed = p.failed + d.f,
             updated_at = now()
             FROM (SELECT batch_id, sum((new = 'QUEUED')::int - (old = 'QUEUED')::int)::int AS q,
                          sum((new = 'ACCEPTED')::int - (old = 'ACCEPTED')::int)::int AS a,
                          sum((new = 'FAILED')::int - (old = 'FAILED')::int)::int AS f FROM moved GROUP BY 1) d
            WHERE p.organisation_id = $1 AND p.batch_id = d.batch_id AND (d.q, d.a, d.f) <> (0, 0, 0))
         SELECT count(*) FROM moved",
    )
    .bind(organisation.0)
    .bind(worker)
    .bind(rows)
    .fetch_one(tx.conn())
    .await
    .map(|n| u64::try_from(n).unwrap_or(0))
}

/// A reply that is kept.
#[derive(Clone, Debug)]
pub struct EvidenceRow {
    /// Batch.
    pub batch: Uuid,
    /// S.No.
    pub row: i32,
    /// QUERY or DELIVERY.
    pub source: &'static str,
    /// JSON array of one object.
    pub replies: String,
}

/// Keeps replies, whatever they moved. They are dated as what they moved in the same transaction.
pub async fn keep_evidence(tx: &mut Tx, kept: &[EvidenceRow]) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO evidence (organisation_id, batch_id, id, from_row, to_row, source, fenced, replies, at)
         SELECT $1, u.batch_id, u.id, u.row_no, u.row_no, u.source, false, u.replies, now()
           FROM unnest($2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::text[]) AS u(batch_id, id, row_no, source,
             replies)
         ON CONFLICT DO NOTHING",
    )
    .bind(organisation.0)
    .bind(kept.iter().map(|one| one.batch).collect::<Vec<_>>())
    .bind(kept.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
    .bind(kept.iter().map(|one| one.row).collect::<Vec<_>>())
    .bind(kept.iter().map(|one| one.source).collect::<Vec<_>>())
    .bind(kept.iter().map(|one| one.replies.clone()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Everything that does not add up about a sync, one sentence each. Empty: sound.
pub async fn check_batch(tx: &mut Tx, batch: Uuid) -> sqlx::Result<Vec<String>> {
    let organisation = tx.organisation();
    sqlx::query_scalar(
        "SELECT format('counters of the batch say %s queued, %s accepted, %s failed; its tasks say %s, %s, %s',
         p.queued, p.accepted, p.failed, f.q, f.a, f.f)
           FROM batch_progress p, LATERAL (
             SELECT count(*) FILTER (WHERE status = 'QUEUED') AS q, count(*) FILTER (WHERE status = 'ACCEPTED') AS a,
                    count(*) FILTER (WHERE status = 'FAILED') AS f, count(*) AS n
               FROM sync_task t WHERE t.organisation_id = $1 AND t.batch_id = $2) f
          WHERE p.organisation_id = $1 AND p.batch_id = $2 AND (p.queued, p.accepted, p.failed, p.records)
            IS DISTINCT FROM (f.q, f.a, f.f, f.n)
         UNION ALL
         SELECT format('row %s was begun without a decision for its content', min(t.row_no)) FROM order_task t
          WHERE t.organisation_id = $1 AND t.batch_id = $2 AND coalesce(t.code, '') <> 'CANCELLED'
            AND NOT EXISTS (SELECT FROM decision d JOIN batch_revision v USING (organisation_id, batch_id, revision)
                             WHERE d.organisation_id = $1 AND d.batch_id = $2 AND d.verdict <> 'REJECT'
                               AND d.content_sha256 = v.content_sha256)
         HAVING count(*) > 0",
    )
    .bind(organisation.0)
    .bind(batch)
    .fetch_all(tx.conn())
    .await
}
