//! What a reply means. An allow-list: what is not on it is in doubt, never done and never failed.

use super::wire::{ErrorBody, OrderBody, RefundBody, minor};
use crate::{
    domain::money::{Currency, Money},
    gateway::{
        Found, ListedRefund, Listing, OrderSnapshot, OrderState, RefundRequest, Reply, ReplyClass, SeenRefund, Target,
    },
    outbound::client::{Exchange, HttpResponse},
};
use std::time::Duration;

/// How soon a refund that Juspay has already completed under our key can be asked after.
const AFTER_COMPLETED: Duration = Duration::from_secs(1);
/// Juspay lets a request with the same order and amount pass 5 s after the last.
const AFTER_PROCESSING: Duration = Duration::from_secs(6);
/// The wait after a 429 that names none.
const AFTER_TOO_MANY: Duration = Duration::from_secs(2);
/// Longest message of the gateway that is passed on.
const MESSAGE_LIMIT: usize = 300;

/// The reply to a refund. `reply` holds what is known without its body.
pub(super) fn refund(reply: Reply, exchange: Exchange, request: &RefundRequest) -> Reply {
    let answer = match exchange {
        Exchange::Reply(answer) => answer,
        Exchange::NotSent { .. } | Exchange::NoReply { .. } => return reply,
    };
    match answer.status {
        401 | 403 => refused(reply),
        429 => too_many(reply),
        _ if answer.broken.is_some() => reply,
        200..=299 => done(reply, &answer, request),
        408 => reply,
        400..=499 => error(reply, &answer, request),
        _ => reply,
    }
}

/// What a reading of the order says about one refund.
pub(super) fn find(reply: Reply, exchange: Exchange, request: &RefundRequest) -> Found {
    let answer = match exchange {
        Exchange::Reply(answer) => answer,
        // A query that was not sent tells as little as one that was lost.
        Exchange::NotSent { .. } | Exchange::NoReply { .. } => {
            return Found::NoAnswer(Reply { class: ReplyClass::Unknown, ..reply });
        }
    };
    match answer.status {
        401 | 403 => Found::NoAnswer(refused(reply)),
        200 if answer.broken.is_none() => {
            let Some(order) = parse::<OrderBody>(&answer).filter(|order| order.order_id == request.order_id) else {
                return Found::NoAnswer(reply);
            };
            match named(&order, request) {
                Named::None => Found::NotFound(not_there(reply)),
                Named::One(refund) => match judge(reply, order.currency.as_deref(), refund, request) {
                    reply if reply.class == ReplyClass::Unknown => Found::NoAnswer(reply),
                    reply => Found::Record(reply),
                },
                Named::Many => Found::Record(twice(reply)),
            }
        }
        400..=499 if answer.broken.is_none() && error_body(&answer).is_unknown_order(&request.order_id) => {
            Found::NotFound(not_there(reply))
        }
        _ => Found::NoAnswer(reply),
    }
}

/// The order before the first refund.
pub(super) fn order(reply: Reply, exchange: Exchange, order_id: &str) -> OrderState {
    let answer = match exchange {
        Exchange::Reply(answer) => answer,
        Exchange::NotSent { .. } | Exchange::NoReply { .. } => return OrderState::NoAnswer(reply),
    };
    match answer.status {
        401 | 403 => OrderState::NoAnswer(refused(reply)),
        429 => OrderState::NoAnswer(too_many(reply)),
        200 if answer.broken.is_none() => match snapshot(&reply, &answer, order_id) {
            Ok(snapshot) => OrderState::Known(snapshot),
            Err(message) => OrderState::NoAnswer(Reply { message: Some(message.to_owned()), ..reply }),
        },
        400..=499 if answer.broken.is_none() && error_body(&answer).is_unknown_order(order_id) => {
            OrderState::Missing(unknown_order(reply))
        }
        _ => OrderState::NoAnswer(reply),
    }
}

/// All refunds of the order, whoever asked for them.
pub(super) fn refunds(reply: Reply, exchange: Exchange, order_id: &str, currency: Currency) -> Listing {
    let answer = match exchange {
        Exchange::Reply(answer) => answer,
        Exchange::NotSent { .. } | Exchange::NoReply { .. } => return Listing::NoAnswer(reply),
    };
    match answer.status {
        401 | 403 => Listing::NoAnswer(refused(reply)),
        429 => Listing::NoAnswer(too_many(reply)),
        200 if answer.broken.is_none() => {
            let Some(order) = parse::<OrderBody>(&answer).filter(|order| order.order_id == order_id) else {
                return Listing::NoAnswer(reply);
            };
            let same = order.currency.as_deref().is_none_or(|code| code == currency.code());
            Listing::Refunds(order.refunds.iter().flatten().map(|refund| listed(refund, same, currency)).collect())
        }
        400..=499 if answer.broken.is_none() && error_body(&answer).is_unknown_order(order_id) => {
            Listing::Refunds(Vec::new())
        }
        _ => Listing::NoAnswer(reply),
    }
}

fn listed(refund: &RefundBody, same_currency: bool, currency: Currency) -> ListedRefund {
    let references = [&refund.reference, &refund.reference_id, &refund.epg_txn_id];
    let status = filled(refund.status.clone()).unwrap_or_default();
    ListedRefund {
        key: filled(refund.unique_request_id.clone()),
        reference: references.into_iter().find_map(|reference| filled(reference.clone())),
        class: match status.as_str() {
            "SUCCESS" => ReplyClass::Succeeded,
            "PENDING" => ReplyClass::Pending,
            "FAILURE" => ReplyClass::Failed,
            "MANUAL_REVIEW" => ReplyClass::Review,
            _ => ReplyClass::Unknown,
        },
        status,
        amount_minor: refund.amount.as_deref().filter(|_| same_currency).and_then(|raw| minor(raw, currency)),
    }
}

fn snapshot(reply: &Reply, answer: &HttpResponse, order_id: &str) -> Result<OrderSnapshot, &'static str> {
    let order = parse::<OrderBody>(answer).filter(|order| order.order_id == order_id);
    let order = order.ok_or("The gateway's answer about the order cannot be read.")?;
    let currency = order.currency.as_deref().and_then(|code| code.parse::<Currency>().ok());
    let currency = currency.ok_or("The order is in a currency that Batchdesk does not know.")?;
    let unreadable = "The gateway's answer names an amount that cannot be read.";
    let optional = |raw: &Option<Box<_>>| match raw {
        Some(raw) => minor(raw, currency).map(Some).ok_or(unreadable),
        None => Ok(None),
    };
    let amount = optional(&order.amount)?.ok_or(unreadable)?;
    let mut transactions = Vec::new();
    let detail = order.txn_detail.as_ref().and_then(|detail| detail.txn_id.clone());
    for id in [filled(order.txn_id.clone()), filled(detail)].into_iter().flatten() {
        if !transactions.contains(&id) {
            transactions.push(id);
        }
    }
    Ok(OrderSnapshot {
        charged: order.status == "CHARGED",
        amount: Money::new(amount, currency),
        refundable_minor: optional(&order.maximum_eligible_refund_amount)?,
        refunded_minor: optional(&order.amount_refunded)?.unwrap_or(0),
        status: order.status,
        transactions,
        refunds: order.refunds.iter().flatten().map(|refund| seen_refund(refund, currency)).collect(),
        body: reply.body.clone(),
    })
}

fn seen_refund(refund: &RefundBody, currency: Currency) -> SeenRefund {
    let text = |text: &Option<String>| filled(text.clone()).unwrap_or_default();
    SeenRefund {
        key: text(&refund.unique_request_id),
        reference: text(&refund.reference),
        amount_minor: refund.amount.as_deref().and_then(|raw| minor(raw, currency)),
        status: text(&refund.status),
        kind: text(&refund.refund_type),
    }
}

/// A 2xx: it counts only when it names our key and our amount.
fn done(reply: Reply, answer: &HttpResponse, request: &RefundRequest) -> Reply {
    let unreadable = "The gateway answered, but not with this refund.";
    let unclear = |reply: Reply| Reply { message: Some(unreadable.to_owned()), ..reply };
    if let Target::Transaction(txn_id) = &request.target {
        let ours = |refund: &RefundBody| refund.unique_request_id.as_deref() == Some(request.key.as_str());
        let Some(refund) = parse::<RefundBody>(answer).filter(ours) else { return unclear(reply) };
        let other = |named: &Option<String>, ours: &str| named.as_deref().is_some_and(|named| named != ours);
        if other(&refund.order_id, &request.order_id) || other(&refund.txn_id, txn_id) {
            let message = "The gateway has our key on a refund of another order or transaction.";
            return review(reply, "other_order", message.to_owned());
        }
        return judge(reply, None, &refund, request);
    }
    let Some(order) = parse::<OrderBody>(answer).filter(|order| order.order_id == request.order_id) else {
        return unclear(reply);
    };
    match named(&order, request) {
        Named::None => unclear(reply),
        Named::One(refund) => judge(reply, order.currency.as_deref(), refund, request),
        Named::Many => twice(reply),
    }
}

enum Named<'a> {
    None,
    One(&'a RefundBody),
    Many,
}

fn named<'a>(order: &'a OrderBody, request: &RefundRequest) -> Named<'a> {
    let mut ours = order
        .refunds
        .iter()
        .flatten()
        .filter(|refund| refund.unique_request_id.as_deref() == Some(request.key.as_str()));
    match (ours.next(), ours.next()) {
        (None, _) => Named::None,
        (Some(one), None) => Named::One(one),
        (Some(_), Some(_)) => Named::Many,
    }
}

/// A refund under our key. Unknown when its state is a word that we do not know.
fn judge(mut reply: Reply, currency: Option<&str>, refund: &RefundBody, request: &RefundRequest) -> Reply {
    let wanted = request.amount;
    // By order it is `ref`, by transaction `reference_id`; the gateway's own number is the last resort.
    let references = [&refund.reference, &refund.reference_id, &refund.epg_txn_id];
    reply.reference = references.into_iter().find_map(|reference| filled(reference.clone()));
    reply.gateway_status = filled(refund.status.clone());
    reply.gateway_kind = filled(refund.refund_type.clone());
    reply.confirmed_minor = refund.amount.as_deref().and_then(|raw| minor(raw, wanted.currency));
    if let Some(currency) = currency.filter(|currency| *currency != wanted.currency.code()) {
        let message = format!("The gateway has this refund in {currency}, not in {}.", wanted.currency);
        return review(reply, "currency_mismatch", message);
    }
    match reply.confirmed_minor {
        Some(minor) if minor == wanted.minor => {}
        Some(minor) => {
            let named = Money::new(minor, wanted.currency);
            return review(
                reply,
                "amount_mismatch",
                format!("The gateway has this refund over {named}, not over {wanted}."),
            );
        }
        None => return review(reply, "amount_mismatch", "The gateway names no amount for this refund.".to_owned()),
    }
    let said = sentence(refund.error_message.as_deref());
    (reply.class, reply.code, reply.message) = match reply.gateway_status.as_deref() {
        Some("SUCCESS") => (ReplyClass::Succeeded, None, None),
        Some("PENDING") => (ReplyClass::Pending, None, None),
        Some("FAILURE") => (
            ReplyClass::Failed,
            [&refund.error_code, &refund.response_code]
                .into_iter()
                .find_map(|code| filled(code.clone()))
                .or_else(|| Some("failure".to_owned())),
            Some(said.unwrap_or_else(|| "The gateway could not carry out the refund.".to_owned())),
        ),
        Some("MANUAL_REVIEW") => (
            ReplyClass::Review,
            Some("manual_review".to_owned()),
            Some(
                said.unwrap_or_else(|| "The gateway itself cannot tell whether the refund was carried out.".to_owned()),
            ),
        ),
        _ => (
            ReplyClass::Unknown,
            Some("unknown_status".to_owned()),
            Some("The gateway gives the refund a state that Batchdesk does not know.".to_owned()),
        ),
    };
    reply
}

/// A 4xx. Only what stands here is definite: this request was not carried out, and the same one never will be. Whether
/// an earlier request with the same key was is not the connector's to say.
fn error(reply: Reply, answer: &HttpResponse, request: &RefundRequest) -> Reply {
    let body = error_body(answer);
    if body.is_unknown_order(&request.order_id) {
        return unknown_order(reply);
    }
    let Some(code) = filled(body.error_code.clone()) else { return reply };
    let said = sentence(body.error_message.as_deref());
    let definite = match code.to_ascii_lowercase().as_str() {
        "invalid.amount.exceeded" => Some("The amount is over what can still be refunded."),
        "refund.not.allowed" => Some("The gateway does not allow a refund of this order."),
        "invalid amount" => Some("The gateway does not take this amount."),
        "mandatory fields are missing" => Some("The gateway misses a field in the request."),
        code if code.starts_with("invalid.order.not_success") => {
            Some("The order was not paid, so it cannot be refunded.")
        }
        _ => None,
    };
    if let Some(meaning) = definite {
        let message = said.unwrap_or_else(|| meaning.to_owned());
        return Reply { class: ReplyClass::Failed, code: Some(code), message: Some(message), ..reply };
    }
    if code == "duplicate.call" {
        // "Already completed": there is a refund under our key; the next question finds it, with its state and amount.
        //
        // "Already processing with this amount": some request with this order and amount is under way. This one was not
        // carried out, but the one under way may be an earlier one of ours under the same key, whose reply was lost. So
        // it is not proved that nothing was sent, and the question must come first, after the time in which Juspay
        // refuses.
        let completed = body.error_message.as_deref().is_some_and(|message| message.contains("already completed"));
        let (wait, message) = match completed {
            true => (AFTER_COMPLETED, "The gateway already has a refund under this key; it is asked about it."),
            false => (AFTER_PROCESSING, "The gateway is still busy with a refund of the same order and amount."),
        };
        let wait = Some(reply.wait.unwrap_or(wait).max(wait));
        return Reply { code: Some(code), message: Some(message.to_owned()), wait, ..reply };
    }
    Reply { code: Some(code), message: said.or_else(|| reply.message.clone()), ..reply }
}

fn refused(reply: Reply) -> Reply {
    let message =
        format!("The gateway refused the key of this connection (status {}).", reply.http.unwrap_or_default());
    Reply { class: ReplyClass::Refused, message: Some(message), ..reply }
}

fn too_many(reply: Reply) -> Reply {
    let message = "The gateway asks for fewer requests.".to_owned();
    let wait = Some(reply.wait.unwrap_or(AFTER_TOO_MANY));
    Reply { class: ReplyClass::NotSent, message: Some(message), wait, ..reply }
}

fn unknown_order(reply: Reply) -> Reply {
    let message = "The gateway does not know this order.".to_owned();
    Reply { class: ReplyClass::Failed, code: Some("order_not_found".to_owned()), message: Some(message), ..reply }
}

fn not_there(reply: Reply) -> Reply {
    let message = "The gateway has no refund under this key so far.".to_owned();
    Reply { code: Some("refund_not_found".to_owned()), message: Some(message), ..reply }
}

fn twice(reply: Reply) -> Reply {
    review(reply, "key_twice", "The gateway has more than one refund under this key.".to_owned())
}

fn review(reply: Reply, code: &str, message: String) -> Reply {
    Reply { class: ReplyClass::Review, code: Some(code.to_owned()), message: Some(message), ..reply }
}

fn parse<T: serde::de::DeserializeOwned>(answer: &HttpResponse) -> Option<T> {
    serde_json::from_slice(&answer.body).ok()
}

fn error_body(answer: &HttpResponse) -> ErrorBody {
    parse(answer).unwrap_or_default()
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).map(|text| clean(&text))
}

/// The gateway's own sentence, fit to be shown.
fn sentence(text: Option<&str>) -> Option<String> {
    text.map(clean).filter(|text| !text.is_empty())
}

fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(MESSAGE_LIMIT).collect();
    text.trim().to_owned()
}
