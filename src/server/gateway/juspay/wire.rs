//! What comes back. Amounts stay the text that was sent until they are minor units.

use crate::domain::money::Currency;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// The order object.
#[derive(Debug, Deserialize)]
pub(super) struct OrderBody {
    pub(super) order_id: String,
    pub(super) status: String,
    pub(super) currency: Option<String>,
    pub(super) amount: Option<Box<RawValue>>,
    pub(super) amount_refunded: Option<Box<RawValue>>,
    pub(super) maximum_eligible_refund_amount: Option<Box<RawValue>>,
    pub(super) txn_id: Option<String>,
    pub(super) txn_detail: Option<TransactionBody>,
    pub(super) refunds: Option<Vec<RefundBody>>,
}

/// The part of a transaction that we read.
#[derive(Debug, Deserialize)]
pub(super) struct TransactionBody {
    pub(super) txn_id: Option<String>,
}

/// A refund in the order object, or the answer to a refund by transaction.
#[derive(Debug, Deserialize)]
pub(super) struct RefundBody {
    pub(super) unique_request_id: Option<String>,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) reference_id: Option<String>,
    pub(super) epg_txn_id: Option<String>,
    pub(super) order_id: Option<String>,
    pub(super) txn_id: Option<String>,
    pub(super) amount: Option<Box<RawValue>>,
    pub(super) status: Option<String>,
    pub(super) refund_type: Option<String>,
    pub(super) error_code: Option<String>,
    pub(super) response_code: Option<String>,
    pub(super) error_message: Option<String>,
}

/// An error.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) status: Option<String>,
    pub(super) status_id: Option<Value>,
    pub(super) order_id: Option<String>,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
}

impl ErrorBody {
    /// Whether this is the gateway's own word that it does not know `order_id`; a 404 alone may come from anything
    /// between.
    pub(super) fn is_unknown_order(&self, order_id: &str) -> bool {
        // The id comes as a number or as text, by the age of the page that one reads.
        let id = match &self.status_id {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        id == Some(40)
            && self.status.as_deref() == Some("NOT_FOUND")
            && self.order_id.as_deref().is_none_or(|named| named == order_id)
    }
}

/// Reads an amount in major units, a JSON number or text, exactly. None when it is not one, or finer than the currency.
pub(super) fn minor(raw: &RawValue, currency: Currency) -> Option<i64> {
    let text = raw.get();
    let owned;
    let text = if text.starts_with('"') {
        owned = serde_json::from_str::<String>(text).ok()?;
        owned.trim()
    } else {
        text
    };
    let amount = match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok()?,
        false => Decimal::from_str_exact(text).ok()?,
    };
    let minor = amount.checked_mul(Decimal::from(currency.scale()))?;
    if minor.fract().is_zero() { i64::try_from(minor).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_from_their_text() {
        let read = |text: &str| minor(&RawValue::from_string(text.to_owned()).unwrap(), Currency::Inr);
        for (text, expected) in [
            ("100.50", Some(10_050)),
            ("100.5", Some(10_050)),
            ("100", Some(10_000)),
            ("100.500", Some(10_050)),
            ("1.0E+2", Some(10_000)),
            ("1e-2", Some(1)),
            ("-0.01", Some(-1)),
            ("\"100.50\"", Some(10_050)),
            // 0.29 * 100 is 28.999… as a double; 90071992547409.93 has no double of its own.
            ("0.29", Some(29)),
            ("90071992547409.93", Some(9_007_199_254_740_993)),
            ("100.505", None),
            ("1e40", None),
            ("99999999999999999999", None),
            ("null", None),
            ("\"\"", None),
            ("\"1,00\"", None),
            ("true", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(minor(&RawValue::from_string("1.005".to_owned()).unwrap(), Currency::Kwd), Some(1005));
        assert_eq!(minor(&RawValue::from_string("7.00".to_owned()).unwrap(), Currency::Jpy), Some(7));
    }
}
