//! Notices for people: filed by the dispatcher (see `outbox`), read and marked by their own person.

use super::{Tx, codes};
use crate::domain::{money::Currency, operation::Operation};
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

/// A notice of the person that this transaction acts for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NoticeRow {
    /// When the latest thing that it tells of happened.
    pub at: OffsetDateTime,
    /// When it was read.
    pub read_at: Option<OffsetDateTime>,
    /// Word of its kind.
    pub kind: String,
    /// How many tasks it tells of.
    pub tasks: i32,
    /// Their sum, minor units.
    pub amount_minor: i64,
    /// JSON of the latest thing.
    pub payload: serde_json::Value,
    /// The batch.
    pub batch_id: Option<Uuid>,
    /// What it does.
    #[sqlx(try_from = "codes::Code<Option<Operation>>")]
    pub operation: Option<Operation>,
    /// Its file.
    pub file_name: Option<String>,
    /// Its currency.
    #[sqlx(try_from = "codes::Code<Option<Currency>>")]
    pub currency: Option<Currency>,
}

/// The newest notices, at most `limit`.
pub async fn newest(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<NoticeRow>> {
    let organisation = tx.organisation();
    sqlx::query(
        "SELECT n.id, n.at, n.read_at, n.kind, n.tasks, n.amount_minor, n.payload, n.batch_id, b.operation, b.file_name,
         b.currency::text AS currency
           FROM notice n LEFT JOIN batch b ON b.organisation_id = $1 AND b.id = n.batch_id
          WHERE n.organisation_id = $1 AND n.person_id = current_person() ORDER BY n.at DESC, n.id DESC LIMIT $2",
    )
    .bind(organisation.0)
    .bind(limit)
    .try_map(|row: PgRow| codes::row("notice", &["id"], &row))
    .fetch_all(tx.conn())
    .await
}

/// How many are not read.
pub async fn count_unread(tx: &mut Tx) -> sqlx::Result<i64> {
    let organisation = tx.organisation();
    sqlx::query_scalar(
        "SELECT count(*) FROM notice WHERE organisation_id = $1 AND person_id = current_person() AND read_at IS NULL",
    )
    .bind(organisation.0)
    .fetch_one(tx.conn())
    .await
}

/// Marks those up to `until` as read: what came after the page was shown has not been seen.
pub async fn mark_read(tx: &mut Tx, until: OffsetDateTime) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    sqlx::query(
        "UPDATE notice SET read_at = now() WHERE organisation_id = $1 AND person_id = current_person()
         AND read_at IS NULL AND at <= $2",
    )
    .bind(organisation.0)
    .bind(until)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected())
}
