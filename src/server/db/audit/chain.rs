//! The chain of the audit trail as it stands in its tables: read by the sealer, which signs where it ends, and by the
//! verifier.

use crate::db::Tx;
use futures::TryStreamExt;
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Place of the last link.
    pub sequence: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// The last link; none before the first.
pub async fn tip(tx: &mut Tx) -> sqlx::Result<Option<Tip>> {
    let id = tx.organisation();
    let found = sqlx::query_as::<_, (i64, Vec<u8>)>(
        "SELECT sequence, hash FROM audit_seal WHERE organisation_id = $1 ORDER BY sequence DESC LIMIT 1",
    )
    .bind(id.0)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.map(|(sequence, hash)| Tip { sequence, hash }))
}

/// The hash at a place of the chain.
pub async fn hash_at(tx: &mut Tx, sequence: i64) -> sqlx::Result<Option<Vec<u8>>> {
    let id = tx.organisation();
    sqlx::query_scalar("SELECT hash FROM audit_seal WHERE organisation_id = $1 AND sequence = $2")
        .bind(id.0)
        .bind(sequence)
        .fetch_optional(tx.conn())
        .await
}

/// How far the database itself has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which cluster it is; 0 where nobody may know.
    pub cluster: i64,
    /// The next transaction's number.
    pub transaction: i64,
}

/// How far the database has come. One that was restored from a backup is another cluster, or has come less far than it
/// had.
pub async fn position(tx: &mut Tx) -> sqlx::Result<Position> {
    let (cluster, transaction) = sqlx::query_as(
        "SELECT CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
                     THEN (SELECT system_identifier FROM pg_control_system()) ELSE 0 END,
                pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Position { cluster, transaction })
}

/// The last place up to `sequence` of an entry that was made at `at` or before.
pub async fn last_until(tx: &mut Tx, sequence: i64, at: OffsetDateTime) -> sqlx::Result<i64> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "SELECT coalesce(max(k.sequence), 0) FROM audit_seal k JOIN audit a ON a.organisation_id = $1
         AND a.id = k.audit_id
          WHERE k.organisation_id = $1 AND k.sequence <= $2 AND a.at <= $3",
    )
    .bind(id.0)
    .bind(sequence)
    .bind(at)
    .fetch_one(tx.conn())
    .await
}

/// The details of every act of this kind that was done to the organisation itself.
pub async fn details(tx: &mut Tx, action: &str) -> sqlx::Result<Vec<String>> {
    let id = tx.organisation();
    sqlx::query_scalar(
        "SELECT detail FROM audit WHERE organisation_id = $1 AND object_id = $1 AND action = $2 ORDER BY id",
    )
    .bind(id.0)
    .bind(action)
    .fetch_all(tx.conn())
    .await
}

/// A link with the entry it stands for, as they are stored. Whoever changes the tables changes their constraints too,
/// so nothing is taken for granted.
#[derive(Clone, Copy, Debug)]
pub struct Link<'r> {
    /// Its place.
    pub sequence: i64,
    /// Hash of the link before it, as it says.
    pub previous: &'r [u8],
    /// Its own hash, as it says.
    pub hash: &'r [u8],
    /// The entry; none when there is no such entry.
    pub entry: Option<Entry<'r>>,
}

/// Everything of an entry that a link covers.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'r> {
    /// Its id.
    pub id: Uuid,
    /// When, in microseconds since the beginning of 2000, which is how PostgreSQL keeps it.
    pub at: i64,
    /// Who.
    pub person: Option<Uuid>,
    /// Name of who.
    pub actor: &'r str,
    /// What.
    pub action: &'r str,
    /// To what.
    pub object: Option<Uuid>,
    /// JSON.
    pub detail: &'r str,
}

impl<'r> Link<'r> {
    fn of(row: &'r PgRow) -> sqlx::Result<Self> {
        let entry = match row.try_get::<Option<Uuid>, _>(3)? {
            Some(id) => {
                let at: Option<&[u8]> = row.try_get(4)?;
                Some(Entry {
                    id,
                    at: at.and_then(|at| at.try_into().ok()).map(i64::from_be_bytes).unwrap_or_default(),
                    person: row.try_get(5)?,
                    actor: row.try_get::<Option<&str>, _>(6)?.unwrap_or_default(),
                    action: row.try_get::<Option<&str>, _>(7)?.unwrap_or_default(),
                    object: row.try_get(8)?,
                    detail: row.try_get::<Option<&str>, _>(9)?.unwrap_or_default(),
                })
            }
            None => None,
        };
        Ok(Self {
            sequence: row.try_get(0)?,
            previous: row.try_get::<Option<&[u8]>, _>(1)?.unwrap_or_default(),
            hash: row.try_get::<Option<&[u8]>, _>(2)?.unwrap_or_default(),
            entry,
        })
    }
}

/// Gives the next `limit` links after the place `after` to `each`, in their order; returns how many there were.
pub async fn each_link(
    tx: &mut Tx,
    after: i64,
    limit: i64,
    mut each: impl FnMut(Link<'_>) + Send,
) -> sqlx::Result<i64> {
    let id = tx.organisation();
    // The bytes of `at`: a time that no calendar knows is a change like any other, and not an error of the reader.
    let mut rows = sqlx::query(
        "SELECT k.sequence, k.previous, k.hash, a.id, timestamptz_send(a.at), a.person_id, a.actor, a.action,
         a.object_id, a.detail
           FROM audit_seal k
           LEFT JOIN audit a ON a.organisation_id = k.organisation_id AND a.id = k.audit_id
          WHERE k.organisation_id = $1 AND k.sequence > $2 ORDER BY k.sequence LIMIT $3",
    )
    .bind(id.0)
    .bind(after)
    .bind(limit)
    .fetch(tx.conn());
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        each(Link::of(&row)?);
        count += 1;
    }
    Ok(count)
}

/// How many entries wait to be chained.
pub async fn waiting(tx: &mut Tx) -> sqlx::Result<i64> {
    let id = tx.organisation();
    sqlx::query_scalar("SELECT count(*) FROM audit_waiting WHERE organisation_id = $1")
        .bind(id.0)
        .fetch_one(tx.conn())
        .await
}

/// Something that stands where it must not, or does not stand where it must.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Stray {
    /// Of an entry or a batch.
    pub id: Uuid,
    /// What was done.
    pub action: String,
    /// When, in UTC as the database writes it.
    pub at: String,
}

const AT: &str = "to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')";

async fn strays(tx: &mut Tx, sql: &str, limit: i64) -> sqlx::Result<Vec<Stray>> {
    let id = tx.organisation();
    let sql = sqlx::AssertSqlSafe(sql.replace("{at}", AT));
    sqlx::query_as(sql).bind(id.0).bind(limit).fetch_all(tx.conn()).await
}

/// Entries that are neither chained nor wait for it.
pub async fn loose(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Stray>> {
    let sql = "SELECT a.id, coalesce(a.action, '') AS action, coalesce({at}, '') AS at FROM audit a
               WHERE a.organisation_id = $1
                  AND NOT EXISTS (SELECT FROM audit_seal k WHERE k.organisation_id = $1 AND k.audit_id = a.id)
                  AND NOT EXISTS (SELECT FROM audit_waiting w WHERE w.organisation_id = $1 AND w.audit_id = a.id)
                ORDER BY a.id LIMIT $2";
    strays(tx, sql, limit).await
}

/// Entries that are chained and wait for it again.
pub async fn chained_and_waiting(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Stray>> {
    let sql = "SELECT a.id, coalesce(a.action, '') AS action, coalesce({at}, '') AS at FROM audit_waiting w
                 JOIN audit_seal k ON k.organisation_id = $1 AND k.audit_id = w.audit_id
                 JOIN audit a ON a.organisation_id = $1 AND a.id = w.audit_id
                WHERE w.organisation_id = $1 ORDER BY a.id LIMIT $2";
    strays(tx, sql, limit).await
}

/// Places in the queue whose entry is not there.
pub async fn waiting_for_nothing(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Stray>> {
    let sql = "SELECT w.audit_id AS id, '' AS action, '' AS at FROM audit_waiting w WHERE w.organisation_id = $1
                  AND NOT EXISTS (SELECT FROM audit a WHERE a.organisation_id = $1 AND a.id = w.audit_id)
                ORDER BY w.audit_id LIMIT $2";
    strays(tx, sql, limit).await
}

/// Batches whose making no entry tells of.
pub async fn batches_without_entry(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Stray>> {
    let sql = "SELECT a.id, a.file_name AS action,
               coalesce(to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '') AS at
                 FROM batch a WHERE a.organisation_id = $1
                  AND NOT EXISTS (SELECT FROM audit e WHERE e.organisation_id = $1 AND e.object_id = a.id
                    AND e.action = 'batch.created')
                ORDER BY a.id LIMIT $2";
    strays(tx, sql, limit).await
}

/// Whether the organisation has any entry at all.
pub async fn has_entries(tx: &mut Tx) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM audit WHERE organisation_id = $1)")
        .bind(id.0)
        .fetch_one(tx.conn())
        .await
}
