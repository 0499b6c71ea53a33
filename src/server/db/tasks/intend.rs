//! T2: the intent to send, committed before the send.

use super::{TaskRecord, claim::ChunkLease};
use crate::db::Tx;
use uuid::Uuid;

/// A run of rows that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The chunk that holds it.
    pub hold: ChunkLease,
    /// First row.
    pub from_row: i32,
    /// Last row.
    pub to_row: i32,
}

/// A row with an intent.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct IntendedRow {
    /// The record.
    #[sqlx(flatten)]
    pub record: TaskRecord,
    /// Whether it may be sent as it is; otherwise [`settle_refused`] decides, in the same transaction.
    pub reserved: bool,
}

/// Writes the intent of a run. The trigger on `attempt` is the gate: a run that may not be sent gives no rows. Order
/// balances are reserved per order and in their order; an order that does not fit, or that the gateway does not have
/// charged in this currency, comes back without `reserved`.
pub async fn intend(tx: &mut Tx, worker: Uuid, run: Run) -> sqlx::Result<Vec<IntendedRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "WITH run AS (
           INSERT INTO attempt (organisation_id, batch_id, chunk_no, epoch, owner, from_row, to_row, revision, attempt)
           VALUES ($1, $3, $4, $5, $2, $6, $7, 1, 1)
           RETURNING batch_id, revision, from_row, to_row, currency, balanced),
         todo AS MATERIALIZED (
           SELECT b.operation, a.currency, a.balanced, r.row_no, r.revision, r.order_id, r.amount_minor, r.gateway_key,
             r.txn_id, r.unique_id, r.extra, r.request_sha256,
                  s.order_id IS NOT NULL AND NOT coalesce(s.known AND s.charged
                    AND s.currency = a.currency, false) AS bad
             FROM run a
             JOIN batch b ON b.organisation_id = $1 AND b.id = a.batch_id
             JOIN record r ON r.organisation_id = $1 AND r.batch_id = a.batch_id
               AND r.row_no BETWEEN a.from_row AND a.to_row AND r.revision = a.revision
             LEFT JOIN LATERAL (SELECT * FROM order_seen s
               WHERE (SELECT EXISTS (SELECT FROM order_seen e WHERE e.organisation_id = $1 AND e.batch_id = $3))
                                   AND s.organisation_id = $1 AND s.batch_id = a.batch_id
                                     AND s.order_id = r.order_id OFFSET 0) s ON true),
         fits AS (
           INSERT INTO order_balance AS ob (organisation_id, order_id, currency, committed_minor)
           SELECT DISTINCT ON (order_id) $1, order_id, currency, sum(amount_minor)::bigint FROM todo WHERE balanced
             AND NOT bad
            GROUP BY order_id, currency ORDER BY order_id, currency
           ON CONFLICT (organisation_id, order_id) DO UPDATE
             SET committed_minor = ob.committed_minor + excluded.committed_minor
             WHERE ob.currency = excluded.currency
               AND (ob.captured_minor IS NULL OR ob.committed_minor + ob.outside_minor + excluded.committed_minor <=
                 ob.captured_minor)
           RETURNING ob.order_id, ob.currency)
         SELECT t.row_no, t.revision, t.operation, t.currency, t.order_id, t.amount_minor, t.gateway_key, t.txn_id,
           t.unique_id, t.extra, t.request_sha256,
                NOT t.bad AND (NOT t.balanced OR (t.order_id, t.currency) IN (SELECT order_id, currency
                  FROM fits)) AS reserved
           FROM todo t ORDER BY t.row_no",
    )
    .bind(organisation.0)
    .bind(worker)
    .bind(run.hold.batch)
    .bind(run.hold.chunk)
    .bind(run.hold.epoch)
    .bind(run.from_row)
    .bind(run.to_row)
    .fetch_all(tx.conn())
    .await
}

/// T2, second statement of the same transaction, for rows without `reserved`: what still fits is taken in row order,
/// the others become FAILED, never sent, with the sentence that says why. Returns the rows that may be sent after all.
pub async fn settle_refused(
    tx: &mut Tx,
    batch: Uuid,
    revision: i16,
    rows: &[i32],
    decimals: u32,
) -> sqlx::Result<Vec<i32>> {
    let organisation = tx.organisation();
    let rows: Vec<(i32, bool)> = sqlx::query_as(
        "WITH ask AS MATERIALIZED (
           SELECT r.batch_id, r.row_no, r.revision, r.order_id, b.currency, r.amount_minor, s.status AS gateway_status,
             s.currency AS gateway_currency,
                  CASE WHEN s.order_id IS NULL THEN NULL WHEN NOT s.known THEN 'ORDER_MISSING' WHEN NOT s.charged
                    THEN 'ORDER_NOT_CHARGED'
                       WHEN s.currency IS DISTINCT FROM b.currency THEN 'ORDER_CURRENCY' END AS problem
             FROM unnest($3::int[]) AS u(row_no)
             JOIN batch b ON b.organisation_id = $1 AND b.id = $2
             CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1 AND r.batch_id = $2
               AND r.row_no = u.row_no AND r.revision = $4 OFFSET 0) r
             LEFT JOIN LATERAL (SELECT * FROM order_seen s WHERE s.organisation_id = $1 AND s.batch_id = $2
               AND s.order_id = r.order_id OFFSET 0) s ON true),
         room AS MATERIALIZED (
           SELECT ob.order_id, ob.currency,
             greatest(ob.captured_minor - ob.committed_minor - ob.outside_minor, 0) AS room
             FROM order_balance ob WHERE ob.organisation_id = $1 AND ob.order_id IN (SELECT order_id FROM ask)
            ORDER BY ob.order_id FOR UPDATE),
         used AS (
           SELECT a.*, m.currency AS our_currency, m.currency IS NOT DISTINCT FROM a.currency AS same_currency, m.room,
                  fit(CASE WHEN a.problem IS NULL THEN a.amount_minor ELSE 0 END, m.room)
                    OVER (PARTITION BY a.order_id ORDER BY a.row_no) AS used
             FROM ask a LEFT JOIN room m ON m.order_id = a.order_id),
         verdict AS MATERIALIZED (
           SELECT u.*, problem IS NULL AND same_currency
             AND used > coalesce(lag(used) OVER (PARTITION BY order_id ORDER BY row_no), 0) AS fits FROM used u),
         taken AS (
           UPDATE order_balance ob SET committed_minor = ob.committed_minor + v.minor
             FROM (SELECT order_id, sum(amount_minor)::bigint AS minor FROM verdict WHERE fits GROUP BY 1) v
            WHERE ob.organisation_id = $1 AND ob.order_id = v.order_id),
         refused AS (
           INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code, message)
           SELECT $1, batch_id, row_no, revision, 0, false,
                  CASE WHEN problem IS NOT NULL THEN problem WHEN same_currency THEN 'OVER_REFUND'
                    ELSE 'ORDER_CURRENCY' END,
                  CASE WHEN problem = 'ORDER_MISSING' THEN 'The gateway does not know this order. Nothing was sent.'
                       WHEN problem = 'ORDER_NOT_CHARGED'
                         THEN format('The order is not charged at the gateway (%s). Nothing was sent.',
                         coalesce(gateway_status, 'no status'))
                       WHEN problem IS NOT NULL OR NOT same_currency
                         THEN format('The order is in %s, this batch in %s. Nothing was sent.',
                           coalesce(gateway_currency, our_currency), currency)
                       WHEN room - used <= 0 THEN 'Nothing of this order is left to refund. Nothing was sent.'
                       ELSE format('More than what is left: %s of this order can still be refunded. Nothing was sent.',
                                   round((room - used) / power(10::numeric, $5::int), $5::int)) END
             FROM verdict WHERE NOT fits),
         lowered AS (
           UPDATE chunk c SET remaining = c.remaining - m.n, state = CASE WHEN c.remaining = m.n THEN 'DONE'
             ELSE c.state END
             FROM (SELECT c.batch_id, c.chunk_no, count(*)::int AS n FROM verdict x
                     JOIN chunk c ON c.organisation_id = $1 AND c.batch_id = x.batch_id AND c.revision = x.revision
                       AND x.row_no BETWEEN c.from_row AND c.to_row
                    WHERE NOT x.fits GROUP BY 1, 2) m
            WHERE c.organisation_id = $1 AND c.batch_id = m.batch_id AND c.chunk_no = m.chunk_no),
         counted AS (
           UPDATE batch_progress p SET queued = p.queued - s.n, failed = p.failed + s.n,
             queued_minor = p.queued_minor - s.minor,
                  failed_minor = p.failed_minor + s.minor, updated_at = now()
             FROM (SELECT batch_id, count(*)::int AS n, sum(amount_minor)::bigint AS minor FROM verdict WHERE NOT fits
               GROUP BY 1) s
            WHERE p.organisation_id = $1 AND p.batch_id = s.batch_id)
         SELECT row_no, fits FROM verdict",
    )
    .bind(organisation.0)
    .bind(batch)
    .bind(rows.to_vec())
    .bind(revision)
    .bind(i32::try_from(decimals).unwrap_or(2))
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().filter_map(|(row, fits)| fits.then_some(row)).collect())
}
