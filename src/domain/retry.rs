//! Failed rows that are sent again.

/// Why a row that failed with this code fails again as it is, as a sentence; none where sending it again may work.
pub fn fails_again(code: Option<&str>) -> Option<&'static str> {
    let code = code?.to_ascii_lowercase();
    Some(match code.as_str() {
        "order_missing" | "order_not_found" => {
            "The gateway has no such order. It fails again unless the order ID is corrected."
        }
        "order_currency" => "The order is in another currency. It fails again unless the order ID is corrected.",
        "over_refund" | "invalid.amount.exceeded" => "It fails again unless the amount is lowered to what is left.",
        "invalid amount" => "The gateway does not take this amount. It fails again unless the amount is corrected.",
        "refund.not.allowed" => "The gateway does not allow a refund of this order. Sent as it is, it fails again.",
        "order_not_charged" => "The order was not paid when it was read. It fails again unless it has been paid since.",
        code if code.starts_with("invalid.order.not_success") => {
            "The order was not paid. It fails again unless it has been paid since."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::fails_again;

    #[test]
    fn what_no_repeat_can_mend_is_told_from_what_it_may() {
        for code in
            ["ORDER_MISSING", "order_not_found", "OVER_REFUND", "refund.not.allowed", "invalid.order.not_success.x"]
        {
            assert!(fails_again(Some(code)).is_some(), "{code}");
        }
        for code in [None, Some("failure"), Some("REJECTED"), Some("EXPIRED"), Some("WITHDRAWN"), Some("U30")] {
            assert_eq!(fails_again(code), None, "{code:?}");
        }
    }
}
