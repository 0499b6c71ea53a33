//! What the external system is told about an order.

use crate::{
    db::orders::{SeenOrder, StoredOrder},
    db::sync::ClaimedTask,
    domain::text::storable,
    gateway::OrderSnapshot,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// An order's content: the same for the same state at the gateway, whenever it was read and whoever asked.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) order: Value,
    pub(super) sha256: Vec<u8>,
    pub(super) transactions: Vec<String>,
}

impl Content {
    /// As the gateway has it now.
    pub(super) fn seen(order_id: &str, seen: &OrderSnapshot) -> Self {
        Self::new(
            json!({
                "order_id": order_id,
                "status": seen.status,
                "charged": seen.charged,
                "currency": seen.amount.currency.code(),
                "amount": seen.amount.minor,
                "refunded": seen.refunded_minor,
                "refundable": seen.refundable_minor,
                "transactions": seen.transactions,
                "refunds": refunds(seen),
            }),
            seen.transactions.clone(),
        )
    }

    /// As the gateway had it when it was asked last.
    pub(super) fn stored(stored: &StoredOrder) -> Self {
        let refunds: Value = serde_json::from_str(&stored.refunds).unwrap_or_else(|_| json!([]));
        Self::new(
            json!({
                "order_id": stored.order_id,
                "status": stored.status,
                "charged": stored.charged,
                "currency": stored.currency.trim(),
                "amount": stored.amount_minor,
                "refunded": stored.refunded_minor,
                "refundable": stored.refundable_minor,
                "transactions": stored.transactions,
                "refunds": refunds,
            }),
            stored.transactions.clone(),
        )
    }

    fn new(order: Value, transactions: Vec<String>) -> Self {
        let sha256 = Sha256::digest(order.to_string().as_bytes()).to_vec();
        Self { order, sha256, transactions }
    }

    /// As it is remembered.
    pub(super) fn to_store(&self, batch: Uuid, seen: &OrderSnapshot) -> SeenOrder {
        SeenOrder {
            order_id: self.order.get("order_id").and_then(Value::as_str).unwrap_or_default().to_owned(),
            batch_id: batch,
            status: storable(&seen.status),
            charged: seen.charged,
            amount_minor: seen.amount.minor,
            currency: seen.amount.currency.code().to_owned(),
            refunded_minor: seen.refunded_minor,
            refundable_minor: seen.refundable_minor,
            transactions: seen.transactions.iter().map(|id| storable(id)).collect(),
            refunds: refunds(seen),
            body: storable(&seen.body),
            content: hex::encode(&self.sha256),
        }
    }

    /// The name of the message: the same for the same content of the same task, so that the other side knows it when it
    /// comes again.
    pub(super) fn id(&self, task: &ClaimedTask) -> String {
        let hash: String = hex::encode(&self.sha256).chars().take(16).collect();
        format!("msg_{}_{}_{hash}", task.batch_id.simple(), task.row_no)
    }

    /// The message.
    pub(super) fn body(&self, task: &ClaimedTask, at: OffsetDateTime, unique_request_id: Option<&str>) -> String {
        json!({
            "type": "order.synchronised",
            "timestamp": at.format(&Rfc3339).unwrap_or_default(),
            "data": {
                "batch_id": task.batch_id,
                "row": task.row_no,
                "unique_request_id": unique_request_id,
                "txn_id": task.txn_id,
                "from_gateway": task.asks,
                "order": self.order,
            },
        })
        .to_string()
    }
}

fn refunds(seen: &OrderSnapshot) -> Value {
    let refunds = seen.refunds.iter().map(|refund| {
        json!({
            "unique_request_id": storable(&refund.key),
            "reference": storable(&refund.reference),
            "amount": refund.amount_minor,
            "status": storable(&refund.status),
            "type": storable(&refund.kind),
        })
    });
    refunds.collect()
}
