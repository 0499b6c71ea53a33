//! The counters of password checks. A global table, reached by key only.

use super::GlobalTx;
use time::{Duration, OffsetDateTime};

/// SHA-256 of what is counted.
pub type Key = [u8; 32];

/// Counts one more check, if the counter is open: fewer than `allowed` in the `window` that ends now, and no pause.
/// Returns how many there are with it. Counting and looking are one statement on one locked row, so checks that come at
/// once are counted one by one.
pub async fn reserve(
    tx: &mut GlobalTx,
    key: &Key,
    now: OffsetDateTime,
    window: Duration,
    allowed: i32,
) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar(
        "INSERT INTO sign_in_throttle AS t (key_sha256, attempts, closed_until, expires_at)
         VALUES ($1, ARRAY[$2::timestamptz], '-infinity', $3)
         ON CONFLICT (key_sha256) DO UPDATE SET
           attempts = ARRAY(SELECT a FROM unnest(t.attempts) a WHERE a > $4) || $2,
           expires_at = greatest(t.expires_at, $3)
         WHERE t.closed_until <= $2 AND (SELECT count(*) FROM unnest(t.attempts) a WHERE a > $4) < $5
         RETURNING cardinality(attempts)",
    )
    .bind(key)
    .bind(now)
    .bind(now + window)
    .bind(now - window)
    .bind(allowed)
    .fetch_optional(tx.conn())
    .await
}

/// When a counter that is closed now is open again.
pub async fn open_at(
    tx: &mut GlobalTx,
    key: &Key,
    now: OffsetDateTime,
    window: Duration,
    allowed: i32,
) -> sqlx::Result<OffsetDateTime> {
    let oldest: Option<(Option<OffsetDateTime>, Option<OffsetDateTime>)> = sqlx::query_as(
        "SELECT CASE WHEN closed_until > $2 THEN closed_until END,
                (SELECT CASE WHEN count(*) >= $4 THEN min(a) END FROM unnest(attempts) a WHERE a > $3)
           FROM sign_in_throttle WHERE key_sha256 = $1",
    )
    .bind(key)
    .bind(now)
    .bind(now - window)
    .bind(allowed)
    .fetch_optional(tx.conn())
    .await?;
    let (pause, oldest) = oldest.unwrap_or_default();
    Ok(pause.max(oldest.map(|oldest| oldest + window)).unwrap_or(now))
}

/// Takes the check of this moment out again.
pub async fn give_back(tx: &mut GlobalTx, key: &Key, at: OffsetDateTime) -> sqlx::Result<()> {
    // One of them: several may have come at the same moment.
    sqlx::query(
        "UPDATE sign_in_throttle SET attempts =
           attempts[:array_position(attempts, $2) - 1] || attempts[array_position(attempts, $2) + 1:]
         WHERE key_sha256 = $1 AND array_position(attempts, $2) IS NOT NULL",
    )
    .bind(key)
    .bind(at)
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM sign_in_throttle WHERE key_sha256 = $1 AND attempts = '{}' AND closed_until <= $2")
        .bind(key)
        .bind(at)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Closes the counter until then, at least.
pub async fn pause(tx: &mut GlobalTx, key: &Key, until: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE sign_in_throttle SET closed_until = greatest(closed_until, $2), expires_at = greatest(expires_at, $2)
         WHERE key_sha256 = $1",
    )
    .bind(key)
    .bind(until)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Forgets a counter.
pub async fn forget(tx: &mut GlobalTx, key: &Key) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sign_in_throttle WHERE key_sha256 = $1").bind(key).execute(tx.conn()).await.map(|_| ())
}

/// Deletes the counters in which nothing counts any more.
pub async fn delete_expired(tx: &mut GlobalTx, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sign_in_throttle WHERE expires_at <= $1").bind(now).execute(tx.conn()).await.map(|_| ())
}
