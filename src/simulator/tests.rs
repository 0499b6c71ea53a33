//! The simulator over a real socket, with a plain HTTP client.

use super::*;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use tokio::task::JoinHandle;

struct Running {
    url: String,
    task: JoinHandle<Result<(), String>>,
}

impl Running {
    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn arguments(ledger: &Path) -> SimulatorArgs {
    SimulatorArgs {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ledger: ledger.to_owned(),
        latency_ms: None,
        forget_keys: false,
        pending_first: false,
        enforce_balance: false,
        hang_ms: 50,
        seed: 1,
    }
}

async fn start(args: SimulatorArgs) -> Running {
    let listener = TcpListener::bind(args.listen).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    Running { url, task: tokio::spawn(serve(listener, args)) }
}

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}

async fn refund(sim: &Running, order_id: &str, fields: &[(&str, &str)]) -> reqwest::Result<Response> {
    let request = client().post(format!("{}/orders/{order_id}/refunds", sim.url)).form(fields);
    request.basic_auth("sim_acme", Some("")).header("x-merchantid", "acme").send().await
}

async fn body(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

async fn plain(sim: &Running, order_id: &str, key: &str) -> reqwest::Result<Response> {
    refund(sim, order_id, &[("unique_request_id", key), ("amount", "100.50")]).await
}

async fn order(sim: &Running, order_id: &str) -> Value {
    let request = client().get(format!("{}/orders/{order_id}", sim.url));
    let request = request.basic_auth("sim_acme", Some("")).header("x-merchantid", "acme");
    body(request.send().await.unwrap()).await
}

fn ledger(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn only_the_merchant_with_its_own_id_is_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l.jsonl");
    let sim = start(arguments(&file)).await;
    let url = format!("{}/orders/ORD_1/refunds", sim.url);
    let form = [("unique_request_id", "A"), ("amount", "1")];
    let denied = json!({"status":"ERROR","error_code":"access_denied","error_message":"Authentication failed."});
    for (user, password, merchant) in [
        ("sim_acme", "", None),
        ("sim_acme", "", Some("globex")),
        ("sim_acme", "", Some("Acme")),
        ("sim_acme", "x", Some("acme")),
        ("sim_other", "", Some("other")),
    ] {
        let mut request = client().post(&url).form(&form).basic_auth(user, Some(password));
        if let Some(merchant) = merchant {
            request = request.header("x-merchantid", merchant);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{user} {merchant:?}");
        assert_eq!(body(response).await, denied);
    }
    assert_eq!(client().get(format!("{}/orders/ORD_1", sim.url)).send().await.unwrap().status(), 401);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
    // The merchants have orders of their own.
    assert_eq!(plain(&sim, "ORD_1", "A").await.unwrap().status(), 200);
    let other = client().get(format!("{}/orders/ORD_1", sim.url));
    let other = other.basic_auth("sim_globex", None::<&str>).header("x-merchantid", "globex").send().await.unwrap();
    let other: Value = body(other).await;
    assert_eq!((&other["merchant_id"], other.get("refunds")), (&json!("globex"), None));
}

#[tokio::test]
async fn bodies_are_those_of_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let sim = start(arguments(&folder.path().join("l.jsonl"))).await;
    let text = plain(&sim, "ORD_1", "REF1").await.unwrap().text().await.unwrap();
    let created = order(&sim, "ORD_1").await["refunds"][0]["created"].as_str().unwrap().to_owned();
    let id = order(&sim, "ORD_1").await["id"].as_str().unwrap().to_owned();
    let hash = id.strip_prefix("ordeh_").unwrap();
    assert!(hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()) && created.len() == 20, "{id} {created}");
    assert_eq!(
        text,
        format!(
            concat!(
                r#"{{"order_id":"ORD_1","id":"{}","merchant_id":"acme","status":"CHARGED","status_id":21,"amount":100000.00,"#,
                r#""effective_amount":99899.50,"currency":"INR","amount_refunded":100.50,"refunded":false,"#,
                r#""maximum_eligible_refund_amount":99899.50,"txn_id":"acme-ORD_1-1","txn_uuid":"sim{}","#,
                r#""gateway_reference_id":"simgw","payment_method":"VISA","payment_method_type":"CARD","#,
                r#""date_created":"2026-01-01T00:00:00Z","txn_detail":{{"txn_id":"acme-ORD_1-1","order_id":"ORD_1","#,
                r#""status":"CHARGED","net_amount":100000.00,"gateway":"SIMULATOR","error_code":"","error_message":""}},"#,
                r#""refunds":[{{"unique_request_id":"REF1","id":"REF1","ref":"SIM0000000001","amount":100.50,"created":"{}","#,
                r#""status":"SUCCESS","error_code":"","error_message":"","sent_to_gateway":true,"refund_type":"STANDARD","#,
                r#""refund_source":"SIMULATOR","initiated_by":"API"}}]}}"#
            ),
            id, hash, created
        )
    );
    assert!(order(&sim, "ORD_2").await.get("refunds").is_none());
    let by_transaction = client().post(format!("{}/refunds", sim.url)).basic_auth("sim_acme", Some(""));
    let by_transaction = by_transaction.header("x-merchantid", "acme").form(&[
        ("order_id", "ORD_2"),
        ("txn_id", "any"),
        ("unique_request_id", "REF2"),
        ("amount", "5"),
        ("refund_type", "STANDARD"),
    ]);
    let mut reply: Value = body(by_transaction.send().await.unwrap()).await;
    reply["created"] = Value::Null;
    assert_eq!(
        reply,
        json!({"unique_request_id":"REF2","reference_id":"SIM0000000002","order_id":"ORD_2","txn_id":"any","amount":5.00,
            "created":null,"refund_type":"STANDARD","gateway":"SIMULATOR","epg_txn_id":"SIM0000000002","status":"SUCCESS",
            "response_code":"00","error_message":"","sent_to_gateway":true})
    );
    assert_eq!(order(&sim, "ORD_2").await["refunds"][0]["unique_request_id"], "REF2");
}

#[tokio::test]
async fn errors_are_those_of_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l.jsonl");
    let sim = start(SimulatorArgs { enforce_balance: true, ..arguments(&file) }).await;
    let duplicate = json!({"status_id":-1,"status":"ERROR","error_code":"duplicate.call",
        "error_message":"A refund call was already completed with this unique_request_id for the order."});
    plain(&sim, "ORD_1", "A").await.unwrap();
    let response = plain(&sim, "ORD_1", "A").await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(body(response).await, duplicate);
    let code = |response: Response| async { body(response).await["error_code"].clone() };
    let send = |order_id: &'static str, key: &'static str, amount: &'static str| {
        let sim = &sim;
        async move { refund(sim, order_id, &[("unique_request_id", key), ("amount", amount)]).await.unwrap() }
    };
    assert_eq!(code(send("ORD_1", "B", "99899.51").await).await, "invalid.amount.exceeded");
    assert_eq!(send("ORD_1", "B", "99899.50").await.status(), 200);
    assert_eq!(code(send("ORD_2", "", "1").await).await, "Mandatory fields are missing");
    assert_eq!(code(send("ORD_2", "A", "").await).await, "Mandatory fields are missing");
    assert_eq!(code(send("ORD_2", "A", "1.005").await).await, "invalid amount");
    assert_eq!(code(send("ORD_2", "ABCDEFGHIJKLMNOPQRSTU", "1").await).await, "invalid unique_request_id");
    assert_eq!(code(send("ORD_2", "A-1", "1").await).await, "invalid unique_request_id");
    let missing = send("ORD_MISSING_1", "A", "1").await;
    assert_eq!(missing.status(), 404);
    let unknown = json!({"status":"NOT_FOUND","status_id":40,"order_id":"ORD_MISSING_1"});
    assert_eq!(body(missing).await, unknown);
    assert_eq!(order(&sim, "ORD_MISSING_1").await, unknown);
    let effects: Vec<_> = ledger(&file).iter().map(|line| (line["effect"] == true, line["reply"].clone())).collect();
    let refused = || (false, json!(400));
    let (yes, unknown) = ((true, json!(200)), (false, json!(404)));
    assert_eq!(
        effects,
        [yes.clone(), refused(), refused(), yes, refused(), refused(), refused(), refused(), refused(), unknown]
    );
}

#[tokio::test]
async fn faults_strike_the_first_post_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l.jsonl");
    let sim = start(arguments(&file)).await;
    for order_id in ["ORD_T_BEFORE_1", "ORD_T_AFTER_1"] {
        assert!(plain(&sim, order_id, "K1").await.is_err(), "{order_id}");
    }
    for (order_id, status) in [("ORD_500_BEFORE_1", 500), ("ORD_500_AFTER_1", 500), ("ORD_429_1", 429)] {
        assert_eq!(plain(&sim, order_id, "K1").await.unwrap().status(), status, "{order_id}");
    }
    let garbled = plain(&sim, "ORD_GARBLED_1", "K1").await.unwrap();
    assert_eq!(garbled.status(), 200);
    assert!(garbled.bytes().await.is_err());
    assert_eq!(plain(&sim, "ORD_DECLINE_1", "K1").await.unwrap().status(), 400);
    sim.stop().await;

    let sim = start(arguments(&file)).await;
    assert_eq!(plain(&sim, "ORD_429_1", "K1").await.unwrap().status(), 429);
    for (order_id, status, count) in [
        ("ORD_T_BEFORE_1", 200, 1),
        ("ORD_T_AFTER_1", 400, 1),
        ("ORD_500_BEFORE_1", 200, 1),
        ("ORD_500_AFTER_1", 400, 1),
        ("ORD_429_1", 200, 1),
        ("ORD_GARBLED_1", 400, 1),
        ("ORD_DECLINE_1", 400, 0),
    ] {
        assert_eq!(plain(&sim, order_id, "K1").await.unwrap().status(), status, "{order_id}");
        let refunds = order(&sim, order_id).await["refunds"].as_array().map_or(0, Vec::len);
        assert_eq!(refunds, count, "{order_id}");
    }
    let lines = ledger(&file);
    let of = |order_id: &str| -> Vec<_> {
        let lines = lines.iter().filter(|line| line["order_id"] == order_id);
        lines.map(|line| (line["effect"] == true, line["reply"].clone())).collect()
    };
    assert_eq!(of("ORD_T_BEFORE_1"), [(false, json!("none")), (true, json!(200))]);
    assert_eq!(of("ORD_T_AFTER_1"), [(true, json!("none")), (false, json!(400))]);
    assert_eq!(of("ORD_500_AFTER_1"), [(true, json!(500)), (false, json!(400))]);
    assert_eq!(of("ORD_429_1"), [(false, json!(429)), (false, json!(429)), (true, json!(200))]);
    assert_eq!(of("ORD_GARBLED_1"), [(true, json!(200)), (false, json!(400))]);
    assert_eq!(of("ORD_DECLINE_1"), [(false, json!(400)), (false, json!(400))]);
}

#[tokio::test]
async fn a_refund_that_the_gateway_cannot_tell_of_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let sim = start(arguments(&folder.path().join("ledger.jsonl"))).await;
    let posted: Value = body(plain(&sim, "ORD_REVIEW_1", "A").await.unwrap()).await;
    assert_eq!(posted["refunds"][0]["status"], "MANUAL_REVIEW");
    assert_eq!(order(&sim, "ORD_REVIEW_1").await["refunds"][0]["status"], "MANUAL_REVIEW");
}

#[tokio::test]
async fn a_pending_refund_is_done_at_the_third_get_and_stays_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l.jsonl");
    let sim = start(arguments(&file)).await;
    order(&sim, "ORD_PENDING_1").await;
    let posted: Value = body(plain(&sim, "ORD_PENDING_1", "A").await.unwrap()).await;
    assert_eq!(
        (&posted["refunds"][0]["status"], &posted["refunds"][0]["sent_to_gateway"]),
        (&json!("PENDING"), &json!(false))
    );
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(order(&sim, "ORD_PENDING_1").await["refunds"][0]["status"].clone());
    }
    assert_eq!(seen, ["PENDING", "PENDING", "SUCCESS"]);
    sim.stop().await;
    let sim = start(SimulatorArgs { pending_first: true, ..arguments(&file) }).await;
    assert_eq!(order(&sim, "ORD_PENDING_1").await["refunds"][0]["status"], "SUCCESS");
    let plain: Value = body(plain(&sim, "ORD_1", "A").await.unwrap()).await;
    assert_eq!(plain["refunds"][0]["status"], "PENDING");
    assert_eq!(plain["refunds"][0]["ref"], "SIM0000000002");
}

#[tokio::test]
async fn a_slow_effect_comes_after_the_client_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l.jsonl");
    let sim = start(arguments(&file)).await;
    let form = [("unique_request_id", "A"), ("amount", "1.00")];
    let request = client().post(format!("{}/orders/ORD_SLOW_1/refunds", sim.url)).form(&form);
    let request = request.basic_auth("sim_acme", Some("")).header("x-merchantid", "acme");
    assert!(request.timeout(Duration::from_secs(1)).send().await.unwrap_err().is_timeout());
    assert!(order(&sim, "ORD_SLOW_1").await.get("refunds").is_none());
    let give_up = Instant::now() + Duration::from_secs(10);
    while order(&sim, "ORD_SLOW_1").await.get("refunds").is_none() {
        assert!(Instant::now() < give_up, "the effect never came");
        sleep(Duration::from_millis(50)).await;
    }
    let lines = ledger(&file);
    assert_eq!((lines.len(), &lines[0]["effect"], &lines[0]["reply"]), (1, &json!(true), &json!(200)));
}

#[tokio::test]
async fn two_hundred_clients_share_the_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l.jsonl");
    let sim = start(SimulatorArgs { forget_keys: true, ..arguments(&file) }).await;
    let client = client();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let request = client
            .post(format!("{}/orders/ORD_{}/refunds", sim.url, number % 100))
            .form(&[("unique_request_id", "SAME"), ("amount", "1.00")]);
        let request = request.basic_auth("sim_acme", Some("")).header("x-merchantid", "acme");
        tasks.spawn(async move { request.send().await.unwrap().status() });
    }
    while let Some(status) = tasks.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    let lines = ledger(&file);
    assert!(lines.len() == 200 && lines.iter().all(|line| line["effect"] == true));
    // A forgotten key acts again, so that a double send shows.
    assert_eq!(order(&sim, "ORD_1").await["refunds"].as_array().unwrap().len(), 2);
}

/// The simulator as a process, for the test below.
#[tokio::test]
#[ignore = "runs until it is ended; started by another test"]
async fn a_process_of_its_own() {
    let ledger = std::env::var("TEST_SIMULATOR_LEDGER").unwrap();
    run(arguments(Path::new(&ledger))).await.unwrap();
}

#[tokio::test]
async fn it_ends_with_its_parent_and_on_request() {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };
    let program = std::env::current_exe().unwrap();
    let test = "tests::a_process_of_its_own";
    // `wait` keeps the shell, which then is the parent; `exec` makes the simulator our own child.
    for (script, ask) in [
        ("\"$0\" --exact --ignored --nocapture \"$1\" & wait", false),
        ("exec \"$0\" --exact --ignored --nocapture \"$1\"", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(&program)
            .arg(test)
            .env("TEST_SIMULATOR_LEDGER", folder.path().join("l.jsonl"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find_map(|line| line.unwrap().split_once("listening at http://").map(|(_, at)| at.to_owned()));
        let address: SocketAddr = line.unwrap().parse().unwrap();
        tokio::net::TcpStream::connect(address).await.unwrap();
        if ask {
            let child = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
            nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGTERM).unwrap();
        } else {
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let give_up = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            assert!(Instant::now() < give_up, "the simulator outlived its parent");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn what_is_poisoned_is_wrong_from_the_first_refund_on_and_the_effect_is_real() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l.jsonl");
    let sim = start(arguments(&file)).await;
    for (order_id, at, wrong) in [
        ("ORD_P_KEY_1", "/refunds/0/unique_request_id", json!("SOMEBODYELSES")),
        ("ORD_P_AMOUNT_1", "/refunds/0/amount", json!(1)),
        ("ORD_P_CURRENCY_1", "/currency", json!("USD")),
        ("ORD_P_ROW_1", "/order_id", json!("ORD_OTHER11")),
    ] {
        assert_eq!(order(&sim, order_id).await["order_id"], order_id, "before the first refund nothing is wrong");
        let told = body(plain(&sim, order_id, "K1").await.unwrap()).await;
        assert_eq!(
            (told.pointer(at), order(&sim, order_id).await.pointer(at)),
            (Some(&wrong), Some(&wrong)),
            "{order_id}"
        );
    }
    let big = plain(&sim, "ORD_P_BIG_1", "K1").await.unwrap().bytes().await.unwrap();
    assert!(big.len() >= 10 * 1024 * 1024);
    assert_eq!(serde_json::from_slice::<Value>(&big).unwrap()["refunds"][0]["status"], "SUCCESS");
    let packed = plain(&sim, "ORD_P_GZIP_1", "K1").await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(packed.bytes().await.unwrap().len() < 2 * 1024 * 1024);
    let client =
        Client::builder().tls_certs_only([]).no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = [("unique_request_id", "K1"), ("amount", "1.00")];
    let request = client.post(format!("{}/orders/ORD_P_302_1/refunds", sim.url)).form(&form);
    let moved = request.basic_auth("sim_acme", Some("")).header("x-merchantid", "acme").send().await.unwrap();
    assert_eq!((moved.status().as_u16(), moved.headers().contains_key("location")), (302, true));
    assert!(ledger(&file).len() == 7 && ledger(&file).iter().all(|line| line["effect"] == true));
}
