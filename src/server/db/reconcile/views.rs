//! What the last comparison of a batch found, for pages.

use crate::{db::Tx, domain::ids::BatchId};
use time::OffsetDateTime;
use uuid::Uuid;

/// The last comparison of a batch that ended.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LastRow {
    /// Which.
    pub id: Uuid,
    /// END, NIGHT.
    pub cause: String,
    /// DONE, CANNOT_LIST.
    pub result: String,
    /// When.
    pub finished_at: OffsetDateTime,
    /// Rows of the batch.
    pub records: i32,
    /// Those that agree.
    pub agreed: i32,
    /// Those without a last word.
    pub open: i32,
    /// Orders that could not be read.
    pub unread: i32,
}

/// The last comparison of a batch; none when there was none yet.
pub async fn last(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Option<LastRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT id, cause, result, finished_at, records, agreed, open, unread FROM reconciliation
          WHERE organisation_id = $1 AND batch_id = $2 AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1",
    )
    .bind(organisation.0)
    .bind(batch.0)
    .fetch_optional(tx.conn())
    .await
}

/// A difference as it was found.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DifferenceRow {
    /// Row of the spreadsheet.
    pub sheet_row: Option<i32>,
    /// missing, extra, amount, status, outside, unread.
    pub kind: String,
    /// Order.
    pub order_id: String,
    /// Key at the gateway.
    pub gateway_key: Option<String>,
    /// Our state.
    pub ours: Option<String>,
    /// Minor units.
    pub ours_minor: Option<i64>,
    /// The gateway's word.
    pub theirs: Option<String>,
    /// Minor units.
    pub theirs_minor: Option<i64>,
    /// The gateway's reference.
    pub gw_ref: Option<String>,
    /// Whether the gateway's word was taken over.
    pub reversed: bool,
}

/// Differences of a comparison: those of our rows first.
pub async fn differences(tx: &mut Tx, comparison: Uuid, limit: i64) -> sqlx::Result<Vec<DifferenceRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT r.sheet_row, d.kind, d.order_id, d.gateway_key, d.ours, d.ours_minor, d.theirs, d.theirs_minor,
         d.gw_ref, d.reversed
           FROM reconciliation_difference d
           LEFT JOIN record r ON r.organisation_id = $1 AND r.batch_id = d.batch_id AND r.row_no = d.row_no
             AND r.revision = d.revision
          WHERE d.organisation_id = $1 AND d.reconciliation_id = $2 ORDER BY d.kind = 'outside', d.row_no, d.order_id
            LIMIT $3",
    )
    .bind(organisation.0)
    .bind(comparison)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}
