//! What every answer carries: the content security policy first of all.

use super::support::{MAKER, TestApp};

#[tokio::test]
async fn every_answer_has_a_policy_and_is_not_sniffed_or_kept() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let visitor = app.visitor();
    let mut paths: Vec<String> =
        ["/", "/login", "/batch/batch-refunds", "/nothing-here", "/api/nothing", "/healthz", "/readyz", "/events"]
            .map(str::to_owned)
            .to_vec();
    paths.extend(
        ["/api/v1/batches/1", "/samples/batch_refunds_sample.csv", "/pkg/nothing.js", "/favicon.svg"]
            .map(str::to_owned),
    );
    let assets = batchdesk::http::site::assets();
    paths.extend([assets.css, assets.js, assets.wasm, assets.worker].into_iter().flatten().map(str::to_owned));
    for path in &paths {
        for browser in [&maker, &visitor] {
            let answer = browser.get(path).await;
            let policy = answer.header("content-security-policy");
            for part in [
                "default-src 'self'",
                "'wasm-unsafe-eval'",
                "style-src 'self'",
                "object-src 'none'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
                "form-action 'self'",
            ] {
                assert!(policy.contains(part), "{path}: {part} in {policy:?}");
            }
            assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{path}: {policy}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
            assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
            assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
            if !path.starts_with("/pkg/") && path != "/favicon.svg" {
                assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            }
        }
    }
}

#[tokio::test]
async fn the_scripts_of_a_page_carry_its_nonce_and_no_two_pages_share_one() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = maker.get("/batch/batch-refunds").await;
        let policy = page.header("content-security-policy").to_owned();
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().to_owned();
        let scripts = page.text.matches("<script").count();
        assert!(scripts > 0);
        let named = page.text.match_indices("<script").filter(|(at, _)| {
            let tag = page.text[*at..].split('>').next().unwrap();
            tag.contains(&format!("nonce=\"{nonce}\"")) || tag.contains("src=")
        });
        assert_eq!(named.count(), scripts, "inline script without nonce");
        assert!(!page.text.contains(" style=\""), "inline styles are not allowed by the policy");
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn a_missing_page_is_a_page_with_its_status() {
    let app = TestApp::start().await;
    for browser in [app.visitor(), app.signed_in(MAKER).await] {
        let answer = browser.get("/nothing-here").await;
        assert_eq!(answer.status, 404);
        assert!(answer.header("content-type").starts_with("text/html"));
        assert!(answer.text.contains("There is no page at this address."), "{}", answer.text);
        assert!(answer.text.contains(answer.header("x-request-id")), "the person can name the request");
    }
}

#[tokio::test]
async fn pages_are_compressed_and_streams_are_not() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let page = maker.request("GET", "/").header("accept-encoding", "br, gzip").send().await.unwrap();
    assert_eq!(page.headers()["content-encoding"], "br");
    let batch = app.batch(super::support::MAKERS_FILE).await;
    let stream = maker.request("GET", &format!("/events?batch={batch}")).header("accept-encoding", "br, gzip");
    let stream = stream.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert!(stream.headers().get("content-encoding").is_none());
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused() {
    let app = TestApp::start().await;
    let big = "a".repeat(100_000);
    assert_eq!(app.visitor().form("/login", &[("email", &big), ("password", "x")]).await.status, 413);
}
