//! Figures of Home.

use super::Tx;
use crate::domain::operation::Operation;
use time::OffsetDateTime;

/// Batches by what needs attention: (processing, ended with failures since `week`).
pub async fn figures(tx: &mut Tx, operation: Operation, week: OffsetDateTime) -> sqlx::Result<(i64, i64)> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM batch WHERE organisation_id = $1 AND operation = $2
         AND status IN ('processing', 'paused')),
                (SELECT count(*) FROM batch WHERE organisation_id = $1 AND operation = $2
                  AND status = 'completed_with_failures' AND updated_at >= $3)",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .bind(week)
    .fetch_one(tx.conn())
    .await
}
