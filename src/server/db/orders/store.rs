//! The store of orders as people look at it: its list, one order, and the refunds of ours that a reading does not show
//! yet.

use super::Tx;
use crate::{
    db::{approvals::Submission, codes},
    domain::{batch::BatchStatus, ids::OrganisationId, money::Currency, operation::Operation, task::TaskState},
};
use sqlx::{Postgres, QueryBuilder, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where a page begins: what the list is sorted by, and the order.
#[derive(Clone, Debug)]
pub enum Start<'a> {
    /// In the list by when they were seen.
    Seen(OffsetDateTime, &'a str),
    /// In the list of what a search found.
    Matched(&'a str, &'a str),
}

/// What of the store is listed.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// The beginning of an order or transaction id; empty for all, newest seen first.
    pub search: &'a str,
    /// The gateway's word; empty for all.
    pub status: &'a str,
    /// `none`, `partly`, `wholly`; empty for all.
    pub refunded: &'a str,
    /// Seen then or later.
    pub since: Option<OffsetDateTime>,
    /// Where the page begins; none for the first.
    pub start: Option<Start<'a>>,
    /// The rows before `start` instead of those after it.
    pub back: bool,
    /// Rows at most.
    pub limit: i64,
}

/// An order of the list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoreRow {
    /// Order.
    pub order_id: String,
    /// The id that the search found it by: its own or a transaction's.
    pub matched: Option<String>,
    /// Which connection it was seen at.
    pub gateway_id: Uuid,
    /// The gateway's word.
    pub status: String,
    /// Whether money was captured.
    pub charged: bool,
    /// Minor units.
    pub amount_minor: i64,
    /// Currency of all amounts.
    #[sqlx(try_from = "codes::Code<Currency>")]
    pub currency: Currency,
    /// Minor units.
    pub refunded_minor: i64,
    /// Minor units; none when the gateway does not say.
    pub refundable_minor: Option<i64>,
    /// Refunds that the gateway knows.
    pub refunds: i32,
    /// When the gateway was asked.
    pub seen_at: OffsetDateTime,
    /// Microseconds since 1970 of it: its place in the list.
    pub seen_micros: i64,
    /// Which batch asked.
    pub batch_id: Uuid,
    /// What that batch does.
    #[sqlx(try_from = "codes::Code<Operation>")]
    pub operation: Operation,
    /// Its file.
    pub file_name: String,
    /// Who made it.
    pub asked_by: String,
    /// Refunds of ours that the reading does not show yet, minor units.
    pub on_way_minor: i64,
}

const COLUMNS: &str = "o.order_id, h.matched, o.gateway_id, o.status, o.charged, o.amount_minor,
                       o.currency::text AS currency, o.refunded_minor,
       o.refundable_minor, jsonb_array_length(o.refunds) AS refunds, o.seen_at, (extract(epoch
         FROM o.seen_at) * 1000000)::bigint AS seen_micros,
       o.batch_id, b.operation, b.file_name, coalesce(p.email, 'API key') AS asked_by, w.on_way_minor";

/// What is beside an order `o` of organisation `$1`. A refund of ours counts until the reading shows it: under its key,
/// or because it was long over when the order was read (the gateway was asked a moment before it was stored). What
/// failed counts not at all.
const BESIDE: &str = "
  JOIN batch b ON b.organisation_id = $1 AND b.id = o.batch_id
  LEFT JOIN person p ON p.id = b.maker
 CROSS JOIN LATERAL (
   SELECT coalesce(sum(r.amount_minor), 0)::bigint AS on_way_minor
     FROM record r
     JOIN batch k ON k.organisation_id = $1 AND k.id = r.batch_id AND k.work = 'send'
          AND k.status NOT IN ('validating', 'invalid', 'rejected', 'withdrawn', 'expired')
    CROSS JOIN LATERAL (SELECT t.status, t.state, t.updated_at FROM task t WHERE t.organisation_id = $1
      AND t.batch_id = r.batch_id AND t.row_no = r.row_no
                           AND t.revision = r.revision OFFSET 0) t
    WHERE r.organisation_id = $1 AND r.order_id = o.order_id AND t.status <> 'FAILED'
      AND NOT o.refunds @> jsonb_build_array(jsonb_build_object('unique_request_id', r.gateway_key))
      AND NOT (t.state = 'SUCCEEDED' AND t.updated_at < o.seen_at - interval '1 minute')) w";

/// Appends the statement that reads a page of the list. Whatever is stored, it walks a range of one index (two in a
/// search: of orders and of transactions), and no more of it than the page needs.
pub fn push_list(query: &mut QueryBuilder<Postgres>, organisation: OrganisationId, listing: &Listing<'_>) {
    let searches = !listing.search.is_empty();
    query.push("SELECT ").push(COLUMNS).push(" FROM (");
    // The organisation is the first parameter, which the parts below name.
    if searches {
        query.push("(SELECT s.order_id, s.order_id AS matched FROM stored_order s WHERE s.organisation_id = ");
        query.push_bind(organisation.0).push(" AND s.order_id ^@ ").push_bind(listing.search.to_owned());
        narrow(query, listing);
        begin(query, listing, "s.order_id", "s.order_id");
        query.push(") UNION ALL (SELECT s.order_id, t.txn_id AS matched FROM stored_transaction t JOIN stored_order s
                    ON s.organisation_id = $1 AND s.order_id = t.order_id WHERE t.organisation_id = $1 AND t.txn_id ^@ ");
        query.push_bind(listing.search.to_owned());
        // An order is listed once: by its own id, else by the first of its transactions.
        query.push(" AND NOT s.order_id ^@ ").push_bind(listing.search.to_owned());
        query
            .push(" AND NOT EXISTS (SELECT FROM unnest(s.transactions) AS e(id) WHERE e.id ^@ ")
            .push_bind(listing.search.to_owned());
        query.push(" AND e.id COLLATE \"C\" < t.txn_id)");
        narrow(query, listing);
        begin(query, listing, "t.txn_id", "t.order_id");
        query.push(")");
    } else {
        query.push("SELECT s.order_id, NULL::text AS matched FROM stored_order s WHERE s.organisation_id = ");
        query.push_bind(organisation.0);
        narrow(query, listing);
        begin(query, listing, "s.seen_at", "s.order_id");
    }
    let direction = direction(listing);
    let sorted = match searches {
        true => format!("h.matched {direction}, h.order_id {direction}"),
        false => format!("o.seen_at {direction}, o.order_id {direction}"),
    };
    query.push(") h JOIN stored_order o ON o.organisation_id = $1 AND o.order_id = h.order_id").push(BESIDE);
    query.push(" ORDER BY ").push(sorted).push(" LIMIT ").push_bind(listing.limit);
}

/// A search goes up the alphabet, the list down from the newest; backwards the other way round.
fn direction(listing: &Listing<'_>) -> &'static str {
    if listing.search.is_empty() == listing.back { "ASC" } else { "DESC" }
}

fn narrow(query: &mut QueryBuilder<Postgres>, listing: &Listing<'_>) {
    if !listing.status.is_empty() {
        query.push(" AND s.status = ").push_bind(listing.status.to_owned());
    }
    if !listing.refunded.is_empty() {
        query.push(" AND s.refund_state = ").push_bind(listing.refunded.to_owned());
    }
    if let Some(since) = listing.since {
        query.push(" AND s.seen_at >= ").push_bind(since);
    }
}

fn begin(query: &mut QueryBuilder<Postgres>, listing: &Listing<'_>, key: &str, order: &str) {
    let direction = direction(listing);
    let beyond = if direction == "ASC" { ">" } else { "<" };
    if let Some(start) = &listing.start {
        query.push(format!(" AND ({key}, {order}) {beyond} ("));
        match start {
            Start::Seen(at, order_id) => query.push_bind(*at).push(", ").push_bind((*order_id).to_owned()),
            Start::Matched(text, order_id) => {
                query.push_bind((*text).to_owned()).push(", ").push_bind((*order_id).to_owned())
            }
        };
        query.push(")");
    }
    query.push(format!(" ORDER BY {key} {direction}, {order} {direction} LIMIT ")).push_bind(listing.limit);
}

/// A page of the list, in the order that it is read in: backwards when it goes back.
pub async fn list(tx: &mut Tx, listing: &Listing<'_>) -> sqlx::Result<Vec<StoreRow>> {
    let mut query = QueryBuilder::new("");
    push_list(&mut query, tx.organisation(), listing);
    query.build().try_map(stored).fetch_all(tx.conn()).await
}

/// These orders, as far as they were ever seen, with what is beside them.
pub async fn some(tx: &mut Tx, orders: &[String]) -> sqlx::Result<Vec<StoreRow>> {
    let organisation = tx.organisation();
    let sql = format!(
        "SELECT {COLUMNS} FROM stored_order o CROSS JOIN (SELECT NULL::text AS matched) h {BESIDE}
         WHERE o.organisation_id = $1 AND o.order_id = ANY ($2)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(organisation.0).bind(orders).try_map(stored).fetch_all(tx.conn()).await
}

fn stored(row: PgRow) -> sqlx::Result<StoreRow> {
    codes::row("stored_order", &["order_id"], &row)
}

/// Whether any order is stored.
pub async fn any(tx: &mut Tx) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM stored_order WHERE organisation_id = $1)")
        .bind(organisation.0)
        .fetch_one(tx.conn())
        .await
}

/// The gateway's words that there are, at most 40: one step of an index each, however many orders have it.
pub async fn statuses(tx: &mut Tx) -> sqlx::Result<Vec<String>> {
    let organisation = tx.organisation();
    sqlx::query_scalar(
        "WITH RECURSIVE word AS (
           (SELECT status FROM stored_order WHERE organisation_id = $1 ORDER BY status LIMIT 1)
           UNION ALL
           SELECT (SELECT n.status FROM stored_order n WHERE n.organisation_id = $1 AND n.status > word.status
             ORDER BY n.status LIMIT 1)
             FROM word WHERE word.status IS NOT NULL)
         SELECT status FROM word WHERE status IS NOT NULL LIMIT 40",
    )
    .bind(organisation.0)
    .fetch_all(tx.conn())
    .await
}

/// What only an order's own page shows.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OrderDetail {
    /// Ids of its transactions.
    pub transactions: Vec<String>,
    /// JSON array.
    pub refunds: String,
    /// The answer as it came.
    pub body: String,
    /// When it was first seen.
    pub first_seen_at: OffsetDateTime,
}

/// What only an order's own page shows; none when it was never seen.
pub async fn detail(tx: &mut Tx, order: &str) -> sqlx::Result<Option<OrderDetail>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT transactions, refunds::text AS refunds, body, first_seen_at FROM stored_order WHERE organisation_id = $1
         AND order_id = $2",
    )
    .bind(organisation.0)
    .bind(order)
    .fetch_optional(tx.conn())
    .await
}

/// A record of ours about an order, in one submission of its batch.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OrderRecord {
    /// Its batch.
    pub batch_id: Uuid,
    /// What the batch does.
    #[sqlx(try_from = "codes::Code<Operation>")]
    pub operation: Operation,
    /// The batch's file.
    pub file_name: String,
    /// Where the batch stands.
    #[sqlx(try_from = "codes::Code<BatchStatus>")]
    pub batch_status: BatchStatus,
    /// S.No.
    pub row_no: i32,
    /// 1 is the file.
    pub revision: i16,
    /// Minor units.
    pub amount_minor: i64,
    /// Of the batch.
    #[sqlx(try_from = "codes::Code<Currency>")]
    pub currency: Currency,
    /// Key at the gateway.
    pub gateway_key: String,
    /// Who submitted it, and what was decided.
    #[sqlx(flatten)]
    pub submission: Submission,
    /// Where it stands.
    #[sqlx(try_from = "codes::Code<TaskState>")]
    pub state: TaskState,
    /// Why it failed or waits.
    pub message: Option<String>,
    /// The gateway's reference.
    pub gw_ref: Option<String>,
    /// The gateway's word; of an order sync SYNCED, FAILED, NOT REQUESTED.
    pub gateway_status: Option<String>,
    /// Order sync: what the external system answered.
    pub response: Option<String>,
    /// When that changed last; none while nothing happened.
    pub updated_at: Option<OffsetDateTime>,
    /// Order sync: when the gateway was asked, oldest first.
    pub asked: Vec<OffsetDateTime>,
}

/// The records about an order in batches of these operations, newest batch first, at most `limit`.
pub async fn records(
    tx: &mut Tx,
    order: &str,
    operations: &[&'static str],
    limit: i64,
) -> sqlx::Result<Vec<OrderRecord>> {
    let organisation = tx.organisation();
    sqlx::query(
        "SELECT h.*, v.created_at, coalesce(m.email, 'API key') AS maker_email, d.verdict, c.email AS checker_email,
         d.at AS decided_at, d.reason,
                t.state, t.message, t.gw_ref, t.gateway_status, t.response, t.updated_at, e.asked
           FROM (SELECT r.batch_id, b.operation, b.work, b.file_name, b.status AS batch_status, r.row_no, r.revision,
             r.amount_minor, b.currency::text AS currency, r.gateway_key
                   FROM record r JOIN batch b ON b.organisation_id = $1 AND b.id = r.batch_id
                  WHERE r.organisation_id = $1 AND r.order_id = $2 AND b.operation = ANY ($3)
                    AND b.status <> 'validating'
                  ORDER BY r.batch_id DESC, r.row_no, r.revision DESC LIMIT $4) h
           JOIN batch_revision v ON v.organisation_id = $1 AND v.batch_id = h.batch_id AND v.revision = h.revision
           LEFT JOIN person m ON m.id = v.maker
           LEFT JOIN decision d ON d.organisation_id = $1 AND d.batch_id = h.batch_id AND d.revision = h.revision
           LEFT JOIN person c ON c.id = d.checker
          CROSS JOIN LATERAL (
            SELECT t.state, t.message, t.gw_ref, t.gateway_status, t.response, t.updated_at FROM task t
             WHERE h.work <> 'query' AND t.organisation_id = $1 AND t.batch_id = h.batch_id AND t.row_no = h.row_no
               AND t.revision = h.revision
            UNION ALL
            -- What was sent again since stands as it ended.
            SELECT CASE WHEN coalesce(x.succeeded, o.succeeded) THEN 'SUCCEEDED'
              ELSE 'FAILED' END, coalesce(x.message, o.message), coalesce(x.gw_ref, o.gw_ref),
                   coalesce(x.gateway_status, o.gateway_status), NULL, coalesce(x.at, o.at)
              FROM outcome o
              LEFT JOIN reversal x ON x.organisation_id = $1 AND x.batch_id = o.batch_id AND x.row_no = o.row_no
                AND x.revision = o.revision
             WHERE h.work <> 'query' AND o.organisation_id = $1 AND o.batch_id = h.batch_id AND o.row_no = h.row_no
               AND o.revision = h.revision
               AND EXISTS (SELECT FROM record n WHERE n.organisation_id = $1 AND n.batch_id = h.batch_id
                 AND n.row_no = h.row_no AND n.revision > h.revision)
            UNION ALL
            SELECT t.state, t.message, NULL, t.gateway_status, t.response, t.updated_at FROM sync_task t
             WHERE h.work = 'query' AND t.organisation_id = $1 AND t.batch_id = h.batch_id AND t.row_no = h.row_no) t
          CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(e.at ORDER BY e.at), '{}') AS asked FROM evidence e
             WHERE h.work = 'query' AND e.organisation_id = $1 AND e.batch_id = h.batch_id AND e.from_row = h.row_no
               AND e.source = 'QUERY') e
          ORDER BY h.batch_id DESC, h.row_no, h.revision DESC",
    )
    .bind(organisation.0)
    .bind(order)
    .bind(operations)
    .bind(limit)
    .try_map(|row: PgRow| codes::row("record", &["batch_id", "row_no", "revision"], &row))
    .fetch_all(tx.conn())
    .await
}

/// Who pressed "Sync with Gateway" on these batches, and when.
pub async fn presses(tx: &mut Tx, batches: &[Uuid]) -> sqlx::Result<Vec<(Uuid, OffsetDateTime, String)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT object_id, at, actor FROM audit WHERE organisation_id = $1 AND object_id = ANY ($2)
         AND action = 'batch.synced' ORDER BY at DESC LIMIT 100",
    )
    .bind(organisation.0)
    .bind(batches)
    .fetch_all(tx.conn())
    .await
}
