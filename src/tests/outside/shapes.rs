//! Requests of a wrong shape: each is refused by a sentence and a status that say what is wrong with it, and none is
//! our fault.

use super::{
    chunks::chunked,
    log::Log,
    support::{Browser, STRANGER, STRANGERS_FILE, TestApp, TestResponse, fingerprint},
};
use batchdesk::http::{self, Route, RouteKind};
use reqwest::Body;
use serde_json::{Value, json};

const JSON: &str = "application/json";

fn routes(kind: RouteKind) -> Vec<Route> {
    let routes: Vec<Route> = http::routes().into_iter().filter(|route| route.kind == kind).collect();
    assert!(!routes.is_empty(), "{kind:?}");
    routes
}

/// What a server function takes, with ids that there are not.
pub(crate) fn input(path: &str) -> Value {
    let id = "01999999-0000-7000-8000-000000000000";
    let list = json!({ "search": "", "case_sensitive": true, "status": null, "sort": "created", "descending": true, "page": 1 });
    match path {
        "/api/home" | "/api/approvals/inbox" => json!({}),
        "/api/approvals/detail" => json!({ "batch": id }),
        "/api/batches/list" => json!({ "operation": "refund", "query": list }),
        "/api/batches/detail" => {
            json!({ "operation": "refund", "batch": id, "query": { "status": null, "order": "", "page": 1 } })
        }
        "/api/batches/new" => json!({ "operation": "refund", "draft": null }),
        "/api/batches/sync" => json!({ "operation": "refund", "batch": id }),
        other => panic!("{other}: write down here what this server function takes"),
    }
}

async fn call(browser: &Browser, path: &str, kind: Option<&str>, body: impl Into<Body>) -> TestResponse {
    let request = browser.request("POST", path).header("accept", JSON).body(body);
    browser
        .send(match kind {
            Some(kind) => request.header("content-type", kind),
            None => request,
        })
        .await
}

/// The refusal that a server function answers with.
fn refused(answer: &TestResponse, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text);
    let refusal = &answer.json()["refusal"];
    assert_eq!(refusal["kind"], code, "{what}");
    assert!(refusal["message"].as_str().unwrap().ends_with('.'), "{what}: {refusal}");
}

#[tokio::test]
async fn what_a_server_function_cannot_read_is_malformed_too_large_or_of_another_kind_and_no_error() {
    let app = TestApp::start().await;
    let log = Log::begin();
    let owner = app.signed_in(STRANGER).await;
    let before = fingerprint(&app).await;
    for route in routes(RouteKind::Function) {
        let path = route.path.as_str();
        let good = input(path);
        let answer = call(&owner, path, Some(JSON), good.to_string()).await;
        assert!(matches!(answer.status, 200 | 404), "{path}: {} {}", answer.status, answer.text);

        let deep = "[".repeat(30_000);
        let endless = format!("{{\"a\":{}", "{\"a\":".repeat(10_000));
        let broken: [&[u8]; 6] = [b"", b"{", b"\xff\xfe", b"a=1&b=2", deep.as_bytes(), endless.as_bytes()];
        for body in broken {
            let answer = call(&owner, path, Some(JSON), body.to_vec()).await;
            refused(&answer, 400, "malformed", &format!("{path} {:.40}", String::from_utf8_lossy(body)));
        }
        // Each of its values as something else.
        for name in good.as_object().unwrap().keys() {
            for wrong in [json!([[]]), json!({}), json!(1.5), json!("\u{0}"), json!(true), json!(u64::MAX)] {
                let mut input = good.clone();
                input[name] = wrong.clone();
                let answer = call(&owner, path, Some(JSON), input.to_string()).await;
                refused(&answer, 400, "malformed", &format!("{path} {name} = {wrong}"));
            }
        }
        for kind in [Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp"), None] {
            let answer = call(&owner, path, kind, good.to_string()).await;
            refused(&answer, 415, "unsupported", &format!("{path} as {kind:?}"));
        }
        let large = format!("{{\"a\":\"{}\"}}", "a".repeat(64 * 1024));
        for body in [Body::from(large.clone()), chunked(large.into_bytes())] {
            refused(&call(&owner, path, Some(JSON), body).await, 413, "too_large", path);
        }
    }
    assert_eq!(fingerprint(&app).await, before);
    log.has_nothing_of_ours();
}

#[tokio::test]
async fn forms_that_cannot_be_read_are_refused_on_a_page_that_says_why() {
    let app = TestApp::start().await;
    let log = Log::begin();
    let owner = app.signed_in(STRANGER).await;
    let before = fingerprint(&app).await;
    const FORM: &str = "application/x-www-form-urlencoded";
    for path in ["/batch/batch-refunds/new/description", "/orders/refund", "/settings/limits", "/notices/read"] {
        for (kind, body, status, sentence) in [
            (Some(FORM), b"description=%FF&until=%FF".to_vec(), 400, "no text (UTF-8)"),
            (Some(FORM), b"description=\xe9".to_vec(), 400, "no text (UTF-8)"),
            (Some("text/plain"), b"description=a".to_vec(), 415, "reads application/x-www-form-urlencoded only"),
            (Some(JSON), b"{}".to_vec(), 415, "reads application/x-www-form-urlencoded only"),
            (None, b"description=a".to_vec(), 415, "reads application/x-www-form-urlencoded only"),
            (Some(FORM), [b"description=".to_vec(), vec![b'a'; 64 * 1024]].concat(), 413, "at most 64 KB"),
        ] {
            let request = owner.request("POST", path).header("accept", "text/html").body(body.clone());
            let request = match kind {
                Some(kind) => request.header("content-type", kind),
                None => request,
            };
            let answer = owner.send(request).await;
            let what = format!("{path} {kind:?} {:.40}", String::from_utf8_lossy(&body));
            assert_eq!(answer.status, status, "{what}: {}", answer.text);
            assert!(answer.text.contains(sentence) && answer.text.contains("Sign out"), "{what}: {}", answer.text);
        }
    }
    assert_eq!(fingerprint(&app).await, before);
    log.has_nothing_of_ours();
}

/// An address of the route with `hostile` in one of its places and ids that there are in the others.
fn addresses(route: &Route, batch: &str, hostile: &str) -> Vec<String> {
    let parts: Vec<&str> = route.path.split('/').collect();
    let places = parts.iter().enumerate().filter(|(_, part)| part.starts_with('{'));
    places
        .map(|(place, _)| {
            let fill = |(at, part): (usize, &&str)| match (part.starts_with('{'), at == place) {
                (false, _) => (*part).to_owned(),
                (true, true) => hostile.to_owned(),
                (true, false) if *part == "{id}" => batch.to_owned(),
                (true, false) => "1".to_owned(),
            };
            parts.iter().enumerate().map(fill).collect::<Vec<_>>().join("/")
        })
        .collect()
}

#[tokio::test]
async fn no_id_is_made_of_what_no_id_holds() {
    let app = TestApp::start().await;
    let log = Log::begin();
    let owner = app.signed_in(STRANGER).await;
    let batch = app.batch(STRANGERS_FILE).await;
    let before = fingerprint(&app).await;
    let long = "9".repeat(5_000);
    let hostile = [
        "%00",
        "ORD%00",
        "%FF%FE",
        "%0d%0aA:b",
        "%E2%80%AE1",
        "%",
        "%zz",
        "..%2F..%2Fetc",
        "-1",
        "1e9",
        "%F0%9F%92%A9",
        &long,
    ];
    let mut tried = 0;
    for route in http::routes() {
        for hostile in hostile {
            for address in addresses(&route, &batch, hostile) {
                let request = owner.request(route.method.as_str(), &address).header("accept", "text/html");
                let request = match route.kind {
                    RouteKind::Machine => request.bearer_auth("bd_demo_globex"),
                    RouteKind::Form => request.form(&[("reason", "x")]),
                    _ => request,
                };
                let answer = owner.send(request).await;
                assert_eq!(answer.status, 404, "{} {address:.80}: {}", route.method, answer.text);
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried}");
    assert_eq!(fingerprint(&app).await, before);
    log.has_nothing_of_ours();
}

#[tokio::test]
async fn an_address_with_characters_that_nobody_types_is_refused_by_every_page() {
    let app = TestApp::start().await;
    let log = Log::begin();
    let owner = app.signed_in(STRANGER).await;
    let batch = app.batch(STRANGERS_FILE).await;
    for route in routes(RouteKind::Page) {
        if route.path == "/login"
            || route.path.contains("/tasks/")
            || route.path.contains("{id}") && !route.path.contains("refunds")
        {
            continue;
        }
        let page = route.path.replace("{id}", &batch);
        for query in ["q=%00", "status=a%1Bb", "order=%E2%80%AE", "%00=1", "page=1%C2%85x"] {
            let answer = owner.get(&format!("{page}?{query}")).await;
            assert_eq!(answer.status, 422, "{page}?{query}: {}", answer.text);
            assert!(
                answer.text.contains("A part of the address contains a character that cannot be used"),
                "{page}?{query}"
            );
        }
        // What is no text at all is nothing that anybody looks for.
        let answer = owner.get(&format!("{page}?q=%FF%FE&page=%FF&order=%FF")).await;
        assert!(matches!(answer.status, 200 | 404), "{page}: {} {}", answer.status, answer.text);
    }
    let long = "a".repeat(201);
    for page in ["/batch/batch-refunds", "/search", "/orders", &format!("/batch/batch-refunds/{batch}")] {
        let answer = owner.get(&format!("{page}?q={long}")).await;
        assert_eq!(answer.status, 422, "{page}: {}", answer.text);
        assert!(answer.text.contains("is too long: it has 201 characters"), "{page}: {}", answer.text);
    }
    log.has_nothing_of_ours();
}
