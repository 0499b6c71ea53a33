//! The orders of an organisation as the gateway had them when it was last asked, and the external system they are told
//! to.

pub mod store;

use super::Tx;
use crate::domain::ids::GatewayId;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// An order as it was last seen.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredOrder {
    /// Order.
    pub order_id: String,
    /// The gateway's word.
    pub status: String,
    /// Whether money was captured.
    pub charged: bool,
    /// Minor units.
    pub amount_minor: i64,
    /// Currency of all amounts.
    pub currency: String,
    /// Minor units.
    pub refunded_minor: i64,
    /// Minor units; none when the gateway does not say.
    pub refundable_minor: Option<i64>,
    /// Ids of its transactions.
    pub transactions: Vec<String>,
    /// JSON array.
    pub refunds: String,
    /// Tells whether it changed.
    pub content_sha256: Vec<u8>,
    /// When the gateway was asked.
    pub seen_at: OffsetDateTime,
}

/// These orders, as far as they were ever seen.
pub async fn load(tx: &mut Tx, orders: &[String]) -> sqlx::Result<Vec<StoredOrder>> {
    let organisation = tx.organisation();
    sqlx::query_as(
        "SELECT order_id, status, charged, amount_minor, currency, refunded_minor, refundable_minor, transactions,
         refunds::text AS refunds,
                content_sha256, seen_at
           FROM stored_order WHERE organisation_id = $1 AND order_id = ANY ($2)",
    )
    .bind(organisation.0)
    .bind(orders)
    .fetch_all(tx.conn())
    .await
}

/// An order that was just read.
#[derive(Clone, Debug, Serialize)]
pub struct SeenOrder {
    /// Order.
    pub order_id: String,
    /// Which batch asked.
    pub batch_id: Uuid,
    /// The gateway's word.
    pub status: String,
    /// Whether money was captured.
    pub charged: bool,
    /// Minor units.
    pub amount_minor: i64,
    /// Currency of all amounts.
    pub currency: String,
    /// Minor units.
    pub refunded_minor: i64,
    /// Minor units.
    pub refundable_minor: Option<i64>,
    /// Ids of its transactions.
    pub transactions: Vec<String>,
    /// Its refunds.
    pub refunds: serde_json::Value,
    /// The answer as it came.
    pub body: String,
    /// Hash of what is told, hex.
    pub content: String,
}

/// Remembers orders as the gateway had them at `at`. An older reading never replaces a newer one.
pub async fn see(tx: &mut Tx, gateway: GatewayId, seen: &[SeenOrder], at: OffsetDateTime) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    let rows = serde_json::to_string(seen).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO stored_order AS o (organisation_id, order_id, gateway_id, batch_id, status, charged, amount_minor,
         currency, refunded_minor,
                refundable_minor, transactions, refunds, body, content_sha256, seen_at)
         SELECT DISTINCT ON (x.order_id) $1, x.order_id, $2, x.batch_id, x.status, x.charged, x.amount_minor,
           x.currency, x.refunded_minor, x.refundable_minor,
                (SELECT coalesce(array_agg(t), '{}')
                  FROM jsonb_array_elements_text(x.transactions) AS t), x.refunds, x.body, decode(x.content, 'hex'), $4
           FROM jsonb_to_recordset($3::jsonb) AS x(order_id text, batch_id uuid, status text, charged bool,
             amount_minor bigint, currency text,
                  refunded_minor bigint, refundable_minor bigint, transactions jsonb, refunds jsonb, body text,
                    content text)
          ORDER BY x.order_id
         ON CONFLICT (organisation_id, order_id) DO UPDATE
           SET gateway_id = excluded.gateway_id, batch_id = excluded.batch_id, status = excluded.status,
                charged = excluded.charged, amount_minor = excluded.amount_minor, currency = excluded.currency,
                  refunded_minor = excluded.refunded_minor,
                refundable_minor = excluded.refundable_minor, transactions = excluded.transactions,
                  refunds = excluded.refunds, body = excluded.body,
                content_sha256 = excluded.content_sha256, seen_at = excluded.seen_at
          WHERE o.seen_at <= excluded.seen_at",
    )
    .bind(organisation.0)
    .bind(gateway.0)
    .bind(rows)
    .bind(at)
    .execute(tx.conn())
    .await
    .map(|_| ())
}

/// Where synchronised orders are told.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ExternalSystem {
    /// Its address.
    pub url: String,
    /// The signing secret, sealed for the organisation's id.
    pub sealed_secret: Vec<u8>,
    /// Whether anything is sent there.
    pub enabled: bool,
}

/// The external system of this organisation, if it has one.
pub async fn external_system(tx: &mut Tx) -> sqlx::Result<Option<ExternalSystem>> {
    let organisation = tx.organisation();
    sqlx::query_as("SELECT url, sealed_secret, enabled FROM external_system WHERE organisation_id = $1")
        .bind(organisation.0)
        .fetch_optional(tx.conn())
        .await
}

/// Sets or replaces the external system of this organisation.
pub async fn set_external_system(tx: &mut Tx, system: &ExternalSystem, now: OffsetDateTime) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO external_system (organisation_id, url, sealed_secret, enabled, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (organisation_id) DO UPDATE
           SET url = excluded.url, sealed_secret = excluded.sealed_secret, enabled = excluded.enabled,
                updated_at = excluded.updated_at",
    )
    .bind(organisation.0)
    .bind(&system.url)
    .bind(&system.sealed_secret)
    .bind(system.enabled)
    .bind(now)
    .execute(tx.conn())
    .await
    .map(|_| ())
}
