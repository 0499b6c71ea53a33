//! What an order id asks the simulator to do wrong. Faults act on POST only.

/// A fault of one refund request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// None.
    Plain,
    /// No effect, no reply.
    SilentBefore,
    /// Effect, no reply.
    SilentAfter,
    /// No effect, 500.
    ErrorBefore,
    /// Effect, 500.
    ErrorAfter,
    /// No effect, 429.
    TooMany,
    /// The effect comes after two seconds, whether or not the client is still there.
    Slow,
    /// Effect, 200, body cut in the middle.
    Garbled,
    /// 400, each time.
    Decline,
}

/// The fault of the `post`-th POST (from 1) of this order.
pub(super) fn fault(order_id: &str, post: u32) -> Fault {
    let first = post <= 1;
    let is = |prefix: &str| order_id.starts_with(prefix);
    match () {
        () if is("ORD_T_BEFORE_") && first => Fault::SilentBefore,
        () if is("ORD_T_AFTER_") && first => Fault::SilentAfter,
        () if is("ORD_500_BEFORE_") && first => Fault::ErrorBefore,
        () if is("ORD_500_AFTER_") && first => Fault::ErrorAfter,
        () if is("ORD_429_") && post <= 2 => Fault::TooMany,
        () if is("ORD_SLOW_") => Fault::Slow,
        () if is("ORD_GARBLED_") && first => Fault::Garbled,
        () if is("ORD_DECLINE_") => Fault::Decline,
        () => Fault::Plain,
    }
}

/// Whether the gateway does not know the order at all.
pub(super) fn is_missing(order_id: &str) -> bool {
    order_id.starts_with("ORD_MISSING_")
}

/// Whether refunds of the order are pending first.
pub(super) fn is_pending(order_id: &str) -> bool {
    order_id.starts_with("ORD_PENDING_")
}

/// Whether a reading of the order shows nothing of its refunds: a gateway that cannot be asked what became of one.
pub(super) fn is_hidden(order_id: &str) -> bool {
    order_id.starts_with("ORD_HIDDEN_")
}

/// Whether the gateway cannot tell how refunds of the order ended: MANUAL_REVIEW, whenever it is asked.
pub(super) fn is_unsure(order_id: &str) -> bool {
    order_id.starts_with("ORD_REVIEW_")
}
