//! What the gateway says about an order before its first refund of a batch.

use super::claim::Chunk;
use crate::db::Tx;
use uuid::Uuid;

/// An order that was not read for this batch yet.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OrderToRead {
    /// Order.
    pub order_id: String,
    /// What we had committed on it before the reading.
    pub committed_minor: i64,
}

/// A reading.
#[derive(Clone, Debug)]
pub struct OrderRead {
    /// Order.
    pub order_id: String,
    /// What we had committed on it before the reading.
    pub committed_minor: i64,
    /// False: the gateway answered that it has no such order.
    pub known: bool,
    /// Whether money was captured.
    pub charged: bool,
    /// The gateway's word.
    pub status: Option<String>,
    /// Amount of the order.
    pub amount_minor: Option<i64>,
    /// Its currency.
    pub currency: Option<String>,
    /// What can still be refunded.
    pub refundable_minor: Option<i64>,
    /// What was refunded already.
    pub refunded_minor: Option<i64>,
    /// Transactions, as a JSON array.
    pub transactions: Vec<String>,
    /// The answer as it came.
    pub body: Option<String>,
}

/// Orders of rows `from_row..=to_row` of a chunk that were not read for this batch yet.
pub async fn to_read(tx: &mut Tx, chunk: &Chunk, from_row: i32, to_row: i32) -> sqlx::Result<Vec<OrderToRead>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT o.order_id, coalesce(b.committed_minor, 0) AS committed_minor
           FROM (SELECT DISTINCT order_id FROM record WHERE organisation_id = $1 AND batch_id = $2 AND revision = $3
             AND row_no BETWEEN $4 AND $5) o
           LEFT JOIN LATERAL (SELECT * FROM order_balance b WHERE b.organisation_id = $1
             AND b.order_id = o.order_id OFFSET 0) b ON true
          WHERE NOT EXISTS (SELECT FROM order_seen s WHERE s.organisation_id = $1 AND s.batch_id = $2
            AND s.order_id = o.order_id OFFSET 0)
          ORDER BY o.order_id",
    )
    .bind(organisation.0)
    .bind(chunk.batch_id)
    .bind(chunk.revision)
    .bind(from_row)
    .bind(to_row)
    .fetch_all(tx.conn())
    .await
}

/// Stores readings and what they say about the orders' balances. An order on which something of ours was committed or
/// given back while it was being read is left out: its reading cannot be compared with ours and is made again.
///
/// Captured is what can be refunded at all: refunded plus refundable where the gateway says so, else the amount. What
/// the gateway had refunded beyond ours counts as taken (`outside_minor`), so that committed + outside = max(ours, the
/// gateway's).
pub async fn see(tx: &mut Tx, batch: Uuid, reads: &[OrderRead]) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    let transactions = |read: &OrderRead| serde_json::Value::from(read.transactions.clone()).to_string();
    sqlx::query(
        "WITH x AS MATERIALIZED (
           SELECT u.*, (SELECT coalesce(array_agg(t), '{}')
             FROM json_array_elements_text(u.tx::json) AS t) AS transactions
             FROM unnest($3::text[], $4::bigint[], $5::bool[], $6::bool[], $7::text[], $8::bigint[], $9::text[],
               $10::bigint[], $11::bigint[], $12::text[], $13::text[])
               AS u(order_id, before, known, charged, status, amount_minor, currency, refundable_minor, refunded_minor,
                 tx, body)),
         held AS MATERIALIZED (
           SELECT b.order_id, b.committed_minor FROM order_balance b
            WHERE b.organisation_id = $1 AND b.order_id IN (SELECT order_id FROM x) ORDER BY b.order_id FOR UPDATE),
         sound AS MATERIALIZED (
           SELECT x.* FROM x LEFT JOIN held h ON h.order_id = x.order_id
             WHERE coalesce(h.committed_minor, 0) = x.before),
         balance AS (
           INSERT INTO order_balance AS ob (organisation_id, order_id, currency, captured_minor, committed_minor,
             outside_minor)
           SELECT $1, order_id, currency, least(amount_minor, refunded_minor + refundable_minor), 0,
             coalesce(refunded_minor, 0)
             FROM sound WHERE known AND charged AND currency IS NOT NULL ORDER BY order_id
           ON CONFLICT (organisation_id, order_id) DO UPDATE
             SET captured_minor = excluded.captured_minor,
                 outside_minor = greatest(ob.outside_minor, excluded.outside_minor - ob.committed_minor)
           WHERE ob.currency = excluded.currency)
         INSERT INTO order_seen (organisation_id, batch_id, order_id, known, charged, status, amount_minor, currency,
           refundable_minor, refunded_minor, transactions, body)
         SELECT $1, $2, order_id, known, charged, status, amount_minor, currency, refundable_minor, refunded_minor,
           transactions, body FROM sound
         ON CONFLICT DO NOTHING",
    )
    .bind(organisation.0)
    .bind(batch)
    .bind(reads.iter().map(|read| read.order_id.clone()).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.committed_minor).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.known).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.charged).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.status.clone()).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.amount_minor).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.currency.clone()).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.refundable_minor).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.refunded_minor).collect::<Vec<_>>())
    .bind(reads.iter().map(transactions).collect::<Vec<_>>())
    .bind(reads.iter().map(|read| read.body.clone()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected())
}
