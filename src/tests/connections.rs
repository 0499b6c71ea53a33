//! Connections to gateways against the real simulator on a real socket: what is measured, and what guards the account.

use super::support::{TestState, gateway, refunds};
use crate::{
    domain::{
        connection_limits::ConnectionLimits, gateway::Promise, ids::GatewayId, money::Currency, operation::Effect,
    },
    server::{
        db,
        gateway::{Connection, Connector, Descriptor, Found, GatewayClass, Instruction, OrderState, Reply},
        ops::{
            access::Caller,
            connections::{
                self, AccountForm, TestResult,
                probe::{self, Probed, Questions},
            },
            gateways,
            refused::Refused,
        },
    },
    simulator::{self, SimulatorArgs},
};
use async_trait::async_trait;
use secrecy::SecretString;
use sqlx::ConnectOptions;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};

/// The simulator, with its ledger.
struct Simulator {
    url: String,
    folder: tempfile::TempDir,
    task: JoinHandle<Result<(), String>>,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Simulator {
    async fn start(forget_keys: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let args = SimulatorArgs {
            listen: listener.local_addr().unwrap(),
            ledger: folder.path().join("ledger.jsonl"),
            latency_ms: None,
            forget_keys,
            pending_first: false,
            enforce_balance: false,
            hang_ms: 50,
            seed: 1,
        };
        Self { url, folder, task: tokio::spawn(simulator::serve(listener, args)) }
    }

    fn requests(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("ledger.jsonl")).unwrap_or_default().lines().count()
    }

    fn gateway(&self) -> Hurried {
        let connection = Connection {
            connector: "juspay".to_owned(),
            base_url: self.url.clone(),
            merchant_id: "acme".to_owned(),
            api_key: SecretString::from("sim_acme"),
            currency: Currency::Inr,
            timeout: Duration::from_secs(5),
            concurrency: 1,
            allowed_hosts: vec!["127.0.0.1".to_owned()],
        };
        Hurried(crate::server::gateway::connect(&connection).unwrap())
    }
}

/// The connector as it is, but for the gap, which the simulator does not ask for.
struct Hurried(Arc<dyn Connector>);

#[async_trait]
impl Connector for Hurried {
    fn descriptor(&self) -> &Descriptor {
        self.0.descriptor()
    }
    fn same_amount_gap(&self) -> Duration {
        Duration::ZERO
    }
    async fn order(&self, order_id: &str) -> OrderState {
        self.0.order(order_id).await
    }
    async fn send(&self, instruction: &Instruction) -> Reply {
        self.0.send(instruction).await
    }
    async fn find(&self, instruction: &Instruction) -> Found {
        self.0.find(instruction).await
    }
}

fn questions(order: &str) -> Questions {
    Questions {
        order: order.to_owned(),
        declined: Some("ORD_DECLINE_1".to_owned()),
        failing: Some("ORD_500_AFTER_1".to_owned()),
        key_window: None,
        currency: Currency::Inr,
    }
}

async fn probed(simulator: &Simulator, questions: Questions) -> Probed {
    probe::run(&simulator.gateway(), &questions).await.unwrap()
}

fn verdicts(probed: &Probed) -> Vec<&str> {
    probed.steps.iter().map(|step| step.verdict.as_str()).collect()
}

#[tokio::test]
async fn a_gateway_that_keeps_keys_and_can_be_asked_is_class_k() {
    let simulator = Simulator::start(false).await;
    let found = probed(&simulator, questions("ORD_1")).await;
    assert_eq!(found.promise, Promise::new(GatewayClass::K, Some(Duration::from_secs(24 * 3600))), "{found:#?}");
    assert!(!verdicts(&found).contains(&"disproved") && !verdicts(&found).contains(&"open"), "{found:#?}");

    let without = Questions { declined: None, failing: None, ..questions("ORD_2") };
    let found = probed(&simulator, without).await;
    assert_eq!(found.promise.class, GatewayClass::Q, "what a declined key does was not seen: {found:#?}");
    assert_eq!(found.promise.key_window, None);
}

#[tokio::test]
async fn a_gateway_that_forgets_keys_is_never_class_k() {
    let simulator = Simulator::start(true).await;
    let found = probed(&simulator, questions("ORD_1")).await;
    assert_eq!(found.promise.class, GatewayClass::Q, "{found:#?}");
    assert!(found.steps.iter().any(|step| step.verdict == "disproved" && step.seen.contains("twice")), "{found:#?}");
}

#[tokio::test]
async fn a_gateway_that_cannot_be_asked_is_class_n() {
    let simulator = Simulator::start(false).await;
    let found = probed(&simulator, questions("ORD_HIDDEN_1")).await;
    assert_eq!(found.promise.class, GatewayClass::N, "{found:#?}");
}

#[tokio::test]
async fn nothing_is_told_about_an_order_that_cannot_be_refunded() {
    let simulator = Simulator::start(false).await;
    let missing = probe::run(&simulator.gateway(), &questions("ORD_MISSING_1")).await.unwrap_err();
    assert!(missing.contains("does not know the order"), "{missing}");
    let declined = probe::run(&simulator.gateway(), &questions("ORD_DECLINE_2")).await.unwrap_err();
    assert!(declined.contains("was not carried out"), "{declined}");
    assert_eq!(simulator.requests(), 1, "the missing order was never posted to");
}

const ADMIN: &str = "admin@acme.test";

async fn count(test: &TestState, statement: &str) -> i64 {
    let mut admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement.to_owned())).fetch_one(&mut admin).await.unwrap()
}

fn entry(simulator: &Simulator, merchant: &str) -> AccountForm {
    AccountForm {
        connector: "juspay".to_owned(),
        base_url: simulator.url.clone(),
        merchant_id: merchant.to_owned(),
        api_key: SecretString::from(format!("sim_{merchant}")),
        sandbox: true,
        untested: false,
        reason: "a test".to_owned(),
    }
}

/// One administrator: what weakens a control is made at once.
async fn alone() -> TestState {
    let test = TestState::new().await;
    let statement = "DELETE FROM membership WHERE person_id = (SELECT id FROM person WHERE email = 'owner@acme.test')";
    test.as_superuser(statement).await.unwrap();
    test
}

fn field<T: std::fmt::Debug>(result: Result<T, Refused>) -> (Option<&'static str>, String) {
    let (error, field) = result.unwrap_err();
    (field, error.refusal.message)
}

async fn current(test: &TestState, caller: &Caller) -> db::gateways::GatewayRow {
    let mut tx = test.state.db.web(caller.organisation.id, Some(caller.person.id)).await.unwrap();
    db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_account_is_asked_before_it_is_stored_and_each_mistake_names_its_field() {
    let test = alone().await;
    let simulator = Simulator::start(false).await;
    let admin = test.caller(ADMIN).await;
    let state = &test.state;
    let before = current(&test, &admin).await.id;
    let add = async |change: &dyn Fn(&mut AccountForm)| {
        let mut entry = entry(&simulator, "globex");
        change(&mut entry);
        connections::add(state, &admin, entry).await
    };
    for (address, sentence) in [
        ("https://10.0.0.1", "lies in a private network"),
        ("http://example.test", "must begin with https://"),
        ("ftp://127.0.0.1", "must begin with https://"),
        ("https://user:pw@example.test", "must not hold a user name or password"),
        ("https://example.test/#x", "must end before any ? or #"),
        ("javascript:alert(1)", "names no host"),
        ("", "is not complete"),
    ] {
        let (field, said) = field(add(&|entry| entry.base_url = address.to_owned()).await);
        assert_eq!(field, Some("base_url"), "{address}: {said}");
        assert!(said.contains(sentence), "{address}: {said}");
    }
    let long = "a".repeat(201);
    for merchant in ["", "a b", "a\nb", "é", &long] {
        let (field, said) = field(add(&|entry| entry.merchant_id = merchant.to_owned()).await);
        assert_eq!(field, Some("merchant_id"), "{merchant:?}: {said}");
    }
    for key in ["", "a b", "a\r\nX-Evil: 1", "a:b"] {
        let (field, said) = field(add(&|entry| entry.api_key = SecretString::from(key)).await);
        assert_eq!(field, Some("api_key"), "{key:?}: {said}");
        assert!(key.is_empty() || !said.contains(key), "{said}");
    }
    let (named, said) = field(add(&|entry| entry.api_key = SecretString::from("sim_wrong")).await);
    assert_eq!(named, Some("api_key"));
    assert!(said.contains("refused this key for the merchant globex (status 401)"), "{said}");
    let away = |entry: &mut AccountForm| entry.base_url = "http://127.0.0.1:9".to_owned();
    let (named, said) = field(add(&away).await);
    assert_eq!(named, Some("base_url"));
    assert!(said.contains("is not reachable"), "{said}");

    assert_eq!(count(&test, "SELECT count(*) FROM gateway").await, 2, "nothing was stored");

    let stored = add(&|_| ()).await.unwrap();
    assert!(stored.said.starts_with("It works"), "{}", stored.said);
    assert_eq!(current(&test, &admin).await.id, before, "it is not used before somebody chooses it");
    let (named, said) = field(add(&|_| ()).await);
    assert_eq!(named, Some("merchant_id"));
    assert!(said.contains("already"), "{said}");
    add(&|entry| {
        away(entry);
        entry.sandbox = false;
        entry.untested = true;
    })
    .await
    .unwrap();
    assert_eq!(
        count(
            &test,
            "SELECT count(*) FROM gateway_promise p JOIN gateway g
                             ON g.organisation_id = p.organisation_id AND g.id = p.gateway_id
                             WHERE g.merchant_id = 'globex'
                             AND g.organisation_id = (SELECT organisation_id FROM organisation_name
                             WHERE name = 'Acme Stores')"
        )
        .await,
        0
    );
    assert_eq!(
        count(&test, "SELECT count(*) FROM audit WHERE action = 'gateway.added' AND detail LIKE '%sim_%'").await,
        0
    );
}

#[tokio::test]
async fn a_sandbox_never_becomes_the_real_account_nor_the_other_way_round() {
    let test = TestState::new().await;
    let admin = test.caller(ADMIN).await;
    let row = current(&test, &admin).await;
    for change in ["sandbox = NOT sandbox", "connector = 'another'"] {
        let sql = format!("UPDATE gateway SET {change} WHERE id = '{}'", row.id);
        let refused = test.as_superuser(&sql).await.unwrap_err();
        let code = refused.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        assert_eq!(code.as_deref(), Some("BD422"), "{change}: {refused}");
    }
}

#[tokio::test]
async fn another_account_needs_the_key_again_and_no_open_work() {
    let test = alone().await;
    let simulator = Simulator::start(false).await;
    let admin = test.caller(ADMIN).await;
    let state = &test.state;
    let row = current(&test, &admin).await;
    let id = GatewayId(row.id);
    let moved = |key: &str| AccountForm { api_key: SecretString::from(key), ..entry(&simulator, "acme") };
    let (named, said) = field(connections::change(state, &admin, id, moved("")).await);
    assert_eq!(named, Some("api_key"), "the stored key is not carried to another address: {said}");

    test.upload("maker@acme.test", &refunds(&[("A1", "1.00"), ("A2", "2.00")])).await;
    let (_, said) = field(connections::change(state, &admin, id, moved("sim_acme")).await);
    assert!(said.contains("wait for a decision"), "{said}");
    assert_eq!(current(&test, &admin).await.base_url, row.base_url);

    test.as_superuser("UPDATE batch SET status = 'withdrawn'").await.unwrap();
    connections::change(state, &admin, id, moved("sim_acme")).await.unwrap();
    let now = current(&test, &admin).await;
    assert_eq!(
        (now.base_url.as_str(), now.promise(Effect::Refund).class.code()),
        (simulator.url.as_str(), "N"),
        "what was promised there is not promised here"
    );
    let outcome = connections::test(state, &admin, id).await.unwrap();
    assert!(matches!(outcome, TestResult::Works(_)), "{outcome:?}");
}

#[tokio::test]
async fn what_changes_where_money_goes_needs_a_new_proof_of_the_password() {
    let test = alone().await;
    let simulator = Simulator::start(false).await;
    let admin = test.caller(ADMIN).await;
    let state = &test.state;
    let id = GatewayId(current(&test, &admin).await.id);
    let other =
        connections::add(state, &admin, AccountForm { sandbox: false, ..entry(&simulator, "acme") }).await.unwrap().id;
    state.clock.advance(time::Duration::minutes(11));
    assert_eq!(field(connections::add(state, &admin, entry(&simulator, "globex")).await).0, Some("password"));
    assert_eq!(field(connections::change(state, &admin, id, entry(&simulator, "acme")).await).0, Some("password"));
    assert_eq!(field(connections::choose(state, &admin, other, "a test").await).0, Some("password"));
}

#[tokio::test]
async fn only_a_sandbox_is_measured_and_the_class_that_follows_is_kept_with_its_evidence() {
    let test = alone().await;
    let simulator = Simulator::start(false).await;
    let admin = test.caller(ADMIN).await;
    let state = &test.state;
    let real =
        connections::add(state, &admin, AccountForm { sandbox: false, ..entry(&simulator, "acme") }).await.unwrap().id;
    let (_, said) = field(connections::measure(state, &admin, real, questions("ORD_1")).await);
    assert!(said.contains("not marked as a sandbox"), "{said}");
    assert_eq!(simulator.requests(), 0, "no refund was sent");

    let sandbox = connections::add(state, &admin, entry(&simulator, "globex")).await.unwrap().id;
    connections::pause(state, &admin, sandbox, "not now").await.unwrap();
    let (_, said) = field(connections::measure(state, &admin, sandbox, questions("ORD_1")).await);
    assert!(said.contains("paused"), "{said}");
    connections::resume(state, &admin, sandbox).await.unwrap();
    let few = Questions { declined: None, failing: None, ..questions("ORD_1") };
    let found = connections::measure(state, &admin, sandbox, few).await.unwrap();
    assert_eq!(found.promise.class, GatewayClass::Q);
    let page = connections::page(state, &admin, Some(sandbox)).await.unwrap();
    let row = page.row.unwrap();
    assert_eq!(row.class, "Q");
    assert!(row.class_ground.starts_with("measured on"), "{}", row.class_ground);
    let fact = page.capabilities.first().unwrap();
    assert_eq!(
        (fact.order_id.as_str(), fact.actor.as_str(), fact.steps.len()),
        ("ORD_1", "admin@acme.test", found.steps.len())
    );
    assert_eq!(count(&test, "SELECT count(*) FROM audit WHERE action = 'gateway.measured'").await, 1);
    let denied = test.as_superuser("SET ROLE batchdesk_web; UPDATE gateway_capability SET class = 'K'").await;
    assert!(denied.is_err(), "facts are appended, never changed");
}

#[tokio::test]
async fn limits_are_stored_and_none_of_them_is_zero() {
    let test = alone().await;
    let admin = test.caller(ADMIN).await;
    let state = &test.state;
    let id = GatewayId(current(&test, &admin).await.id);
    let of = |concurrency, rate, burst| ConnectionLimits { concurrency, rate, burst };
    for bad in [of(Some(0), None, None), of(None, Some(0), None), of(None, None, Some(5)), of(Some(1_001), None, None)]
    {
        assert!(connections::limit(state, &admin, id, bad, "a test").await.is_err(), "{bad:?}");
    }
    connections::limit(state, &admin, id, of(Some(7), Some(40), Some(80)), "a test").await.unwrap();
    let row = current(&test, &admin).await;
    assert_eq!((row.concurrency, row.rate_limit, row.rate_burst), (Some(7), Some(40), Some(80)));
    connections::limit(state, &admin, id, of(None, None, None), "a test").await.unwrap();
    let row = current(&test, &admin).await;
    assert_eq!((row.concurrency, row.rate_limit, row.rate_burst), (None, None, None));
}

#[tokio::test]
async fn a_persons_pause_outlasts_a_new_key_and_a_chosen_connection_outlasts_a_start() {
    let test = alone().await;
    let simulator = Simulator::start(false).await;
    let admin = test.caller(ADMIN).await;
    let state = &test.state;
    let first = current(&test, &admin).await;
    let other = connections::add(state, &admin, entry(&simulator, "globex")).await.unwrap().id;
    connections::choose(state, &admin, other, "a test").await.unwrap();
    assert_eq!(current(&test, &admin).await.id, other.0);
    connections::pause(state, &admin, GatewayId(first.id), "audit").await.unwrap();
    // The operator gives a new key to the first.
    let again = gateway("Acme Stores", "http://127.0.0.1:9", GatewayClass::K);
    gateways::add(state, again).await.unwrap();
    assert_eq!(current(&test, &admin).await.id, other.0);
    let mut tx = state.db.web(admin.organisation.id, Some(admin.person.id)).await.unwrap();
    let row = db::gateways::load(&mut tx, GatewayId(first.id)).await.unwrap().unwrap();
    assert_eq!(
        (row.sending, row.paused_by.as_deref(), row.stopped_reason.as_deref()),
        (false, Some("admin@acme.test"), Some("audit"))
    );
}
