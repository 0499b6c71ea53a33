//! A gateway that does what the order's prefix says, and remembers what it did: the ground truth of these tests.

use crate::{
    domain::money::{Currency, Money},
    server::{
        db::gateways::GatewayRow,
        gateway::{
            ConnectError, Connector, Descriptor, Found, Instruction, ListedRefund, Listing, OrderSnapshot, OrderState,
            Reply, ReplyClass, juspay,
        },
        processor::Connect,
        state::AppState,
    },
};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// One request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) key: String,
    pub(super) order: String,
    pub(super) minor: i64,
    pub(super) at: Instant,
}

#[derive(Default)]
pub(super) struct Books {
    calls: Vec<Call>,
    /// Effects by key: money moved so often.
    effects: HashMap<String, u32>,
    finds: HashMap<String, u32>,
}

impl Books {
    /// Money moves for a key without a request that we know of.
    pub(super) fn make(&mut self, key: &str) {
        *self.effects.entry(key.to_owned()).or_default() += 1;
    }
}

/// The double.
#[derive(Default)]
pub(in crate::tests) struct Script {
    pub(super) books: Mutex<Books>,
    pub(super) gap: Duration,
    /// Whether a repeated key answers what it answered before, without acting again (class K).
    pub(super) keyed: bool,
    /// How long a send takes.
    pub(super) latency: Duration,
    /// Answers 401 to everything while set.
    pub(super) locked: Mutex<bool>,
    /// What `find` says about refunds that were declined: the gateway contradicts itself.
    pub(super) contradicts: Mutex<bool>,
    /// Whether it lists the refunds of an order.
    pub(super) lists: bool,
    /// What it lists of an order instead of what it did; none: it does not answer.
    pub(super) shows: Mutex<HashMap<String, Option<Vec<ListedRefund>>>>,
    /// How often each order was listed.
    pub(super) listed: Mutex<HashMap<String, u32>>,
}

/// Gives the same double for every connection.
pub(in crate::tests) struct Give(pub(in crate::tests) Arc<Script>);

impl Connect for Give {
    fn connect(&self, _: &AppState, _: &GatewayRow, _: Currency, _: usize) -> Result<Arc<dyn Connector>, ConnectError> {
        Ok(self.0.clone())
    }
}

fn reply(class: ReplyClass, http: u16) -> Reply {
    Reply {
        class,
        http: Some(http),
        reference: None,
        gateway_status: None,
        gateway_kind: None,
        code: Some("scripted".to_owned()),
        message: Some("scripted".to_owned()),
        confirmed_minor: None,
        wait: None,
        body: "{}".to_owned(),
    }
}

fn done(class: ReplyClass, status: &str, minor: i64) -> Reply {
    Reply {
        reference: Some("REF1".to_owned()),
        gateway_status: Some(status.to_owned()),
        gateway_kind: Some("STANDARD".to_owned()),
        confirmed_minor: Some(minor),
        ..reply(class, 200)
    }
}

/// A refund in a list.
pub(super) fn listed(key: &str, status: &str, minor: i64) -> ListedRefund {
    ListedRefund {
        key: Some(key.to_owned()),
        reference: Some(format!("REF-{key}")),
        status: status.to_owned(),
        class: match status {
            "SUCCESS" => ReplyClass::Succeeded,
            "FAILURE" => ReplyClass::Failed,
            "PENDING" => ReplyClass::Pending,
            _ => ReplyClass::Review,
        },
        amount_minor: Some(minor),
    }
}

impl Script {
    pub(in crate::tests) fn keyed() -> Self {
        Self { keyed: true, ..Self::default() }
    }

    pub(super) fn calls(&self, order: &str) -> Vec<Call> {
        self.books.lock().unwrap().calls.iter().filter(|call| call.order == order).cloned().collect()
    }

    pub(in crate::tests) fn sends(&self) -> usize {
        self.books.lock().unwrap().calls.len()
    }

    /// The most often that money moved for one key.
    pub(in crate::tests) fn most_effects(&self) -> u32 {
        self.books.lock().unwrap().effects.values().copied().max().unwrap_or(0)
    }

    pub(in crate::tests) fn effects(&self) -> u32 {
        self.books.lock().unwrap().effects.values().sum()
    }
}

#[async_trait]
impl Connector for Script {
    fn descriptor(&self) -> &Descriptor {
        &juspay::DESCRIPTOR
    }

    fn same_amount_gap(&self) -> Duration {
        self.gap
    }

    async fn order(&self, order_id: &str) -> OrderState {
        if *self.locked.lock().unwrap() {
            return OrderState::NoAnswer(reply(ReplyClass::Refused, 401));
        }
        if order_id.starts_with("MISSING") {
            return OrderState::Missing(reply(ReplyClass::Failed, 404));
        }
        if order_id.starts_with("UNREADABLE") {
            return OrderState::NoAnswer(reply(ReplyClass::Unknown, 500));
        }
        let currency = if order_id.starts_with("DOLLAR") { Currency::Usd } else { Currency::Inr };
        let refunded = if order_id.starts_with("OUTSIDE") { 7_000 } else { 0 };
        OrderState::Known(OrderSnapshot {
            status: if order_id.starts_with("UNPAID") { "AUTHORIZED" } else { "CHARGED" }.to_owned(),
            charged: !order_id.starts_with("UNPAID"),
            amount: Money::new(10_000, currency),
            refundable_minor: Some(10_000 - refunded),
            refunded_minor: refunded,
            transactions: vec![format!("{order_id}-1")],
            refunds: Vec::new(),
            body: "{}".to_owned(),
        })
    }

    async fn send(&self, instruction: &Instruction) -> Reply {
        let Instruction::Refund(request) = instruction;
        let (order, minor) = (request.order_id.as_str(), request.amount.minor);
        let times = {
            let mut books = self.books.lock().unwrap();
            books.calls.push(Call { key: request.key.clone(), order: order.to_owned(), minor, at: Instant::now() });
            u32::try_from(books.calls.iter().filter(|call| call.key == request.key).count()).unwrap()
        };
        tokio::time::sleep(self.latency).await;
        if *self.locked.lock().unwrap() {
            return reply(ReplyClass::Refused, 401);
        }
        let act = || {
            let mut books = self.books.lock().unwrap();
            let effects = books.effects.entry(request.key.clone()).or_default();
            if *effects == 0 || !self.keyed {
                *effects += 1;
            }
        };
        match order.split('_').next().unwrap() {
            "DECLINE" => reply(ReplyClass::Failed, 400),
            "LATER" | "LATERNO" => {
                act();
                done(ReplyClass::Pending, "PENDING", minor)
            }
            "BEFORE" if times == 1 => reply(ReplyClass::Unknown, 504),
            "AFTER" if times == 1 => {
                act();
                reply(ReplyClass::Unknown, 504)
            }
            "BUSY" if times <= 2 => Reply { wait: Some(Duration::from_millis(10)), ..reply(ReplyClass::NotSent, 429) },
            "WRONG" => {
                act();
                done(ReplyClass::Succeeded, "SUCCESS", minor + 1)
            }
            _ => {
                act();
                done(ReplyClass::Succeeded, "SUCCESS", minor)
            }
        }
    }

    async fn refunds_of(&self, order_id: &str, _: Currency) -> Listing {
        if !self.lists {
            return Listing::CannotList;
        }
        *self.listed.lock().unwrap().entry(order_id.to_owned()).or_default() += 1;
        match self.shows.lock().unwrap().get(order_id).cloned() {
            Some(Some(refunds)) => return Listing::Refunds(refunds),
            Some(None) => return Listing::NoAnswer(reply(ReplyClass::Unknown, 500)),
            None => {}
        }
        let books = self.books.lock().unwrap();
        let mut refunds: Vec<ListedRefund> = Vec::new();
        for call in books.calls.iter().filter(|call| call.order == order_id && books.effects.contains_key(&call.key)) {
            if !refunds.iter().any(|refund| refund.key.as_deref() == Some(call.key.as_str())) {
                refunds.push(listed(&call.key, "SUCCESS", call.minor));
            }
        }
        Listing::Refunds(refunds)
    }

    async fn find(&self, instruction: &Instruction) -> Found {
        let Instruction::Refund(request) = instruction;
        if *self.locked.lock().unwrap() {
            return Found::NoAnswer(reply(ReplyClass::Refused, 401));
        }
        let minor = request.amount.minor;
        let mut books = self.books.lock().unwrap();
        let finds = books.finds.entry(request.key.clone()).or_default();
        *finds += 1;
        let finds = *finds;
        if request.order_id.starts_with("DECLINE") {
            return match *self.contradicts.lock().unwrap() {
                true => Found::Record(done(ReplyClass::Succeeded, "SUCCESS", minor)),
                false => Found::Record(done(ReplyClass::Failed, "FAILURE", minor)),
            };
        }
        if books.effects.get(&request.key).copied().unwrap_or(0) == 0 {
            return Found::NotFound(reply(ReplyClass::Unknown, 200));
        }
        if request.order_id.starts_with("LATER") && finds < 2 {
            return Found::Record(done(ReplyClass::Pending, "PENDING", minor));
        }
        if request.order_id.starts_with("LATERNO") {
            return Found::Record(done(ReplyClass::Failed, "FAILURE", minor));
        }
        Found::Record(done(ReplyClass::Succeeded, "SUCCESS", minor))
    }
}
