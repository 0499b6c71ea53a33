//! Connectors to the gateways of these tests, made as a new connector would be: a declaration, an allow-list of
//! replies, and the client that all connectors share.

use super::server::Kind;
use crate::{
    domain::{
        money::{Currency, Money},
        operation::Effect,
    },
    server::{
        db::gateways::GatewayRow,
        gateway::{
            ConnectError, Connector, Currencies, Descriptor, Found, GatewayClass, Identifier, Instruction, KeyGrammar,
            OrderSnapshot, OrderState, Promise, RefundRequest, Reply, ReplyClass, Target,
        },
        outbound::{
            SetupError,
            client::{self, Exchange},
        },
        processor::Connect,
        state::AppState,
    },
};
use async_trait::async_trait;
use reqwest::{Client, header::HeaderMap};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// What a connector gets wrong on purpose, to see that these tests would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// What did not answer in time is taken for not carried out.
    TimeoutIsFailed,
    /// A 5xx is taken for not carried out, and sent again.
    ErrorIsNotSent,
}

const KEYED: Descriptor = Descriptor {
    name: "keyed",
    label: "Keyed",
    effects: &[(Effect::Refund, Promise { class: GatewayClass::K, key_window: Some(Duration::from_secs(24 * 3600)) })],
    same_amount_gap: Duration::ZERO,
    refunds_by: &[Identifier::Order],
    keys: KeyGrammar { longest: 255, also: "-_" },
    reads_orders: true,
    balances_known: true,
    currencies: Currencies::Any,
    rate_limit: None,
    permanent: &[],
};
const LISTED: Descriptor = Descriptor {
    name: "listed",
    label: "Listed",
    effects: &[(Effect::Refund, Promise { class: GatewayClass::Q, key_window: None })],
    refunds_by: &[Identifier::Payment],
    keys: KeyGrammar { longest: 64, also: "-" },
    reads_orders: false,
    balances_known: false,
    ..KEYED
};
const MUTE: Descriptor = Descriptor {
    name: "mute",
    label: "Mute",
    effects: &[(Effect::Refund, Promise::NONE)],
    refunds_by: &[Identifier::Charge],
    keys: KeyGrammar { longest: 20, also: "" },
    currencies: Currencies::Only(&[Currency::Inr]),
    ..LISTED
};

pub(crate) fn descriptor(kind: Kind) -> &'static Descriptor {
    match kind {
        Kind::Keyed => &KEYED,
        Kind::Listed => &LISTED,
        Kind::Mute => &MUTE,
    }
}

/// Makes the connector of a kind for whatever connection asks.
pub(crate) struct Connectors {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) mistake: Mistake,
}

impl Connect for Connectors {
    fn connect(
        &self,
        state: &AppState,
        _: &GatewayRow,
        _: Currency,
        slots: usize,
    ) -> Result<Arc<dyn Connector>, ConnectError> {
        let config = &state.config;
        let client = client::build(config.gateway_timeout, slots, &config.allowed_hosts, false, HeaderMap::new());
        let client = client.map_err(SetupError::from)?;
        Ok(Arc::new(HttpConnector { kind: self.kind, base: self.url.clone(), client, mistake: self.mistake }))
    }
}

struct HttpConnector {
    kind: Kind,
    base: String,
    client: Client,
    mistake: Mistake,
}

#[derive(Deserialize)]
struct RefundBody {
    id: String,
    reference: Option<String>,
    charge: Option<String>,
    amount: i64,
    status: String,
}

#[derive(Deserialize)]
struct One {
    refund: RefundBody,
}

#[derive(Deserialize)]
struct Many {
    refunds: Vec<RefundBody>,
}

#[derive(Deserialize)]
struct Problem {
    error: String,
}

#[derive(Deserialize)]
struct Order {
    captured: i64,
    refunded: i64,
}

fn plain(exchange: &Exchange) -> Reply {
    let mut reply = Reply {
        class: ReplyClass::Unknown,
        http: None,
        reference: None,
        gateway_status: None,
        gateway_kind: None,
        code: None,
        message: Some("in doubt".to_owned()),
        confirmed_minor: None,
        wait: None,
        body: String::new(),
    };
    match exchange {
        Exchange::NotSent { code, .. } => (reply.class, reply.code) = (ReplyClass::NotSent, Some((*code).to_owned())),
        Exchange::NoReply { code, .. } => reply.code = Some((*code).to_owned()),
        Exchange::Reply(answer) => {
            (reply.http, reply.wait) = (Some(answer.status), answer.wait);
            reply.body = client::evidence(&answer.body, &[]);
        }
    }
    reply
}

fn parse<T: serde::de::DeserializeOwned>(exchange: &Exchange, status: u16) -> Option<T> {
    match exchange {
        Exchange::Reply(answer) if answer.status == status && answer.broken.is_none() => {
            serde_json::from_slice(&answer.body).ok()
        }
        _ => None,
    }
}

impl HttpConnector {
    /// The path of what is refunded, by the id that this gateway knows.
    fn refunds(&self, request: &RefundRequest) -> String {
        let (base, order) = (&self.base, &request.order_id);
        match (&request.target, self.kind) {
            (Target::Order, Kind::Keyed) => format!("{base}/orders/{order}/refunds"),
            (Target::Payment(id), Kind::Listed) => format!("{base}/payments/{id}/refunds"),
            (Target::Charge(id), Kind::Mute) => format!("{base}/charges/{id}/refunds"),
            (target, kind) => panic!("{target:?} was asked of a gateway that is {kind:?}"),
        }
    }

    fn judge(&self, reply: Reply, refund: &RefundBody, request: &RefundRequest) -> Reply {
        let class = match refund.status.as_str() {
            "succeeded" => ReplyClass::Succeeded,
            "failed" => ReplyClass::Failed,
            _ => return reply,
        };
        let ours = match self.kind {
            Kind::Keyed | Kind::Listed => refund.reference.as_deref() == Some(request.key.as_str()),
            Kind::Mute => refund.charge.as_deref() == Some(charge(request)),
        };
        if !ours || refund.amount != request.amount.minor {
            return Reply { class: ReplyClass::Review, ..reply };
        }
        let word = if class == ReplyClass::Succeeded { "SUCCESS" } else { "FAILURE" };
        Reply {
            class,
            reference: Some(refund.id.clone()),
            gateway_status: Some(word.to_owned()),
            confirmed_minor: Some(refund.amount),
            code: Some("declined".to_owned()),
            ..reply
        }
    }
}

fn charge(request: &RefundRequest) -> &str {
    match &request.target {
        Target::Charge(id) => id,
        other => panic!("{other:?}"),
    }
}

#[async_trait]
impl Connector for HttpConnector {
    fn descriptor(&self) -> &Descriptor {
        descriptor(self.kind)
    }

    async fn order(&self, order_id: &str) -> OrderState {
        assert!(self.descriptor().reads_orders, "asked for an order that this gateway does not know");
        let exchange = client::exchange(self.client.get(format!("{}/orders/{order_id}", self.base))).await;
        let reply = plain(&exchange);
        match parse::<Order>(&exchange, 200) {
            None => OrderState::NoAnswer(reply),
            Some(order) => OrderState::Known(OrderSnapshot {
                status: "CHARGED".to_owned(),
                charged: true,
                amount: Money::new(order.captured, Currency::Inr),
                refundable_minor: Some(order.captured - order.refunded),
                refunded_minor: order.refunded,
                transactions: Vec::new(),
                refunds: Vec::new(),
                body: reply.body,
            }),
        }
    }

    async fn send(&self, instruction: &Instruction) -> Reply {
        let Instruction::Refund(request) = instruction;
        let post = self.client.post(self.refunds(request));
        let post = match self.kind {
            Kind::Keyed => post
                .header("idempotency-key", &request.key)
                .json(&serde_json::json!({ "amount": request.amount.minor })),
            Kind::Listed => post.json(&serde_json::json!({ "amount": request.amount.minor, "reference": request.key })),
            Kind::Mute => post.json(&serde_json::json!({ "amount": request.amount.minor })),
        };
        let exchange = client::exchange(post).await;
        let reply = plain(&exchange);
        match self.mistake {
            Mistake::TimeoutIsFailed if reply.code.as_deref() == Some("timeout") => {
                return Reply { class: ReplyClass::Failed, ..reply };
            }
            Mistake::ErrorIsNotSent if reply.http.is_some_and(|http| http >= 500) => {
                return Reply { class: ReplyClass::NotSent, ..reply };
            }
            _ => {}
        }
        if let Some(One { refund }) = parse(&exchange, 200) {
            return self.judge(reply, &refund, request);
        }
        match parse::<Problem>(&exchange, 402) {
            Some(problem) if problem.error == "declined" => {
                Reply { class: ReplyClass::Failed, code: Some("declined".to_owned()), ..reply }
            }
            // Neither 409, 429 nor 503: nothing in these gateways' contracts says that they prove anything.
            _ => reply,
        }
    }

    async fn find(&self, instruction: &Instruction) -> Found {
        let Instruction::Refund(request) = instruction;
        let path = match self.kind {
            Kind::Keyed => format!("{}/{}", self.refunds(request), request.key),
            Kind::Listed => self.refunds(request),
            Kind::Mute => panic!("asked a gateway that answers no questions"),
        };
        let exchange = client::exchange(self.client.get(path)).await;
        let reply = plain(&exchange);
        let judged = |refund: &RefundBody, reply: Reply| match self.judge(reply, refund, request) {
            reply if reply.class == ReplyClass::Unknown => Found::NoAnswer(reply),
            reply => Found::Record(reply),
        };
        match self.kind {
            Kind::Keyed => match (parse::<One>(&exchange, 200), parse::<Problem>(&exchange, 404)) {
                (Some(one), _) => judged(&one.refund, reply),
                (None, Some(problem)) if problem.error == "no_such_refund" => Found::NotFound(reply),
                _ => Found::NoAnswer(Reply { class: ReplyClass::Unknown, ..reply }),
            },
            _ => match parse::<Many>(&exchange, 200) {
                None => Found::NoAnswer(Reply { class: ReplyClass::Unknown, ..reply }),
                Some(many) => {
                    let ours = |refund: &&RefundBody| refund.reference.as_deref() == Some(request.key.as_str());
                    match many.refunds.iter().filter(ours).collect::<Vec<_>>().as_slice() {
                        [] => Found::NotFound(reply),
                        [one] => judged(one, reply),
                        _ => Found::Record(Reply { class: ReplyClass::Review, ..reply }),
                    }
                }
            },
        }
    }
}
