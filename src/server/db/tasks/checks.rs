//! T6: counters, balances and states against the facts. Run by tests, by the processor when a batch is done, and every
//! hour.

use crate::db::Tx;
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use uuid::Uuid;

/// Everything that does not add up about a batch, one sentence each. Empty: sound.
pub async fn check_batch(tx: &mut Tx, batch: Uuid) -> sqlx::Result<Vec<String>> {
    let organisation = tx.organisation();
    let rows: Vec<(String,)> = sqlx::query_as(
        "WITH told AS MATERIALIZED (
           SELECT DISTINCT g AS row_no FROM evidence e CROSS JOIN generate_series(e.from_row, e.to_row) AS g
             WHERE e.organisation_id = $1 AND e.batch_id = $2)
         SELECT
           format('counters of the batch say %s queued, %s accepted, %s failed, %s pending; its tasks say %s, %s, %s, %s', p.queued, p.accepted, p.failed, p.pending, f.q, f.a, f.f, f.pend)
           FROM batch_progress p, LATERAL (
             SELECT count(*) FILTER (WHERE status = 'QUEUED') AS q, count(*)
               FILTER (WHERE status = 'ACCEPTED') AS a, count(*) FILTER (WHERE status = 'FAILED') AS f,
                    count(*) FILTER (WHERE state = 'PENDING') AS pend,
                    coalesce(sum(amount_minor) FILTER (WHERE status = 'QUEUED'), 0) AS qm, coalesce(sum(amount_minor)
                      FILTER (WHERE status = 'ACCEPTED'), 0) AS am,
                    coalesce(sum(amount_minor) FILTER (WHERE status = 'FAILED'), 0) AS fm, count(*) AS n
               FROM task t WHERE t.organisation_id = $1 AND t.batch_id = $2) f
          WHERE p.organisation_id = $1 AND p.batch_id = $2
            AND (p.queued, p.accepted, p.failed, p.pending, p.queued_minor, p.accepted_minor, p.failed_minor, p.records)
              IS DISTINCT FROM (f.q, f.a, f.f, f.pend, f.qm, f.am, f.fm, f.n)
         UNION ALL
         SELECT format('row %s is both final and open', t.row_no) FROM open_task t
          WHERE t.organisation_id = $1 AND t.batch_id = $2
            AND EXISTS (SELECT FROM outcome o WHERE o.organisation_id = $1 AND o.batch_id = $2 AND o.row_no = t.row_no
              AND o.revision = t.revision OFFSET 0)
         UNION ALL
         SELECT format('chunk %s says %s rows remain (%s), the facts say %s', c.chunk_no, c.remaining, c.state, f.n)
           FROM chunk c, LATERAL (
             SELECT count(*) AS n FROM record r WHERE r.organisation_id = $1 AND r.batch_id = $2
               AND r.revision = c.revision AND r.row_no BETWEEN c.from_row AND c.to_row
                AND NOT EXISTS (SELECT FROM outcome o   WHERE o.organisation_id = $1 AND o.batch_id = $2
                  AND o.row_no = r.row_no AND o.revision = r.revision OFFSET 0)
                AND NOT EXISTS (SELECT FROM open_task t WHERE t.organisation_id = $1 AND t.batch_id = $2
                  AND t.row_no = r.row_no AND t.revision = r.revision OFFSET 0)) f
          WHERE c.organisation_id = $1 AND c.batch_id = $2 AND (c.remaining <> f.n OR (c.state = 'DONE') <> (f.n = 0))
         UNION ALL
         SELECT format('row %s succeeded without evidence', o.row_no) FROM (
             SELECT o.row_no FROM outcome o WHERE o.organisation_id = $1 AND o.batch_id = $2 AND o.succeeded
             EXCEPT SELECT row_no FROM told) o
         UNION ALL
         SELECT format('row %s was sent twice through a connection that is not class K, without a reply to the first',
           a.from_row)
           FROM attempt a JOIN batch b ON b.organisation_id = $1 AND b.id = a.batch_id 
           LEFT JOIN gateway_promise g ON g.organisation_id = $1 AND g.gateway_id = b.gateway_id
             AND g.effect = (SELECT p.effect FROM operation p WHERE p.code = b.operation)
          WHERE a.organisation_id = $1 AND a.batch_id = $2 AND a.attempt > 1 AND coalesce(g.class, 'N') <> 'K'
            AND a.from_row NOT IN (SELECT row_no FROM told)
         UNION ALL
         SELECT format('revision %s was sent without a decision for its content', a.revision) FROM attempt a
          WHERE a.organisation_id = $1 AND a.batch_id = $2
            AND NOT EXISTS (SELECT FROM decision d JOIN batch_revision v USING (organisation_id, batch_id, revision)
                             WHERE d.organisation_id = $1 AND d.batch_id = $2 AND d.revision = a.revision
                               AND d.verdict <> 'REJECT' AND d.content_sha256 = v.content_sha256)",
    )
    .bind(organisation.0)
    .bind(batch)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(sentence,)| sentence).collect())
}

/// Takes the hourly look at balances, where it is due. Returns since when batches must have changed to be looked at;
/// none: all of them. The transaction that looks holds it: whoever else comes waits, and finds that it is done.
pub async fn claim_balances(tx: &mut Tx) -> sqlx::Result<Option<Option<OffsetDateTime>>> {
    let organisation = tx.organisation();
    // A batch's time is that of the beginning of its transaction.
    sqlx::query_scalar(
        "INSERT INTO balance_check AS c (organisation_id) VALUES ($1)
         ON CONFLICT (organisation_id) DO UPDATE SET since = c.at - interval '10 minutes', at = now()
           WHERE c.at <= now() - interval '1 hour'
         RETURNING since",
    )
    .bind(organisation.0)
    .fetch_optional(tx.conn())
    .await
}

/// Balances against the facts: committed is every record with an intent that did not fail. Of orders in batches that
/// changed since then or are not final; none: of all orders. Empty: sound.
pub async fn check_balances(tx: &mut Tx, since: Option<OffsetDateTime>) -> sqlx::Result<Vec<String>> {
    let organisation = tx.organisation();
    let (balances, records) = match since {
        None => ("order_balance v", "record r"),
        Some(_) => ("orders t JOIN order_balance v USING (order_id)", "orders t JOIN record r USING (order_id)"),
    };
    let sql = format!(
        "WITH orders AS MATERIALIZED (
           SELECT DISTINCT r.order_id FROM batch_progress p JOIN record r ON r.organisation_id = $1
             AND r.batch_id = p.batch_id
            WHERE p.organisation_id = $1 AND (p.updated_at >= $2 OR p.queued > 0 OR p.pending > 0))
         SELECT format('order %s has %s committed, its tasks say %s', coalesce(b.order_id, f.order_id),
           coalesce(b.committed_minor, 0), coalesce(f.minor, 0))
           FROM (SELECT v.order_id, v.currency, v.committed_minor FROM {balances} WHERE v.organisation_id = $1) b
           FULL JOIN (
            SELECT r.order_id, b.currency, sum(r.amount_minor) AS minor FROM {records}
             CROSS JOIN LATERAL (SELECT b.currency FROM batch b WHERE b.organisation_id = $1
               AND b.id = r.batch_id OFFSET 0) b
             CROSS JOIN LATERAL (SELECT a.balanced AND a.to_row >= r.row_no AS balanced FROM attempt a
               WHERE a.organisation_id = $1 AND a.batch_id = r.batch_id
                                    AND a.revision = r.revision AND a.attempt = 1 AND a.from_row <= r.row_no
                                      ORDER BY a.from_row DESC LIMIT 1) a
              LEFT JOIN LATERAL (SELECT o.succeeded FROM outcome o WHERE o.organisation_id = $1
                AND o.batch_id = r.batch_id AND o.row_no = r.row_no
                                    AND o.revision = r.revision OFFSET 0) o ON true
              LEFT JOIN LATERAL (SELECT x.succeeded FROM reversal x WHERE x.organisation_id = $1
                AND x.batch_id = r.batch_id AND x.row_no = r.row_no
                                    AND x.revision = r.revision OFFSET 0) x ON true
             WHERE r.organisation_id = $1 AND a.balanced AND coalesce(x.succeeded, o.succeeded, true)
             GROUP BY 1, 2) f USING (order_id, currency)
          WHERE coalesce(b.committed_minor, 0) <> coalesce(f.minor, 0) ORDER BY 1"
    );
    let found: Vec<(String,)> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(organisation.0).bind(since).fetch_all(tx.conn()).await?;
    Ok(found.into_iter().map(|(sentence,)| sentence).collect())
}

/// [`check_batch`] for a batch in which nothing is queued any more; empty for all others.
pub async fn check_ended(tx: &mut Tx, batch: Uuid) -> sqlx::Result<Vec<String>> {
    let organisation = tx.organisation();
    let ended: Option<bool> =
        sqlx::query_scalar("SELECT queued = 0 FROM batch_progress WHERE organisation_id = $1 AND batch_id = $2")
            .bind(organisation.0)
            .bind(batch)
            .fetch_optional(tx.conn())
            .await?;
    if ended == Some(true) { check_batch(tx, batch).await } else { Ok(Vec::new()) }
}
