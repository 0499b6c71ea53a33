//! API keys as their organisation's operator sees them.

use super::Tx;
use time::OffsetDateTime;
use uuid::Uuid;

/// A key. What it is, nobody can read: only its hash is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ApiKeyRow {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// The role whose rights it has.
    pub role: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

/// Every key of the organisation, those in use first, then by name.
pub async fn list(tx: &mut Tx) -> sqlx::Result<Vec<ApiKeyRow>> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT k.id, k.name, r.code AS role, k.created_at, k.revoked_at FROM api_key k
           JOIN role r ON r.organisation_id = k.organisation_id AND r.id = k.role_id
          WHERE k.organisation_id = $1 ORDER BY k.revoked_at IS NOT NULL, k.name, k.created_at",
    )
    .bind(id.0)
    .fetch_all(tx.conn())
    .await
}

/// Whether a key of this name is in use.
pub async fn in_use(tx: &mut Tx, name: &str) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM api_key WHERE organisation_id = $1 AND name = $2 AND revoked_at IS NULL)",
    )
    .bind(id.0)
    .bind(name)
    .fetch_one(tx.conn())
    .await
}

/// Revokes the key of this name that is in use; none when there is none.
pub async fn revoke(tx: &mut Tx, name: &str, now: OffsetDateTime) -> sqlx::Result<Option<Uuid>> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "UPDATE api_key SET revoked_at = $3 WHERE organisation_id = $1 AND name = $2 AND revoked_at IS NULL RETURNING id",
    )
    .bind(id.0)
    .bind(name)
    .bind(now)
    .fetch_optional(tx.conn())
    .await
}
