//! Sessions. A global table, reached by key only.

use super::GlobalTx;
use time::OffsetDateTime;

/// A session as stored. The id itself is only in the browser.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SessionRow {
    /// JSON.
    pub data: String,
    /// The absolute limit counts from here.
    pub created_at: OffsetDateTime,
    /// The idle limit counts from here.
    pub last_seen_at: OffsetDateTime,
    /// When it can be deleted.
    pub expires_at: OffsetDateTime,
}

/// The session with this hash.
pub async fn load(tx: &mut GlobalTx, id_sha256: &[u8]) -> sqlx::Result<Option<SessionRow>> {
    sqlx::query_as("SELECT data, created_at, last_seen_at, expires_at FROM session WHERE id_sha256 = $1")
        .bind(id_sha256)
        .fetch_optional(tx.conn())
        .await
}

/// Inserts a new session; false when the id is taken.
pub async fn create(tx: &mut GlobalTx, id_sha256: &[u8], row: &SessionRow) -> sqlx::Result<bool> {
    sqlx::query(
        "INSERT INTO session (id_sha256, data, created_at, last_seen_at, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(id_sha256)
    .bind(&row.data)
    .bind(row.created_at)
    .bind(row.last_seen_at)
    .bind(row.expires_at)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Writes the data of a session that is still there; one that was ended meanwhile does not come back.
pub async fn replace(tx: &mut GlobalTx, id_sha256: &[u8], data: &str) -> sqlx::Result<bool> {
    sqlx::query("UPDATE session SET data = $2 WHERE id_sha256 = $1")
        .bind(id_sha256)
        .bind(data)
        .execute(tx.conn())
        .await
        .map(|done| done.rows_affected() == 1)
}

/// Moves the idle limit.
pub async fn touch(tx: &mut GlobalTx, id_sha256: &[u8], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query("UPDATE session SET last_seen_at = $2 WHERE id_sha256 = $1")
        .bind(id_sha256)
        .bind(now)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Ends a session.
pub async fn delete(tx: &mut GlobalTx, id_sha256: &[u8]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM session WHERE id_sha256 = $1").bind(id_sha256).execute(tx.conn()).await.map(|_| ())
}

/// Deletes what has expired.
pub async fn delete_expired(tx: &mut GlobalTx, now: OffsetDateTime) -> sqlx::Result<u64> {
    sqlx::query("DELETE FROM session WHERE expires_at < $1")
        .bind(now)
        .execute(tx.conn())
        .await
        .map(|done| done.rows_affected())
}
