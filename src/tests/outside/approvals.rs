//! Deciding by form.

use super::support::{Browser, CHECKER, MAKER, MAKERS_FILE, PASSWORD, TestApp, TestResponse, VIEWER};
use time::Duration;

struct Case {
    app: TestApp,
    checker: Browser,
    batch: String,
    hash: String,
}

async fn case() -> Case {
    let app = TestApp::start().await;
    let checker = app.signed_in(CHECKER).await;
    let batch = app.batch(MAKERS_FILE).await;
    let detail = checker.api("/api/approvals/detail", serde_json::json!({ "batch": batch })).await.json();
    let hash = detail["snapshot"]["content_sha256"].as_str().unwrap().to_owned();
    Case { app, checker, batch, hash }
}

impl Case {
    async fn decide(&self, fields: &[(&str, &str)]) -> TestResponse {
        self.checker.form(&format!("/approvals/{}", self.batch), fields).await
    }

    async fn status(&self) -> String {
        let input = serde_json::json!({ "batch": self.batch });
        let detail = self.checker.api("/api/approvals/detail", input).await.json();
        detail["snapshot"]["status"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_approval_leads_on_with_a_notice_and_cannot_be_repeated() {
    let case = case().await;
    let fields = [("decision", "approve"), ("content_hash", case.hash.as_str())];
    let done = case.decide(&fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let page = case.checker.get(&done.location()).await;
    assert!(page.text.contains("You approved"), "{}", page.text);
    assert!(!case.checker.get(&done.location()).await.text.contains("You approved"), "a notice is shown once");
    assert_eq!(case.status().await, "processing");
    assert_eq!(case.decide(&fields).await.status, 409);
}

#[tokio::test]
async fn an_old_proof_asks_for_the_password_and_a_wrong_one_keeps_the_reason() {
    let case = case().await;
    case.app.advance(Duration::minutes(11));
    let reason = "Amounts differ from the courier's list";
    let fields = |password: &'static str| {
        [("decision", "reject"), ("content_hash", case.hash.as_str()), ("reason", reason), ("password", password)]
    };
    for password in ["", "wrong"] {
        let page = case.decide(&fields(password)).await;
        assert_eq!(page.status, 422, "{password:?}");
        assert!(
            page.text.contains("courier&#x27;s list") || page.text.contains("courier's list"),
            "the reason is kept"
        );
        assert!(page.text.contains("type=\"password\""), "the field is there");
        assert!(!page.text.contains("wrong\""));
        assert_eq!(case.status().await, "awaiting_approval");
    }
    assert_eq!(case.decide(&fields(PASSWORD)).await.status, 303);
    assert_eq!(case.status().await, "rejected");

    // The proof counts for the next ten minutes.
    let other = case.app.batch(super::support::MAKER2S_FILE).await;
    let again = [("decision", "reject"), ("content_hash", "00"), ("reason", "No")];
    let answer = case.checker.form(&format!("/approvals/{other}"), &again).await;
    assert_eq!(answer.status, 412, "asked about the content, not the password: {}", answer.text);
}

#[tokio::test]
async fn a_proof_of_ten_minutes_is_enough_and_the_page_says_so_too() {
    let case = case().await;
    case.app.advance(Duration::minutes(10));
    let page = case.checker.get(&format!("/approvals/{}", case.batch)).await;
    assert!(!page.text.contains("type=\"password\""), "{}", page.text);
    let fields = [("decision", "approve"), ("content_hash", case.hash.as_str())];
    assert_eq!(case.decide(&fields).await.status, 303);
}

#[tokio::test]
async fn what_was_not_shown_or_not_said_is_not_decided() {
    let case = case().await;
    let hash = case.hash.as_str();
    let zeros = "0".repeat(64);
    let (changed, why, which) = ("Load the page again", "Say why you reject it", "Choose Approve or Reject");
    for (fields, status, said) in [
        (vec![("decision", "approve"), ("content_hash", zeros.as_str())], 412, "content changed"),
        (vec![("decision", "approve")], 412, changed),
        (vec![("decision", "reject"), ("content_hash", hash)], 422, why),
        (vec![("decision", "reject"), ("content_hash", hash), ("reason", "  ")], 422, why),
        (vec![("decision", "maybe"), ("content_hash", hash)], 422, which),
        (vec![], 422, which),
    ] {
        let answer = case.decide(&fields).await;
        assert_eq!(answer.status, status, "{fields:?}");
        assert!(answer.text.contains(said), "{fields:?}: {}", answer.text);
        assert_eq!(case.status().await, "awaiting_approval", "{fields:?}");
    }
    let maker = case.app.signed_in(MAKER).await;
    let own =
        maker.form(&format!("/approvals/{}", case.batch), &[("decision", "approve"), ("content_hash", hash)]).await;
    assert_eq!(own.status, 403);
    // The rights come first, whatever else is wrong.
    let viewer = case.app.signed_in(VIEWER).await;
    for fields in [&[][..], &[("decision", "approve"), ("content_hash", hash)]] {
        assert_eq!(viewer.form(&format!("/approvals/{}", case.batch), fields).await.status, 403, "{fields:?}");
    }
    assert_eq!(case.status().await, "awaiting_approval");
}

#[tokio::test]
async fn guessing_the_password_of_an_open_session_is_stopped() {
    let case = case().await;
    case.app.advance(Duration::minutes(11));
    let fields = [("decision", "approve"), ("content_hash", case.hash.as_str()), ("password", "wrong")];
    let mut statuses = Vec::new();
    for _ in 0..=batchdesk::server::ops::throttle::WITHOUT_PAUSE + 1 {
        statuses.push(case.decide(&fields).await.status);
    }
    assert_eq!(statuses.pop(), Some(429));
    assert!(statuses.iter().all(|status| *status == 422), "{statuses:?}");
    assert_eq!(case.status().await, "awaiting_approval");
}
