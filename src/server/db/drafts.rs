//! Drafts: a description, or a file with findings.

use super::Tx;
use crate::domain::{ids::DraftId, operation::Operation};
use time::OffsetDateTime;

/// A draft of the transaction's person.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub struct DraftRow {
    /// What the person wrote.
    pub description: String,
    /// Name of the file; empty while there is none.
    pub file_name: String,
    /// Hash of the file.
    pub file_sha256: Option<Vec<u8>>,
    /// Its bytes.
    pub file_bytes: i64,
    /// Data rows.
    pub rows: i64,
    /// JSON.
    pub findings: String,
    /// JSON.
    pub repeats: String,
    /// What else the person chose, canonical text.
    pub options: String,
}

/// The caller's own draft of an operation that has not expired.
pub async fn load(
    tx: &mut Tx,
    operation: Operation,
    draft: DraftId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<DraftRow>> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT description, file_name, file_sha256, file_bytes, rows, findings, repeats, options FROM draft
          WHERE organisation_id = $1 AND id = $2 AND operation = $3 AND person_id = current_person()
            AND expires_at > $4",
    )
    .bind(id.0)
    .bind(draft.0)
    .bind(operation.code())
    .bind(now)
    .fetch_optional(tx.conn())
    .await
}

/// Keeps a draft of the caller's for 24 hours.
pub async fn insert(
    tx: &mut Tx,
    operation: Operation,
    draft: DraftId,
    row: &DraftRow,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO draft (organisation_id, id, operation, description, file_name, file_sha256, file_bytes, rows,
         findings, repeats, created_at, expires_at, options)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(id.0)
    .bind(draft.0)
    .bind(operation.code())
    .bind(&row.description)
    .bind(&row.file_name)
    .bind(row.file_sha256.as_deref())
    .bind(row.file_bytes)
    .bind(row.rows)
    .bind(&row.findings)
    .bind(&row.repeats)
    .bind(now)
    .bind(now + time::Duration::hours(24))
    .bind(&row.options)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Forgets a draft of the caller's.
pub async fn delete(tx: &mut Tx, draft: DraftId) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query("DELETE FROM draft WHERE organisation_id = $1 AND id = $2 AND person_id = current_person()")
        .bind(id.0)
        .bind(draft.0)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Forgets drafts that have expired.
pub async fn delete_expired(tx: &mut Tx, now: OffsetDateTime) -> sqlx::Result<u64> {
    let id = tx.organisation();
    sqlx::query("DELETE FROM draft WHERE organisation_id = $1 AND expires_at < $2")
        .bind(id.0)
        .bind(now)
        .execute(tx.conn())
        .await
        .map(|done| done.rows_affected())
}

/// Forgets the caller's drafts but the newest `count`.
pub async fn keep_newest(tx: &mut Tx, count: i64) -> sqlx::Result<u64> {
    let id = tx.organisation();
    sqlx::query(
        "DELETE FROM draft WHERE organisation_id = $1 AND person_id = current_person() AND id IN
           (SELECT id FROM draft WHERE organisation_id = $1 AND person_id = current_person()
             ORDER BY created_at DESC, id DESC OFFSET $2)",
    )
    .bind(id.0)
    .bind(count)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected())
}
