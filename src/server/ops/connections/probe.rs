//! The capability self-test: a few refunds and questions against a sandbox, and what they prove about the gateway's
//! promises.
//!
//! A class is what later allows a refund to be sent a second time, so nothing is believed that was not seen: what
//! cannot be told lowers the class. How long keys are remembered cannot be seen in a few calls; it is named by the
//! connector or the operator.

use crate::{
    domain::{
        money::{Currency, Money},
        operation::Effect,
        view::connections::ProbeStep,
    },
    gateway::{Connector, Found, GatewayClass, OrderState, Promise, RefundRequest, Reply, ReplyClass, Target},
};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often, and how far apart, the gateway is asked for a refund that it just carried out.
const ASKED: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// What the self-test is told.
#[derive(Clone, Debug)]
pub struct Questions {
    /// An order that was paid and can be refunded.
    pub order: String,
    /// An order whose refund the gateway declines, to see what it does with a declined key.
    pub declined: Option<String>,
    /// An order whose first refund fails with a server error.
    pub failing: Option<String>,
    /// How long keys are remembered, where the connector does not know it.
    pub key_window: Option<Duration>,
    /// The connection's currency.
    pub currency: Currency,
}

/// What the self-test found.
#[derive(Clone, Debug)]
pub struct Probed {
    /// What it promises of refunds: what was proved, never more than the connector believes.
    pub promise: Promise,
    /// Each call and what it proves.
    pub steps: Vec<ProbeStep>,
}

/// What a question came to. The order matters: the worse wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    Proved,
    /// Not tried, or not to be told.
    Open,
    Disproved,
}

impl Proof {
    const fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Open => "open",
            Self::Disproved => "disproved",
        }
    }
}

/// What a class hangs on.
#[derive(Clone, Copy, Debug)]
struct Proofs {
    /// A refund is found by our key, and only then.
    status: Proof,
    /// The same request with the same key after a success has no effect.
    after_success: Proof,
    /// Another amount with the same key has no effect.
    other_body: Proof,
    /// The same request after a decline is declined again.
    after_decline: Proof,
    /// The same request after a server error acts once at most.
    after_error: Proof,
}

/// The class that the proofs allow. What was not proved counts as not promised; a server error cannot always be
/// provoked, so there only a disproof counts.
fn class(proofs: Proofs, window_known: bool) -> GatewayClass {
    use Proof::{Disproved, Proved};
    let kept = [proofs.after_success, proofs.other_body, proofs.after_decline].iter().all(|proof| *proof == Proved)
        && proofs.after_error != Disproved;
    match proofs.status == Proved {
        false => GatewayClass::N,
        true if kept && window_known => GatewayClass::K,
        true => GatewayClass::Q,
    }
}

/// Makes the calls. The error is a sentence: nothing could be told.
pub async fn run(gateway: &dyn Connector, questions: &Questions) -> Result<Probed, String> {
    let mut probe = Probe { gateway, questions, steps: Vec::new() };
    let refunded = probe.readable_order(&questions.order).await?;
    let first = probe.request(&questions.order, 1);
    let unknown_before = probe.not_there_yet(&first).await?;
    let sent = Instant::now();
    let reply = gateway.send(&first.clone().into()).await;
    if !matches!(reply.class, ReplyClass::Succeeded | ReplyClass::Pending) {
        return Err(format!(
            "The first refund was not carried out ({}), so nothing can be told. Name an order that can be refunded.",
            said(&reply)
        ));
    }
    probe.note("A refund with a new key", said(&reply), "seen");
    let status = probe.found(&first).await.max(unknown_before);
    probe.gap(sent).await;
    let again = gateway.send(&first.clone().into()).await;
    let after_success =
        probe.no_second_effect("The same request again, with the same key", &again, &first, refunded).await;
    let other = RefundRequest { amount: Money::new(first.amount.minor * 2, first.amount.currency), ..first.clone() };
    let reply = gateway.send(&other.clone().into()).await;
    let other_body = probe.no_second_effect("Another amount, with the same key", &reply, &first, refunded).await;
    let after_decline = probe.declined_twice().await;
    let after_error = probe.failed_twice().await;
    let believed = gateway.descriptor().believed(Effect::Refund).unwrap_or(Promise::NONE);
    let window = questions.key_window.or(believed.key_window);
    match window {
        Some(window) => probe.note(
            "How long keys are remembered",
            format!("{} hours, as documented; a few calls cannot see it", window.as_secs() / 3600),
            "seen",
        ),
        None => probe.note(
            "How long keys are remembered",
            "Not known. Take it from the gateway's documentation and name it".to_owned(),
            Proof::Open.word(),
        ),
    }
    let class = class(Proofs { status, after_success, other_body, after_decline, after_error }, window.is_some());
    Ok(Probed { promise: Promise::new(class, window).at_most(believed), steps: probe.steps })
}

struct Probe<'a> {
    gateway: &'a dyn Connector,
    questions: &'a Questions,
    steps: Vec<ProbeStep>,
}

/// How often a request had an effect, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effects {
    None,
    One,
    Several,
    Untold,
}

impl Probe<'_> {
    fn note(&mut self, call: &str, seen: String, verdict: &str) {
        self.steps.push(ProbeStep { call: call.to_owned(), seen, verdict: verdict.to_owned() });
    }

    /// A refund that this gateway has not seen: of one to four units, so that different keys have different amounts.
    fn request(&self, order: &str, units: i64) -> RefundRequest {
        let grammar = self.gateway.descriptor().keys;
        // Of a UUID v7 the end is random; keys of one connection must never meet.
        let id = Uuid::now_v7().simple().to_string();
        let end = id.get(id.len().saturating_sub(grammar.longest.min(20).saturating_sub(1))..).unwrap_or(&id);
        let currency = self.questions.currency;
        RefundRequest {
            key: format!("P{end}"),
            order_id: order.to_owned(),
            target: self.gateway.descriptor().target(order, None).unwrap_or(Target::Order),
            amount: Money::new(units * currency.scale(), currency),
            split: None,
        }
    }

    /// Waits as long as the gateway wants between two requests of one order and amount.
    async fn gap(&self, since: Instant) {
        let gap = self.gateway.same_amount_gap();
        if let Some(rest) = gap.checked_sub(since.elapsed()) {
            tokio::time::sleep(rest).await;
        }
    }

    /// What was refunded of the order before.
    async fn readable_order(&mut self, order: &str) -> Result<Option<i64>, String> {
        if !self.gateway.descriptor().reads_orders {
            return Ok(None);
        }
        match self.gateway.order(order).await {
            OrderState::Known(seen) if !seen.charged => {
                Err(format!("The order {order} is {}, not paid. Name one that can be refunded.", seen.status))
            }
            OrderState::Known(seen) if seen.amount.currency != self.questions.currency => Err(format!(
                "The order {order} is in {}, not in {}. Name one in the connection's currency.",
                seen.amount.currency, self.questions.currency
            )),
            OrderState::Known(seen) => {
                self.note("Reading the order", format!("{}, {}", seen.status, seen.amount), "seen");
                Ok(Some(seen.refunded_minor))
            }
            OrderState::Missing(_) => {
                Err(format!("The gateway does not know the order {order}. Name one that is in the sandbox."))
            }
            OrderState::NoAnswer(reply) => Err(format!("The order could not be read: {}.", said(&reply))),
        }
    }

    async fn not_there_yet(&mut self, request: &RefundRequest) -> Result<Proof, String> {
        let (seen, proof) = match self.gateway.find(&request.clone().into()).await {
            Found::NotFound(reply) => (said(&reply), Proof::Proved),
            Found::Record(reply) => (format!("It has one already: {}", said(&reply)), Proof::Disproved),
            Found::NoAnswer(reply) if reply.class == ReplyClass::Refused => {
                return Err(format!("The gateway refused our key: {}.", said(&reply)));
            }
            Found::NoAnswer(reply) => (format!("No answer: {}", said(&reply)), Proof::Open),
        };
        self.note("Asking for a key that was never sent", seen, proof.word());
        Ok(proof)
    }

    async fn found(&mut self, request: &RefundRequest) -> Proof {
        let mut last = (String::new(), Proof::Open);
        for wait in ASKED {
            tokio::time::sleep(wait).await;
            last = match self.gateway.find(&request.clone().into()).await {
                Found::Record(reply) if matches!(reply.class, ReplyClass::Succeeded | ReplyClass::Pending) => {
                    (said(&reply), Proof::Proved)
                }
                Found::Record(reply) => (said(&reply), Proof::Disproved),
                Found::NotFound(reply) => (format!("Not found: {}", said(&reply)), Proof::Disproved),
                Found::NoAnswer(reply) => (format!("No answer: {}", said(&reply)), Proof::Open),
            };
            if last.1 == Proof::Proved {
                break;
            }
        }
        self.note("Asking for that refund by our key", last.0, last.1.word());
        last.1
    }

    /// How often `request` acted: by what is listed under our key, and by what the order lost since `before`.
    async fn effects(&self, request: &RefundRequest, before: Option<i64>) -> Effects {
        let listed = match self.gateway.find(&request.clone().into()).await {
            Found::Record(reply) if reply.code.as_deref() == Some("key_twice") => Effects::Several,
            Found::Record(_) => Effects::One,
            Found::NotFound(_) => Effects::None,
            Found::NoAnswer(_) => Effects::Untold,
        };
        let lost = match before {
            None => Effects::Untold,
            Some(before) => match self.gateway.order(&request.order_id).await {
                OrderState::Known(seen) if seen.refunded_minor <= before => Effects::None,
                OrderState::Known(seen) if seen.refunded_minor == before + request.amount.minor => Effects::One,
                OrderState::Known(_) => Effects::Several,
                OrderState::Missing(_) | OrderState::NoAnswer(_) => Effects::Untold,
            },
        };
        match (listed, lost) {
            (Effects::Several, _) | (_, Effects::Several) => Effects::Several,
            (Effects::Untold, other) => other,
            // A pending refund may not be taken off the order yet.
            (listed, _) => listed,
        }
    }

    async fn no_second_effect(
        &mut self,
        call: &str,
        reply: &Reply,
        first: &RefundRequest,
        before: Option<i64>,
    ) -> Proof {
        let (effect, proof) = match self.effects(first, before).await {
            Effects::One if !definite(reply) => ("it may still come to something", Proof::Open),
            Effects::One => ("no second effect", Proof::Proved),
            Effects::Several => ("money would have moved twice", Proof::Disproved),
            Effects::None | Effects::Untold => ("whether it acted cannot be told", Proof::Open),
        };
        self.note(call, format!("{}; {effect}", said(reply)), proof.word());
        proof
    }

    async fn declined_twice(&mut self) -> Proof {
        let call = "The same request again, after it was declined";
        let Some(order) = &self.questions.declined else {
            self.note(call, "Not tried: no order was named that is declined".to_owned(), Proof::Open.word());
            return Proof::Open;
        };
        let request = self.request(order, 3);
        let sent = Instant::now();
        let first = self.gateway.send(&request.clone().into()).await;
        if first.class != ReplyClass::Failed {
            self.note(call, format!("It was not declined: {}", said(&first)), Proof::Open.word());
            return Proof::Open;
        }
        self.gap(sent).await;
        let second = self.gateway.send(&request.clone().into()).await;
        let effects = self.effects(&request, None).await;
        let (effect, proof) = match (second.class, effects) {
            (ReplyClass::Succeeded | ReplyClass::Pending, _) | (_, Effects::One | Effects::Several) => {
                ("it was carried out after all", Proof::Disproved)
            }
            (_, Effects::None) if definite(&second) => ("no effect", Proof::Proved),
            (_, Effects::None) => ("it may still come to something", Proof::Open),
            (_, Effects::Untold) => ("whether it acted cannot be told", Proof::Open),
        };
        self.note(call, format!("{}, then {}; {effect}", said(&first), said(&second)), proof.word());
        proof
    }

    async fn failed_twice(&mut self) -> Proof {
        let call = "The same request again, after a server error";
        let Some(order) = &self.questions.failing else {
            self.note(call, "Not tried: no order was named that fails".to_owned(), Proof::Open.word());
            return Proof::Open;
        };
        let request = self.request(order, 4);
        let sent = Instant::now();
        let first = self.gateway.send(&request.clone().into()).await;
        if !(first.class == ReplyClass::Unknown && first.http.is_none_or(|http| http >= 500)) {
            self.note(call, format!("It did not fail: {}", said(&first)), Proof::Open.word());
            return Proof::Open;
        }
        self.gap(sent).await;
        let second = self.gateway.send(&request.clone().into()).await;
        let (effect, proof) = match self.effects(&request, None).await {
            Effects::None | Effects::One if !definite(&second) => ("it may still come to something", Proof::Open),
            Effects::None | Effects::One => ("one effect at most", Proof::Proved),
            Effects::Several => ("money would have moved twice", Proof::Disproved),
            Effects::Untold => ("whether it acted cannot be told", Proof::Open),
        };
        self.note(call, format!("{}, then {}; {effect}", said(&first), said(&second)), proof.word());
        proof
    }
}

/// Whether the gateway has made up its mind: what it answered is what it did.
fn definite(reply: &Reply) -> bool {
    reply.http.is_some_and(|http| matches!(http, 200..=499) && !matches!(http, 408 | 429))
}

/// A reply in a few words: status, the gateway's word for the refund, its code.
fn said(reply: &Reply) -> String {
    let http = reply.http.map_or_else(|| "no reply".to_owned(), |http| format!("status {http}"));
    let parts = [Some(http), reply.gateway_status.clone(), reply.code.clone(), reply.reference.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_proved_lowers_the_class() {
        use Proof::{Disproved, Open, Proved};
        let all = Proofs {
            status: Proved,
            after_success: Proved,
            other_body: Proved,
            after_decline: Proved,
            after_error: Proved,
        };
        assert_eq!(class(all, true), GatewayClass::K);
        assert_eq!(class(Proofs { after_error: Open, ..all }, true), GatewayClass::K, "it cannot always be provoked");
        assert_eq!(class(all, false), GatewayClass::Q, "for how long is not known");
        for doubt in [Open, Disproved] {
            assert_eq!(class(Proofs { status: doubt, ..all }, true), GatewayClass::N, "{doubt:?}");
            for lower in [
                Proofs { after_success: doubt, ..all },
                Proofs { other_body: doubt, ..all },
                Proofs { after_decline: doubt, ..all },
            ] {
                assert_eq!(class(lower, true), GatewayClass::Q, "{lower:?}");
            }
        }
        assert_eq!(class(Proofs { after_error: Disproved, ..all }, true), GatewayClass::Q);
    }
}
