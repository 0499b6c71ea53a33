//! Files as they came: one of up to 1 MiB in one value, a longer one in parts.

use super::Tx;
use time::OffsetDateTime;

/// Bytes of a part, at most.
pub const PART: usize = 1024 * 1024;

/// Keeps a file under its hash; the same bytes are kept once. `bytes`: all of it, none where it has parts. One that is
/// there is touched: until this transaction ends it is not deleted, and then it has a name. Returns whether it is new,
/// so that its parts are to be added.
pub async fn keep(tx: &mut Tx, sha256: &[u8], bytes: Option<&[u8]>, now: OffsetDateTime) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "INSERT INTO file (organisation_id, sha256, bytes, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (organisation_id, sha256) DO UPDATE SET created_at = greatest(file.created_at, excluded.created_at)
         RETURNING xmax = 0",
    )
    .bind(id.0)
    .bind(sha256)
    .bind(bytes)
    .bind(now)
    .fetch_one(tx.conn())
    .await
}

/// Adds a part, from 1.
pub async fn add_part(tx: &mut Tx, sha256: &[u8], number: i32, bytes: &[u8]) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query("INSERT INTO file_part (organisation_id, sha256, part_no, bytes) VALUES ($1, $2, $3, $4)")
        .bind(id.0)
        .bind(sha256)
        .bind(number)
        .bind(bytes)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// A part of a file, from 1; none after the last. A file in one value is its only part.
pub async fn part(tx: &mut Tx, sha256: &[u8], number: i32) -> sqlx::Result<Option<Vec<u8>>> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "SELECT bytes FROM file WHERE organisation_id = $1 AND sha256 = $2 AND $3 = 1 AND bytes IS NOT NULL
         UNION ALL SELECT bytes FROM file_part WHERE organisation_id = $1 AND sha256 = $2 AND part_no = $3",
    )
    .bind(id.0)
    .bind(sha256)
    .bind(number)
    .fetch_optional(tx.conn())
    .await
}

/// Deletes the files that no batch and no draft names, and that nobody has kept since `before`; their parts go with
/// them.
pub async fn delete_unnamed(tx: &mut Tx, before: OffsetDateTime) -> sqlx::Result<u64> {
    let id = tx.organisation();
    sqlx::query(
        "DELETE FROM file f WHERE f.organisation_id = $1 AND f.created_at < $2
            AND NOT EXISTS (SELECT FROM batch b WHERE b.organisation_id = $1 AND b.file_sha256 = f.sha256)
            AND NOT EXISTS (SELECT FROM draft d WHERE d.organisation_id = $1 AND d.file_sha256 = f.sha256)",
    )
    .bind(id.0)
    .bind(before)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected())
}
