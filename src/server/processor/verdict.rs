//! From a gateway's reply to what it means for the task.

use super::backoff;
use crate::{
    db::tasks::{TaskReply, Verdict},
    domain::{
        protocol::{Before, Confirmed, Event, Illegal, Now, State, Step, Then},
        text::storable,
    },
    gateway::{GatewayClass, Reply, ReplyClass},
};
use std::time::Duration;

/// Where the protocol puts a task, as the statements want it.
pub(super) fn verdict(step: Step) -> Verdict {
    match step.state {
        // The statement keeps it accepted and writes down that people must look.
        State::Pending if step.then == Then::Look => Verdict::Review,
        State::Pending => Verdict::Pending,
        State::Succeeded => Verdict::Succeeded,
        State::Failed | State::Unsent => Verdict::Failed,
        State::Retry => Verdict::Retry,
        State::Unknown | State::Absent => Verdict::Unknown,
        // A reply never leads to the first two; whoever finds them so looks.
        State::Ready | State::AskFirst(_) | State::Sending(_) | State::Review => Verdict::Review,
    }
}

/// The reply to a send of so much.
pub(super) fn to_send(
    reply: &Reply,
    amount_minor: i64,
    class: GatewayClass,
    before: Before,
    resolve_after: Duration,
) -> TaskReply {
    let now = Now { class, in_window: false, cancelled: false };
    let event = Event::Replied(reply.class, Confirmed::of(reply.confirmed_minor, amount_minor));
    let verdict = match State::Sending(before).next(event, now) {
        Ok(step) => verdict(step),
        Err(illegal) => {
            tracing::error!(%illegal, "processor.reply_without_a_rule");
            Verdict::Review
        }
    };
    let wait = match verdict {
        Verdict::Succeeded | Verdict::Failed | Verdict::Review => Duration::ZERO,
        Verdict::Pending => backoff::pending(0),
        Verdict::Unknown => resolve_after,
        Verdict::Retry => backoff::NOT_SENT,
    };
    read(reply, verdict, reply.wait.unwrap_or(wait))
}

/// The gateway's record of a refund of so much that stands so, found by our key.
pub(super) fn to_query(
    reply: &Reply,
    state: State,
    amount_minor: i64,
    now: Now,
    answered: i16,
) -> Result<TaskReply, Illegal> {
    let step = state.next(Event::Record(reply.class, Confirmed::of(reply.confirmed_minor, amount_minor)), now)?;
    let wait = match verdict(step) {
        Verdict::Succeeded | Verdict::Failed => Duration::ZERO,
        Verdict::Pending => backoff::pending(answered),
        Verdict::Review | Verdict::Unknown | Verdict::Retry => backoff::IN_REVIEW,
    };
    Ok(read(reply, verdict(step), wait))
}

/// What the reply says, with this verdict.
pub(super) fn read(reply: &Reply, verdict: Verdict, wait: Duration) -> TaskReply {
    TaskReply {
        verdict,
        http: reply.http.and_then(|http| i16::try_from(http).ok()),
        reference: reply.reference.clone(),
        gateway_status: reply.gateway_status.clone(),
        gateway_kind: reply.gateway_kind.clone(),
        code: if verdict == Verdict::Succeeded { None } else { reply.code.clone() },
        message: if verdict == Verdict::Succeeded { None } else { reply.message.clone() },
        confirmed_minor: reply.confirmed_minor,
        wait,
    }
}

/// A verdict that nobody was asked for.
pub(super) fn own(verdict: Verdict, code: &str, message: &str, wait: Duration) -> TaskReply {
    TaskReply {
        verdict,
        http: None,
        reference: None,
        gateway_status: None,
        gateway_kind: None,
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
        gateway_status: None,
        gateway_kind: None,
        code: Some(code.to_owned()),
        message: Some(message.to_owned()),
        confirmed_minor: None,
        wait: None,
        body: message.to_owned(),
    }
}

/// After a 429 that names no time.
const TOO_MANY: Duration = Duration::from_secs(2);

/// How long the gateway wants to be left alone, by everything that asks it, and with which status it said so.
pub(super) fn stay_away(reply: &Reply) -> Option<(Duration, u16)> {
    match reply.http {
        Some(429) => Some((reply.wait.unwrap_or(TOO_MANY), 429)),
        Some(503) => reply.wait.map(|wait| (wait, 503)),
        _ => None,
    }
}

/// Whether the breaker counts it: the gateway could not be reached, failed by itself, or refused our key.
pub(super) fn is_outage(reply: &Reply) -> bool {
    match reply.class {
        // It answers, and says itself how long to stay away.
        ReplyClass::NotSent | ReplyClass::Unknown if reply.http == Some(429) => false,
        ReplyClass::NotSent | ReplyClass::Refused => true,
        ReplyClass::Unknown => reply.http.is_none_or(|http| http >= 500),
        ReplyClass::Succeeded | ReplyClass::Failed | ReplyClass::Pending | ReplyClass::Review => false,
    }
}

/// A reply as evidence keeps it.
pub(super) fn evidence(row: i32, revision: i16, reply: &Reply) -> serde_json::Value {
    serde_json::json!({
        "row": row, "revision": revision, "class": format!("{:?}", reply.class), "http": reply.http, "ref": reply.reference, "code": reply.code,
        "confirmed_minor": reply.confirmed_minor, "body": storable(&reply.body),
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
                let answer = to_send(&reply(said), 1, class, Before::Uncertain, Duration::ZERO);
                assert!(matches!(answer.verdict, Verdict::Unknown | Verdict::Review), "{class:?} {said:?}");
            }
            let answer = to_send(&reply(ReplyClass::Unknown), 1, class, Before::Nothing, Duration::ZERO);
            assert!(matches!(answer.verdict, Verdict::Unknown | Verdict::Review));
        }
    }

    #[test]
    fn a_refused_key_burns_no_row() {
        for class in [GatewayClass::K, GatewayClass::Q, GatewayClass::N] {
            let answer = to_send(&reply(ReplyClass::Refused), 1, class, Before::Nothing, Duration::ZERO);
            assert!(matches!(answer.verdict, Verdict::Unknown | Verdict::Retry));
        }
    }
}
