//! The audit trail: rows are inserted in the transaction of the act, chained afterwards.

pub mod chain;

use super::{GlobalTx, Tx};
use crate::domain::ids::{OrganisationId, PersonId};
use time::OffsetDateTime;
use uuid::Uuid;

/// One act.
#[derive(Clone, Debug)]
pub struct AuditEntry<'a> {
    /// When.
    pub at: OffsetDateTime,
    /// Who; none is Batchdesk itself.
    pub person: Option<PersonId>,
    /// E-mail, name of the API key, or `Batchdesk`.
    pub actor: &'a str,
    /// `batch.created`.
    pub action: &'a str,
    /// What it was done to.
    pub object: Option<Uuid>,
    /// JSON.
    pub detail: serde_json::Value,
}

/// Appends an act.
pub async fn append(tx: &mut Tx, entry: AuditEntry<'_>) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO audit (organisation_id, id, at, person_id, actor, action, object_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.0)
    .bind(Uuid::now_v7())
    .bind(entry.at)
    .bind(entry.person.map(|person| person.0))
    .bind(entry.actor)
    .bind(entry.action)
    .bind(entry.object)
    .bind(entry.detail.to_string())
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// An act as read back.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuditRow {
    /// When.
    pub at: OffsetDateTime,
    /// E-mail, name of the API key, or `Batchdesk`.
    pub actor: String,
    /// `batch.created`.
    pub action: String,
    /// JSON.
    pub detail: String,
}

/// When an act was last done to an object, by whom, and how.
pub async fn last(tx: &mut Tx, object: Uuid, action: &str) -> sqlx::Result<Option<AuditRow>> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT at, actor, action, detail FROM audit
          WHERE organisation_id = $1 AND object_id = $2 AND action = $3 ORDER BY id DESC LIMIT 1",
    )
    .bind(id.0)
    .bind(object)
    .bind(action)
    .fetch_optional(tx.conn())
    .await
}

/// Each time that an act was done to an object, oldest first, at most the last 100.
pub async fn all(tx: &mut Tx, object: Uuid, action: &str) -> sqlx::Result<Vec<AuditRow>> {
    let id = tx.organisation();
    let mut rows: Vec<AuditRow> = sqlx::query_as(
        "SELECT at, actor, action, detail FROM audit
          WHERE organisation_id = $1 AND object_id = $2 AND action = $3 ORDER BY id DESC LIMIT 100",
    )
    .bind(id.0)
    .bind(object)
    .bind(action)
    .fetch_all(tx.conn())
    .await?;
    rows.reverse();
    Ok(rows)
}

/// A page of everything that was done to an object, newest first.
pub async fn page(tx: &mut Tx, object: Uuid, limit: i64, offset: i64) -> sqlx::Result<Vec<AuditRow>> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT at, actor, action, detail FROM audit WHERE organisation_id = $1 AND object_id = $2 ORDER BY id DESC
         LIMIT $3 OFFSET $4",
    )
    .bind(id.0)
    .bind(object)
    .bind(limit)
    .bind(offset)
    .fetch_all(tx.conn())
    .await
}

/// How often each act was done to an object, and when and by whom it was last.
pub async fn counted(tx: &mut Tx, object: Uuid) -> sqlx::Result<Vec<(String, i64, OffsetDateTime, String)>> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT action, count(*), max(at), (array_agg(actor ORDER BY id DESC))[1] FROM audit
          WHERE organisation_id = $1 AND object_id = $2 GROUP BY action",
    )
    .bind(id.0)
    .bind(object)
    .fetch_all(tx.conn())
    .await
}

/// Organisations with rows that are not chained yet.
pub async fn backlog(tx: &mut GlobalTx) -> sqlx::Result<Vec<OrganisationId>> {
    sqlx::query_as::<_, (Uuid,)>("SELECT audit_backlog()")
        .fetch_all(tx.conn())
        .await
        .map(|rows| rows.into_iter().map(|(id,)| OrganisationId(id)).collect())
}

/// Every organisation.
pub async fn organisations(tx: &mut GlobalTx) -> sqlx::Result<Vec<OrganisationId>> {
    sqlx::query_as::<_, (Uuid,)>("SELECT all_organisations()")
        .fetch_all(tx.conn())
        .await
        .map(|rows| rows.into_iter().map(|(id,)| OrganisationId(id)).collect())
}

/// Chains what waits, up to 1,000 rows; returns how many.
pub async fn seal(tx: &mut Tx) -> sqlx::Result<i32> {
    sqlx::query_as::<_, (i32,)>("SELECT seal_audit()").fetch_one(tx.conn()).await.map(|(n,)| n)
}
