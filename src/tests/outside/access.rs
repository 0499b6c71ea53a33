//! Who may use what: every route and server function, for every kind of person. A route that is not in the table fails.

#[path = "access/table.rs"]
mod table;

use super::support::{MAKER2S_FILE, MAKER2S_ORDERS, STRANGER, TestApp, VIEWER};
use batchdesk::http;
use std::collections::BTreeSet;
use table::{PEOPLE, RequestBody, table};

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
    let known: BTreeSet<_> = table("")
        .iter()
        .filter(|row| matches!(row.sent, RequestBody::Json(_)))
        .map(|row| row.route.to_owned())
        .collect();
    assert_eq!(functions, known, "left: server functions; right: in the table");
}

#[tokio::test]
async fn everybody_gets_what_is_theirs_and_nothing_else() {
    let app = TestApp::start().await;
    let (batch, sync) = (app.batch(MAKER2S_FILE).await, app.batch(MAKER2S_ORDERS).await);
    let mut people = Vec::new();
    for person in PEOPLE {
        people.push(match person {
            Some(email) => app.signed_in(email).await,
            None => app.visitor(),
        });
    }
    let mut wrong = Vec::new();
    for row in table(&batch) {
        let address = row.address.replace("{}", &batch).replace("{sync}", &sync);
        for ((browser, person), expected) in people.iter().zip(PEOPLE).zip(row.status) {
            let request = browser.request(row.method, &address);
            let request = match &row.sent {
                RequestBody::Get | RequestBody::Form(_) => request.header("accept", "text/html"),
                RequestBody::Multipart | RequestBody::Json(_) => request,
            };
            let request = match &row.sent {
                RequestBody::Get => request,
                RequestBody::Form(fields) => request.form(fields),
                RequestBody::Multipart => request
                    .header("accept", "text/html")
                    .header("content-type", format!("multipart/form-data; boundary={}", super::support::BOUNDARY))
                    .body(super::support::multipart(&[])),
                RequestBody::Json(input) => request
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
    let app = TestApp::start().await;
    let batch = app.batch(MAKER2S_FILE).await;
    let stranger = app.signed_in(STRANGER).await;
    let missing = "01999999-0000-7000-8000-000000000000";
    for address in ["/batch/batch-refunds/{}", "/approvals/{}", "/batch/batch-refunds/{}/original", "/events?batch={}"]
    {
        let theirs = stranger.get(&address.replace("{}", &batch)).await;
        let nobodys = stranger.get(&address.replace("{}", missing)).await;
        assert_eq!((theirs.status, nobodys.status), (404, 404), "{address}");
        let same = |answer: super::support::TestResponse| {
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
    let app = TestApp::start().await;
    let viewer = app.signed_in(VIEWER).await;
    assert_eq!(viewer.get("/batch/batch-refunds").await.status, 200);
    let mut database = app.database().await;
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
