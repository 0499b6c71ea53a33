//! Gateways: the payment systems that carry out tasks. One file per connector, our adapter to one kind of gateway.
//!
//! A connector turns an instruction into the gateway's request and a reply into one of the classes of the money
//! protocol. It never decides what happens next, and it never sends an instruction twice by itself.
//!
//! To add a connector:
//!
//! 1. Write its [`Descriptor`]: the effects it carries out, how it names what is refunded, which keys it takes, which
//!    error codes no repeat can mend. What it believes of each effect is what its contract says, and only ever a
//!    ceiling: every effect of a connection starts at class N, until it is measured or declared.
//! 2. Implement [`Connector`] in a file beside `juspay.rs`. `send` and `find` match on [`Instruction`]; requests go
//!    through `server::outbound`, which sends each once. `order` and `refunds_of` are asked only where the descriptor
//!    says so.
//! 3. Read replies by an allow-list. Succeeded and Failed need the gateway's own words for this key and amount;
//!    `NotSent` is for replies that surely had no effect, by the gateway's contract; everything else is Unknown, a
//!    timeout and any 5xx among it.
//! 4. Keep secrets out of what is kept: bodies go through `client::evidence`.
//! 5. Add a line to `CONNECTORS`. Pages, the command line and intake read the descriptor; nothing asks for a connector
//!    by name.
//! 6. Test it against its simulator and against servers that misbehave (`juspay/tests/servers.rs`), and add its kind to
//!    the matrix of `tests/processor/matrix`, which counts how often money moved.
//!
//! A new effect is a variant of [`Instruction`]: the compiler then names every place that must say what it does with
//! it.

mod descriptor;
mod instruction;
pub mod juspay;

pub use crate::domain::{
    gateway::Promise,
    protocol::{GatewayClass, ReplyClass},
};
pub use descriptor::{Currencies, Descriptor, Identifier, KeyGrammar, Permanent, concurrency_in_force};
pub use instruction::{Instruction, RefundRequest, Target};

use super::{outbound::SetupError, secrets::CannotOpen};
use crate::domain::{
    money::{Currency, Money},
    operation::Effect,
    retry,
};
use async_trait::async_trait;
use secrecy::SecretString;
use std::{sync::Arc, time::Duration};

/// A reply, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it means.
    pub class: ReplyClass,
    /// HTTP status; none when there was no reply.
    pub http: Option<u16>,
    /// The gateway's reference (`refunds[].ref`).
    pub reference: Option<String>,
    /// The gateway's word for the refund's state: PENDING, SUCCESS, FAILURE, MANUAL_REVIEW.
    pub gateway_status: Option<String>,
    /// STANDARD, INSTANT.
    pub gateway_kind: Option<String>,
    /// Short code for grouping (`refund.not.allowed`, `timeout`, `http_500`).
    pub code: Option<String>,
    /// One sentence for people.
    pub message: Option<String>,
    /// The amount the gateway confirmed, minor units.
    pub confirmed_minor: Option<i64>,
    /// How long to wait before anything else about this task (Retry-After, or the connector's own gap).
    pub wait: Option<Duration>,
    /// The reply as it came, without secrets, cut at 64 KiB; a description when there was none.
    pub body: String,
}

/// What a status query found out about one refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The gateway has a record under our key; `reply.class` is Succeeded, Failed, Pending or Review.
    Record(Reply),
    /// The gateway answered and has no refund under our key. Never means FAILED.
    NotFound(Reply),
    /// The query itself failed; says nothing about the refund. `reply.class` is Unknown or Refused.
    NoAnswer(Reply),
}

/// The order as the gateway sees it before the first refund of a batch (preflight).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// The order is there.
    Known(OrderSnapshot),
    /// The gateway answered that it does not know the order.
    Missing(Reply),
    /// The read failed; says nothing about the order. `class` is Unknown, NotSent or Refused.
    NoAnswer(Reply),
}

/// What is known of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSnapshot {
    /// The gateway's word for its state (`CHARGED`).
    pub status: String,
    /// Whether money was captured, so that it can be refunded.
    pub charged: bool,
    /// Amount of the order.
    pub amount: Money,
    /// What can still be refunded, minor units; none when the gateway does not say.
    pub refundable_minor: Option<i64>,
    /// What was refunded already, minor units.
    pub refunded_minor: i64,
    /// Transactions of the order.
    pub transactions: Vec<String>,
    /// Refunds of the order, ours and others'.
    pub refunds: Vec<SeenRefund>,
    /// The reply as it came, without secrets, cut at 64 KiB.
    pub body: String,
}

/// The gateway's list of an order's refunds, for reconciliation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// The refunds that the gateway shows of the order; empty when it does not know the order.
    Refunds(Vec<ListedRefund>),
    /// The read failed; says nothing about the order. `class` is Unknown, NotSent or Refused.
    NoAnswer(Reply),
    /// This kind of gateway has no such list.
    CannotList,
}

/// One refund of such a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRefund {
    /// The key that it was asked for under, where the gateway says.
    pub key: Option<String>,
    /// The gateway's reference.
    pub reference: Option<String>,
    /// The gateway's word for its state.
    pub status: String,
    /// Succeeded, Failed, Pending, Review; Unknown for a word that the connector does not know.
    pub class: ReplyClass,
    /// Minor units; none when it names no amount that can be read, or another currency.
    pub amount_minor: Option<i64>,
}

/// A refund as the order names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenRefund {
    /// The key that it was made under.
    pub key: String,
    /// The gateway's reference; may be empty.
    pub reference: String,
    /// Minor units; none when the amount cannot be read.
    pub amount_minor: Option<i64>,
    /// The gateway's word.
    pub status: String,
    /// STANDARD, INSTANT, or empty.
    pub kind: String,
}

/// Our adapter to one gateway, with one organisation's credentials.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What it declares.
    fn descriptor(&self) -> &Descriptor;
    /// The shortest time between two requests of the same order and amount (Juspay refuses them within 5 s).
    fn same_amount_gap(&self) -> Duration {
        self.descriptor().same_amount_gap
    }
    /// Carries out an instruction, once. Never retries by itself, follows no redirect.
    async fn send(&self, instruction: &Instruction) -> Reply;
    /// Asks what became of an instruction, by its key.
    async fn find(&self, instruction: &Instruction) -> Found;
    /// Reads an order, before its first refund and for order sync. Only asked where the connector declares that orders
    /// can be read.
    async fn order(&self, order_id: &str) -> OrderState;
    /// All refunds of an order in `currency`, whoever asked for them.
    async fn refunds_of(&self, order_id: &str, currency: Currency) -> Listing {
        let _ = (order_id, currency);
        Listing::CannotList
    }
}

/// What a connector is made of: one organisation's account at one gateway.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Name of the connector, `juspay`.
    pub connector: String,
    /// Where the gateway answers. Checked again here, and at each connect.
    pub base_url: String,
    /// The merchant's id at the gateway.
    pub merchant_id: String,
    /// The merchant's key at the gateway.
    pub api_key: SecretString,
    /// The currency of its batches.
    pub currency: Currency,
    /// Longest wait for a reply.
    pub timeout: Duration,
    /// Requests on the wire at once; so many connections are kept open.
    pub concurrency: usize,
    /// Hosts inside private ranges that the operator allowed.
    pub allowed_hosts: Vec<String>,
}

/// Why there is no connection. The text is for people.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No connector has this name.
    #[error("There is no connector {0:?}. Batchdesk knows: {known}.", known = known())]
    UnknownConnector(String),
    /// Nothing can be sent to its address.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Its key cannot be read.
    #[error(transparent)]
    Key(#[from] CannotOpen),
}

/// How the connector of a connection is made.
type Make = fn(&Connection) -> Result<Arc<dyn Connector>, ConnectError>;

/// All connectors of this program. A new one is a file beside `juspay.rs` and a line here.
const CONNECTORS: [(&Descriptor, Make); 1] =
    [(&juspay::DESCRIPTOR, |connection| Ok(Arc::new(juspay::Juspay::new(connection)?)))];

/// What the connectors of this program declare, in the order in which people are offered them.
pub fn descriptors() -> impl Iterator<Item = &'static Descriptor> {
    CONNECTORS.iter().map(|(descriptor, _)| *descriptor)
}

/// What the connector of this name declares.
pub fn descriptor(name: &str) -> Option<&'static Descriptor> {
    descriptors().find(|descriptor| descriptor.name == name)
}

/// What the connector of this name carries out.
pub fn effects(name: &str) -> Vec<Effect> {
    descriptor(name).map_or_else(Vec::new, |declared| declared.effects.iter().map(|(effect, _)| *effect).collect())
}

/// What is declared of every effect of this connector, as far as its gateway's contract goes.
pub fn declared(connector: &Descriptor, promise: Promise) -> Vec<(Effect, Promise)> {
    connector.effects.iter().map(|(effect, believed)| (*effect, promise.at_most(*believed))).collect()
}

/// Whether the connector of this name can carry out this effect. The error is a sentence that refuses a batch.
pub fn carries_out(name: &str, effect: Effect) -> Result<(), String> {
    let declared = descriptor(name);
    if declared.is_some_and(|declared| declared.carries_out(effect)) {
        return Ok(());
    }
    let label = declared.map_or(name, |declared| declared.label);
    Err(format!(
        "{label} does not carry out {}. Choose a connection that does, then upload the file again.",
        effect.things()
    ))
}

/// The currency of a connection of this connector, for an organisation that works in `organisation`.
pub fn currency(name: &str, organisation: Currency) -> Currency {
    descriptor(name).map_or(organisation, |declared| declared.currency(organisation))
}

/// Why a row that failed with this code at a gateway of this connector fails again as it is, as a sentence; none where
/// sending it again may work.
pub fn fails_again(name: &str, code: Option<&str>) -> Option<&'static str> {
    let code = code?;
    retry::fails_again(code)
        .or_else(|| descriptor(name)?.permanent.iter().find(|known| known.is(code)).map(|known| known.why))
}

/// The names of all connectors, for sentences.
pub fn known() -> String {
    descriptors().map(|descriptor| descriptor.name).collect::<Vec<_>>().join(", ")
}

/// Makes the connector that `connection` names.
pub fn connect(connection: &Connection) -> Result<Arc<dyn Connector>, ConnectError> {
    match CONNECTORS.iter().find(|(descriptor, _)| descriptor.name == connection.connector) {
        Some((_, make)) => make(connection),
        None => Err(ConnectError::UnknownConnector(connection.connector.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::refunds::gateway_key;

    #[test]
    fn what_connectors_declare_holds_together() {
        for declared in descriptors() {
            let name = declared.name;
            let derived = gateway_key(None, &[7; 16], 1, 1);
            assert!(
                declared.keys.takes(&derived),
                "{name} does not take the keys that are made for records without one"
            );
            assert!(!declared.effects.is_empty(), "{name} carries out nothing");
            for (effect, believed) in declared.effects {
                assert_eq!(*believed, Promise::new(believed.class, believed.key_window), "{name}: {effect:?}");
            }
            assert!(declared.target("O", None).is_some(), "{name} can refund nothing that a file names");
            assert!(declared.rate_limit.is_none_or(|limit| limit > 0), "{name}");
            assert_eq!(descriptors().filter(|other| other.name == name).count(), 1, "{name} is there twice");
            assert_eq!(descriptor(name), Some(declared));
        }
        assert!(descriptor("nobody").is_none());
    }

    #[test]
    fn what_is_declared_never_exceeds_what_the_connector_believes() {
        const EFFECTS: &[(Effect, Promise)] = &[
            (
                Effect::PaymentRequest,
                Promise { class: GatewayClass::K, key_window: Some(Duration::from_secs(7_776_000)) },
            ),
            (Effect::PaymentInitiation, Promise { class: GatewayClass::Q, key_window: None }),
            (Effect::Refund, Promise::NONE),
        ];
        let connector = Descriptor { effects: EFFECTS, ..juspay::DESCRIPTOR };
        let day = Some(Duration::from_secs(24 * 3600));
        let classes =
            |class| declared(&connector, Promise::new(class, day)).into_iter().map(|(_, granted)| granted.class);
        assert!(classes(GatewayClass::K).eq([GatewayClass::K, GatewayClass::Q, GatewayClass::N]));
        assert!(classes(GatewayClass::Q).eq([GatewayClass::Q, GatewayClass::Q, GatewayClass::N]));
        assert!(classes(GatewayClass::N).eq([GatewayClass::N; 3]));
    }
}
