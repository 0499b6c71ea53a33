//! Whether batches of an operation need a decision.

use super::Tx;
use crate::domain::operation::Operation;

/// Whether a decision is needed for an operation; without a rule of the organisation, as its descriptor says.
pub async fn is_needed(tx: &mut Tx, operation: Operation) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query_as::<_, (bool,)>("SELECT needed FROM approval_rule WHERE organisation_id = $1 AND operation = $2")
        .bind(id.0)
        .bind(operation.code())
        .fetch_optional(tx.conn())
        .await
        .map(|row| operation.approval().is_needed(row.map(|(needed,)| needed)))
}

/// The version of the rule for an operation; 0 while nobody changed it.
pub async fn version(tx: &mut Tx, operation: Operation) -> sqlx::Result<i32> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "SELECT coalesce((SELECT version FROM approval_rule WHERE organisation_id = $1 AND operation = $2), 0)",
    )
    .bind(id.0)
    .bind(operation.code())
    .fetch_one(tx.conn())
    .await
}

/// Sets whether a decision is needed for an operation.
pub async fn set_needed(tx: &mut Tx, operation: Operation, needed: bool) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO approval_rule AS r (organisation_id, operation, needed) VALUES ($1, $2, $3)
         ON CONFLICT (organisation_id, operation) DO UPDATE SET needed = excluded.needed, version = r.version + 1
          WHERE r.needed <> excluded.needed",
    )
    .bind(id.0)
    .bind(operation.code())
    .bind(needed)
    .execute(tx.conn())
    .await
    .map(|_| ())
}
