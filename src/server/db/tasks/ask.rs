//! What is looked up at the gateway before it is sent: rows that an older state of the database says were never sent.

use super::{
    TaskRecord,
    claim::{Chunk, ChunkLease},
    record::record_columns,
};
use crate::db::Tx;
use uuid::Uuid;

/// A row to ask about.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    /// The record.
    #[sqlx(flatten)]
    pub record: TaskRecord,
    /// Keys of all rows of the organisation that name this order.
    pub our_keys: Vec<String>,
}

/// The rows of a chunk in a range.
pub async fn rows(tx: &mut Tx, chunk: &Chunk, from: i32, to: i32) -> sqlx::Result<Vec<Row>> {
    let organisation = tx.organisation();
    sqlx::query_as(concat!(
        "SELECT ",
        record_columns!(),
        ", ARRAY(SELECT k.gateway_key FROM record k WHERE k.organisation_id = $1
         AND k.order_id = r.order_id) AS our_keys
           FROM record r JOIN batch b ON b.organisation_id = $1 AND b.id = r.batch_id
          WHERE r.organisation_id = $1 AND r.batch_id = $2 AND r.revision = $3 AND r.row_no BETWEEN $4 AND $5
            ORDER BY r.row_no",
    ))
    .bind(organisation.0)
    .bind(chunk.batch_id)
    .bind(chunk.revision)
    .bind(from)
    .bind(to)
    .fetch_all(tx.conn())
    .await
}

/// Rows of the chunk below `to` were asked about: they may be sent. False: the lease is lost, or it is too early to
/// ask.
pub async fn asked(tx: &mut Tx, hold: ChunkLease, worker: Uuid, to: i32) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query(
        "UPDATE chunk SET asked_to = greatest(asked_to, $6)
          WHERE organisation_id = $1 AND batch_id = $2 AND chunk_no = $3 AND epoch = $4 AND owner = $5
            AND state = 'LEASED'
            AND asked_to IS NOT NULL AND ask_after <= clock_timestamp()",
    )
    .bind(organisation.0)
    .bind(hold.batch)
    .bind(hold.chunk)
    .bind(hold.epoch)
    .bind(worker)
    .bind(to)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() > 0)
}

/// The epoch of a task that was taken over.
pub const TAKEN: i64 = 1;

/// The next row of the chunk was sent in a past that is forgotten, or may have been: its intent is written down again,
/// and it is an open task of this worker. False: the lease is lost.
pub async fn take_over(tx: &mut Tx, hold: ChunkLease, worker: Uuid, row: i32) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT take_over($1, $2, $3, $4, $5)")
        .bind(hold.batch)
        .bind(hold.chunk)
        .bind(hold.epoch)
        .bind(worker)
        .bind(row)
        .fetch_one(tx.conn())
        .await
}
