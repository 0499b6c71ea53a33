//! The machine interface and the health of the process.

use super::support::{Answer, Desk, MAKERS_FILE, STRANGERS_FILE};
use serde_json::Value;

async fn get(desk: &Desk, path: &str, key: Option<&str>) -> Answer {
    let visitor = desk.visitor();
    let request = visitor.bare("GET", path);
    let request = match key {
        Some(key) => request.header("authorization", key),
        None => request,
    };
    visitor.send(request).await
}

#[tokio::test]
async fn a_batch_is_described_as_the_contract_says() {
    let desk = Desk::start().await;
    let batch = desk.batch(MAKERS_FILE).await;
    let answer = get(&desk, &format!("/api/v1/batches/{batch}"), Some("Bearer bd_demo_acme")).await;
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
    let desk = Desk::start().await;
    let (ours, theirs) = (desk.batch(MAKERS_FILE).await, desk.batch(STRANGERS_FILE).await);
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
        let answer = get(&desk, &format!("/api/v1/batches/{id}"), key).await;
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (status, code), "{id} {key:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
    }
    let one = get(&desk, &format!("/api/v1/batches/{theirs}"), Some("Bearer bd_demo_acme")).await.json();
    let other = get(&desk, &format!("/api/v1/batches/{missing}"), Some("Bearer bd_demo_acme")).await.json();
    assert_eq!(one, other, "the two must not be told apart");
}

#[tokio::test]
async fn readiness_follows_the_database_and_liveness_does_not() {
    let desk = Desk::start().await;
    assert_eq!(get(&desk, "/readyz", None).await.status, 200);
    let mut database = desk.database().await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(get(&desk, "/readyz", None).await.status, 503);
    desk.state.db.close().await;
    assert_eq!(get(&desk, "/readyz", None).await.status, 503);
    assert_eq!(get(&desk, "/healthz", None).await.status, 200);
    // Pages say so with a status, too.
    let browser = desk.visitor();
    browser.set_cookie("batchdesk", &"A".repeat(43));
    assert_eq!(browser.get("/").await.status, 503);
}
