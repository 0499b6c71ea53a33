//! What people are told inside of Batchdesk. Written by `tell_people` of the database, in the transaction of what it tells of.

use super::Tx;
use crate::domain::ids::BatchId;
use time::OffsetDateTime;
use uuid::Uuid;

/// One notice of the transaction's person.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NoticeRow {
    /// late_failure, contradiction, differences, review.
    pub kind: String,
    /// How many things it tells of.
    pub n: i32,
    /// When the last of them happened.
    pub at: OffsetDateTime,
    /// When it was read.
    pub read_at: Option<OffsetDateTime>,
    /// About which batch.
    pub batch_id: Uuid,
    /// Its operation.
    pub operation: String,
    /// Its file.
    pub file_name: String,
}

/// Notices of the transaction's person, unread first, then newest first.
pub async fn list(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<NoticeRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT t.kind, t.n, t.at, t.read_at, t.batch_id, b.operation, b.file_name FROM notice t JOIN batch b ON b.organisation_id = $1 AND b.id = t.batch_id
          WHERE t.organisation_id = $1 AND t.person_id = current_person() ORDER BY t.read_at IS NOT NULL, t.at DESC LIMIT $2",
    )
    .bind(organisation.0)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// How many the transaction's person has not read.
pub async fn unread(tx: &mut Tx) -> sqlx::Result<i64> {
    let organisation = tx.organisation();
    sqlx::query_scalar(
        "SELECT count(*) FROM notice WHERE organisation_id = $1 AND person_id = current_person() AND read_at IS NULL",
    )
    .bind(organisation.0)
    .fetch_one(tx.conn())
    .await
}

/// The transaction's person has read everything up to `until`; what came later stays unread.
pub async fn read(tx: &mut Tx, until: OffsetDateTime) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    sqlx::query(
        "UPDATE notice SET read_at = now() WHERE organisation_id = $1 AND person_id = current_person() AND read_at IS NULL AND at <= $2",
    )
    .bind(organisation.0)
    .bind(until)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected())
}

/// Tells makers and checkers of a batch. What they have not read yet counts up.
pub async fn tell(tx: &mut Tx, batch: BatchId, kind: &str, n: i32) -> sqlx::Result<()> {
    sqlx::query("SELECT tell_people($1, $2, $3)").bind(batch.0).bind(kind).bind(n).execute(tx.conn()).await.map(|_| ())
}
