//! Reconciliation: when a batch is compared with the gateway, what is compared, and what was found.

mod views;

use super::{GlobalTx, Tx};
use crate::domain::ids::{GatewayId, OrganisationId};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

pub use views::{DifferenceRow, LastRow, differences, last};

/// Connections with a comparison due: seen across organisations.
pub async fn due(tx: &mut GlobalTx) -> sqlx::Result<Vec<(OrganisationId, GatewayId)>> {
    let rows: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT organisation_id, gateway_id FROM reconciliations_due()").fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(|(organisation, gateway)| (OrganisationId(organisation), GatewayId(gateway))).collect())
}

/// An organisation's nights.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NightlyRun {
    /// Whose.
    pub organisation_id: Uuid,
    /// IANA name of its zone.
    pub zone: String,
    /// The night that was planned last; none: none was yet.
    pub night: Option<OffsetDateTime>,
}

/// Every organisation's nights.
pub async fn nights(tx: &mut GlobalTx) -> sqlx::Result<Vec<NightlyRun>> {
    sqlx::query_as("SELECT organisation_id, zone, night FROM reconciliation_nights()").fetch_all(tx.conn()).await
}

/// Begins the count of nights: `night` counts as planned. What another process wrote stays.
pub async fn begin_nights(tx: &mut Tx, night: OffsetDateTime) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query("INSERT INTO reconciliation_night (organisation_id, night) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(organisation.0)
        .bind(night)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Takes `night` for planning. False: another process has it.
pub async fn claim_run(tx: &mut Tx, night: OffsetDateTime) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query("UPDATE reconciliation_night SET night = $2 WHERE organisation_id = $1 AND night < $2")
        .bind(organisation.0)
        .bind(night)
        .execute(tx.conn())
        .await
        .map(|done| done.rows_affected() == 1)
}

/// Plans a comparison of every batch that was sent and changed since `since`, or has refunds that are not final.
/// Returns how many.
pub async fn plan_night(tx: &mut Tx, since: OffsetDateTime) -> sqlx::Result<u64> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO reconciliation (organisation_id, batch_id, gateway_id, cause, run_at)
         SELECT b.organisation_id, b.id, b.gateway_id, 'NIGHT', now() FROM batch b JOIN operation o
           ON o.code = b.operation AND o.reconciles
           JOIN batch_progress p ON p.organisation_id = b.organisation_id AND p.batch_id = b.id
          WHERE b.organisation_id = $1 AND b.status IN ('processing', 'paused', 'completed', 'completed_with_failures',
            'cancelled')
            AND (p.updated_at >= $2 OR p.pending > 0 OR p.queued > 0)
         ON CONFLICT DO NOTHING",
    )
    .bind(organisation.0)
    .bind(since)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected())
}

/// A comparison that this process holds.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Held {
    /// Which.
    pub id: Uuid,
    /// Of which batch.
    pub batch_id: Uuid,
    /// The fence.
    pub epoch: i64,
    /// Orders that first stand in rows below it are compared.
    pub next_row: i32,
    /// Questions in a row without an answer.
    pub tries: i16,
    /// Currency of the batch.
    pub currency: String,
}

/// Leases one due comparison of a connection.
pub async fn claim(tx: &mut Tx, gateway: GatewayId, worker: Uuid, lease: Duration) -> sqlx::Result<Option<Held>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "WITH due AS MATERIALIZED (
           SELECT id FROM reconciliation WHERE organisation_id = $1 AND gateway_id = $2 AND finished_at IS NULL
             AND run_at <= now()
            ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED),
         taken AS (
           UPDATE reconciliation r SET epoch = r.epoch + 1, owner = $3, run_at = now() + make_interval(secs => $4)
             FROM due d WHERE r.organisation_id = $1 AND r.id = d.id
               RETURNING r.id, r.batch_id, r.epoch, r.next_row, r.tries)
         SELECT t.*, b.currency::text AS currency FROM taken t JOIN batch b ON b.organisation_id = $1
           AND b.id = t.batch_id",
    )
    .bind(organisation.0)
    .bind(gateway.0)
    .bind(worker)
    .bind(lease.as_secs_f64())
    .fetch_optional(tx.conn())
    .await
}

/// A record as we have it, of any revision.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OurRow {
    /// S.No.
    pub row_no: i32,
    /// Revision.
    pub revision: i16,
    /// Whether it is the latest revision of its row.
    pub latest: bool,
    /// Order.
    pub order_id: String,
    /// Key at the gateway.
    pub gateway_key: String,
    /// Minor units, of the file.
    pub amount_minor: i64,
    /// READY, SENDING, RETRY, UNKNOWN, PENDING, REVIEW, SUCCEEDED, FAILED.
    pub state: String,
    /// Sends.
    pub attempts: i16,
    /// Whether a reversal stands: the gateway took back its word once already.
    pub reversed: bool,
    /// Since when.
    pub since: Option<OffsetDateTime>,
}

/// The next rows to compare: all rows and revisions of up to `limit` orders whose first row is `from` or later, and the
/// row to go on from. Nothing left: no rows.
pub async fn slice(tx: &mut Tx, batch: Uuid, from: i32, limit: i32) -> sqlx::Result<(Vec<OurRow>, i32)> {
    let organisation = tx.organisation();
    let orders: Vec<(String, i32)> = sqlx::query_as(
        "SELECT r.order_id, r.row_no FROM record r
          WHERE r.organisation_id = $1 AND r.batch_id = $2 AND r.row_no >= $3
            AND NOT EXISTS (SELECT FROM record p WHERE p.organisation_id = $1 AND p.order_id = r.order_id
              AND (p.batch_id = $2 AND (p.row_no, p.revision) < (r.row_no, r.revision)) IS TRUE OFFSET 0)
          ORDER BY r.row_no, r.revision LIMIT $4",
    )
    .bind(organisation.0)
    .bind(batch)
    .bind(from)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    // A row with several revisions may bring several orders: all of its row, so that the cursor passes none of them.
    let next = orders.last().map_or(from, |(_, row)| row.saturating_add(1));
    let last = orders.last().map_or(0, |(_, row)| *row);
    let rows = sqlx::query_as(
        "SELECT r.row_no, r.revision, r.order_id, r.gateway_key, r.amount_minor, x.at IS NOT NULL AS reversed,
                NOT EXISTS (SELECT FROM record n WHERE n.organisation_id = $1 AND n.batch_id = $2
                  AND n.row_no = r.row_no AND n.revision > r.revision OFFSET 0) AS latest,
                coalesce(o.attempts, t.attempts, 0::smallint) AS attempts, coalesce(x.at, o.at, t.updated_at) AS since,
                CASE WHEN coalesce(x.succeeded, o.succeeded) THEN 'SUCCEEDED' WHEN o.at IS NOT NULL THEN 'FAILED'
                  WHEN t.state IS NOT NULL THEN t.state
                     WHEN EXISTS (SELECT FROM attempt a WHERE a.organisation_id = $1 AND a.batch_id = $2
                       AND a.revision = r.revision AND a.attempt = 1
                                     AND a.from_row <= r.row_no AND a.to_row >= r.row_no) THEN 'SENDING'
                                       ELSE 'READY' END AS state
           FROM (SELECT DISTINCT f.order_id FROM record f WHERE f.organisation_id = $1 AND f.batch_id = $2
             AND f.row_no BETWEEN $3 AND $4
                    AND NOT EXISTS (SELECT FROM record p WHERE p.organisation_id = $1 AND p.order_id = f.order_id
                      AND (p.batch_id = $2 AND p.row_no < $3) IS TRUE OFFSET 0)) f
           CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1 AND r.order_id = f.order_id
             AND (r.batch_id = $2) IS TRUE OFFSET 0) r
           LEFT JOIN LATERAL (SELECT * FROM outcome   o WHERE o.organisation_id = $1 AND o.batch_id = $2
             AND o.row_no = r.row_no AND o.revision = r.revision OFFSET 0) o ON true
           LEFT JOIN LATERAL (SELECT * FROM open_task t WHERE t.organisation_id = $1 AND t.batch_id = $2
             AND t.row_no = r.row_no AND t.revision = r.revision OFFSET 0) t ON true
           LEFT JOIN LATERAL (SELECT * FROM reversal  x WHERE x.organisation_id = $1 AND x.batch_id = $2
             AND x.row_no = r.row_no AND x.revision = r.revision OFFSET 0) x ON true
          ORDER BY r.order_id, r.row_no, r.revision",
    )
    .bind(organisation.0)
    .bind(batch)
    .bind(from)
    .bind(last)
    .fetch_all(tx.conn())
    .await?;
    Ok((rows, next))
}

/// Keys that other batches of this organisation use for these orders.
pub async fn other_keys(tx: &mut Tx, batch: Uuid, orders: &[String]) -> sqlx::Result<Vec<(String, String)>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT order_id, gateway_key FROM record WHERE organisation_id = $1 AND order_id = ANY ($3)
                    AND batch_id <> $2",
    )
    .bind(organisation.0)
    .bind(batch)
    .bind(orders)
    .fetch_all(tx.conn())
    .await
}

/// A difference as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// S.No and revision; none for a refund that is not ours.
    pub row: Option<(i32, i16)>,
    /// missing, extra, amount, status, outside, unread.
    pub kind: &'static str,
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
    pub reference: Option<String>,
    /// Whether the gateway's word was taken over.
    pub reversed: bool,
    /// Whether people must see it: it is about money, and no reversal says so already.
    pub money: bool,
    /// Since when we had it so.
    pub since: Option<OffsetDateTime>,
}

/// What became of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Advance {
    /// Go on from there.
    pub next_row: i32,
    /// Orders read.
    pub orders: i32,
    /// Orders that could not be read.
    pub unread: i32,
}

/// Moves a comparison on and renews its lease. False: the lease was lost, nothing may be written.
pub async fn advance(tx: &mut Tx, held: &Held, advance: Advance, lease: Duration) -> sqlx::Result<bool> {
    let organisation = tx.organisation();
    sqlx::query(
        "UPDATE reconciliation SET next_row = $4, orders = orders + $5, unread = unread + $6, tries = 0,
         run_at = now() + make_interval(secs => $7)
          WHERE organisation_id = $1 AND id = $2 AND epoch = $3 AND finished_at IS NULL",
    )
    .bind(organisation.0)
    .bind(held.id)
    .bind(held.epoch)
    .bind(advance.next_row)
    .bind(advance.orders)
    .bind(advance.unread)
    .bind(lease.as_secs_f64())
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Writes differences down; those about money become entries in review, once for each fact.
pub async fn record(tx: &mut Tx, held: &Held, found: &[Found]) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    for difference in found {
        let (row, revision) = difference.row.unzip();
        sqlx::query(
            "INSERT INTO reconciliation_difference (organisation_id, reconciliation_id, batch_id, row_no, revision,
             kind, order_id, gateway_key, ours, ours_minor, theirs,
                                                    theirs_minor, gw_ref, reversed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(organisation.0)
        .bind(held.id)
        .bind(held.batch_id)
        .bind(row)
        .bind(revision)
        .bind(difference.kind)
        .bind(&difference.order_id)
        .bind(&difference.gateway_key)
        .bind(&difference.ours)
        .bind(difference.ours_minor)
        .bind(&difference.theirs)
        .bind(difference.theirs_minor)
        .bind(&difference.reference)
        .bind(difference.reversed)
        .execute(tx.conn())
        .await?;
        let (Some(_), true) = (row, difference.money) else { continue };
        let fact = format!(
            "{}|{}|{}|{}|{}",
            difference.kind,
            difference.ours.as_deref().unwrap_or_default(),
            difference.theirs.as_deref().unwrap_or_default(),
            difference.theirs_minor.unwrap_or_default(),
            difference.reference.as_deref().unwrap_or_default(),
        );
        sqlx::query(
            "WITH entry AS (
               INSERT INTO review_entry (organisation_id, batch_id, row_no, revision, kind, order_id, gateway_key, ours,
                 ours_minor, theirs, theirs_minor, gw_ref, since, fact)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING RETURNING 1)
             UPDATE reconciliation SET entries = entries + 1 WHERE organisation_id = $1 AND id = $15
               AND EXISTS (SELECT FROM entry)",
        )
        .bind(organisation.0)
        .bind(held.batch_id)
        .bind(row)
        .bind(revision)
        .bind(difference.kind)
        .bind(&difference.order_id)
        .bind(difference.gateway_key.as_deref().unwrap_or_default())
        .bind(difference.ours.as_deref().unwrap_or_default())
        .bind(difference.ours_minor.unwrap_or_default())
        .bind(&difference.theirs)
        .bind(difference.theirs_minor)
        .bind(&difference.reference)
        .bind(difference.since)
        .bind(fact)
        .bind(held.id)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Makes tasks due to be asked about now: the gateway's list has news of them. Those in review are asked after by a
/// recheck.
pub async fn ask_now(tx: &mut Tx, batch: Uuid, rows: &[(i32, i16)]) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    let (numbers, revisions): (Vec<i32>, Vec<i16>) = rows.iter().copied().unzip();
    sqlx::query(
        "WITH u AS MATERIALIZED (SELECT * FROM unnest($3::int[], $4::smallint[]) AS u(row_no, revision)),
         asked AS (
           INSERT INTO recheck (organisation_id, batch_id, row_no, revision, gateway_id)
           SELECT $1, $2, t.row_no, t.revision, t.gateway_id FROM u JOIN open_task t ON t.organisation_id = $1
             AND t.batch_id = $2 AND t.row_no = u.row_no AND t.revision = u.revision
            WHERE t.state = 'REVIEW' ON CONFLICT DO NOTHING)
         UPDATE open_task t SET run_at = now() FROM u
          WHERE t.organisation_id = $1 AND t.batch_id = $2 AND t.row_no = u.row_no AND t.revision = u.revision
            AND t.state IN ('UNKNOWN', 'PENDING') AND t.owner IS NULL AND t.run_at > now()",
    )
    .bind(organisation.0)
    .bind(batch)
    .bind(numbers)
    .bind(revisions)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Leaves a comparison for later, where it stands.
pub async fn postpone(tx: &mut Tx, held: &Held, wait: Duration, tried: bool) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "UPDATE reconciliation SET owner = NULL, run_at = now() + make_interval(secs => $4),
         tries = tries + $5::int::smallint
          WHERE organisation_id = $1 AND id = $2 AND epoch = $3 AND finished_at IS NULL",
    )
    .bind(organisation.0)
    .bind(held.id)
    .bind(held.epoch)
    .bind(wait.as_secs_f64())
    .bind(i32::from(tried))
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// How a comparison ended.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Ended {
    /// Rows of the batch.
    pub records: i32,
    /// Those where file, outcome and gateway agree.
    pub agreed: i32,
    /// Those without a last word.
    pub open: i32,
    /// New entries in review.
    pub entries: i32,
}

/// Ends a comparison. None: the lease was lost.
pub async fn finish(tx: &mut Tx, held: &Held, result: &str) -> sqlx::Result<Option<Ended>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "WITH waits AS MATERIALIZED (
           SELECT row_no FROM task WHERE organisation_id = $1 AND batch_id = $2 AND status = 'QUEUED'),
         apart AS MATERIALIZED (
           SELECT row_no FROM (
             SELECT d.row_no FROM reconciliation_difference d
              WHERE d.organisation_id = $1 AND d.reconciliation_id = $3 AND d.kind <> 'outside' AND d.row_no IS NOT NULL
             UNION
             SELECT r.row_no FROM reconciliation_difference d
              CROSS JOIN LATERAL (SELECT r.row_no FROM record r WHERE r.organisation_id = $1 AND r.order_id = d.order_id
                AND (r.batch_id = $2) IS TRUE OFFSET 0) r
              WHERE d.organisation_id = $1 AND d.reconciliation_id = $3 AND d.kind = 'unread') d
            WHERE row_no NOT IN (SELECT row_no FROM waits))
         UPDATE reconciliation c SET finished_at = now(), result = $5, owner = NULL, records = p.records,
           open = (SELECT count(*) FROM waits),
                agreed = CASE $5 WHEN 'DONE' THEN p.records - (SELECT count(*) FROM waits) - (SELECT count(*)
                  FROM apart) ELSE 0 END
           FROM batch_progress p
          WHERE c.organisation_id = $1 AND c.id = $3 AND c.epoch = $4 AND c.finished_at IS NULL
            AND p.organisation_id = $1 AND p.batch_id = $2
         RETURNING c.records, c.agreed, c.open, c.entries",
    )
    .bind(organisation.0)
    .bind(held.batch_id)
    .bind(held.id)
    .bind(held.epoch)
    .bind(result)
    .fetch_optional(tx.conn())
    .await
}
