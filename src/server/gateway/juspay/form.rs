//! What is sent.

use crate::{
    domain::{
        money::{Currency, Money},
        view::Split,
    },
    gateway::{RefundRequest, Target},
};
use serde::Serialize;
use serde_json::value::RawValue;

/// The fields of a refund. The amount is always among them: without it Juspay would refund the whole order.
pub(super) fn fields(request: &RefundRequest) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Target::Transaction(txn_id) = &request.target {
        fields.push(("order_id", request.order_id.clone()));
        fields.push(("txn_id", txn_id.clone()));
        fields.push(("refund_type", "STANDARD".to_owned()));
    }
    fields.push(("unique_request_id", request.key.clone()));
    fields.push(("amount", request.amount.bare()));
    if let Some(split) = &request.split {
        fields.push(("metadata.split_settlement_details", split_details(split, request.amount.currency)));
    }
    fields
}

#[derive(Serialize)]
struct Details<'a> {
    marketplace: Share,
    vendor: Vendors<'a>,
}

#[derive(Serialize)]
struct Share {
    refund_amount: Box<RawValue>,
}

#[derive(Serialize)]
struct Vendors<'a> {
    split: Vec<Vendor<'a>>,
}

#[derive(Serialize)]
struct Vendor<'a> {
    sub_mid: &'a str,
    refund_amount: Box<RawValue>,
}

fn split_details(split: &Split, currency: Currency) -> String {
    let amount = |minor: i64| RawValue::from_string(Money::new(minor, currency).bare()).unwrap_or_default();
    let details = Details {
        marketplace: Share { refund_amount: split.marketplace.map_or_else(zero, amount) },
        vendor: Vendors {
            split: split
                .vendors
                .iter()
                .map(|(sub_mid, minor)| Vendor { sub_mid, refund_amount: amount(*minor) })
                .collect(),
        },
    };
    serde_json::to_string(&details).unwrap_or_default()
}

/// The marketplace is always named, also when it bears nothing.
fn zero() -> Box<RawValue> {
    RawValue::from_string("0".to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(split: Option<Split>, txn_id: Option<&str>) -> RefundRequest {
        RefundRequest {
            key: "REF1".to_owned(),
            order_id: "ORD/1".to_owned(),
            target: txn_id.map_or(Target::Order, |id| Target::Transaction(id.to_owned())),
            amount: Money::new(100_000, Currency::Inr),
            split,
        }
    }

    #[test]
    fn a_refund_by_order_names_key_and_amount() {
        let fields = fields(&request(None, None));
        assert_eq!(fields, [("unique_request_id", "REF1".to_owned()), ("amount", "1000.00".to_owned())]);
    }

    #[test]
    fn a_refund_by_transaction_names_the_transaction() {
        let fields = fields(&request(None, Some("acme-ORD_1-1")));
        assert_eq!(
            fields,
            [
                ("order_id", "ORD/1".to_owned()),
                ("txn_id", "acme-ORD_1-1".to_owned()),
                ("refund_type", "STANDARD".to_owned()),
                ("unique_request_id", "REF1".to_owned()),
                ("amount", "1000.00".to_owned()),
            ]
        );
    }

    #[test]
    fn the_parts_of_a_split_are_exact() {
        let vendors = vec![("VENDORA".to_owned(), 60_000), ("VENDORB".to_owned(), 30_000)];
        let split = Split { marketplace: Some(10_000), vendors: vendors.clone() };
        assert_eq!(
            split_details(&split, Currency::Inr),
            r#"{"marketplace":{"refund_amount":100.00},"vendor":{"split":[{"sub_mid":"VENDORA","refund_amount":600.00},{"sub_mid":"VENDORB","refund_amount":300.00}]}}"#
        );
        let split = Split { marketplace: None, vendors: vec![("V\"1".to_owned(), 1)] };
        assert_eq!(
            split_details(&split, Currency::Inr),
            r#"{"marketplace":{"refund_amount":0},"vendor":{"split":[{"sub_mid":"V\"1","refund_amount":0.01}]}}"#
        );
    }
}
