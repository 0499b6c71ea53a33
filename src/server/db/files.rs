//! Files as they came: one of up to 1 MiB in one value, a longer one in parts, a large one in the object store.

use super::Tx;
use time::OffsetDateTime;
use uuid::Uuid;

/// Bytes of a part, at most.
pub const PART: usize = 1024 * 1024;

/// What is known of a file besides its hash.
#[derive(Clone, Copy, Debug, Default, sqlx::FromRow)]
pub struct FileRow {
    /// Its bytes; none: it was kept before sizes were.
    pub length: Option<i64>,
    /// The object that holds it; none: the database does.
    pub object_id: Option<Uuid>,
}

/// Keeps a file under its hash; the same bytes are kept once. `bytes`: all of it, none where it has parts or is an
/// object. One that is there is touched: until this transaction ends it is not deleted, and then it has a name. Returns
/// whether it is new, so that its parts are to be added.
pub async fn keep(
    tx: &mut Tx,
    sha256: &[u8],
    row: &FileRow,
    bytes: Option<&[u8]>,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "INSERT INTO file (organisation_id, sha256, bytes, created_at, length, object_id)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (organisation_id, sha256) DO UPDATE SET created_at = greatest(file.created_at, excluded.created_at)
         RETURNING xmax = 0",
    )
    .bind(id.0)
    .bind(sha256)
    .bind(bytes)
    .bind(now)
    .bind(row.length)
    .bind(row.object_id)
    .fetch_one(tx.conn())
    .await
}

/// Whether a file is there. It is touched: whoever brings it again is about to name it.
pub async fn touch(tx: &mut Tx, sha256: &[u8], now: OffsetDateTime) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query("UPDATE file SET created_at = greatest(created_at, $3) WHERE organisation_id = $1 AND sha256 = $2")
        .bind(id.0)
        .bind(sha256)
        .bind(now)
        .execute(tx.conn())
        .await
        .map(|done| done.rows_affected() > 0)
}

/// A file by its hash.
pub async fn find(tx: &mut Tx, sha256: &[u8]) -> sqlx::Result<Option<FileRow>> {
    let id = tx.organisation();
    sqlx::query_as("SELECT length, object_id FROM file WHERE organisation_id = $1 AND sha256 = $2")
        .bind(id.0)
        .bind(sha256)
        .fetch_optional(tx.conn())
        .await
}

/// Those of these objects that a file is in.
pub async fn named_objects(tx: &mut Tx, objects: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    let id = tx.organisation();
    sqlx::query_scalar("SELECT object_id FROM file WHERE organisation_id = $1 AND object_id = ANY ($2)")
        .bind(id.0)
        .bind(objects)
        .fetch_all(tx.conn())
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

/// Takes the hourly look at old files, where it is due.
pub async fn claim_retention(tx: &mut Tx, now: OffsetDateTime) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO retention_run AS r (organisation_id, at) VALUES ($1, $2)
         ON CONFLICT (organisation_id) DO UPDATE SET at = $2 WHERE r.at <= $2 - interval '1 hour'",
    )
    .bind(id.0)
    .bind(now)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() > 0)
}

/// Lets go of the files of at most `most` batches of these kinds of work that were over before a time. Returns how many,
/// and their bytes.
pub async fn expire(
    tx: &mut Tx,
    works: &[&str],
    before: OffsetDateTime,
    now: OffsetDateTime,
    most: i32,
) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as("SELECT batches, bytes FROM expire_files($1, $2, $3, $4)")
        .bind(works)
        .bind(before)
        .bind(now)
        .bind(most)
        .fetch_one(tx.conn())
        .await
}

/// Deletes at most `most` of the files that no batch and no draft names (any more), and that nobody has kept since
/// `before`; their parts go with them. Returns how many.
pub async fn delete_unnamed(tx: &mut Tx, before: OffsetDateTime, most: i32) -> sqlx::Result<u64> {
    let id = tx.organisation();
    sqlx::query(
        "DELETE FROM file f WHERE f.organisation_id = $1 AND f.created_at < $2 AND f.sha256 IN (
           SELECT u.sha256 FROM file u WHERE u.organisation_id = $1 AND u.created_at < $2
              AND NOT EXISTS (SELECT FROM batch b WHERE b.organisation_id = $1 AND b.file_sha256 = u.sha256
                AND b.file_deleted_at IS NULL)
              AND NOT EXISTS (SELECT FROM batch_source s JOIN batch b ON b.organisation_id = $1 AND b.id = s.batch_id
                WHERE s.organisation_id = $1 AND s.sha256 = u.sha256 AND b.file_deleted_at IS NULL)
              AND NOT EXISTS (SELECT FROM draft d WHERE d.organisation_id = $1 AND d.file_sha256 = u.sha256)
            LIMIT $3)",
    )
    .bind(id.0)
    .bind(before)
    .bind(most)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected())
}
