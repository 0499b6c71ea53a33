//! Who may use what: every route and server function, for every kind of person. A route that is not in the table fails.

use super::support::{ADMIN, CHECKER, Desk, MAKER, MAKER2S_FILE, MAKER2S_ORDERS, STRANGER, VIEWER};
use batchdesk::server::http;
use serde_json::json;
use std::collections::BTreeSet;

/// The people of the matrix, in the order of the columns.
const PEOPLE: [Option<&str>; 6] = [None, Some(VIEWER), Some(MAKER), Some(CHECKER), Some(ADMIN), Some(STRANGER)];

/// What is sent to a route.
enum Sent {
    Get,
    Form(&'static [(&'static str, &'static str)]),
    Multipart,
    Json(serde_json::Value),
}

struct Row {
    method: &'static str,
    /// The route as the router knows it.
    route: &'static str,
    /// The address asked, with `{}` for a batch of Acme that waits for a decision, and `{sync}` for such a sync.
    address: &'static str,
    sent: Sent,
    /// Status for nobody, viewer, maker (not this batch's), checker, admin, and another organisation's owner.
    status: [u16; 6],
}

fn row(method: &'static str, route: &'static str, address: &'static str, sent: Sent, status: [u16; 6]) -> Row {
    Row { method, route, address, sent, status }
}

fn table(batch: &str) -> Vec<Row> {
    use Sent::{Form, Get, Json, Multipart};
    const LIST: &str = "/batch/batch-refunds";
    const SYNC: &str = "/batch/batch-sync";
    const OPEN: [u16; 6] = [200; 6];
    const SETTINGS: [u16; 6] = [303, 403, 403, 403, 200, 200];
    const NO_CONNECTION: [u16; 6] = [303, 403, 403, 403, 404, 404];
    const WORK: [u16; 6] = [303, 403, 409, 403, 403, 404];
    let query = json!({ "search": "", "case_sensitive": true, "status": null, "sort": "created", "descending": true, "page": 1 });
    let tasks = json!({ "status": null, "order": "", "page": 1 });
    vec![
        row("GET", "/", "/", Get, [303, 200, 200, 200, 200, 200]),
        row("GET", "/login", "/login", Get, [200, 303, 303, 303, 303, 303]),
        row("GET", "/approvals", "/approvals", Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/approvals/{id}", "/approvals/{}", Get, [303, 200, 200, 200, 403, 404]),
        row("GET", "/search", "/search?q=ORD_", Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/settings", "/settings", Get, [303, 403, 403, 403, 200, 200]),
        row(
            "POST",
            "/settings/limits",
            "/settings/limits",
            Form(&[("row_limit", "0"), ("approval_days", "7")]),
            [303, 403, 403, 403, 422, 422],
        ),
        row(
            "POST",
            "/settings/approval",
            "/settings/approval",
            Form(&[("operation", "refund"), ("needed", "perhaps")]),
            [303, 403, 403, 403, 422, 422],
        ),
        row("GET", "/orders", "/orders", Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/orders/{id}", "/orders/NO_SUCH_ORDER", Get, [303, 404, 404, 404, 403, 404]),
        row("GET", "/orders/refund", "/orders/refund", Get, [303, 403, 200, 403, 403, 200]),
        row("POST", "/orders/refund", "/orders/refund", Form(&[("do", "send")]), [303, 403, 422, 403, 403, 422]),
        row("POST", "/orders/{id}/sync", "/orders/NO_SUCH_ORDER/sync", Form(&[]), [303, 403, 404, 403, 403, 404]),
        row("GET", "/notices", "/notices", Get, [303, 200, 200, 200, 200, 200]),
        row("POST", "/notices/read", "/notices/read", Form(&[("until", "yesterday")]), [303, 422, 422, 422, 422, 422]),
        row("POST", "/settings/pause", "/settings/pause", Form(&[]), [303, 403, 403, 403, 422, 422]),
        row("POST", "/settings/resume", "/settings/resume", Form(&[]), [303, 403, 403, 403, 409, 409]),
        row("GET", "/settings/connections", "/settings/connections", Get, SETTINGS),
        row("GET", "/settings/connections/new", "/settings/connections/new", Get, SETTINGS),
        row("POST", "/settings/connections", "/settings/connections", Form(&[]), [303, 403, 403, 403, 422, 422]),
        // No batch is a connection.
        row("GET", "/settings/connections/{id}", "/settings/connections/{}", Get, NO_CONNECTION),
        row("POST", "/settings/connections/{id}/change", "/settings/connections/{}/change", Form(&[]), NO_CONNECTION),
        row("POST", "/settings/connections/{id}/test", "/settings/connections/{}/test", Form(&[]), NO_CONNECTION),
        row(
            "POST",
            "/settings/connections/{id}/pause",
            "/settings/connections/{}/pause",
            Form(&[("reason", "x")]),
            NO_CONNECTION,
        ),
        row("POST", "/settings/connections/{id}/resume", "/settings/connections/{}/resume", Form(&[]), NO_CONNECTION),
        row("POST", "/settings/connections/{id}/choose", "/settings/connections/{}/choose", Form(&[]), NO_CONNECTION),
        row("POST", "/settings/connections/{id}/limits", "/settings/connections/{}/limits", Form(&[]), NO_CONNECTION),
        row("POST", "/settings/connections/{id}/measure", "/settings/connections/{}/measure", Form(&[]), NO_CONNECTION),
        row("GET", LIST, LIST, Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/batch/batch-refunds/new", "/batch/batch-refunds/new", Get, [303, 403, 200, 403, 403, 200]),
        row(
            "GET",
            "/batch/batch-refunds/new/description",
            "/batch/batch-refunds/new/description",
            Get,
            [303, 403, 200, 403, 403, 200],
        ),
        row("GET", "/batch/batch-refunds/{id}", "/batch/batch-refunds/{}", Get, [303, 200, 200, 200, 403, 404]),
        row(
            "GET",
            "/batch/batch-refunds/{id}/retry",
            "/batch/batch-refunds/{}/retry",
            Get,
            [303, 403, 200, 403, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/tasks/{row}",
            "/batch/batch-refunds/{}/tasks/1",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/tasks/{row}",
            "/batch/batch-refunds/{}/tasks/9999",
            Get,
            [303, 404, 404, 404, 403, 404],
        ),
        row(
            "POST",
            "/batch/batch-refunds/{id}/retry",
            "/batch/batch-refunds/{}/retry",
            Form(&[("do", "send"), ("revision", "1")]),
            WORK,
        ),
        row(
            "POST",
            "/settings/external",
            "/settings/external",
            Form(&[("url", "http://10.0.0.1/")]),
            [303, 403, 403, 403, 422, 422],
        ),
        row("GET", SYNC, SYNC, Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/batch/batch-sync/new", "/batch/batch-sync/new", Get, [303, 403, 200, 403, 403, 200]),
        row(
            "GET",
            "/batch/batch-sync/new/description",
            "/batch/batch-sync/new/description",
            Get,
            [303, 403, 200, 403, 403, 200],
        ),
        row("GET", "/batch/batch-sync/{id}", "/batch/batch-sync/{sync}", Get, [303, 200, 200, 200, 403, 404]),
        row(
            "GET",
            "/batch/batch-sync/{id}/tasks/{row}",
            "/batch/batch-sync/{sync}/tasks/1",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/tasks/{row}",
            "/batch/batch-sync/{sync}/tasks/9999",
            Get,
            [303, 404, 404, 404, 403, 404],
        ),
        // A batch of another operation is not there.
        row("GET", "/batch/batch-sync/{id}", "/batch/batch-sync/{}", Get, [303, 404, 404, 404, 403, 404]),
        row("GET", "/batch/batch-refunds/{id}", "/batch/batch-refunds/{sync}", Get, [303, 404, 404, 404, 403, 404]),
        row(
            "POST",
            "/batch/batch-sync/new/description",
            "/batch/batch-sync/new/description",
            Form(&[("description", "")]),
            [303, 403, 422, 403, 403, 422],
        ),
        row("POST", SYNC, SYNC, Multipart, [303, 403, 422, 403, 403, 422]),
        row("POST", "/batch/batch-sync/{id}/sync", "/batch/batch-sync/{sync}/sync", Form(&[]), WORK),
        row(
            "POST",
            "/batch/batch-sync/{id}/withdraw",
            "/batch/batch-sync/{sync}/withdraw",
            Form(&[]),
            [303, 403, 403, 403, 403, 404],
        ),
        row(
            "POST",
            "/batch/batch-sync/{id}/pause",
            "/batch/batch-sync/{sync}/pause",
            Form(&[]),
            [303, 403, 409, 409, 403, 404],
        ),
        row("POST", "/batch/batch-sync/{id}/resume", "/batch/batch-sync/{sync}/resume", Form(&[]), WORK),
        row("POST", "/batch/batch-sync/{id}/cancel", "/batch/batch-sync/{sync}/cancel", Form(&[]), WORK),
        row("GET", "/approvals/{id}", "/approvals/{sync}", Get, [303, 200, 200, 200, 403, 404]),
        row(
            "GET",
            "/batch/batch-sync/{id}/activity",
            "/batch/batch-sync/{sync}/activity",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/batch_sync.csv",
            "/batch/batch-sync/{sync}/batch_sync.csv",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/batch_sync.xlsx",
            "/batch/batch-sync/{sync}/batch_sync.xlsx",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/original",
            "/batch/batch-sync/{sync}/original",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-sync/{id}/failed_rows.csv",
            "/batch/batch-sync/{sync}/failed_rows.csv",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/samples/batch_sync_sample.csv",
            "/samples/batch_sync_sample.csv",
            Get,
            [303, 200, 200, 200, 200, 200],
        ),
        row("POST", "/login", "/login", Form(&[("email", "nobody@acme.test"), ("password", "x")]), [422; 6]),
        row("POST", "/theme", "/theme", Form(&[("theme", "dark")]), [303; 6]),
        row(
            "POST",
            "/batch/batch-refunds/new/description",
            "/batch/batch-refunds/new/description",
            Form(&[("description", "")]),
            [303, 403, 422, 403, 403, 422],
        ),
        row("POST", LIST, LIST, Multipart, [303, 403, 422, 403, 403, 422]),
        row("POST", "/batch/batch-refunds/{id}/sync", "/batch/batch-refunds/{}/sync", Form(&[]), WORK),
        row(
            "POST",
            "/batch/batch-refunds/{id}/withdraw",
            "/batch/batch-refunds/{}/withdraw",
            Form(&[]),
            [303, 403, 403, 403, 403, 404],
        ),
        row(
            "POST",
            "/batch/batch-refunds/{id}/pause",
            "/batch/batch-refunds/{}/pause",
            Form(&[]),
            [303, 403, 409, 409, 403, 404],
        ),
        row("POST", "/batch/batch-refunds/{id}/resume", "/batch/batch-refunds/{}/resume", Form(&[]), WORK),
        row("POST", "/batch/batch-refunds/{id}/cancel", "/batch/batch-refunds/{}/cancel", Form(&[]), WORK),
        row(
            "POST",
            "/approvals/{id}",
            "/approvals/{}",
            Form(&[("decision", "approve"), ("content_hash", "00")]),
            [303, 403, 403, 412, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/activity",
            "/batch/batch-refunds/{}/activity",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/batch_refund.csv",
            "/batch/batch-refunds/{}/batch_refund.csv",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/batch_refund.xlsx",
            "/batch/batch-refunds/{}/batch_refund.xlsx",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/original",
            "/batch/batch-refunds/{}/original",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/batch/batch-refunds/{id}/failed_rows.csv",
            "/batch/batch-refunds/{}/failed_rows.csv",
            Get,
            [303, 200, 200, 200, 403, 404],
        ),
        row(
            "GET",
            "/samples/batch_refunds_sample.csv",
            "/samples/batch_refunds_sample.csv",
            Get,
            [303, 200, 200, 200, 200, 200],
        ),
        row(
            "GET",
            "/samples/batch_refunds_split_sample.csv",
            "/samples/batch_refunds_split_sample.csv",
            Get,
            [303, 200, 200, 200, 200, 200],
        ),
        row("GET", "/events", "/events?batch={}", Get, [401, 200, 200, 200, 403, 404]),
        row("GET", "/events", "/events?operation=refund", Get, [401, 200, 200, 200, 403, 200]),
        row("GET", "/events", "/events?operation=order_sync", Get, [401, 200, 200, 200, 403, 200]),
        row("GET", "/review", "/review", Get, [303, 200, 200, 200, 403, 200]),
        row("GET", "/review", "/review?batch={}", Get, [303, 200, 200, 200, 403, 404]),
        row("POST", "/review/{id}/propose", "/review/{}/propose", Form(&[]), [303, 403, 422, 403, 403, 404]),
        row("POST", "/review/{id}/answer", "/review/{}/answer", Form(&[]), [303, 403, 403, 422, 403, 404]),
        row("POST", "/review/{id}/withdraw", "/review/{}/withdraw", Form(&[]), [303, 403, 422, 403, 403, 404]),
        row("POST", "/review/{id}/acknowledge", "/review/{}/acknowledge", Form(&[]), [303, 403, 422, 422, 403, 404]),
        // A session does not open the machine interface.
        row("GET", "/api/v1/batches/{id}", "/api/v1/batches/{}", Get, [401; 6]),
        row("GET", "/healthz", "/healthz", Get, OPEN),
        row("GET", "/readyz", "/readyz", Get, OPEN),
        row("POST", "/api/home", "/api/home", Json(json!({})), [401, 200, 200, 200, 200, 200]),
        row("POST", "/api/approvals/inbox", "/api/approvals/inbox", Json(json!({})), [401, 200, 200, 200, 403, 200]),
        row(
            "POST",
            "/api/approvals/detail",
            "/api/approvals/detail",
            Json(json!({ "batch": batch })),
            [401, 200, 200, 200, 403, 404],
        ),
        row(
            "POST",
            "/api/batches/list",
            "/api/batches/list",
            Json(json!({ "operation": "refund", "query": query })),
            [401, 200, 200, 200, 403, 200],
        ),
        row(
            "POST",
            "/api/batches/detail",
            "/api/batches/detail",
            Json(json!({ "operation": "refund", "batch": batch, "query": tasks })),
            [401, 200, 200, 200, 403, 404],
        ),
        row(
            "POST",
            "/api/batches/new",
            "/api/batches/new",
            Json(json!({ "operation": "refund", "draft": null })),
            [401, 403, 200, 403, 403, 200],
        ),
        row(
            "POST",
            "/api/batches/sync",
            "/api/batches/sync",
            Json(json!({ "operation": "refund", "batch": batch })),
            [401, 403, 409, 403, 403, 404],
        ),
        // Last: it ends the sessions.
        row("POST", "/logout", "/logout", Form(&[]), [303; 6]),
    ]
}

/// Parameters have names of their own in each part; only their places matter.
fn shape(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_is_in_the_table() {
    let served: BTreeSet<_> =
        http::routes().into_iter().map(|route| (route.method.to_string(), shape(&route.path))).collect();
    let known: BTreeSet<_> = table("").iter().map(|row| (row.method.to_owned(), shape(row.route))).collect();
    assert_eq!(served, known, "left: served; right: in the table");

    let functions: BTreeSet<_> = leptos::server_fn::axum::server_fn_paths().map(|(path, _)| path.to_owned()).collect();
    let known: BTreeSet<_> =
        table("").iter().filter(|row| matches!(row.sent, Sent::Json(_))).map(|row| row.route.to_owned()).collect();
    assert_eq!(functions, known, "left: server functions; right: in the table");

    let pages: BTreeSet<_> = http::page_paths().iter().map(|path| shape(path)).collect();
    let known: BTreeSet<_> = http::routes()
        .into_iter()
        .filter(|route| route.kind == http::Kind::Page)
        .map(|route| shape(&route.path))
        .collect();
    assert_eq!(pages, known, "left: pages of the application; right: pages with a rule");
}

#[tokio::test]
async fn everybody_gets_what_is_theirs_and_nothing_else() {
    let desk = Desk::start().await;
    let (batch, sync) = (desk.batch(MAKER2S_FILE).await, desk.batch(MAKER2S_ORDERS).await);
    let mut people = Vec::new();
    for person in PEOPLE {
        people.push(match person {
            Some(email) => desk.signed_in(email).await,
            None => desk.visitor(),
        });
    }
    let mut wrong = Vec::new();
    for row in table(&batch) {
        let address = row.address.replace("{}", &batch).replace("{sync}", &sync);
        for ((browser, person), expected) in people.iter().zip(PEOPLE).zip(row.status) {
            let request = browser.request(row.method, &address);
            let request = match &row.sent {
                Sent::Get | Sent::Form(_) => request.header("accept", "text/html"),
                Sent::Multipart | Sent::Json(_) => request,
            };
            let request = match &row.sent {
                Sent::Get => request,
                Sent::Form(fields) => request.form(fields),
                Sent::Multipart => request
                    .header("accept", "text/html")
                    .header("content-type", format!("multipart/form-data; boundary={}", super::support::BOUNDARY))
                    .body(super::support::multipart(&[])),
                Sent::Json(input) => request
                    .header("accept", "application/json")
                    .header("content-type", "application/json")
                    .body(input.to_string()),
            };
            // The head is enough: streams have no end.
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            if status != expected {
                wrong.push(format!("{} {address} as {person:?}: {status}, not {expected}", row.method));
            }
            if status == 303 && person.is_none() && row.route != "/theme" {
                let location = response.headers()["location"].to_str().unwrap();
                assert!(location.starts_with("/login"), "{address}: {location}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_batch_of_another_organisation_looks_like_none() {
    let desk = Desk::start().await;
    let batch = desk.batch(MAKER2S_FILE).await;
    let stranger = desk.signed_in(STRANGER).await;
    let missing = "01999999-0000-7000-8000-000000000000";
    for address in ["/batch/batch-refunds/{}", "/approvals/{}", "/batch/batch-refunds/{}/original", "/events?batch={}"]
    {
        let theirs = stranger.get(&address.replace("{}", &batch)).await;
        let nobodys = stranger.get(&address.replace("{}", missing)).await;
        assert_eq!((theirs.status, nobodys.status), (404, 404), "{address}");
        let same = |answer: super::support::Answer| {
            let id = answer.header("x-request-id").to_owned();
            let nonce = answer
                .header("content-security-policy")
                .split("'nonce-")
                .nth(1)
                .map(|rest| rest.split('\'').next().unwrap_or_default().to_owned());
            let text = answer.text.replace(&id, "ID");
            nonce.map_or(text.clone(), |nonce| text.replace(&nonce, "NONCE"))
        };
        assert_eq!(same(theirs), same(nobodys), "{address}: the two must not be told apart");
    }
}

#[tokio::test]
async fn rights_that_are_taken_are_gone_at_the_next_request() {
    let desk = Desk::start().await;
    let viewer = desk.signed_in(VIEWER).await;
    assert_eq!(viewer.get("/batch/batch-refunds").await.status, 200);
    let mut database = desk.database().await;
    let statement = "DELETE FROM role_permission WHERE module = 'refunds' AND role_id IN
        (SELECT m.role_id FROM membership m JOIN person p ON p.id = m.person_id WHERE p.email = $1)";
    sqlx::query(statement).bind(VIEWER).execute(&mut database).await.unwrap();
    assert_eq!(viewer.get("/batch/batch-refunds").await.status, 403);

    // And who is no member any more is signed out.
    sqlx::query("DELETE FROM membership WHERE person_id = (SELECT id FROM person WHERE email = $1)")
        .bind(VIEWER)
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(viewer.get("/batch/batch-refunds").await.location(), "/login?next=%2Fbatch%2Fbatch-refunds");
}
