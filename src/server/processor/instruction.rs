//! From a stored record to what is sent for it.

use super::verdict::not_sent;
use crate::{
    db::tasks::TaskRecord,
    domain::{
        money::{Currency, Money},
        operation::Effect,
        task::RecordExtra,
    },
    gateway::{Descriptor, Instruction, RefundRequest, Reply, ReplyClass},
    ops::records,
};

/// Why a record cannot be sent. The text is a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsendable {
    /// What is stored cannot be read: something does not add up.
    #[error("{0}")]
    Unreadable(String),
    /// The gateway cannot be asked for it: nothing that the record names is known there.
    #[error("{0}")]
    NotTaken(String),
}

impl Unsendable {
    /// What stands in the place of a reply: nothing was sent.
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Unreadable(sentence) => not_sent("unreadable_record", sentence),
            Self::NotTaken(sentence) => Reply { class: ReplyClass::Failed, ..not_sent("not_taken", sentence) },
        }
    }
}

/// What is to be sent for a record. Refuses one that is not what it was when it was checked.
pub(super) fn to_send(connector: &Descriptor, record: &TaskRecord) -> Result<Instruction, Unsendable> {
    if !records::is_as_checked(record) {
        return Err(Unsendable::Unreadable("the stored record is not what was checked and decided on".to_owned()));
    }
    to_ask(connector, record)
}

/// The instruction that a question is about.
pub(super) fn to_ask(connector: &Descriptor, record: &TaskRecord) -> Result<Instruction, Unsendable> {
    let unreadable = |error: &dyn std::fmt::Display| Unsendable::Unreadable(error.to_string());
    let name = connector.label;
    let not_taken = |what: String| Unsendable::NotTaken(format!("{name} {what}. Nothing was sent."));
    let effect = record.effect().ok_or_else(|| unreadable(&format!("{:?} sends nothing", record.operation)))?;
    let currency: Currency = record.currency.trim().parse().map_err(|error| unreadable(&error))?;
    if !connector.currencies.has(currency) {
        return Err(not_taken(format!("does not carry out {currency}")));
    }
    let key = record.gateway_key.as_str();
    if !connector.keys.takes(key) {
        return Err(not_taken(format!("does not take the key {key:?}")));
    }
    match effect {
        Effect::Refund if connector.carries_out(effect) => {
            refund(connector, record, Money::new(record.amount_minor, currency))
        }
        Effect::Refund | Effect::PaymentInitiation | Effect::PaymentInitiationRefund | Effect::PaymentRequest => {
            Err(not_taken(format!("does not carry out {}", effect.things())))
        }
    }
}

fn refund(connector: &Descriptor, record: &TaskRecord, amount: Money) -> Result<Instruction, Unsendable> {
    let target = connector.target(&record.order_id, record.txn_id.as_deref()).ok_or_else(|| {
        let column = if record.txn_id.is_some() { "a txn_id" } else { "no txn_id" };
        Unsendable::NotTaken(format!("{} cannot refund a row with {column}. Nothing was sent.", connector.label))
    })?;
    let extra: RecordExtra = match &record.extra {
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Unsendable::Unreadable(format!("stored fields cannot be read: {error}")))?,
        None => RecordExtra::default(),
    };
    Ok(Instruction::Refund(RefundRequest {
        key: record.gateway_key.clone(),
        order_id: record.order_id.clone(),
        target,
        amount,
        split: extra.split,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{Promise, juspay};

    fn record(operation: &str) -> TaskRecord {
        TaskRecord {
            row_no: 1,
            revision: 1,
            operation: operation.to_owned(),
            currency: "INR".to_owned(),
            order_id: "O1".to_owned(),
            amount_minor: 100,
            gateway_key: "K1".to_owned(),
            txn_id: None,
            unique_id: None,
            extra: None,
            request_sha256: Vec::new(),
        }
    }

    #[test]
    fn a_connector_is_never_asked_for_what_it_does_not_carry_out() {
        let made = to_ask(&juspay::DESCRIPTOR, &record("refund")).unwrap();
        assert_eq!(made.effect(), Effect::Refund);
        const OTHERS: &[(Effect, Promise)] =
            &[(Effect::PaymentInitiation, Promise::NONE), (Effect::PaymentRequest, Promise::NONE)];
        for effects in [&[], OTHERS] {
            let without = Descriptor { effects, ..juspay::DESCRIPTOR };
            let refused = to_ask(&without, &record("refund")).unwrap_err();
            assert!(matches!(&refused, Unsendable::NotTaken(_)), "{refused:?}");
            assert_eq!(refused.to_string(), "Juspay does not carry out refunds. Nothing was sent.");
            assert_eq!(refused.reply().class, ReplyClass::Failed);
        }
    }

    #[test]
    fn what_sends_nothing_or_is_not_known_has_no_instruction() {
        for operation in ["order_sync", "nobody", ""] {
            let refused = to_ask(&juspay::DESCRIPTOR, &record(operation)).unwrap_err();
            assert!(matches!(refused, Unsendable::Unreadable(_)), "{refused:?}");
        }
    }

    #[test]
    fn a_record_that_was_changed_is_asked_about_and_never_sent() {
        let changed = record("refund");
        assert!(to_ask(&juspay::DESCRIPTOR, &changed).is_ok());
        let refused = to_send(&juspay::DESCRIPTOR, &changed).unwrap_err();
        assert!(matches!(refused, Unsendable::Unreadable(_)), "{refused:?}");
    }
}
