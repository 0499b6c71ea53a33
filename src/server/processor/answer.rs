//! From a gateway's reply to what it means for the task.

use super::backoff;
use crate::{
    domain::{
        money::{Currency, Money},
        task::RecordExtra,
    },
    server::{
        db::tasks::{Answer, Verdict},
        gateway::{GatewayClass, RefundRequest, Reply, ReplyClass},
    },
};
use std::time::Duration;

/// What stood before the send whose reply is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing was ever sent, or everything sent was proved not carried out.
    Nothing,
    /// An earlier send may still be carried out.
    Uncertain,
}

/// The reply to a send.
pub(super) fn to_send(reply: &Reply, class: GatewayClass, before: Before, resolve_after: Duration) -> Answer {
    let unknown = if class == GatewayClass::N { Verdict::Review } else { Verdict::Unknown };
    let (verdict, wait) = match reply.class {
        ReplyClass::Succeeded => (Verdict::Succeeded, Duration::ZERO),
        ReplyClass::Failed => (Verdict::Failed, Duration::ZERO),
        ReplyClass::Pending => (Verdict::Pending, backoff::pending(0)),
        ReplyClass::Review => (Verdict::Review, Duration::ZERO),
        ReplyClass::Unknown if mutant!("doubtful_is_sent_again") => (Verdict::Retry, backoff::NOT_SENT),
        ReplyClass::Unknown if mutant!("timeout_is_failed") && reply.http.is_none() => {
            (Verdict::Failed, Duration::ZERO)
        }
        ReplyClass::Unknown if mutant!("error_500_is_failed") && reply.http >= Some(500) => {
            (Verdict::Failed, Duration::ZERO)
        }
        ReplyClass::Unknown => (unknown, resolve_after),
        // This request did not happen; that says nothing about an earlier one.
        ReplyClass::NotSent | ReplyClass::Refused if before == Before::Uncertain => (unknown, resolve_after),
        ReplyClass::NotSent => (Verdict::Retry, backoff::NOT_SENT),
        // Only where asking is enough to send again. Otherwise the refusal is the proof that nothing happened: a key that
        // expired must not turn a batch into reviews.
        ReplyClass::Refused if class == GatewayClass::K => (Verdict::Unknown, resolve_after),
        ReplyClass::Refused => (Verdict::Retry, backoff::NOT_SENT),
    };
    read(reply, verdict, reply.wait.unwrap_or(wait))
}

/// The gateway's record of a refund, found by our key.
pub(super) fn to_query(reply: &Reply, answered: i16) -> Answer {
    match reply.class {
        ReplyClass::Succeeded => read(reply, Verdict::Succeeded, Duration::ZERO),
        ReplyClass::Failed => read(reply, Verdict::Failed, Duration::ZERO),
        ReplyClass::Pending => read(reply, Verdict::Pending, backoff::pending(answered)),
        // No record says these; whoever says so is not understood.
        ReplyClass::Review | ReplyClass::Unknown | ReplyClass::NotSent | ReplyClass::Refused => {
            read(reply, Verdict::Review, backoff::IN_REVIEW)
        }
    }
}

/// What the reply says, with this verdict.
pub(super) fn read(reply: &Reply, verdict: Verdict, wait: Duration) -> Answer {
    Answer {
        verdict,
        http: reply.http.and_then(|http| i16::try_from(http).ok()),
        reference: reply.reference.clone(),
        refund_status: reply.refund_status.clone(),
        refund_type: reply.refund_type.clone(),
        code: if verdict == Verdict::Succeeded { None } else { reply.code.clone() },
        message: if verdict == Verdict::Succeeded { None } else { reply.message.clone() },
        confirmed_minor: reply.confirmed_minor,
        wait,
    }
}

/// A verdict that nobody was asked for.
pub(super) fn own(verdict: Verdict, code: &str, message: &str, wait: Duration) -> Answer {
    Answer {
        verdict,
        http: None,
        reference: None,
        refund_status: None,
        refund_type: None,
        code: Some(code.to_owned()),
        message: Some(message.to_owned()),
        confirmed_minor: None,
        wait,
    }
}

/// A reply that we make ourselves: nothing was sent.
pub(super) fn not_sent(code: &str, message: &str) -> Reply {
    Reply {
        class: ReplyClass::NotSent,
        http: None,
        reference: None,
        refund_status: None,
        refund_type: None,
        code: Some(code.to_owned()),
        message: Some(message.to_owned()),
        confirmed_minor: None,
        wait: None,
        body: message.to_owned(),
    }
}

/// Whether the breaker counts it: the gateway could not be reached, failed by itself, or refused our key.
pub(super) fn is_outage(reply: &Reply) -> bool {
    match reply.class {
        ReplyClass::NotSent | ReplyClass::Refused => true,
        ReplyClass::Unknown => reply.http.is_none_or(|http| http >= 500),
        ReplyClass::Succeeded | ReplyClass::Failed | ReplyClass::Pending | ReplyClass::Review => false,
    }
}

/// A reply as evidence keeps it.
pub(super) fn evidence(row: i32, revision: i16, reply: &Reply) -> serde_json::Value {
    serde_json::json!({
        "row": row, "revision": revision, "class": format!("{:?}", reply.class), "http": reply.http, "ref": reply.reference, "code": reply.code,
        "confirmed_minor": reply.confirmed_minor, "body": without_nul(&reply.body),
    })
}

/// PostgreSQL's text holds no NUL.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The request of a record. The error is a sentence: the record cannot be sent as it is stored.
pub(super) fn request(
    key: &str,
    order_id: &str,
    txn_id: Option<&str>,
    amount_minor: i64,
    currency: &str,
    extra: Option<&str>,
) -> Result<RefundRequest, String> {
    let currency: Currency =
        currency.trim().parse().map_err(|error: crate::domain::money::UnknownCurrency| error.to_string())?;
    let extra: RecordExtra = match extra {
        Some(text) => serde_json::from_str(text).map_err(|error| format!("stored fields cannot be read: {error}"))?,
        None => RecordExtra::default(),
    };
    Ok(RefundRequest {
        key: key.to_owned(),
        order_id: order_id.to_owned(),
        txn_id: txn_id.map(str::to_owned),
        amount: Money::new(amount_minor, currency),
        split: extra.split,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(class: ReplyClass) -> Reply {
        Reply { class, ..not_sent("x", "x") }
    }

    #[test]
    fn nothing_uncertain_is_ever_called_not_carried_out() {
        for class in [GatewayClass::K, GatewayClass::Q, GatewayClass::N] {
            for said in [ReplyClass::Unknown, ReplyClass::NotSent, ReplyClass::Refused] {
                let answer = to_send(&reply(said), class, Before::Uncertain, Duration::ZERO);
                assert!(matches!(answer.verdict, Verdict::Unknown | Verdict::Review), "{class:?} {said:?}");
            }
            let answer = to_send(&reply(ReplyClass::Unknown), class, Before::Nothing, Duration::ZERO);
            assert!(matches!(answer.verdict, Verdict::Unknown | Verdict::Review));
        }
    }

    #[test]
    fn a_refused_key_burns_no_row() {
        for class in [GatewayClass::K, GatewayClass::Q, GatewayClass::N] {
            let answer = to_send(&reply(ReplyClass::Refused), class, Before::Nothing, Duration::ZERO);
            assert!(matches!(answer.verdict, Verdict::Unknown | Verdict::Retry));
        }
    }
}
