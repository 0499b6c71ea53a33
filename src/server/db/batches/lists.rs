//! Lists of batches.

use super::{BatchRow, SELECT, Tx, batch, codes};
use crate::domain::{
    batch::BatchStatus,
    ids::PersonId,
    operation::Operation,
    page::{BatchQuery, BatchSort, PAGE_SIZE},
};
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use uuid::Uuid;

/// The moments that the days of a query begin and end with: from the first, to before the second.
pub type Between = (Option<OffsetDateTime>, Option<OffsetDateTime>);

const SEARCH: &str = " AND b.operation = $2 AND ($3 = '' OR CASE WHEN $4 THEN strpos(b.file_name, $3) > 0
                       ELSE strpos(lower(b.file_name COLLATE \"und-x-icu\"), lower($3 COLLATE \"und-x-icu\")) > 0 END)";

const fn order(sort: BatchSort, descending: bool) -> &'static str {
    match (sort, descending) {
        (BatchSort::FileName, false) => " ORDER BY b.file_name, b.id",
        (BatchSort::FileName, true) => " ORDER BY b.file_name DESC, b.id DESC",
        (BatchSort::Status, false) => " ORDER BY b.status_rank, b.id",
        (BatchSort::Status, true) => " ORDER BY b.status_rank DESC, b.id DESC",
        (BatchSort::Amount, false) => " ORDER BY b.amount_minor, b.id",
        (BatchSort::Amount, true) => " ORDER BY b.amount_minor DESC, b.id DESC",
        (BatchSort::Created, false) => " ORDER BY b.created_at, b.id",
        (BatchSort::Created, true) => " ORDER BY b.created_at DESC, b.id DESC",
        (BatchSort::Records, false) => " ORDER BY b.records, b.id",
        (BatchSort::Records, true) => " ORDER BY b.records DESC, b.id DESC",
        (BatchSort::Tasks, false) => " ORDER BY b.records, b.id",
        (BatchSort::Tasks, true) => " ORDER BY b.records DESC, b.id DESC",
    }
}

/// What narrows the list beside search and status. Only what is asked for is in the text, so that every plan can use an
/// index for it; the numbers of the parameters stay.
fn narrowed(query: &BatchQuery, between: Between) -> String {
    let mut text = String::from(SEARCH);
    if query.maker.is_some() {
        text.push_str(" AND b.maker = $5");
    }
    if between.0.is_some() {
        text.push_str(" AND b.created_at >= $6");
    }
    if between.1.is_some() {
        text.push_str(" AND b.created_at < $7");
    }
    text
}

/// A page of the list of an operation.
pub async fn list(
    tx: &mut Tx,
    operation: Operation,
    query: &BatchQuery,
    between: Between,
) -> sqlx::Result<Vec<BatchRow>> {
    let organisation = tx.organisation();
    let order = order(query.sort, query.descending);
    let narrowed = narrowed(query, between);
    let status = if query.status.is_some() { " AND b.status = $8" } else { "" };
    let sql = format!("{SELECT} {narrowed}{status} {order} LIMIT $9 OFFSET $10");
    sqlx::query(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(operation.code())
        .bind(&query.search)
        .bind(query.case_sensitive)
        .bind(query.maker.map(|maker| maker.0))
        .bind(between.0)
        .bind(between.1)
        .bind(query.status.map(BatchStatus::code))
        .bind(i64::from(PAGE_SIZE))
        .bind(i64::from(query.page.saturating_sub(1)) * i64::from(PAGE_SIZE))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(batch)
        .collect()
}

/// How many batches of an operation match all but the status, by status.
pub async fn count_by_status(
    tx: &mut Tx,
    operation: Operation,
    query: &BatchQuery,
    between: Between,
) -> sqlx::Result<Vec<(BatchStatus, u64)>> {
    let organisation = tx.organisation();
    let narrowed = narrowed(query, between);
    let sql = format!(
        "SELECT b.status, count(*) FROM batch b WHERE b.organisation_id = $1 {narrowed}
         AND (b.status <> 'validating' OR b.work = 'import') GROUP BY b.status, b.status_rank ORDER BY b.status_rank"
    );
    let rows = sqlx::query_as::<_, (codes::Code<BatchStatus>, i64)>(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(operation.code())
        .bind(&query.search)
        .bind(query.case_sensitive)
        .bind(query.maker.map(|maker| maker.0))
        .bind(between.0)
        .bind(between.1)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(|(status, n)| (status.0, u64::try_from(n).unwrap_or(0))).collect())
}

/// Whether there is any batch of an operation.
pub async fn any(tx: &mut Tx, operation: Operation) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query_as::<_, (bool,)>("SELECT EXISTS (SELECT FROM batch WHERE organisation_id = $1 AND operation = $2)")
        .bind(organisation.0)
        .bind(operation.code())
        .fetch_one(tx.conn())
        .await
        .map(|(any,)| any)
}

/// The newest batches of an operation.
pub async fn newest(tx: &mut Tx, operation: Operation, limit: u32) -> sqlx::Result<Vec<BatchRow>> {
    let organisation = tx.organisation();
    sqlx::query(AssertSqlSafe(format!("{SELECT} AND b.operation = $2 ORDER BY b.id DESC LIMIT $3")))
        .bind(organisation.0)
        .bind(operation.code())
        .bind(i64::from(limit))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(batch)
        .collect()
}

/// Everybody who uploaded a batch of an operation, by e-mail. Jumps from person to person: one look into the index
/// each.
pub async fn makers(tx: &mut Tx, operation: Operation) -> sqlx::Result<Vec<(PersonId, String)>> {
    let organisation = tx.organisation();
    let rows = sqlx::query_as::<_, (Uuid, String)>(
        "WITH RECURSIVE m AS (
           (SELECT maker FROM batch WHERE organisation_id = $1 AND operation = $2 AND maker IS NOT NULL ORDER BY maker
             LIMIT 1)
           UNION ALL
           SELECT n.maker FROM m, LATERAL (SELECT b.maker FROM batch b WHERE b.organisation_id = $1 AND b.operation = $2
             AND b.maker > m.maker
             ORDER BY b.maker LIMIT 1) n)
         SELECT m.maker, coalesce(p.email, 'API key') FROM m LEFT JOIN person p ON p.id = m.maker ORDER BY 2, 1",
    )
    .bind(organisation.0)
    .bind(operation.code())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(id, email)| (PersonId(id), email)).collect())
}
