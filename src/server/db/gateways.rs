//! Connections to gateways.

mod promises;
mod workers;

pub use promises::{choose, choose_first, only_sandboxes, set_promise};
pub use workers::{Left, Traffic, WorkerShare, heartbeat, leave, left, pause, set_limits, traffic};

use super::Tx;
use crate::domain::{ids::GatewayId, operation::Effect};
use time::OffsetDateTime;
use uuid::Uuid;

/// A connection as stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct GatewayRow {
    /// Which.
    pub id: Uuid,
    /// `juspay`.
    pub connector: String,
    /// Where it answers.
    pub base_url: String,
    /// The merchant's id there.
    pub merchant_id: String,
    /// Credentials, sealed for `id`.
    pub sealed_key: Vec<u8>,
    /// Whether orders are read before their first refund of a batch.
    pub preflight: bool,
    /// Requests on the wire; none means the operator's default.
    pub concurrency: Option<i32>,
    /// Requests a second; none means no limit.
    pub rate_limit: Option<i32>,
    /// Requests at once after a rest; none means evenly spaced.
    pub rate_burst: Option<i32>,
    /// Whether it moves no real money.
    pub sandbox: bool,
    /// Whether anything is sent to it.
    pub sending: bool,
    /// Since when not.
    pub stopped_at: Option<OffsetDateTime>,
    /// Why not.
    pub stopped_reason: Option<String>,
    /// The person who paused it; none when it sends, or when Batchdesk stopped it.
    pub paused_by: Option<String>,
    /// Whether new batches go to it, of one effect at least.
    pub chosen: bool,
    /// What it promises, by effect: JSON text.
    pub promises: String,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When address or key changed last.
    pub updated_at: OffsetDateTime,
}

impl GatewayRow {
    /// A connection that is not stored, to ask a gateway before it is.
    pub fn unsaved(now: OffsetDateTime) -> Self {
        Self {
            id: Uuid::nil(),
            connector: String::new(),
            base_url: String::new(),
            merchant_id: String::new(),
            sealed_key: Vec::new(),
            preflight: true,
            concurrency: None,
            rate_limit: None,
            rate_burst: None,
            sandbox: false,
            sending: true,
            stopped_at: None,
            stopped_reason: None,
            paused_by: None,
            chosen: false,
            promises: String::new(),
            created_at: now,
            updated_at: now,
        }
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, connector, base_url, merchant_id, sealed_key, preflight, concurrency, rate_limit, rate_burst,
                    sandbox, sending, stopped_at, stopped_reason,
                    (SELECT email FROM person WHERE person.id = gateway.paused_by) AS paused_by,
                    EXISTS (SELECT FROM gateway_choice c WHERE c.organisation_id = $1
                      AND c.gateway_id = gateway.id) AS chosen,
                    (SELECT coalesce(json_object_agg(p.effect, json_build_array(p.class::text, extract(epoch
                      FROM p.key_window)::bigint) ORDER BY p.effect), '{}')::text
                       FROM gateway_promise p WHERE p.organisation_id = $1 AND p.gateway_id = gateway.id) AS promises,
                    created_at, updated_at
               FROM gateway WHERE organisation_id = $1 ",
            $rest
        )
    };
}

/// One connection.
pub async fn load(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Option<GatewayRow>> {
    let id = tx.organisation();
    sqlx::query_as(columns!("AND id = $2")).bind(id.0).bind(gateway.0).fetch_optional(tx.conn()).await
}

/// The connection that new batches with this effect go to.
pub async fn chosen(tx: &mut Tx, effect: Effect) -> sqlx::Result<Option<GatewayRow>> {
    let id = tx.organisation();
    sqlx::query_as(columns!(
        "AND id = (SELECT c.gateway_id FROM gateway_choice c WHERE c.organisation_id = $1 AND c.effect = $2)"
    ))
    .bind(id.0)
    .bind(effect.code())
    .fetch_optional(tx.conn())
    .await
}

/// Every connection: those for new batches first, then the newest.
pub async fn all(tx: &mut Tx) -> sqlx::Result<Vec<GatewayRow>> {
    let id = tx.organisation();
    sqlx::query_as(columns!("ORDER BY chosen DESC, created_at DESC, id DESC")).bind(id.0).fetch_all(tx.conn()).await
}

/// The connection to an account, if there is one.
pub async fn of_account(
    tx: &mut Tx,
    connector: &str,
    merchant_id: &str,
    sandbox: bool,
) -> sqlx::Result<Option<GatewayRow>> {
    let id = tx.organisation();
    sqlx::query_as(columns!("AND connector = $2 AND merchant_id = $3 AND sandbox = $4"))
        .bind(id.0)
        .bind(connector)
        .bind(merchant_id)
        .bind(sandbox)
        .fetch_optional(tx.conn())
        .await
}

/// What is written when a connection is added or replaced.
#[derive(Debug)]
pub struct GatewayInput<'a> {
    /// `juspay`.
    pub connector: &'a str,
    /// Where it answers.
    pub base_url: &'a str,
    /// The merchant's id there.
    pub merchant_id: &'a str,
    /// Credentials, sealed for the id.
    pub sealed_key: &'a [u8],
    /// Whether it moves no real money.
    pub sandbox: bool,
    /// Whether orders are read before their first refund: of a new connection only, later it is a person's choice.
    pub preflight: bool,
    /// Whether what is left of an order is counted: of a new connection only.
    pub balances: bool,
}

/// Adds a connection, or replaces address and credentials of the one with this id. It sends again then, unless a person
/// paused it.
pub async fn put(tx: &mut Tx, gateway: GatewayId, input: &GatewayInput<'_>, now: OffsetDateTime) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO gateway (organisation_id, id, connector, base_url, merchant_id, sealed_key, sandbox, created_at,
         updated_at, preflight, balances)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)
         ON CONFLICT (organisation_id, id) DO UPDATE
           SET base_url = excluded.base_url, merchant_id = excluded.merchant_id,
           sealed_key = excluded.sealed_key, updated_at = excluded.updated_at, sending = gateway.sending
             OR gateway.paused_by IS NULL,
           stopped_at = CASE WHEN gateway.paused_by IS NOT NULL THEN gateway.stopped_at END,
           stopped_reason = CASE WHEN gateway.paused_by IS NOT NULL THEN gateway.stopped_reason END",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(input.connector)
    .bind(input.base_url)
    .bind(input.merchant_id)
    .bind(input.sealed_key)
    .bind(input.sandbox)
    .bind(now)
    .bind(input.preflight)
    .bind(input.balances)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Why a gateway does not answer, and since when; none while it does.
pub async fn trouble(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Option<(OffsetDateTime, String)>> {
    let id = tx.organisation();
    sqlx::query_as(
        "SELECT since, reason FROM gateway_trouble WHERE organisation_id = $1 AND gateway_id = $2 AND until > now()",
    )
    .bind(id.0)
    .bind(gateway.0)
    .fetch_optional(tx.conn())
    .await
}

/// Says that a gateway does not answer, believed for `seconds`; returns the batches that wait for it.
pub async fn begin_trouble(tx: &mut Tx, gateway: GatewayId, reason: &str, seconds: f64) -> sqlx::Result<Vec<Uuid>> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO gateway_trouble AS t (organisation_id, gateway_id, until, reason)
         VALUES ($1, $2, now() + make_interval(secs => $3), $4)
         ON CONFLICT (organisation_id, gateway_id) DO UPDATE SET until = excluded.until, reason = excluded.reason,
           since = CASE WHEN t.until > now() THEN t.since ELSE now() END",
    )
    .bind(id.0)
    .bind(gateway.0)
    .bind(seconds)
    .bind(reason)
    .execute(tx.conn())
    .await?;
    waiting_batches(tx, gateway).await
}

/// Says that a gateway answers again; returns the batches that waited for it.
pub async fn end_trouble(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Vec<Uuid>> {
    let id = tx.organisation();
    sqlx::query("DELETE FROM gateway_trouble WHERE organisation_id = $1 AND gateway_id = $2")
        .bind(id.0)
        .bind(gateway.0)
        .execute(tx.conn())
        .await?;
    waiting_batches(tx, gateway).await
}

async fn waiting_batches(tx: &mut Tx, gateway: GatewayId) -> sqlx::Result<Vec<Uuid>> {
    let id = tx.organisation();
    sqlx::query_as::<_, (Uuid,)>(
        "SELECT id FROM batch WHERE organisation_id = $1 AND gateway_id = $2 AND status = 'processing' ORDER BY id DESC
         LIMIT 100",
    )
    .bind(id.0)
    .bind(gateway.0)
    .fetch_all(tx.conn())
    .await
    .map(|rows| rows.into_iter().map(|(batch,)| batch).collect())
}
