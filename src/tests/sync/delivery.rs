//! The external system is told: signed, again when it must be, never inside.

use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use harness::{OWNER, SECRET};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_signed_and_answers_are_kept() {
    let harness = SyncHarness::with_external_system().await;
    let long = "x".repeat(500);
    harness.endpoint.reply_with("LONG", &[(201, &long)]);
    harness.endpoint.reply_with("REFUSED", &[(422, "no such\ncustomer")]);
    harness.endpoint.reply_with("MOVED", &[(302, "")]);
    let batch = harness.batch(&["PLAIN,PLAIN-1,R1", "LONG,,", "REFUSED,,", "MOVED,,"], true).await;
    let running = harness.start();
    harness.settled(batch).await;
    running.stop().await;
    let message = harness.endpoint.arrived("PLAIN").remove(0);
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signed = format!("{}.{}.{}", message.id, message.timestamp, message.text);
    let signature = STANDARD.decode(message.signature.strip_prefix("v1,").unwrap()).unwrap();
    ring::hmac::verify(&key, signed.as_bytes(), &signature).expect("the signature is over id, time and body");
    assert_eq!(message.timestamp, harness.test.state.clock.now().unix_timestamp().to_string());
    let data = &message.body["data"];
    assert_eq!(message.body["type"], "order.synchronised");
    assert_eq!((data["unique_request_id"].as_str(), data["txn_id"].as_str()), (Some("R1"), Some("PLAIN-1")));
    assert_eq!((data["order"]["amount"].as_i64(), data["order"]["status"].as_str()), (Some(10_000), Some("CHARGED")));

    let plain = harness.task(batch, "PLAIN").await;
    assert_eq!((plain.status.as_str(), plain.response.as_deref()), ("ACCEPTED", Some("HTTP 200 {\"ok\":true}")));
    let response = harness.task(batch, "LONG").await.response.unwrap();
    assert_eq!(response, format!("HTTP 201 {}", "x".repeat(200)));
    let refused = harness.task(batch, "REFUSED").await;
    assert_eq!((refused.status.as_str(), refused.gateway_status.as_deref()), ("FAILED", Some("SYNCED")));
    assert_eq!(refused.response.as_deref(), Some("HTTP 422 no such customer"));
    assert!(refused.message.unwrap().contains("HTTP 422"));
    assert_eq!(harness.task(batch, "MOVED").await.response.as_deref(), Some("HTTP 302"));
    assert_eq!(harness.endpoint.arrived("MOVED").len(), 1, "a redirect is not followed");
    assert_eq!(harness.number("SELECT count(*) FROM evidence WHERE source = 'DELIVERY'").await, 4);
    assert_eq!(harness.number("SELECT count(*) FROM evidence WHERE replies LIKE '%MfKQ9r8G%'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_down_is_told_again_under_the_same_id_and_not_for_ever() {
    let harness = SyncHarness::with_external_system().await;
    harness.endpoint.reply_with("SHAKY", &[(503, "busy"), (429, ""), (200, "")]);
    harness.endpoint.reply_with("DOWN", &[(500, "broken")]);
    let batch = harness.batch(&["SHAKY,,", "DOWN,,"], true).await;
    let running = harness.start();
    harness.settled(batch).await;
    let told = harness.endpoint.arrived("SHAKY");
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|message| message.id == told[0].id && !message.id.is_empty()), "{told:?}");
    assert_eq!(harness.task(batch, "SHAKY").await.response.as_deref(), Some("HTTP 200"));
    assert_eq!(harness.endpoint.arrived("DOWN").len(), 6);
    let down = harness.task(batch, "DOWN").await;
    assert_eq!((down.status.as_str(), down.response.as_deref()), ("FAILED", Some("HTTP 500 broken")));
    assert!(down.message.unwrap().ends_with("It was told 6 times."));
    // The button tells what was not taken, though it did not change.
    harness.endpoint.reply_with("DOWN", &[(200, "")]);
    harness.press(batch).await;
    harness.until("it is taken", async || harness.task(batch, "DOWN").await.status == "ACCEPTED").await;
    harness.settled(batch).await;
    running.stop().await;
    assert_eq!(harness.status(batch).await, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_followed_by_one_that_tells_the_same_again() {
    let harness = SyncHarness::with_external_system().await;
    let batch = harness.batch(&["ONE,,", "TWO,,"], true).await;
    let held = harness.endpoint.gate.clone().write_owned().await;
    let running = harness.start();
    harness
        .until("both are on the wire", async || {
            !harness.endpoint.arrived("ONE").is_empty() && !harness.endpoint.arrived("TWO").is_empty()
        })
        .await;
    running.kill().await;
    drop(held);
    assert_eq!(harness.task(batch, "ONE").await.status, "QUEUED", "nothing was written down");
    // While the lease lasts nobody takes the rows.
    let running = harness.start();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(harness.endpoint.arrived("ONE").len(), 1);
    harness.sql("UPDATE order_task SET run_at = now() WHERE owner IS NOT NULL").await;
    harness.settled(batch).await;
    running.stop().await;
    let told = harness.endpoint.arrived("ONE");
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].id, told[1].id, "the other side can tell that it is the same message");
    assert_eq!(harness.status(batch).await, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_to_an_inside_address() {
    let harness = SyncHarness::with_external_system().await;
    let owner = harness.test.caller(OWNER).await;
    for url in ["http://10.0.0.1/", "https://169.254.169.254/latest", "https://localhost/", "http://example.com/"] {
        let new = crate::server::ops::external::NewExternal { url: url.to_owned(), secret: None, enabled: true };
        assert!(crate::server::ops::external::set(&harness.test.state, &owner, new, "a test").await.is_err(), "{url}");
    }
    // An address that was allowed once, and a name that leads inside.
    for url in ["http://127.0.0.2:9/", "https://localhost.localdomain:9/", "https://ip6-localhost:9/"] {
        harness.sql(&format!("UPDATE external_system SET url = '{url}'")).await;
        let batch = harness.batch(&["A,,"], true).await;
        let running = harness.start();
        harness
            .until("it ends", async || {
                harness.sql("UPDATE order_task SET tries = 9").await;
                harness.status(batch).await == "completed_with_failures"
            })
            .await;
        running.stop().await;
        let message = harness.task(batch, "A").await.message.unwrap();
        let said = ["private network", "could not be reached", "cannot be used as it is set"];
        assert!(said.iter().any(|said| message.contains(said)), "{url}: {message}");
    }
    assert!(harness.endpoint.arrived("A").is_empty());
}
