//! What an order id asks the simulator to do wrong. Faults act on POST only; a [`Poison`] on every reply after the
//! first POST.

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

/// A gateway that cannot be believed. From the first POST of the order on, every reply about it is wrong, also to a
/// GET: nothing it says may be taken for a refund that was carried out, although it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poison {
    /// `ORD_P_KEY_`: the refund stands under another key.
    Key,
    /// `ORD_P_AMOUNT_`: the refund has another amount.
    Amount,
    /// `ORD_P_CURRENCY_`: the order is in another currency.
    Currency,
    /// `ORD_P_ROW_`: the reply is about another order.
    Row,
    /// `ORD_P_302_`: a redirect to where the right answer would be.
    Redirect,
    /// `ORD_P_BIG_`: the right answer, and 10 MB of blanks before its end.
    Big,
    /// `ORD_P_GZIP_`: the right answer and 200 MB of blanks, packed, which nobody asked for.
    Gzip,
}

/// What is wrong with everything said about this order.
pub(super) fn poison(order_id: &str) -> Option<Poison> {
    let kinds = [
        ("KEY_", Poison::Key),
        ("AMOUNT_", Poison::Amount),
        ("CURRENCY_", Poison::Currency),
        ("ROW_", Poison::Row),
        ("302_", Poison::Redirect),
        ("BIG_", Poison::Big),
        ("GZIP_", Poison::Gzip),
    ];
    let rest = order_id.strip_prefix("ORD_P_")?;
    kinds.into_iter().find(|(prefix, _)| rest.starts_with(prefix)).map(|(_, poison)| poison)
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
