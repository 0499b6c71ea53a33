//! Failed rows that are sent again.

/// Why a row that we refused before it was sent is refused again as it is, as a sentence; none for what a gateway said.
pub fn fails_again(code: &str) -> Option<&'static str> {
    Some(match code {
        "ORDER_MISSING" => "The gateway has no such order. It fails again unless the order ID is corrected.",
        "ORDER_CURRENCY" => "The order is in another currency. It fails again unless the order ID is corrected.",
        "OVER_REFUND" => "It fails again unless the amount is lowered to what is left.",
        "ORDER_NOT_CHARGED" => "The order was not paid when it was read. It fails again unless it has been paid since.",
        _ => return None,
    })
}
