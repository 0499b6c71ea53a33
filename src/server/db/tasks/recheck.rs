//! Rows that a person asked about again: final ones without the gateway's word for it, and those in review.

use super::{TaskRecord, TaskReply, record::record_columns, resolve::RowKey};
use crate::{db::Tx, domain::ids::GatewayId};
use std::time::Duration;
use uuid::Uuid;

/// A row to ask about.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Recheck {
    /// Batch.
    pub batch_id: Uuid,
    /// The record.
    #[sqlx(flatten)]
    pub record: TaskRecord,
    /// Times it was asked without an answer.
    pub tries: i16,
    /// Its outcome; none while it is in review.
    pub succeeded: Option<bool>,
}

impl Recheck {
    /// Its name.
    pub fn key(&self) -> RowKey {
        RowKey { batch: self.batch_id, row: self.record.row_no, revision: self.record.revision }
    }
}

/// Takes due rows; they are due again after `lease` if nothing comes of it.
pub async fn take(tx: &mut Tx, gateway: GatewayId, limit: i32, lease: Duration) -> sqlx::Result<Vec<Recheck>> {
    let organisation = tx.organisation();
    sqlx::query_as(concat!(
        "WITH due AS MATERIALIZED (
           SELECT batch_id, row_no, revision FROM recheck WHERE organisation_id = $1 AND gateway_id = $2
             AND run_at <= now()
            ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED),
         taken AS (
           UPDATE recheck k SET run_at = now() + make_interval(secs => $4), tries = k.tries + 1
             FROM due d WHERE k.organisation_id = $1 AND k.batch_id = d.batch_id AND k.row_no = d.row_no
               AND k.revision = d.revision
           RETURNING k.batch_id, k.row_no, k.revision, k.tries)
         SELECT k.batch_id, k.tries, coalesce(x.succeeded, o.succeeded) AS succeeded, ",
        record_columns!(),
        " FROM taken k
           JOIN batch b ON b.organisation_id = $1 AND b.id = k.batch_id
           CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1 AND r.batch_id = k.batch_id
             AND r.row_no = k.row_no AND r.revision = k.revision OFFSET 0) r
           LEFT JOIN LATERAL (SELECT * FROM outcome  o WHERE o.organisation_id = $1 AND o.batch_id = k.batch_id
             AND o.row_no = k.row_no AND o.revision = k.revision OFFSET 0) o ON true
           LEFT JOIN LATERAL (SELECT * FROM reversal x WHERE x.organisation_id = $1 AND x.batch_id = k.batch_id
             AND x.row_no = k.row_no AND x.revision = k.revision OFFSET 0) x ON true",
    ))
    .bind(organisation.0)
    .bind(gateway.0)
    .bind(limit)
    .bind(lease.as_secs_f64())
    .fetch_all(tx.conn())
    .await
}

/// Done with these rows.
pub async fn drop_rows(tx: &mut Tx, keys: &[RowKey]) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "DELETE FROM recheck k USING unnest($2::uuid[], $3::int[], $4::smallint[]) AS u(batch_id, row_no, revision)
          WHERE k.organisation_id = $1 AND k.batch_id = u.batch_id AND k.row_no = u.row_no AND k.revision = u.revision",
    )
    .bind(organisation.0)
    .bind(keys.iter().map(|key| key.batch).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.row).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.revision).collect::<Vec<_>>())
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Keeps a reply about a row that is final.
pub async fn keep_evidence(tx: &mut Tx, key: RowKey, id: Uuid, replies: &str) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO evidence (organisation_id, batch_id, id, from_row, to_row, source, fenced, replies)
         VALUES ($1, $2, $3, $4, $4, 'RECONCILE', false, $5) ON CONFLICT DO NOTHING",
    )
    .bind(organisation.0)
    .bind(key.batch)
    .bind(id)
    .bind(key.row)
    .bind(replies)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// The gateway takes back its last word: the outcome stays, a reversal is appended, counters and balance move. Only of
/// the latest revision of a row, and once. Returns whether it was written.
pub async fn reverse(tx: &mut Tx, key: RowKey, succeeded: bool, answer: &TaskReply) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query(
        "WITH rev AS (
           INSERT INTO reversal (organisation_id, batch_id, row_no, revision, succeeded, code, message, gw_ref,
             gateway_status)
           SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM outcome o
            WHERE o.organisation_id = $1 AND o.batch_id = $2 AND o.row_no = $3 AND o.revision = $4 AND o.succeeded <> $5
              AND o.attempts > 0
              AND NOT EXISTS (SELECT FROM record n WHERE n.organisation_id = $1 AND n.batch_id = $2 AND n.row_no = $3
                AND n.revision > $4)
           ON CONFLICT DO NOTHING RETURNING row_no),
         r AS MATERIALIZED (
           SELECT r.order_id, r.amount_minor, CASE WHEN $5 THEN 1 ELSE -1 END AS sign,
                  (SELECT a.balanced FROM attempt a WHERE a.organisation_id = $1 AND a.batch_id = $2 AND a.revision = $4
                    AND a.attempt = 1 AND a.from_row <= $3
                    ORDER BY a.from_row DESC LIMIT 1) AS balanced
             FROM rev
             JOIN record r ON r.organisation_id = $1 AND r.batch_id = $2 AND r.row_no = $3 AND r.revision = $4),
         bal AS (
           UPDATE order_balance ob SET committed_minor = ob.committed_minor + r.sign * r.amount_minor
             FROM r WHERE r.balanced AND ob.organisation_id = $1 AND ob.order_id = r.order_id)
         UPDATE batch_progress p SET accepted = p.accepted + r.sign, failed = p.failed - r.sign,
           accepted_minor = p.accepted_minor + r.sign * r.amount_minor,
                failed_minor = p.failed_minor - r.sign * r.amount_minor, updated_at = now()
           FROM r WHERE p.organisation_id = $1 AND p.batch_id = $2",
    )
    .bind(organisation.0)
    .bind(key.batch)
    .bind(key.row)
    .bind(key.revision)
    .bind(succeeded)
    .bind(answer.code.clone().unwrap_or_else(|| "contradiction".to_owned()))
    .bind(answer.message.clone())
    .bind(answer.reference.clone())
    .bind(answer.gateway_status.clone())
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() > 0)
}
