//! API keys.

use super::{Tx, organisations::permissions};
use crate::domain::access::{Permissions, Role};
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
        "UPDATE api_key SET revoked_at = $3 WHERE organisation_id = $1 AND name = $2 AND revoked_at IS NULL
         RETURNING id",
    )
    .bind(id.0)
    .bind(name)
    .bind(now)
    .fetch_optional(tx.conn())
    .await
}

/// Name and rights of an API key that has not been revoked.
pub async fn load(tx: &mut Tx, key: Uuid) -> sqlx::Result<Option<(String, Permissions)>> {
    let id = tx.organisation();
    let rows = sqlx::query_as::<_, (String, String, String)>(
        r#"SELECT k.name, p.module, p."right" FROM api_key k
             JOIN role_permission p ON p.organisation_id = k.organisation_id AND p.role_id = k.role_id
            WHERE k.organisation_id = $1 AND k.id = $2 AND k.revoked_at IS NULL"#,
    )
    .bind(id.0)
    .bind(key)
    .fetch_all(tx.conn())
    .await?;
    let name = rows.first().map(|(name, _, _)| name.clone());
    Ok(name.map(|name| (name, permissions(rows.into_iter().map(|(_, module, right)| (module, right)).collect()))))
}

/// Adds an API key with the rights of a role.
pub async fn insert(
    tx: &mut Tx,
    key: Uuid,
    name: &str,
    role: Role,
    key_sha256: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO api_key (organisation_id, id, name, role_id, created_at)
         SELECT $1, $2, $3, r.id, $5 FROM role r WHERE r.organisation_id = $1 AND r.code = $4",
    )
    .bind(id.0)
    .bind(key)
    .bind(name)
    .bind(role.code())
    .bind(now)
    .execute(tx.conn())
    .await?;
    sqlx::query("INSERT INTO api_key_organisation (key_sha256, organisation_id, api_key_id) VALUES ($1, $2, $3)")
        .bind(key_sha256)
        .bind(id.0)
        .bind(key)
        .execute(tx.conn())
        .await
        .map(|_| ())
}
