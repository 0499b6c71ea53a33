//! The bodies of the dialect.

use super::{
    book::{Merchant, Order, Refund},
    faults::Poison,
    money::Amount,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Every order has this amount, in paise.
pub(super) const ORDER_AMOUNT: i64 = 10_000_000;

#[derive(Serialize)]
struct OrderBody<'a> {
    order_id: &'a str,
    id: String,
    merchant_id: &'a str,
    status: &'a str,
    status_id: u32,
    amount: Amount,
    effective_amount: Amount,
    currency: &'a str,
    amount_refunded: Amount,
    refunded: bool,
    maximum_eligible_refund_amount: Amount,
    txn_id: &'a str,
    txn_uuid: String,
    gateway_reference_id: &'a str,
    payment_method: &'a str,
    payment_method_type: &'a str,
    date_created: &'a str,
    txn_detail: TransactionBody<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<RefundBody<'a>>,
}

#[derive(Serialize)]
struct TransactionBody<'a> {
    txn_id: &'a str,
    order_id: &'a str,
    status: &'a str,
    net_amount: Amount,
    gateway: &'a str,
    error_code: &'a str,
    error_message: &'a str,
}

#[derive(Serialize)]
struct RefundBody<'a> {
    unique_request_id: &'a str,
    id: &'a str,
    #[serde(rename = "ref")]
    reference: String,
    amount: Amount,
    created: &'a str,
    status: &'a str,
    error_code: &'a str,
    error_message: &'a str,
    sent_to_gateway: bool,
    refund_type: &'a str,
    refund_source: &'a str,
    initiated_by: &'a str,
}

#[derive(Serialize)]
struct TransactionRefundBody<'a> {
    unique_request_id: &'a str,
    reference_id: String,
    order_id: &'a str,
    txn_id: &'a str,
    amount: Amount,
    created: &'a str,
    refund_type: &'a str,
    gateway: &'a str,
    epg_txn_id: String,
    status: &'a str,
    response_code: &'a str,
    error_message: &'a str,
    sent_to_gateway: bool,
}

/// The order object.
pub(super) fn order(merchant: Merchant, order_id: &str, order: &Order) -> String {
    let merchant = merchant.id();
    let hash = hash(merchant, order_id);
    let transaction = format!("{merchant}-{order_id}-1");
    let left = Amount(ORDER_AMOUNT - order.refunded);
    json(&OrderBody {
        order_id,
        id: format!("ordeh_{hash}"),
        merchant_id: merchant,
        status: "CHARGED",
        status_id: 21,
        amount: Amount(ORDER_AMOUNT),
        effective_amount: left,
        currency: "INR",
        amount_refunded: Amount(order.refunded),
        refunded: order.refunded >= ORDER_AMOUNT,
        maximum_eligible_refund_amount: Amount(left.0.max(0)),
        txn_id: &transaction,
        txn_uuid: format!("sim{hash}"),
        gateway_reference_id: "simgw",
        payment_method: "VISA",
        payment_method_type: "CARD",
        date_created: "2026-01-01T00:00:00Z",
        txn_detail: TransactionBody {
            txn_id: &transaction,
            order_id,
            status: "CHARGED",
            net_amount: Amount(ORDER_AMOUNT),
            gateway: "SIMULATOR",
            error_code: "",
            error_message: "",
        },
        refunds: order.refunds.iter().map(refund).collect(),
    })
}

fn refund(refund: &Refund) -> RefundBody<'_> {
    RefundBody {
        unique_request_id: &refund.key,
        id: &refund.key,
        reference: reference(refund),
        amount: Amount(refund.minor),
        created: &refund.created,
        status: refund.status(),
        error_code: "",
        error_message: "",
        sent_to_gateway: !refund.pending,
        refund_type: "STANDARD",
        refund_source: "SIMULATOR",
        initiated_by: "API",
    }
}

/// The answer to a refund by transaction.
pub(super) fn by_transaction(order_id: &str, txn_id: &str, refund: &Refund) -> String {
    json(&TransactionRefundBody {
        unique_request_id: &refund.key,
        reference_id: reference(refund),
        order_id,
        txn_id,
        amount: Amount(refund.minor),
        created: &refund.created,
        refund_type: "STANDARD",
        gateway: "SIMULATOR",
        epg_txn_id: reference(refund),
        status: refund.status(),
        response_code: if refund.pending { "" } else { "00" },
        error_message: "",
        sent_to_gateway: !refund.pending,
    })
}

fn reference(refund: &Refund) -> String {
    format!("SIM{:010}", refund.number)
}

fn hash(merchant: &str, order_id: &str) -> String {
    let digest = Sha256::digest(format!("{merchant}\n{order_id}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The order is not known.
pub(super) fn not_found(order_id: &str) -> String {
    serde_json::json!({"status": "NOT_FOUND", "status_id": 40, "order_id": order_id}).to_string()
}

/// An error about the request's form.
pub(super) fn bad_request(code: &str, message: &str) -> String {
    serde_json::json!({"status": "Bad Request", "error_code": code, "error_message": message}).to_string()
}

/// An error about the refund.
pub(super) fn refused(code: &str, message: &str) -> String {
    serde_json::json!({"status_id": -1, "status": "ERROR", "error_code": code, "error_message": message}).to_string()
}

/// Any other error.
pub(super) fn error(code: &str, message: &str) -> String {
    serde_json::json!({"status": "ERROR", "error_code": code, "error_message": message}).to_string()
}

/// A right body with one thing in it that is not.
pub(super) fn spoilt(body: &str, poison: Poison) -> String {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(body) else { return body.to_owned() };
    let set = |json: &mut serde_json::Value, name: &str, value: serde_json::Value| {
        if let Some(object) = json.as_object_mut() {
            object.insert(name.to_owned(), value);
        }
    };
    let change = |refund: &mut serde_json::Value| match poison {
        Poison::Key => {
            set(refund, "unique_request_id", "SOMEBODYELSES".into());
            set(refund, "id", "SOMEBODYELSES".into());
        }
        _ => set(refund, "amount", 1.into()),
    };
    match poison {
        Poison::Row => {
            let length = json.get("order_id").and_then(serde_json::Value::as_str).map_or(0, str::len);
            set(&mut json, "order_id", format!("ORD_OTHER{length}").into());
        }
        Poison::Currency => set(&mut json, "currency", "USD".into()),
        // The list of an order's refunds, or the one that a refund by transaction answers with.
        _ => match json.get_mut("refunds").and_then(serde_json::Value::as_array_mut) {
            Some(refunds) => refunds.iter_mut().for_each(change),
            None => change(&mut json),
        },
    }
    json.to_string()
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned())
}
