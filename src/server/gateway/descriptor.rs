//! What a connector declares of the gateway it speaks to, so that the rest of the program asks for no connector by
//! name.

use super::{GatewayClass, Target};
use crate::domain::{gateway::Promise, money::Currency, operation::Effect};
use std::time::Duration;

/// A connector and what its gateway is like. Facts of the gateway's contract; what one connection really promises is
/// measured, and stored with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name in the database and on the command line, `juspay`.
    pub name: &'static str,
    /// Its name for people, `Juspay`.
    pub label: &'static str,
    /// What it can carry out, and what its gateway is believed to promise of each. A batch of anything else is refused
    /// at intake. A belief is a ceiling: nothing is sent again because of it, and what is measured or declared never
    /// exceeds it.
    pub effects: &'static [(Effect, Promise)],
    /// The shortest time between two requests of the same order and amount; zero where the gateway does not mind.
    pub same_amount_gap: Duration,
    /// What a refund names, in the order in which a record's ids are tried.
    pub refunds_by: &'static [Identifier],
    /// Which keys the gateway takes.
    pub keys: KeyGrammar,
    /// Whether an order can be read before its first refund (preflight).
    pub reads_orders: bool,
    /// Whether what is left to refund is known to us. Without it the gateway's own refusal of an over-refund is relied
    /// on.
    pub balances_known: bool,
    /// The currencies it carries out.
    pub currencies: Currencies,
    /// What a new connection starts with: requests a second, of sends and questions together. None: no limit is known.
    pub rate_limit: Option<u32>,
    /// Its error codes that no repeat of the same request can mend.
    pub permanent: &'static [Permanent],
}

/// An error code after which the same request fails again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permanent {
    /// The code in lower case; one that ends with `*` names all that begin so.
    pub code: &'static str,
    /// Why, as a sentence for people.
    pub why: &'static str,
}

impl Permanent {
    /// Whether this code is meant, however it is written.
    pub fn is(&self, code: &str) -> bool {
        let code = code.to_ascii_lowercase();
        self.code.strip_suffix('*').map_or(code == self.code, |beginning| code.starts_with(beginning))
    }
}

/// An id by which a gateway knows what is to be refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// The merchant's order.
    Order,
    /// One transaction of an order.
    Transaction,
    /// A payment.
    Payment,
    /// A charge.
    Charge,
}

/// Which keys a gateway takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyGrammar {
    /// Longest key.
    pub longest: usize,
    /// Characters allowed beside ASCII letters and digits.
    pub also: &'static str,
}

impl KeyGrammar {
    /// Whether this key can be sent as it is.
    pub fn takes(&self, key: &str) -> bool {
        !key.is_empty()
            && key.len() <= self.longest
            && key.chars().all(|c| c.is_ascii_alphanumeric() || self.also.contains(c))
    }
}

/// Which currencies a gateway carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currencies {
    /// Whatever the merchant's account has.
    Any,
    /// These.
    Only(&'static [Currency]),
}

impl Currencies {
    /// Whether this one is among them.
    pub fn has(&self, currency: Currency) -> bool {
        match self {
            Self::Any => true,
            Self::Only(these) => these.contains(&currency),
        }
    }
}

/// Calls on the wire at once where what is in doubt cannot be sent again: as few as a crash may leave to people.
const IN_DOUBT_AT_MOST: usize = 8;

/// How many calls may be on the wire of a connection of this class that is set to `wanted`.
pub fn concurrency_in_force(class: GatewayClass, wanted: usize) -> usize {
    match class {
        GatewayClass::K => wanted,
        GatewayClass::Q | GatewayClass::N => wanted.min(IN_DOUBT_AT_MOST),
    }
}

impl Descriptor {
    /// What its gateway is believed to promise of an effect; none for what it cannot carry out.
    pub fn believed(&self, effect: Effect) -> Option<Promise> {
        self.effects.iter().find(|(carried, _)| *carried == effect).map(|(_, believed)| *believed)
    }

    /// Whether it can carry out this effect.
    pub fn carries_out(&self, effect: Effect) -> bool {
        self.believed(effect).is_some()
    }

    /// The currency of its connections, for an organisation that works in this one: the same where the gateway carries
    /// it out, else the gateway's own.
    pub fn currency(&self, organisation: Currency) -> Currency {
        match self.currencies {
            Currencies::Only([own, ..]) if !self.currencies.has(organisation) => *own,
            Currencies::Only(_) | Currencies::Any => organisation,
        }
    }

    /// What a refund of this record names. A record with a `txn_id` is refunded by it, never by the whole order;
    /// without one, a gateway that knows no orders takes the id in `order_id` for its own. None: the gateway has no id
    /// for such a record.
    pub fn target(&self, order_id: &str, txn_id: Option<&str>) -> Option<Target> {
        let named = |by: &Identifier, id: &str| match by {
            Identifier::Order => Target::Order,
            Identifier::Transaction => Target::Transaction(id.to_owned()),
            Identifier::Payment => Target::Payment(id.to_owned()),
            Identifier::Charge => Target::Charge(id.to_owned()),
        };
        let by_order = self.refunds_by.contains(&Identifier::Order);
        match txn_id {
            Some(txn_id) => {
                let by = self.refunds_by.iter().find(|by| **by != Identifier::Order)?;
                Some(named(by, txn_id))
            }
            None if by_order => Some(Target::Order),
            // By a transaction of the order, which it does not name.
            None => {
                let by = self.refunds_by.iter().find(|by| **by != Identifier::Transaction)?;
                Some(named(by, order_id))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Descriptor = Descriptor {
        name: "x",
        label: "X",
        effects: &[(Effect::Refund, Promise::NONE)],
        same_amount_gap: Duration::ZERO,
        refunds_by: &[Identifier::Order, Identifier::Transaction],
        keys: KeyGrammar { longest: 20, also: "" },
        reads_orders: true,
        balances_known: true,
        currencies: Currencies::Any,
        rate_limit: None,
        permanent: &[],
    };

    #[test]
    fn a_record_with_a_transaction_is_never_refunded_by_order() {
        let by = |refunds_by| Descriptor { refunds_by, ..BASE };
        let both = by(&[Identifier::Order, Identifier::Transaction]);
        assert_eq!(both.target("O1", None), Some(Target::Order));
        assert_eq!(both.target("O1", Some("T1")), Some(Target::Transaction("T1".to_owned())));
        let orders = by(&[Identifier::Order]);
        assert_eq!(orders.target("O1", Some("T1")), None, "the whole order would be another refund");
        let payments = by(&[Identifier::Payment]);
        assert_eq!(payments.target("pay_1", None), Some(Target::Payment("pay_1".to_owned())));
        assert_eq!(payments.target("O1", Some("pay_1")), Some(Target::Payment("pay_1".to_owned())));
        let charges = by(&[Identifier::Charge, Identifier::Payment]);
        assert_eq!(charges.target("ch_1", None), Some(Target::Charge("ch_1".to_owned())));
        let transactions = by(&[Identifier::Transaction]);
        assert_eq!(transactions.target("O1", None), None);
    }

    #[test]
    fn doubt_is_kept_small_where_nothing_can_be_sent_again() {
        for class in [GatewayClass::Q, GatewayClass::N] {
            assert_eq!(concurrency_in_force(class, 100), 8);
            assert_eq!(concurrency_in_force(class, 3), 3);
        }
        assert_eq!(concurrency_in_force(GatewayClass::K, 100), 100);
    }

    #[test]
    fn keys_fit_their_grammar() {
        let grammar = KeyGrammar { longest: 5, also: "-_" };
        for good in ["a", "A-1_z"] {
            assert!(grammar.takes(good), "{good}");
        }
        for bad in ["", "abcdef", "a b", "ä", "a.b"] {
            assert!(!grammar.takes(bad), "{bad}");
        }
    }

    #[test]
    fn a_connection_has_one_currency_its_gateways_where_it_must() {
        let of = |currencies| Descriptor { currencies, ..BASE };
        assert_eq!(of(Currencies::Any).currency(Currency::Inr), Currency::Inr);
        assert_eq!(of(Currencies::Only(&[Currency::Aud])).currency(Currency::Inr), Currency::Aud);
        assert_eq!(of(Currencies::Only(&[Currency::Aud, Currency::Inr])).currency(Currency::Inr), Currency::Inr);
    }

    #[test]
    fn currencies_are_any_or_these() {
        assert!(Currencies::Any.has(Currency::Usd));
        assert!(Currencies::Only(&[Currency::Inr]).has(Currency::Inr));
        assert!(!Currencies::Only(&[Currency::Inr]).has(Currency::Usd));
    }
}
