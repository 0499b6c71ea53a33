//! The Juspay Express Checkout connector.
//!
//! `unique_request_id` is the key: Juspay refuses a second refund of an order under the same one, and lists the refunds
//! of an order with their keys, so that what may have happened can be asked after.

mod form;
mod reading;
mod wire;

use super::{
    Connection, Connector, Currencies, Descriptor, Found, GatewayClass, Identifier, Instruction, KeyGrammar, Listing,
    OrderState, Permanent, Promise, Reply, ReplyClass, Target,
};
use crate::{
    domain::{money::Currency, operation::Effect},
    outbound::{
        SetupError, address,
        client::{self, Exchange},
    },
};
use async_trait::async_trait;
use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Client, RequestBuilder,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use std::{fmt, time::Duration};
use zeroize::Zeroizing;

/// The dialect that we speak.
const VERSION: &str = "2023-06-30";
/// Juspay refuses a second refund of an order with the same amount within 5 s of the first, by its own clock.
const SAME_AMOUNT_GAP: Duration = Duration::from_secs(6);
/// All but the unreserved characters of RFC 3986: an order id is one segment of the path, whatever it holds.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is declared of Juspay. The class is a belief: its contract says that a key cannot be used for a second refund
/// of an order, and names no time after which it forgets; one day is what can be counted on. What a connection does is
/// measured.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "juspay",
    label: "Juspay",
    effects: &[(Effect::Refund, Promise { class: GatewayClass::K, key_window: Some(Duration::from_secs(24 * 3600)) })],
    same_amount_gap: SAME_AMOUNT_GAP,
    refunds_by: &[Identifier::Order, Identifier::Transaction],
    keys: KeyGrammar { longest: 20, also: "" },
    reads_orders: true,
    balances_known: true,
    currencies: Currencies::Any,
    rate_limit: None,
    permanent: &[
        Permanent {
            code: "order_not_found",
            why: "The gateway has no such order. It fails again unless the order ID is corrected.",
        },
        Permanent {
            code: "invalid.amount.exceeded",
            why: "It fails again unless the amount is lowered to what is left.",
        },
        Permanent {
            code: "invalid amount",
            why: "The gateway does not take this amount. It fails again unless the amount is corrected.",
        },
        Permanent {
            code: "refund.not.allowed",
            why: "The gateway does not allow a refund of this order. Sent as it is, it fails again.",
        },
        Permanent {
            code: "invalid.order.not_success*",
            why: "The order was not paid. It fails again unless it has been paid since.",
        },
    ],
};

/// One merchant's account at Juspay.
pub struct Juspay {
    client: Client,
    /// Without a slash at its end.
    base: String,
    /// What must not appear in anything that is kept: the key, and the header made of it.
    secrets: [SecretString; 2],
    timeout: Duration,
}

impl fmt::Debug for Juspay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Juspay").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Juspay {
    /// Prepares the account; nothing is sent.
    pub(super) fn new(connection: &Connection) -> Result<Self, SetupError> {
        let base = address::check(&connection.base_url, &connection.allowed_hosts).map_err(SetupError::Address)?;
        let key = connection.api_key.expose_secret();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return Err(SetupError::Credentials("API key"));
        }
        if connection.merchant_id.is_empty() {
            return Err(SetupError::Credentials("merchant id"));
        }
        let basic = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(format!("{key}:")));
        let mut headers = HeaderMap::new();
        let mut authorization = HeaderValue::from_str(&Zeroizing::new(format!("Basic {}", *basic)))
            .map_err(|_| SetupError::Credentials("API key"))?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        let merchant = HeaderValue::from_str(&connection.merchant_id);
        let merchant = merchant.map_err(|_| SetupError::Credentials("merchant id"))?;
        headers.insert(HeaderName::from_static("x-merchantid"), merchant);
        headers.insert(HeaderName::from_static("version"), HeaderValue::from_static(VERSION));
        let client = client::build(
            connection.timeout,
            connection.concurrency,
            &connection.allowed_hosts,
            base.scheme() == "https",
            headers,
        )?;
        Ok(Self {
            client,
            base: base.as_str().trim_end_matches('/').to_owned(),
            secrets: [connection.api_key.clone(), SecretString::from(basic.as_str())],
            timeout: connection.timeout,
        })
    }

    fn read_order(&self, segment: &str) -> RequestBuilder {
        let request = self.client.get(format!("{}/orders/{segment}", self.base));
        request.header("x-routing-id", segment)
    }

    fn evidence(&self, body: &[u8]) -> String {
        let [key, header] = &self.secrets;
        client::evidence(body, &[header.expose_secret(), key.expose_secret()])
    }

    /// The gateway's own words are passed on, and a gateway may quote what it was sent.
    fn scrub(&self, reply: Reply) -> Reply {
        let clean = |text: Option<String>| text.map(|text| self.evidence(text.as_bytes()));
        Reply { code: clean(reply.code), message: clean(reply.message), ..reply }
    }
}

/// The order id as one segment of the path. `.` and `..` cannot be one, in whatever way they are written.
fn segment(order_id: &str) -> Option<String> {
    match order_id {
        "" | "." | ".." => None,
        _ => Some(utf8_percent_encode(order_id, SEGMENT).to_string()),
    }
}

fn unusable_order_id(order_id: &str) -> Reply {
    Reply {
        class: ReplyClass::Failed,
        http: None,
        reference: None,
        gateway_status: None,
        gateway_kind: None,
        code: Some("order_id".to_owned()),
        message: Some(format!("{order_id:?} cannot be the id of an order at Juspay, so nothing was sent.")),
        confirmed_minor: None,
        wait: None,
        body: "Nothing was sent.".to_owned(),
    }
}

/// Made by a mistake of ours only: the descriptor names orders and transactions.
fn not_a_target() -> Reply {
    Reply {
        code: Some("target".to_owned()),
        message: Some("Juspay refunds orders and transactions only, so nothing was sent.".to_owned()),
        ..unusable_order_id("")
    }
}

#[async_trait]
impl Connector for Juspay {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    async fn order(&self, order_id: &str) -> OrderState {
        let Some(segment) = segment(order_id) else { return OrderState::Missing(unusable_order_id(order_id)) };
        let exchange = client::exchange(self.read_order(&segment)).await;
        match reading::order(self.base_reply(&exchange), exchange, order_id) {
            OrderState::Known(snapshot) => OrderState::Known(snapshot),
            OrderState::Missing(reply) => OrderState::Missing(self.scrub(reply)),
            OrderState::NoAnswer(reply) => OrderState::NoAnswer(self.scrub(reply)),
        }
    }

    async fn send(&self, instruction: &Instruction) -> Reply {
        let Instruction::Refund(request) = instruction;
        let Some(segment) = segment(&request.order_id) else { return unusable_order_id(&request.order_id) };
        let post = match request.target {
            Target::Order => self.client.post(format!("{}/orders/{segment}/refunds", self.base)),
            Target::Transaction(_) => self.client.post(format!("{}/refunds", self.base)),
            Target::Payment(_) | Target::Charge(_) => return not_a_target(),
        };
        let post = post.header("x-routing-id", segment).form(&form::fields(request));
        let exchange = client::exchange(post).await;
        self.scrub(reading::refund(self.base_reply(&exchange), exchange, request))
    }

    async fn find(&self, instruction: &Instruction) -> Found {
        let Instruction::Refund(request) = instruction;
        let Some(segment) = segment(&request.order_id) else {
            let reply = unusable_order_id(&request.order_id);
            return Found::NoAnswer(Reply { class: ReplyClass::Unknown, ..reply });
        };
        let exchange = client::exchange(self.read_order(&segment)).await;
        match reading::find(self.base_reply(&exchange), exchange, request) {
            Found::Record(reply) => Found::Record(self.scrub(reply)),
            Found::NotFound(reply) => Found::NotFound(self.scrub(reply)),
            Found::NoAnswer(reply) => Found::NoAnswer(self.scrub(reply)),
        }
    }

    async fn refunds_of(&self, order_id: &str, currency: Currency) -> Listing {
        // What cannot be an order there has no refunds there: nothing of it was ever sent.
        let Some(segment) = segment(order_id) else { return Listing::Refunds(Vec::new()) };
        let exchange = client::exchange(self.read_order(&segment)).await;
        match reading::refunds(self.base_reply(&exchange), exchange, order_id, currency) {
            Listing::NoAnswer(reply) => Listing::NoAnswer(self.scrub(reply)),
            listing => listing,
        }
    }
}

impl Juspay {
    /// What is known of a reply before its body is read: nothing, so it is in doubt.
    fn base_reply(&self, exchange: &Exchange) -> Reply {
        let mut reply = Reply {
            class: ReplyClass::Unknown,
            http: None,
            reference: None,
            gateway_status: None,
            gateway_kind: None,
            code: None,
            message: None,
            confirmed_minor: None,
            wait: None,
            body: String::new(),
        };
        let seconds = self.timeout.as_secs();
        match exchange {
            Exchange::NotSent { code, detail } => {
                reply.class = ReplyClass::NotSent;
                reply.code = Some((*code).to_owned());
                reply.message = Some(match *code {
                    "private_network" => {
                        "The gateway's address leads into a private network; nothing was sent.".to_owned()
                    }
                    _ => "The gateway could not be reached; nothing was sent.".to_owned(),
                });
                reply.body = self.evidence(detail.as_bytes());
            }
            Exchange::NoReply { code, detail } => {
                reply.code = Some((*code).to_owned());
                reply.message = Some(match *code {
                    "timeout" if seconds > 0 => format!("The gateway did not answer within {seconds} seconds."),
                    "timeout" => "The gateway did not answer in time.".to_owned(),
                    _ => "The connection to the gateway ended without an answer.".to_owned(),
                });
                reply.body = self.evidence(detail.as_bytes());
            }
            Exchange::Reply(answer) => {
                reply.http = Some(answer.status);
                reply.wait = answer.wait;
                reply.body = self.evidence(&answer.body);
                reply.code = Some(answer.broken.map_or_else(|| format!("http_{}", answer.status), str::to_owned));
                reply.message = Some(match answer.broken {
                    Some("reply_too_large") => "The gateway's answer was too long to be read.".to_owned(),
                    Some(_) => "The gateway's answer broke off in the middle.".to_owned(),
                    None => format!("The gateway answered with status {} and nothing that can be read.", answer.status),
                });
            }
        }
        reply
    }
}

#[cfg(test)]
mod tests;
