//! Imports: their work, their sources, and the rows that did not pass. The steps of the worker are functions of the
//! database, which look at the lease (`migrations/functions/imports.sql`).

use super::{Tx, codes};
use crate::domain::{ids::BatchId, operation::Operation};
use sqlx::postgres::PgRow;
use std::time::Duration;
use uuid::Uuid;

/// An import that is to be checked.
pub const CHECK: &str = "check";
/// An import whose rows are being stored.
pub const STORE: &str = "store";

/// The lease of an import.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Held {
    /// Which batch.
    pub batch_id: Uuid,
    /// What it does.
    #[sqlx(try_from = "codes::Code<Operation>")]
    pub operation: Operation,
    /// The fence: every step names it.
    pub epoch: i64,
    /// What is to be done with it.
    pub phase: String,
    /// The source that comes next.
    pub source_no: i32,
    /// The place in it.
    pub byte_offset: i64,
}

/// A source of an import.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SourceRow {
    /// From 1.
    pub source_no: i32,
    /// Name of the file.
    pub file_name: String,
    /// Hash of the file, by which it is kept.
    pub sha256: Vec<u8>,
    /// Data rows; none until they are counted.
    pub total: Option<i32>,
    /// Rows that were stored.
    pub created: i32,
    /// Rows that were there already, or not handled.
    pub skipped: i32,
    /// Rows that did not pass.
    pub failed: i32,
}

/// Seals an import that was uploaded: it waits to be checked.
pub async fn submit(tx: &mut Tx, id: BatchId) -> sqlx::Result<()> {
    sqlx::query("SELECT submit_import($1)").bind(id.0).execute(tx.conn()).await.map(|_| ())
}

/// What came in with a batch.
pub async fn sources(tx: &mut Tx, id: BatchId) -> sqlx::Result<Vec<SourceRow>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT source_no, file_name, sha256, total, created, skipped, failed FROM batch_source
          WHERE organisation_id = $1 AND batch_id = $2 ORDER BY source_no",
    )
    .bind(organisation.0)
    .bind(id.0)
    .fetch_all(tx.conn())
    .await
}

/// How far an import is.
pub async fn phase(tx: &mut Tx, id: BatchId) -> sqlx::Result<String> {
    let organisation = tx.organisation();
    sqlx::query_scalar("SELECT phase FROM import_run WHERE organisation_id = $1 AND batch_id = $2")
        .bind(organisation.0)
        .bind(id.0)
        .fetch_one(tx.conn())
        .await
}

/// Leases the import that has been due longest; none where none is.
pub async fn claim(tx: &mut Tx, lease: Duration) -> sqlx::Result<Option<Held>> {
    let organisation = tx.organisation();
    sqlx::query(
        "WITH due AS MATERIALIZED (
           SELECT r.batch_id FROM import_run r WHERE r.organisation_id = $1 AND r.phase <> 'done'
             AND r.lease_until <= now()
            ORDER BY r.lease_until, r.batch_id LIMIT 1 FOR UPDATE SKIP LOCKED)
         UPDATE import_run r SET epoch = r.epoch + 1, lease_until = now() + make_interval(secs => $2)
           FROM due WHERE r.organisation_id = $1 AND r.batch_id = due.batch_id
         RETURNING r.batch_id, r.epoch, r.phase, r.source_no, r.byte_offset,
                   (SELECT b.operation FROM batch b WHERE b.organisation_id = $1 AND b.id = r.batch_id) AS operation",
    )
    .bind(organisation.0)
    .bind(lease.as_secs_f64())
    .try_map(|row: PgRow| codes::row("import_run", &["batch_id"], &row))
    .fetch_optional(tx.conn())
    .await
}

/// Gives an import back that was not finished: whoever claims it next goes on with it.
pub async fn release(tx: &mut Tx, held: &Held) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "UPDATE import_run SET lease_until = now() WHERE organisation_id = $1 AND batch_id = $2 AND epoch = $3
         AND phase <> 'done'",
    )
    .bind(organisation.0)
    .bind(held.batch_id)
    .bind(held.epoch)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Begins a step: nobody else has the import until the transaction ends. False: the lease is another's by now.
pub async fn hold(tx: &mut Tx, held: &Held, phase: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT hold_import($1, $2, $3)")
        .bind(held.batch_id)
        .bind(held.epoch)
        .bind(phase)
        .fetch_one(tx.conn())
        .await
}

/// Ends a step: the sources can be read, and have so many rows each.
pub async fn counted(tx: &mut Tx, totals: &[i32]) -> sqlx::Result<()> {
    sqlx::query("SELECT count_import($1)").bind(totals).execute(tx.conn()).await.map(|_| ())
}

/// What became of the rows of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Stored.
    pub created: i32,
    /// There already.
    pub skipped: i32,
    /// Did not pass.
    pub failed: i32,
}

/// Ends a step: a run was stored, and the next one begins at `next`; none: with the next source. Returns whether it was
/// the last.
pub async fn stored(tx: &mut Tx, stored: Stored, next: Option<i64>, lease: Duration) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT store_import($1, $2, $3, $4, make_interval(secs => $5))")
        .bind(next)
        .bind(stored.created)
        .bind(stored.skipped)
        .bind(stored.failed)
        .bind(lease.as_secs_f64())
        .fetch_one(tx.conn())
        .await
}

/// Ends a step: it cannot be stored, or not to its end.
pub async fn refused(tx: &mut Tx, phase: &str, sentence: &str) -> sqlx::Result<()> {
    sqlx::query("SELECT fail_import($1, $2)").bind(phase).bind(sentence).execute(tx.conn()).await.map(|_| ())
}

/// Why a row of an import was not stored.
#[derive(Clone, Debug)]
pub struct RefusedRow {
    /// S.No.
    pub row_no: i32,
    /// Short code.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// Writes down which rows of a run did not pass, and why.
pub async fn refuse_rows(tx: &mut Tx, held: &Held, rows: &[RefusedRow]) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code, message)
         SELECT $1, $2, row_no, 1, 0, false, code, message
           FROM unnest($3::int[], $4::text[], $5::text[]) AS u(row_no, code, message)",
    )
    .bind(organisation.0)
    .bind(held.batch_id)
    .bind(rows.iter().map(|row| row.row_no).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.code.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.message.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await
    .map(|_| ())
}
