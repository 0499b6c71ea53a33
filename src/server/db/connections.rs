//! What people do with connections to gateways, and what each was seen to promise.

use super::Tx;
use crate::domain::ids::{BatchId, GatewayId};
use time::OffsetDateTime;
use uuid::Uuid;

/// Another address, merchant or key.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// Where it answers.
    pub base_url: &'a str,
    /// The merchant's id there.
    pub merchant_id: &'a str,
    /// Credentials, sealed for the id; none keeps the old ones.
    pub sealed_key: Option<&'a [u8]>,
}

/// What a new connection is.
#[derive(Clone, Copy, Debug)]
pub struct NewConnection<'a> {
    /// `juspay`.
    pub connector: &'a str,
    /// Whether it moves no real money.
    pub sandbox: bool,
    /// Whether orders are read before their first refund.
    pub preflight: bool,
    /// Whether what is left of an order is counted.
    pub balances: bool,
}

/// Adds a connection. Nothing is known of what it promises.
pub async fn add(
    tx: &mut Tx,
    gateway: GatewayId,
    new: NewConnection<'_>,
    account: &NewAccount<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO gateway (organisation_id, id, connector, base_url, merchant_id, sealed_key, sandbox, created_at,
         updated_at,
                              preflight, balances)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(new.connector)
    .bind(account.base_url)
    .bind(account.merchant_id)
    .bind(account.sealed_key.unwrap_or_default())
    .bind(new.sandbox)
    .bind(now)
    .bind(new.preflight)
    .bind(new.balances)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Changes the account. Another address or merchant promises nothing until it is measured. `BD409` while work is open
/// there.
pub async fn change(
    tx: &mut Tx,
    gateway: GatewayId,
    account: &NewAccount<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "UPDATE gateway SET base_url = $3, merchant_id = $4, sealed_key = coalesce($5, sealed_key), updated_at = $6
          WHERE organisation_id = $1 AND id = $2",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(account.base_url)
    .bind(account.merchant_id)
    .bind(account.sealed_key)
    .bind(now)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// The person of this transaction pauses a connection. False when nothing is sent to it already.
pub async fn pause(tx: &mut Tx, gateway: GatewayId, reason: &str, now: OffsetDateTime) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query(
        "UPDATE gateway SET sending = false, stopped_at = $3, stopped_reason = $4, paused_by = current_person()
          WHERE organisation_id = $1 AND id = $2 AND sending",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(now)
    .bind(reason)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// A connection sends again. False when it does already.
pub async fn resume(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query(
        "UPDATE gateway SET sending = true, stopped_at = NULL, stopped_reason = NULL, paused_by = NULL
          WHERE organisation_id = $1 AND id = $2 AND NOT sending",
    )
    .bind(id.0)
    .bind(gateway.0)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Wakes the processor.
pub async fn wake(tx: &mut Tx) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query("SELECT pg_notify('batchdesk_work', $1)").bind(id.to_string()).execute(tx.conn()).await.map(|_| ())
}

/// Batches of a connection that run, are paused, or wait for a decision.
pub async fn open_batches(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<i64> {
    let id = tx.organisation();
    sqlx::query_as::<_, (i64,)>(
        "SELECT count(*) FROM batch WHERE organisation_id = $1 AND gateway_id = $2
            AND status IN ('validating', 'awaiting_approval', 'processing', 'paused')",
    )
    .bind(id.0)
    .bind(gateway.0)
    .fetch_one(tx.conn())
    .await
    .map(|(count,)| count)
}

/// Tasks of a batch that a cancellation would call off: never sent, or proved not carried out and waiting to be sent
/// again.
pub async fn unsent(tx: &mut Tx, batch: BatchId) -> sqlx::Result<i64> {
    let id = tx.organisation();
    sqlx::query_as::<_, (i64,)>(
        "SELECT coalesce((SELECT sum(c.to_row - c.next_row + 1) FROM chunk c WHERE c.organisation_id = $1
         AND c.batch_id = $2 AND c.state <> 'DONE'), 0)
              + (SELECT count(*) FROM open_task t WHERE t.organisation_id = $1 AND t.batch_id = $2
                AND t.state = 'RETRY')",
    )
    .bind(id.0)
    .bind(batch.0)
    .fetch_one(tx.conn())
    .await
    .map(|(count,)| count)
}

/// The newest batches of a connection that run, so that their pages can be told.
pub async fn running_batches(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Vec<Uuid>> {
    let id = tx.organisation();
    sqlx::query_as::<_, (Uuid,)>(
        "SELECT id FROM batch WHERE organisation_id = $1 AND gateway_id = $2 AND status = 'processing'
          ORDER BY id DESC LIMIT 100",
    )
    .bind(id.0)
    .bind(gateway.0)
    .fetch_all(tx.conn())
    .await
    .map(|rows| rows.into_iter().map(|(batch,)| batch).collect())
}

/// What a connection's class rests on.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CapabilityRow {
    /// When it was measured or declared.
    pub at: OffsetDateTime,
    /// By whom.
    pub actor: String,
    /// Whether it was measured; declared otherwise.
    pub measured: bool,
    /// The account that it is about.
    pub base_url: String,
    /// The merchant that it is about.
    pub merchant_id: String,
    /// The effect that it is about.
    pub effect: String,
    /// `K`, `Q` or `N`.
    pub class: String,
    /// How long keys are remembered, seconds (class K).
    pub key_window_seconds: Option<i64>,
    /// The order that the calls were made on.
    pub order_id: Option<String>,
    /// JSON: each call.
    pub evidence: String,
}

/// What is known of a connection, newest first, at most 20.
pub async fn capabilities(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Vec<CapabilityRow>> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT at, actor, measured, base_url, merchant_id, effect, class::text AS class, extract(epoch
         FROM key_window)::bigint AS key_window_seconds,
                order_id, evidence
           FROM gateway_capability c WHERE organisation_id = $1 AND gateway_id = $2 ORDER BY c.id DESC LIMIT 20",
    )
    .bind(id.0)
    .bind(gateway.0)
    .fetch_all(tx.conn())
    .await
}

/// One more fact about a connection. Returns its id.
pub async fn add_capability(tx: &mut Tx, gateway: GatewayId, fact: &CapabilityRow) -> sqlx::Result<Uuid> {
    let (id, fact_id) = (tx.organisation(), Uuid::now_v7());
    sqlx::query(
        "INSERT INTO gateway_capability (organisation_id, id, gateway_id, at, actor, measured, base_url, merchant_id,
         class, key_window,
                                         order_id, evidence, effect)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::\"char\", make_interval(secs => $10), $11, $12, $13)",
    )
    .bind(id.0)
    .bind(fact_id)
    .bind(gateway.0)
    .bind(fact.at)
    .bind(&fact.actor)
    .bind(fact.measured)
    .bind(&fact.base_url)
    .bind(&fact.merchant_id)
    .bind(&fact.class)
    .bind(fact.key_window_seconds.map(|seconds| std::time::Duration::from_secs(seconds.unsigned_abs()).as_secs_f64()))
    .bind(&fact.order_id)
    .bind(&fact.evidence)
    .bind(&fact.effect)
    .execute(tx.conn())
    .await
    .map(|_| fact_id)
}
