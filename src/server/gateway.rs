//! Gateways: the payment systems that carry out tasks. One file per connector.
//!
//! A connector turns a refund into the gateway's request and a reply into one of the classes of the money protocol. It never
//! decides what happens next, and it never sends a request twice by itself.

pub mod address;
mod client;
pub mod juspay;
pub mod webhook;

use crate::domain::{
    money::{Currency, Money},
    view::Split,
};
use async_trait::async_trait;
use secrecy::SecretString;
use std::{sync::Arc, time::Duration};

/// What a gateway promises about repeated requests. Unknown gateways are `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayClass {
    /// Keeps every outcome under our key for a known window: the same request may be sent again with the same key.
    K,
    /// Answers a status query only: what may have happened is asked after, never sent again.
    Q,
    /// Neither: what may have happened goes to people.
    N,
}

impl GatewayClass {
    /// The letter in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::K => "K",
            Self::Q => "Q",
            Self::N => "N",
        }
    }

    /// The class with this letter.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::K, Self::Q, Self::N].into_iter().find(|class| class.code() == code)
    }
}

/// One refund as it is to be sent. Made once from the record; a resend is the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// The key that the gateway knows it by (Juspay: `unique_request_id`, 1 to 20 alphanumeric characters).
    pub key: String,
    /// The order to refund.
    pub order_id: String,
    /// The transaction to refund instead; none for a refund by order.
    pub txn_id: Option<String>,
    /// Amount.
    pub amount: Money,
    /// Parts of a split settlement.
    pub split: Option<Split>,
}

/// The classes of the money protocol. Anything a connector does not know for sure is `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyClass {
    /// Carried out.
    Succeeded,
    /// Definitely not carried out.
    Failed,
    /// Taken, not final.
    Pending,
    /// It may have been carried out.
    Unknown,
    /// Proved not carried out (nothing was written, or the gateway said so): may be sent again after a wait.
    NotSent,
    /// Only people can tell (amount or key does not match).
    Review,
    /// The gateway refused our credentials (401, 403): stops the connection. The refund itself was not carried out by this
    /// request; an earlier one may still have been.
    Refused,
}

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
    pub refund_status: Option<String>,
    /// STANDARD, INSTANT.
    pub refund_type: Option<String>,
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

/// A connection to one gateway with one organisation's credentials.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// The shortest time between two requests of the same order and amount (Juspay refuses them within 5 s).
    fn same_amount_gap(&self) -> Duration;
    /// Reads an order, before the first attempt.
    async fn order(&self, order_id: &str) -> OrderState;
    /// Sends a refund, once. Never retries by itself, follows no redirect.
    async fn refund(&self, request: &RefundRequest) -> Reply;
    /// Asks what became of a refund, by its key.
    async fn find(&self, request: &RefundRequest) -> Found;
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
    /// The organisation's currency.
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
    #[error("There is no connector {0:?}. Batchdesk knows: juspay.")]
    UnknownConnector(String),
    /// The address is not one that we talk to.
    #[error("{0}")]
    Address(String),
    /// Key or merchant id cannot be sent as they are.
    #[error("The {0} is empty or holds characters that cannot be sent. Copy it again from the gateway.")]
    Credentials(&'static str),
    /// The HTTP client cannot be made, for example because the machine has no root certificates.
    #[error("The connection to the gateway cannot be prepared. The log says why.")]
    Client(#[source] reqwest::Error),
}

/// Makes the connector that `connection` names.
pub fn connect(connection: &Connection) -> Result<Arc<dyn Gateway>, ConnectError> {
    match connection.connector.as_str() {
        "juspay" => Ok(Arc::new(juspay::Juspay::new(connection)?)),
        other => Err(ConnectError::UnknownConnector(other.to_owned())),
    }
}
