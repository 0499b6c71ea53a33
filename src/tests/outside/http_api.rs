//! The HTTP API and the health of the process.

use super::support::{MAKERS_FILE, STRANGERS_FILE, TestApp, TestResponse};
use serde_json::Value;

async fn get(app: &TestApp, path: &str, key: Option<&str>) -> TestResponse {
    let visitor = app.visitor();
    let request = visitor.bare("GET", path);
    let request = match key {
        Some(key) => request.header("authorization", key),
        None => request,
    };
    visitor.send(request).await
}

#[tokio::test]
async fn a_batch_is_described_as_the_contract_says() {
    let app = TestApp::start().await;
    let batch = app.batch(MAKERS_FILE).await;
    let answer = get(&app, &format!("/api/v1/batches/{batch}"), Some("Bearer bd_demo_acme")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["id"], batch.as_str());
    assert_eq!((&json["operation"], &json["status"]), (&Value::from("refund"), &Value::from("awaiting_approval")));
    assert_eq!(json["status_text"], "Awaiting approval");
    assert_eq!((&json["file_name"], &json["records"]), (&Value::from(MAKERS_FILE), &Value::from(120)));
    assert_eq!(json["counts"]["queued"], 120);
    assert_eq!(json["amounts"]["currency"], "INR");
    assert!(json["amounts"]["total"].is_i64());
    assert_eq!(json["content_sha256"].as_str().unwrap().len(), 64);
    assert!(json["decision"].is_null());
    assert!(json["created_at"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_key_opens_its_own_organisation_and_the_rest_does_not_exist() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.batch(MAKERS_FILE).await, app.batch(STRANGERS_FILE).await);
    let missing = "01999999-0000-7000-8000-000000000000";
    for (id, key, status, code) in [
        (ours.as_str(), None, 401, "signed_out"),
        (&ours, Some("Bearer wrong"), 401, "signed_out"),
        (&ours, Some("Basic bd_demo_acme"), 401, "signed_out"),
        (&ours, Some("Bearer "), 401, "signed_out"),
        (&ours, Some("Bearer bd_demo_globex"), 404, "not_found"),
        (&theirs, Some("Bearer bd_demo_acme"), 404, "not_found"),
        (missing, Some("Bearer bd_demo_acme"), 404, "not_found"),
        ("not-a-uuid", Some("Bearer bd_demo_acme"), 404, "not_found"),
    ] {
        let answer = get(&app, &format!("/api/v1/batches/{id}"), key).await;
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (status, code), "{id} {key:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
    }
    let one = get(&app, &format!("/api/v1/batches/{theirs}"), Some("Bearer bd_demo_acme")).await.json();
    let other = get(&app, &format!("/api/v1/batches/{missing}"), Some("Bearer bd_demo_acme")).await.json();
    assert_eq!(one, other, "the two must not be told apart");
}

#[tokio::test]
async fn readiness_follows_the_database_and_liveness_does_not() {
    let app = TestApp::start().await;
    assert_eq!(get(&app, "/readyz", None).await.status, 200);
    let mut database = app.database().await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(get(&app, "/readyz", None).await.status, 503);
    app.state.db.close().await;
    assert_eq!(get(&app, "/readyz", None).await.status, 503);
    assert_eq!(get(&app, "/healthz", None).await.status, 200);
    // Pages say so with a status, too.
    let browser = app.visitor();
    browser.set_cookie("batchdesk", &"A".repeat(43));
    assert_eq!(browser.get("/").await.status, 503);
}
