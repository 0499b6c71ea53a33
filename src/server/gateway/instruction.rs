//! What a connector is asked to carry out.

use crate::domain::{money::Money, operation::Effect, view::Split};

/// One effect at a gateway, as it is to be sent. Made once from the record; a resend is the same value. A further
/// effect is a further variant, and the compiler names every connector that must say what it does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Money goes back.
    Refund(RefundRequest),
}

impl Instruction {
    /// What it does.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Refund(_) => Effect::Refund,
        }
    }
}

impl From<RefundRequest> for Instruction {
    fn from(request: RefundRequest) -> Self {
        Self::Refund(request)
    }
}

/// One refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// The key that the gateway knows it by (Juspay: `unique_request_id`, 1 to 20 alphanumeric characters).
    pub key: String,
    /// The order that the record names. What is refunded is the `target`.
    pub order_id: String,
    /// What is refunded.
    pub target: Target,
    /// Amount.
    pub amount: Money,
    /// Parts of a split settlement.
    pub split: Option<Split>,
}

/// What a refund is of, by the id that its gateway knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The order that the record names, whole or in part.
    Order,
    /// One transaction of that order.
    Transaction(String),
    /// A payment.
    Payment(String),
    /// A charge.
    Charge(String),
}
