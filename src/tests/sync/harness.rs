//! A gateway whose orders a test writes, an external system that answers as a test says, and a processor between them.

use super::super::support::TestState;
use crate::{
    domain::{
        ids::{BatchId, GatewayId, OrganisationId},
        money::{Currency, Money},
        operation::{Effect, Operation},
    },
    server::{
        db::{self, gateways::GatewayRow},
        gateway::{
            ConnectError, Connector, Descriptor, Found, Instruction, OrderSnapshot, OrderState, Reply, ReplyClass,
            SeenRefund, juspay,
        },
        ops::{
            downloads,
            external::{self, NewExternal},
            uploads::{self, Submitted, Upload},
        },
        outbound::webhook::Secret,
        processor::{self, Connect},
        state::AppState,
    },
};
use async_trait::async_trait;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use secrecy::SecretString;
use sqlx::ConnectOptions;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What the gateway says about an order.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Charged, with so much refunded.
    Charged(i64),
    Missing,
    /// No answer so often, then charged.
    Silent(u32),
    /// Our key is refused.
    Locked,
}

/// The gateway.
#[derive(Default)]
pub(super) struct Book {
    orders: Mutex<HashMap<String, Order>>,
    asked: Mutex<Vec<(String, Instant)>>,
}

impl Book {
    pub(super) fn write(&self, order: &str, says: Order) {
        self.orders.lock().unwrap().insert(order.to_owned(), says);
    }

    pub(super) fn asked(&self, order: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, _)| asked == order).count()
    }

    /// The first question that a rate of so many a second since `begun` did not allow yet. However late some are, the
    /// next ones are not early.
    pub(super) fn earlier_than(&self, begun: Instant, rate: u32) -> Option<usize> {
        let asked = self.asked.lock().unwrap();
        let allowed = |number: usize| begun + Duration::from_secs(1) * u32::try_from(number).unwrap() / rate;
        asked
            .iter()
            .enumerate()
            .map(|(number, (_, at))| (number, *at))
            .find(|(number, at)| *at < allowed(number.saturating_sub(1)))
            .map(|(number, _)| number)
    }
}

struct Give(Arc<Book>);

impl Connect for Give {
    fn connect(&self, _: &AppState, _: &GatewayRow, _: Currency, _: usize) -> Result<Arc<dyn Connector>, ConnectError> {
        Ok(self.0.clone())
    }
}

fn reply(class: ReplyClass, http: u16, message: &str) -> Reply {
    Reply {
        class,
        http: Some(http),
        reference: None,
        gateway_status: None,
        gateway_kind: None,
        code: Some(format!("http_{http}")),
        message: Some(message.to_owned()),
        confirmed_minor: None,
        wait: None,
        body: "{}".to_owned(),
    }
}

#[async_trait]
impl Connector for Book {
    fn descriptor(&self) -> &Descriptor {
        &juspay::DESCRIPTOR
    }

    fn same_amount_gap(&self) -> Duration {
        Duration::ZERO
    }

    async fn order(&self, order_id: &str) -> OrderState {
        self.asked.lock().unwrap().push((order_id.to_owned(), Instant::now()));
        let refunded = {
            let mut orders = self.orders.lock().unwrap();
            match orders.entry(order_id.to_owned()).or_insert(Order::Charged(0)) {
                Order::Charged(refunded) => *refunded,
                Order::Missing => return OrderState::Missing(reply(ReplyClass::Failed, 404, "Unknown.")),
                Order::Locked => return OrderState::NoAnswer(reply(ReplyClass::Refused, 401, "Refused.")),
                Order::Silent(left) if *left > 0 => {
                    *left -= 1;
                    let wait = Some(Duration::ZERO);
                    return OrderState::NoAnswer(Reply {
                        wait,
                        ..reply(ReplyClass::Unknown, 500, "The gateway is down.")
                    });
                }
                Order::Silent(_) => 0,
            }
        };
        let refund = SeenRefund {
            key: "REF1".to_owned(),
            reference: "SIM1".to_owned(),
            amount_minor: Some(refunded),
            status: "SUCCESS".to_owned(),
            kind: "STANDARD".to_owned(),
        };
        OrderState::Known(OrderSnapshot {
            status: "CHARGED".to_owned(),
            charged: true,
            amount: Money::new(10_000, Currency::Inr),
            refundable_minor: Some(10_000 - refunded),
            refunded_minor: refunded,
            transactions: vec![format!("{order_id}-1")],
            refunds: if refunded > 0 { vec![refund] } else { Vec::new() },
            body: format!("{{\"order_id\":\"{order_id}\"}}"),
        })
    }

    async fn send(&self, _: &Instruction) -> Reply {
        panic!("a sync sends no refund")
    }

    async fn find(&self, _: &Instruction) -> Found {
        panic!("a sync asks about no refund")
    }
}

/// A message as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) signature: String,
    pub(super) text: String,
    pub(super) body: serde_json::Value,
}

impl Message {
    pub(super) fn order(&self) -> String {
        self.body["data"]["order"]["order_id"].as_str().unwrap().to_owned()
    }
}

type Answers = HashMap<String, Vec<(u16, String)>>;

/// The external system: a real HTTP server.
#[derive(Clone, Default)]
pub(super) struct Endpoint {
    arrived: Arc<Mutex<Vec<Message>>>,
    /// By order, in turn; the last one for ever. Without any: 200 {"ok":true}.
    answers: Arc<Mutex<Answers>>,
    /// Requests wait here while it is locked.
    pub(super) gate: Arc<tokio::sync::RwLock<()>>,
}

impl Endpoint {
    pub(super) fn reply_with(&self, order: &str, answers: &[(u16, &str)]) {
        let answers = answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        self.answers.lock().unwrap().insert(order.to_owned(), answers);
    }

    pub(super) fn arrived(&self, order: &str) -> Vec<Message> {
        self.arrived.lock().unwrap().iter().filter(|message| message.order() == order).cloned().collect()
    }

    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/orders", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

async fn receive(State(endpoint): State<Endpoint>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let message = Message {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: serde_json::from_str(&text).unwrap(),
        text,
    };
    let order = message.order();
    endpoint.arrived.lock().unwrap().push(message);
    drop(endpoint.gate.read().await);
    let (status, body) = {
        let mut answers = endpoint.answers.lock().unwrap();
        match answers.get_mut(&order) {
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers[0].clone(),
            None => (200, "{\"ok\":true}".to_owned()),
        }
    };
    (StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere")], body).into_response()
}

/// A task as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Seen {
    pub(super) order_id: String,
    pub(super) status: String,
    pub(super) gateway_status: Option<String>,
    pub(super) response: Option<String>,
    pub(super) message: Option<String>,
}

/// A test state with everything; its organisation works without maker-checker.
pub(super) struct SyncHarness {
    pub(super) test: TestState,
    pub(super) book: Arc<Book>,
    pub(super) endpoint: Endpoint,
    pub(super) organisation: OrganisationId,
    pub(super) gateway: GatewayId,
}

/// A processor that runs.
pub(super) struct Running {
    soft: CancellationToken,
    hard: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(super) async fn stop(self) {
        self.soft.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap();
    }

    /// As a kill does: what is under way is lost, nothing is written down.
    pub(super) async fn kill(self) {
        self.hard.cancel();
        self.task.abort();
        let _ = self.task.await;
    }
}

pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const OWNER: &str = "owner@globex.test";

impl SyncHarness {
    pub(super) async fn new() -> Self {
        let test = TestState::new().await;
        let organisation = test.caller(OWNER).await.organisation.id;
        let mut tx = test.state.db.worker(organisation).await.unwrap();
        let gateway = db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id;
        let (book, endpoint) = Default::default();
        Self { test, book, endpoint, organisation, gateway: GatewayId(gateway) }
    }

    /// The same with an external system.
    pub(super) async fn with_external_system() -> Self {
        let harness = Self::new().await;
        let url = harness.endpoint.start().await;
        let secret = SecretString::from(SECRET);
        assert!(Secret::read(&secret).is_ok());
        let new = NewExternal { url, secret: Some(secret), enabled: true };
        let owner = harness.test.caller(OWNER).await;
        assert!(external::set(&harness.test.state, &owner, new, "a test").await.unwrap().made.is_none());
        harness
    }

    pub(super) async fn try_upload(&self, email: &str, file: &str, toggle: bool) -> Submitted {
        let upload = Upload {
            file_name: "orders.csv".to_owned(),
            bytes: file.as_bytes().to_vec().into(),
            description: "a test".to_owned(),
            confirm_repeat: true,
            switch: toggle,
            ..Upload::default()
        };
        let caller = self.test.caller(email).await;
        uploads::submit(&self.test.state, &caller, Operation::OrderSync, upload).await.unwrap()
    }

    /// A batch of these rows (`order,txn,request`).
    pub(super) async fn upload(&self, email: &str, rows: &[&str], toggle: bool) -> BatchId {
        let file = format!("order_id,txn_id,unique_request_id\n{}\n", rows.join("\n"));
        match self.try_upload(email, &file, toggle).await {
            Submitted::Batch(batch) => batch,
            Submitted::Draft(draft) => panic!("findings: {:?} {:?}", draft.findings, draft.repeats),
        }
    }

    pub(super) async fn batch(&self, rows: &[&str], toggle: bool) -> BatchId {
        self.upload(OWNER, rows, toggle).await
    }

    pub(super) fn start(&self) -> Running {
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let (state, give) = (self.test.state.clone(), Arc::new(Give(self.book.clone())));
        let task = tokio::spawn(processor::run(state, give, soft.clone(), hard.clone()));
        Running { soft, hard, task }
    }

    pub(super) async fn sql(&self, sql: &str) {
        self.test.as_superuser(sql).await.unwrap();
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut admin).await.unwrap()
    }

    pub(super) async fn tasks(&self, batch: BatchId) -> Vec<Seen> {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_as(
            "SELECT order_id, status, gateway_status, response, message FROM sync_task WHERE batch_id = $1
             ORDER BY row_no",
        )
        .bind(batch.0)
        .fetch_all(&mut admin)
        .await
        .unwrap()
    }

    pub(super) async fn task(&self, batch: BatchId, order: &str) -> Seen {
        self.tasks(batch).await.into_iter().find(|task| task.order_id == order).unwrap()
    }

    pub(super) async fn status(&self, batch: BatchId) -> String {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_scalar("SELECT status FROM batch WHERE id = $1").bind(batch.0).fetch_one(&mut admin).await.unwrap()
    }

    /// Waits until `there` holds; back-offs are not sat out.
    pub(super) async fn until(&self, what: &str, there: impl AsyncFn() -> bool) {
        for _ in 0..2_400 {
            if there().await {
                return;
            }
            self.sql("UPDATE order_task SET run_at = now() WHERE owner IS NULL AND run_at > now()").await;
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never: {what}");
    }

    /// Waits until the gateway was asked so many questions, without a look at the database.
    pub(super) async fn questions(&self, all: usize) {
        for _ in 0..6_000 {
            if self.book.asked.lock().unwrap().len() >= all {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} of {all} questions", self.book.asked.lock().unwrap().len());
    }

    /// Waits until nothing is left to do for the batch, then checks that everything adds up.
    pub(super) async fn settled(&self, batch: BatchId) {
        let left = format!(
            "SELECT (SELECT count(*) FROM order_task WHERE batch_id = '{batch}' AND run_at IS NOT NULL)
                  + (SELECT count(*) FROM chunk WHERE batch_id = '{batch}' AND state <> 'DONE')"
        );
        self.until("nothing left to do", async || self.number(&left).await == 0).await;
        self.sound(batch).await;
    }

    pub(super) async fn sound(&self, batch: BatchId) {
        let mut tx = self.test.state.db.worker(self.organisation).await.unwrap();
        assert_eq!(db::sync::check_batch(&mut tx, batch.0).await.unwrap(), Vec::<String>::new());
        let stopped = "SELECT count(*) FROM organisation WHERE NOT sending";
        assert_eq!(self.number(stopped).await, 0, "an assertion was violated");
    }

    /// Presses "Sync with Gateway", as if the last press were long ago.
    pub(super) async fn press(&self, batch: BatchId) -> String {
        self.sql("UPDATE batch SET last_synced_at = last_synced_at - interval '1 minute'").await;
        let owner = self.test.caller(OWNER).await;
        let report = crate::server::ops::batches::sync(&self.test.state, &owner, Operation::OrderSync, batch).await;
        report.unwrap().message
    }

    pub(super) async fn download(&self, batch: BatchId) -> (String, String) {
        let owner = self.test.caller(OWNER).await;
        let mut download =
            downloads::data(&self.test.state, &owner, Operation::OrderSync, batch, downloads::ResultFile::Csv)
                .await
                .unwrap();
        let mut text = Vec::new();
        while let Some(chunk) = download.body.next().await {
            text.extend_from_slice(&chunk.unwrap());
        }
        (download.file_name, String::from_utf8(text).unwrap())
    }
}
