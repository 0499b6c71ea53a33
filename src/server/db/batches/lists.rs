//! Lists of batches.

use super::{BatchRow, SELECT, Tx, batch, decode};
use crate::domain::{
    batch::{BatchStatus, Operation},
    page::{BatchQuery, BatchSort, PAGE_SIZE},
};
use sqlx::AssertSqlSafe;

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
        (BatchSort::Created, false) => " ORDER BY b.id",
        (BatchSort::Created, true) => " ORDER BY b.id DESC",
        (BatchSort::Records, false) => " ORDER BY b.records, b.id",
        (BatchSort::Records, true) => " ORDER BY b.records DESC, b.id DESC",
        (BatchSort::Tasks, false) => " ORDER BY b.records, b.id",
        (BatchSort::Tasks, true) => " ORDER BY b.records DESC, b.id DESC",
    }
}

/// A page of the list of an operation.
pub async fn list(tx: &mut Tx, operation: Operation, query: &BatchQuery) -> sqlx::Result<Vec<BatchRow>> {
    let organisation = tx.organisation();
    let order = order(query.sort, query.descending);
    let sql = format!("{SELECT} {SEARCH} AND ($5::text IS NULL OR b.status = $5) {order} LIMIT $6 OFFSET $7");
    sqlx::query(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(operation.code())
        .bind(&query.search)
        .bind(query.case_sensitive)
        .bind(query.status.map(BatchStatus::code))
        .bind(i64::from(PAGE_SIZE))
        .bind(i64::from(query.page.saturating_sub(1)) * i64::from(PAGE_SIZE))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(batch)
        .collect()
}

/// How many batches of an operation match the search, by status.
pub async fn count_by_status(
    tx: &mut Tx,
    operation: Operation,
    query: &BatchQuery,
) -> sqlx::Result<Vec<(BatchStatus, u64)>> {
    let organisation = tx.organisation();
    let sql = format!(
        "SELECT b.status, count(*) FROM batch b WHERE b.organisation_id = $1 {SEARCH} AND b.status <> 'validating' GROUP BY b.status, b.status_rank ORDER BY b.status_rank"
    );
    let rows = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(sql))
        .bind(organisation.0)
        .bind(operation.code())
        .bind(&query.search)
        .bind(query.case_sensitive)
        .fetch_all(tx.conn())
        .await?;
    rows.into_iter()
        .map(|(status, n)| {
            let status = BatchStatus::from_code(&status).ok_or_else(|| decode(&status, "status"))?;
            Ok((status, u64::try_from(n).unwrap_or(0)))
        })
        .collect()
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
