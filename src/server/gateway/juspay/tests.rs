//! The connector against the simulator.

mod servers;

use super::*;
use crate::{
    domain::money::{Currency, Money},
    gateway::{ConnectError, RefundRequest, connect},
    outbound::SetupError,
};
use serde_json::Value;
use simulator::{SimulatorArgs, serve};
use std::{net::SocketAddr, path::Path, sync::Arc};
use tokio::{net::TcpListener, task::JoinHandle};

struct Simulator {
    url: String,
    folder: tempfile::TempDir,
    task: JoinHandle<Result<(), String>>,
}

impl Simulator {
    async fn start() -> Self {
        Self::with(tempfile::tempdir().unwrap(), |_| {}).await
    }

    async fn with(folder: tempfile::TempDir, change: impl FnOnce(&mut SimulatorArgs)) -> Self {
        let mut args = SimulatorArgs {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ledger: folder.path().join("ledger.jsonl"),
            latency_ms: None,
            forget_keys: false,
            pending_first: false,
            enforce_balance: false,
            hang_ms: 20,
            seed: 1,
        };
        change(&mut args);
        let listener = TcpListener::bind(args.listen).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { url, folder, task: tokio::spawn(serve(listener, args)) }
    }

    async fn stop(self) -> tempfile::TempDir {
        self.task.abort();
        let _ = self.task.await;
        self.folder
    }

    fn gateway(&self) -> Arc<dyn Connector> {
        connect(&connection(&self.url)).unwrap()
    }

    fn ledger(&self) -> Vec<Value> {
        read_ledger(self.folder.path())
    }
}

fn read_ledger(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("ledger.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn connection(url: &str) -> Connection {
    Connection {
        connector: "juspay".to_owned(),
        base_url: url.to_owned(),
        merchant_id: "acme".to_owned(),
        api_key: SecretString::from("sim_acme"),
        currency: Currency::Inr,
        timeout: Duration::from_secs(5),
        concurrency: 4,
        allowed_hosts: vec!["127.0.0.1".to_owned()],
    }
}

fn request(order_id: &str, key: &str) -> RefundRequest {
    RefundRequest {
        key: key.to_owned(),
        order_id: order_id.to_owned(),
        target: Target::Order,
        amount: Money::new(10_050, Currency::Inr),
        split: None,
    }
}

fn record(found: Found) -> Reply {
    match found {
        Found::Record(reply) => reply,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_plain_refund_is_confirmed_with_key_amount_and_reference() {
    let simulator = Simulator::start().await;
    let gateway = simulator.gateway();
    let reply = gateway.send(&request("ORD_1", "REF1").into()).await;
    assert_eq!(reply.class, ReplyClass::Succeeded, "{reply:?}");
    assert_eq!((reply.http, reply.confirmed_minor), (Some(200), Some(10_050)));
    assert_eq!(reply.reference.as_deref(), Some("SIM0000000001"));
    assert_eq!((reply.gateway_status.as_deref(), reply.gateway_kind.as_deref()), (Some("SUCCESS"), Some("STANDARD")));
    assert_eq!((reply.code, reply.message), (None, None));
    let found = record(gateway.find(&request("ORD_1", "REF1").into()).await);
    assert_eq!((found.class, found.reference.as_deref()), (ReplyClass::Succeeded, Some("SIM0000000001")));
    assert!(matches!(gateway.find(&request("ORD_1", "REF2").into()).await, Found::NotFound(_)));
    assert!(matches!(gateway.find(&request("ORD_MISSING_1", "REF2").into()).await, Found::NotFound(_)));

    let line = &simulator.ledger()[0];
    assert_eq!((&line["key"], &line["amount"], &line["txn_id"]), (&"REF1".into(), &"100.50".into(), &Value::Null));
}

#[tokio::test]
async fn a_refund_by_transaction_is_found_again_in_its_order() {
    let simulator = Simulator::start().await;
    let gateway = simulator.gateway();
    let by_transaction: Instruction =
        RefundRequest { target: Target::Transaction("acme-ORD_1-1".to_owned()), ..request("ORD_1", "REF1") }.into();
    let reply = gateway.send(&by_transaction).await;
    assert_eq!(reply.class, ReplyClass::Succeeded, "{reply:?}");
    assert_eq!(reply.reference.as_deref(), Some("SIM0000000001"));
    assert_eq!(record(gateway.find(&by_transaction).await).reference, reply.reference);
    assert_eq!(simulator.ledger()[0]["txn_id"], "acme-ORD_1-1");
}

#[tokio::test]
async fn the_order_is_read_before_the_first_refund() {
    let simulator = Simulator::start().await;
    let gateway = simulator.gateway();
    gateway.send(&request("ORD_1", "REF1").into()).await;
    let OrderState::Known(order) = gateway.order("ORD_1").await else { panic!("not known") };
    assert!(order.charged);
    assert_eq!(order.amount, Money::new(10_000_000, Currency::Inr));
    assert_eq!((order.refundable_minor, order.refunded_minor), (Some(9_989_950), 10_050));
    assert_eq!(order.transactions, ["acme-ORD_1-1"]);
    assert!(matches!(gateway.order("ORD_MISSING_1").await, OrderState::Missing(_)));
}

#[tokio::test]
async fn each_fault_has_its_class_and_is_resolved_by_asking() {
    let simulator = Simulator::start().await;
    let gateway = simulator.gateway();
    for (order_id, class, http, code) in [
        ("ORD_T_BEFORE_1", ReplyClass::Unknown, None, Some("connection_lost")),
        ("ORD_T_AFTER_1", ReplyClass::Unknown, None, Some("connection_lost")),
        ("ORD_500_BEFORE_1", ReplyClass::Unknown, Some(500), Some("http_500")),
        ("ORD_500_AFTER_1", ReplyClass::Unknown, Some(500), Some("http_500")),
        ("ORD_429_1", ReplyClass::NotSent, Some(429), Some("http_429")),
        ("ORD_SLOW_1", ReplyClass::Succeeded, Some(200), None),
        ("ORD_GARBLED_1", ReplyClass::Unknown, Some(200), Some("reply_cut")),
        ("ORD_DECLINE_1", ReplyClass::Failed, Some(400), Some("refund.not.allowed")),
        ("ORD_MISSING_1", ReplyClass::Failed, Some(404), Some("order_not_found")),
        ("ORD_PENDING_1", ReplyClass::Pending, Some(200), None),
    ] {
        let reply = gateway.send(&request(order_id, "REF1").into()).await;
        assert_eq!((reply.class, reply.http, reply.code.as_deref()), (class, http, code), "{order_id}: {reply:?}");
        assert!(reply.message.as_ref().is_none_or(|message| message.ends_with('.')), "{reply:?}");
        if order_id.starts_with("ORD_429_") {
            assert_eq!(reply.wait, Some(Duration::from_secs(1)));
        }
    }
    for order_id in ["ORD_T_AFTER_1", "ORD_500_AFTER_1", "ORD_GARBLED_1"] {
        assert_eq!(
            record(gateway.find(&request(order_id, "REF1").into()).await).class,
            ReplyClass::Succeeded,
            "{order_id}"
        );
    }
    for order_id in ["ORD_T_BEFORE_1", "ORD_500_BEFORE_1", "ORD_429_1", "ORD_DECLINE_1"] {
        assert!(matches!(gateway.find(&request(order_id, "REF1").into()).await, Found::NotFound(_)), "{order_id}");
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(record(gateway.find(&request("ORD_PENDING_1", "REF1").into()).await).class);
    }
    assert_eq!(seen, [ReplyClass::Pending, ReplyClass::Pending, ReplyClass::Succeeded]);
    // One request, one line: the connector repeats nothing.
    assert_eq!(simulator.ledger().len(), 10);
}

#[tokio::test]
async fn a_reply_that_does_not_come_in_time_is_in_doubt() {
    let simulator = Simulator::with(tempfile::tempdir().unwrap(), |args| args.hang_ms = 60_000).await;
    let gateway = connect(&Connection { timeout: Duration::from_secs(1), ..connection(&simulator.url) }).unwrap();
    for order_id in ["ORD_T_BEFORE_1", "ORD_T_AFTER_1", "ORD_SLOW_1"] {
        let reply = gateway.send(&request(order_id, "REF1").into()).await;
        assert_eq!((reply.class, reply.code.as_deref()), (ReplyClass::Unknown, Some("timeout")), "{reply:?}");
    }
}

#[tokio::test]
async fn keys_survive_a_restart_unless_they_are_forgotten() {
    let simulator = Simulator::start().await;
    assert_eq!(simulator.gateway().send(&request("ORD_1", "REF1").into()).await.class, ReplyClass::Succeeded);
    let simulator = Simulator::with(simulator.stop().await, |_| {}).await;
    let gateway = simulator.gateway();
    let again = gateway.send(&request("ORD_1", "REF1").into()).await;
    assert_eq!((again.class, again.code.as_deref()), (ReplyClass::Unknown, Some("duplicate.call")), "{again:?}");
    assert!(again.wait.is_some_and(|wait| wait < Duration::from_secs(5)));
    assert_eq!(record(gateway.find(&request("ORD_1", "REF1").into()).await).class, ReplyClass::Succeeded);
    // The same key over another amount is nothing that a machine may decide.
    let other = RefundRequest { amount: Money::new(1, Currency::Inr), ..request("ORD_1", "REF1") };
    let found = record(gateway.find(&other.into()).await);
    assert_eq!((found.class, found.code.as_deref()), (ReplyClass::Review, Some("amount_mismatch")));

    let simulator = Simulator::with(simulator.stop().await, |args| args.forget_keys = true).await;
    let gateway = simulator.gateway();
    let twice = gateway.send(&request("ORD_1", "REF1").into()).await;
    assert_eq!((twice.class, twice.code.as_deref()), (ReplyClass::Review, Some("key_twice")));
    assert_eq!(record(gateway.find(&request("ORD_1", "REF1").into()).await).class, ReplyClass::Review);
    assert_eq!(simulator.ledger().iter().filter(|line| line["effect"] == true).count(), 2);
}

#[tokio::test]
async fn over_the_refundable_amount_is_definite() {
    let simulator = Simulator::with(tempfile::tempdir().unwrap(), |args| args.enforce_balance = true).await;
    let too_much = RefundRequest { amount: Money::new(10_000_001, Currency::Inr), ..request("ORD_1", "REF1") };
    let reply = simulator.gateway().send(&too_much.into()).await;
    assert_eq!((reply.class, reply.code.as_deref()), (ReplyClass::Failed, Some("invalid.amount.exceeded")));
    assert_eq!(reply.message.as_deref(), Some("Refund amount exceeds the refundable amount."));
}

#[tokio::test]
async fn a_wrong_key_stops_the_connection_and_is_named_nowhere() {
    let simulator = Simulator::start().await;
    let wrong = Connection { api_key: SecretString::from("sim_wrong_key"), ..connection(&simulator.url) };
    let gateway = connect(&wrong).unwrap();
    let reply = gateway.send(&request("ORD_1", "REF1").into()).await;
    assert_eq!((reply.class, reply.http), (ReplyClass::Refused, Some(401)));
    let Found::NoAnswer(found) = gateway.find(&request("ORD_1", "REF1").into()).await else { panic!("an answer") };
    assert_eq!(found.class, ReplyClass::Refused);
    let OrderState::NoAnswer(order) = gateway.order("ORD_1").await else { panic!("an answer") };
    assert_eq!(order.class, ReplyClass::Refused);
    let juspay = Juspay::new(&wrong).unwrap();
    let said = format!("{wrong:?} {juspay:?} {:?} {reply:?} {found:?}", juspay.client);
    assert!(!said.contains("sim_wrong_key") && !said.contains(juspay.secrets[1].expose_secret()), "{said}");
    for bad in ["", "a:b", "a b", "a\nb"] {
        let bad = Connection { api_key: SecretString::from(bad), ..connection(&simulator.url) };
        assert!(matches!(connect(&bad), Err(ConnectError::Setup(SetupError::Credentials(_)))));
    }
}

#[tokio::test]
async fn an_address_that_nobody_allowed_is_not_connected_to() {
    let simulator = Simulator::start().await;
    let closed = Connection { allowed_hosts: Vec::new(), ..connection(&simulator.url) };
    assert!(matches!(connect(&closed), Err(ConnectError::Setup(SetupError::Address(_)))));
    let unknown = Connection { connector: "stripe".to_owned(), ..connection(&simulator.url) };
    assert!(matches!(connect(&unknown), Err(ConnectError::UnknownConnector(_))));
    // A name is looked up at each connect, and what it leads to is checked there: `localhost` passes here only because
    // the check of the text is left out.
    let port = simulator.url.rsplit(':').next().unwrap();
    let mut juspay = Juspay::new(&connection(&simulator.url)).unwrap();
    juspay.base = format!("http://localhost:{port}");
    let reply = juspay.send(&request("ORD_1", "REF1").into()).await;
    assert_eq!((reply.class, reply.code.as_deref()), (ReplyClass::NotSent, Some("private_network")), "{reply:?}");
    assert!(simulator.ledger().is_empty());
}
