//! What processes know the database's past by: marks, intents, the cluster. And what is asked first once it was found
//! to end too early.

pub mod memory;

use super::{GlobalTx, Tx, tasks::claim};
use memory::Intent;
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// How long marks are kept. Who has seen nothing for longer compares its intents only.
const KEPT_DAYS: i32 = 7;

/// What the database says of itself.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Now {
    /// The cluster.
    system: Option<String>,
    /// How far its log is on disk.
    at_byte: Option<i64>,
    /// Its clock, microseconds.
    now: i64,
    /// The newest mark.
    number: Option<i64>,
    /// Its token.
    token: Option<Uuid>,
    /// The cluster that it was last known to be in.
    known_system: Option<String>,
    /// When `batchdesk restored` was last run to its end, microseconds.
    restored_at: Option<i64>,
    /// Whether one has begun and not ended.
    restoring: bool,
    /// Whether the mark that was asked for is there.
    has_mark: bool,
    /// Whether it would have been removed by now.
    pruned: bool,
}

async fn now(connection: &mut PgConnection, mark: Option<(i64, Uuid)>) -> sqlx::Result<Now> {
    sqlx::query_as(
        "SELECT l.system, l.at_byte, (extract(epoch
         FROM clock_timestamp()) * 1000000)::bigint AS now, m.number, m.token,
                (SELECT i.system FROM installation i) AS known_system,
                (SELECT (extract(epoch FROM r.at) * 1000000)::bigint FROM restore r WHERE r.done_at IS NOT NULL
                  ORDER BY r.number DESC LIMIT 1) AS restored_at,
                coalesce((SELECT r.done_at IS NULL FROM restore r ORDER BY r.number DESC LIMIT 1), false) AS restoring,
                EXISTS (SELECT FROM mark k WHERE k.number = $1 AND k.token = $2) AS has_mark,
                coalesce((SELECT min(k.number) FROM mark k) > $1, false) AS pruned
           FROM log_position() l LEFT JOIN LATERAL (SELECT k.number, k.token FROM mark k ORDER BY k.number DESC
             LIMIT 1) m ON true",
    )
    .bind(mark.map(|(number, _)| number))
    .bind(mark.map(|(_, token)| token))
    .fetch_one(connection)
    .await
}

/// How many of these intents are not there.
async fn missing(connection: &mut PgConnection, intents: &[Intent]) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT missing_intents($1, $2, $3, $4, $5, $6)")
        .bind(intents.iter().map(|intent| intent.organisation).collect::<Vec<_>>())
        .bind(intents.iter().map(|intent| intent.batch).collect::<Vec<_>>())
        .bind(intents.iter().map(|intent| intent.revision).collect::<Vec<_>>())
        .bind(intents.iter().map(|intent| intent.row).collect::<Vec<_>>())
        .bind(intents.iter().map(|intent| intent.epoch).collect::<Vec<_>>())
        .bind(intents.iter().map(|intent| intent.owner).collect::<Vec<_>>())
        .fetch_one(connection)
        .await
}

/// Adds a mark, unless another process just did, and removes those that nobody needs.
pub async fn leave_mark(tx: &mut GlobalTx) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO mark (token) SELECT gen_random_uuid()
          WHERE NOT EXISTS (SELECT FROM mark WHERE at > clock_timestamp() - interval '900 milliseconds')",
    )
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM mark WHERE at < now() - make_interval(days => $1)")
        .bind(KEPT_DAYS)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Writes down which cluster the database is in now.
pub async fn settle_in(tx: &mut GlobalTx) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO installation (system) SELECT l.system FROM log_position() l
         ON CONFLICT (one) DO UPDATE SET system = excluded.system WHERE installation.system
           IS DISTINCT FROM excluded.system",
    )
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Begins a restore: from now on nobody sends. Returns its number.
pub async fn begin_restore(tx: &mut GlobalTx, resolve_after: Duration) -> sqlx::Result<i32> {
    sqlx::query_scalar(
        "INSERT INTO restore (ask_after) VALUES (clock_timestamp() + make_interval(secs => $1)) RETURNING number",
    )
    .bind(resolve_after.as_secs_f64())
    .fetch_one(tx.conn())
    .await
}

/// Ends a restore: whatever was seen before it and is not there is known to be forgotten.
pub async fn end_restore(tx: &mut GlobalTx, number: i32) -> sqlx::Result<()> {
    sqlx::query("UPDATE restore SET done_at = clock_timestamp() WHERE number = $1")
        .bind(number)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// What is asked first now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskedFirst {
    /// Rows that were never sent, by what the database knows.
    pub unsent: i64,
    /// Rows that were sent and have no last word.
    pub open: i64,
}

/// Puts everything of the organisation without a final outcome into ask first. Nothing of it is asked before
/// `resolve_after` is over: what was sent before may still arrive until then. As often as one likes.
pub async fn ask_first(tx: &mut Tx, resolve_after: Duration) -> sqlx::Result<AskedFirst> {
    let organisation = tx.organisation();
    // No intent can follow that has not seen it.
    sqlx::query("SELECT gate($1, true)").bind(organisation.0).execute(tx.conn()).await?;
    let holds: Vec<(Uuid, i32, i64)> = sqlx::query_as(
        "SELECT batch_id, chunk_no, epoch FROM chunk WHERE organisation_id = $1 AND work = 'send' AND state <> 'DONE'
         AND next_row > from_row
          ORDER BY batch_id, chunk_no FOR UPDATE",
    )
    .bind(organisation.0)
    .fetch_all(tx.conn())
    .await?;
    let holds: Vec<claim::ChunkLease> =
        holds.into_iter().map(|(batch, chunk, epoch)| claim::ChunkLease { batch, chunk, epoch }).collect();
    claim::recover(tx, &holds, resolve_after).await?;
    // Batches that wait for a decision too: it may have been given, and forgotten.
    let unsent: i64 = sqlx::query_scalar(
        "WITH held AS (
           UPDATE chunk c SET asked_to = c.next_row, ask_after = now() + make_interval(secs => $2), forgotten = true,
             epoch = c.epoch + 1, owner = NULL,
                  state = CASE WHEN c.state <> 'LEASED' THEN c.state WHEN b.status = 'paused' THEN 'HELD'
                    ELSE 'WAITING' END,
                  run_at = CASE WHEN c.state = 'HELD' OR b.status = 'paused' THEN 'infinity'
                    ELSE now() + make_interval(secs => $2) END
             FROM batch b
            WHERE c.organisation_id = $1 AND c.work = 'send' AND c.state <> 'DONE' AND c.next_row <= c.to_row
              AND b.organisation_id = $1 AND b.id = c.batch_id
                AND b.status IN ('awaiting_approval', 'processing', 'paused', 'cancelled')
           RETURNING c.remaining)
         SELECT coalesce(sum(remaining), 0)::bigint FROM held",
    )
    .bind(organisation.0)
    .bind(resolve_after.as_secs_f64())
    .fetch_one(tx.conn())
    .await?;
    // Whatever had proved one of them not carried out, it may have been sent since.
    let open = sqlx::query(
        "UPDATE open_task t SET epoch = t.epoch + 1, owner = NULL, queries = 0, updated_at = now(),
         run_at = greatest(t.run_at, now() + make_interval(secs => $2)),
                state = CASE WHEN t.state = 'PENDING' THEN t.state WHEN coalesce(g.class, 'N') = 'N' THEN 'REVIEW'
                  ELSE 'UNKNOWN' END,
                code = CASE WHEN t.state = 'PENDING' THEN t.code ELSE 'restored' END,
                message = CASE WHEN t.state = 'PENDING' THEN t.message
                  ELSE 'The database went back to an older state. What became of it since is asked at the gateway.' END
           FROM batch b JOIN operation e ON e.code = b.operation
           LEFT JOIN gateway_promise g ON g.organisation_id = $1 AND g.gateway_id = b.gateway_id AND g.effect = e.effect
          WHERE t.organisation_id = $1 AND t.state <> 'REVIEW' AND b.organisation_id = $1 AND b.id = t.batch_id",
    )
    .bind(organisation.0)
    .bind(resolve_after.as_secs_f64())
    .execute(tx.conn())
    .await?
    .rows_affected();
    // People may have decided about these, and the gateway may know them by now.
    sqlx::query(
        "INSERT INTO recheck (organisation_id, batch_id, row_no, revision, gateway_id, run_at)
         SELECT $1, t.batch_id, t.row_no, t.revision, t.gateway_id, now() + make_interval(secs => $2) FROM open_task t
          WHERE t.organisation_id = $1 AND t.state = 'REVIEW' ON CONFLICT DO NOTHING",
    )
    .bind(organisation.0)
    .bind(resolve_after.as_secs_f64())
    .execute(tx.conn())
    .await?;
    // What an order looked like then says nothing about what is left of it.
    sqlx::query(
        "DELETE FROM order_seen s USING batch b WHERE s.organisation_id = $1 AND b.organisation_id = $1
         AND b.id = s.batch_id
            AND b.status IN ('awaiting_approval', 'processing', 'paused', 'cancelled')",
    )
    .bind(organisation.0)
    .execute(tx.conn())
    .await?;
    Ok(AskedFirst { unsent, open: i64::try_from(open).unwrap_or(i64::MAX) })
}
