//! Who uses a connection now, for how long the gateway asked us to stay away, and what was finished lately.

use crate::{db::Tx, domain::ids::GatewayId};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// A process among those that use a connection.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct WorkerShare {
    /// Its place among them, from 0.
    pub place: i32,
    /// How many they are.
    pub workers: i32,
    /// Whether all others have counted it: until then it takes nothing.
    pub settled: bool,
    /// For how many seconds the gateway asked us to stay away.
    pub paused: f64,
}

/// Says that this process uses the connection, for as long as `lasts`, and that it finished so many tasks since it said
/// so last.
pub async fn heartbeat(
    tx: &mut Tx,
    gateway: GatewayId,
    worker: Uuid,
    lasts: Duration,
    finished: u32,
) -> sqlx::Result<WorkerShare> {
    sqlx::query_as("SELECT * FROM attend_gateway($1, $2, make_interval(secs => $3), $4)")
        .bind(gateway.0)
        .bind(worker)
        .bind(lasts.as_secs_f64())
        .bind(i32::try_from(finished).unwrap_or(i32::MAX))
        .fetch_one(tx.conn())
        .await
}

/// This process asks nothing of the connection any more: its part goes to the others.
pub async fn leave(tx: &mut Tx, gateway: GatewayId, worker: Uuid) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query("DELETE FROM gateway_worker WHERE organisation_id = $1 AND gateway_id = $2 AND worker = $3")
        .bind(id.0)
        .bind(gateway.0)
        .bind(worker)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// The gateway asked us to stay away for so long. A shorter wish does not end a longer one.
pub async fn pause(tx: &mut Tx, gateway: GatewayId, wait: Duration, http: u16) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO gateway_pause AS p (organisation_id, gateway_id, until, http)
         VALUES ($1, $2, now() + make_interval(secs => $3), $4)
         ON CONFLICT (organisation_id, gateway_id) DO UPDATE
           SET until = greatest(p.until, excluded.until), http = excluded.http,
           since = CASE WHEN p.until > now() THEN p.since ELSE now() END",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(wait.as_secs_f64())
    .bind(i16::try_from(http).unwrap_or(0))
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// What is going on at a connection, over all processes.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Traffic {
    /// The gateway asked us to stay away: since when.
    pub paused_since: Option<OffsetDateTime>,
    /// Until when.
    pub paused_until: Option<OffsetDateTime>,
    /// Seconds from now until then.
    pub paused_seconds: Option<i64>,
    /// It does not answer: since when.
    pub trouble_since: Option<OffsetDateTime>,
    /// Why.
    pub trouble_reason: Option<String>,
    /// Tasks that came to an end in the last minute.
    pub finished: i64,
    /// How many seconds of that minute count: fewer when work began in it.
    pub seconds: i64,
    /// Processes that use it.
    pub workers: i64,
    /// Rows of all running batches that were never sent, and orders that are still to be asked about.
    pub unsent: i64,
}

/// Reads it. A minute counts from its first task: what stood still before says nothing about how fast work goes.
pub async fn traffic(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Traffic> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT p.since AS paused_since, p.until AS paused_until, ceil(extract(epoch
         FROM p.until - now()))::bigint AS paused_seconds,
                t.since AS trouble_since, t.reason AS trouble_reason, f.finished, f.seconds, w.workers, u.unsent
           FROM (SELECT coalesce(sum(finished), 0)::bigint AS finished,
                        coalesce(greatest(least(ceil(extract(epoch
                          FROM now() - min(slot))), 60), 1), 0)::bigint AS seconds
                   FROM gateway_finished WHERE organisation_id = $1 AND gateway_id = $2
                     AND slot > now() - interval '60 seconds') f
          CROSS JOIN (SELECT count(*) AS workers FROM gateway_worker WHERE organisation_id = $1 AND gateway_id = $2
            AND until > now()) w
          CROSS JOIN (SELECT (coalesce(sum(c.to_row - c.next_row + 1), 0)
                              + (SELECT count(*) FROM order_task k WHERE k.organisation_id = $1 AND k.gateway_id = $2
                                AND k.run_at IS NOT NULL AND k.asks))::bigint AS unsent
                        FROM chunk c JOIN batch b ON b.organisation_id = $1 AND b.id = c.batch_id
                          AND b.status = 'processing'
                       WHERE c.organisation_id = $1 AND c.gateway_id = $2 AND c.state IN ('WAITING', 'LEASED')) u
           LEFT JOIN gateway_pause p ON p.organisation_id = $1 AND p.gateway_id = $2 AND p.until > now()
           LEFT JOIN gateway_trouble t ON t.organisation_id = $1 AND t.gateway_id = $2 AND t.until > now()",
    )
    .bind(id.0)
    .bind(gateway.0)
    .fetch_one(tx.conn())
    .await
}

/// Rows of one batch that were never sent, and rows that were and are not finished. Of a sync nothing is sent: all that
/// is queued is still to be asked about.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Left {
    /// Never sent.
    pub unsent: i64,
    /// Sent, waiting for an answer, for another try or for people.
    pub open: i64,
}

/// Counts them.
pub async fn left(tx: &mut Tx, batch: Uuid) -> sqlx::Result<Left> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT u.unsent, greatest(coalesce(p.queued, 0) - u.unsent, 0)::bigint AS open
           FROM (SELECT coalesce(sum(to_row - next_row + 1), 0)::bigint AS unsent FROM chunk
                  WHERE organisation_id = $1 AND batch_id = $2 AND state IN ('WAITING', 'LEASED', 'HELD')) c
           LEFT JOIN batch b ON b.organisation_id = $1 AND b.id = $2
           LEFT JOIN batch_progress p ON p.organisation_id = $1 AND p.batch_id = $2
          CROSS JOIN LATERAL (SELECT CASE b.work WHEN 'query' THEN coalesce(p.queued, 0)
            ELSE c.unsent END::bigint AS unsent) u",
    )
    .bind(id.0)
    .bind(batch)
    .fetch_one(tx.conn())
    .await
}

/// Sets the limits of a connection. None takes a limit away.
pub async fn set_limits(
    tx: &mut Tx,
    gateway: GatewayId,
    concurrency: Option<i32>,
    rate: Option<i32>,
    burst: Option<i32>,
) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query(
        "UPDATE gateway SET concurrency = $3, rate_limit = $4, rate_burst = $5 WHERE organisation_id = $1 AND id = $2",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(concurrency)
    .bind(rate)
    .bind(burst)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}
