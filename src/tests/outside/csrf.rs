//! Requests that another site makes a browser send.

use super::support::{ADMIN, Browser, MAKER, MAKERS_FILE, PASSWORD, TestApp, TestResponse, fingerprint};

async fn withdraw(browser: &Browser, path: &str, headers: &[(&str, &str)]) -> TestResponse {
    let mut request = browser.bare("POST", path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    browser.send(request.form(&[("x", "")])).await
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let path = format!("/batch/batch-refunds/{}/withdraw", app.batch(MAKERS_FILE).await);
    let ours = format!("http://{}", app.address);
    let before = fingerprint(&app).await;
    let refused: [&[(&str, &str)]; 8] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        // The session counts, whatever else is sent.
        &[("authorization", "Bearer bd_demo_acme")],
    ];
    for headers in refused {
        let answer = withdraw(&maker, &path, headers).await;
        assert_eq!(answer.status, 403, "{headers:?}: {}", answer.text);
    }
    assert_eq!(fingerprint(&app).await, before, "nothing may have changed");

    let taken = withdraw(&maker, &path, &[("origin", &ours)]).await;
    assert_eq!(taken.status, 303, "{}", taken.text);
    assert_ne!(fingerprint(&app).await, before);
    // Done once already; the point is that the guard lets it pass.
    assert_eq!(withdraw(&maker, &path, &[("sec-fetch-site", "same-origin")]).await.status, 409);
    assert_eq!(withdraw(&maker, &path, &[("sec-fetch-site", "none")]).await.status, 409);
}

#[tokio::test]
async fn with_a_public_address_only_that_origin_is_ours() {
    let app = TestApp::with(|config| config.public_url = Some("http://desk.example.test:8080".parse().unwrap())).await;
    let maker = app.signed_in(MAKER).await;
    let theme = async |origin: &str| withdraw(&maker, "/theme", &[("origin", origin)]).await.status;
    assert_eq!(theme("http://desk.example.test:8080").await, 303);
    assert_eq!(theme("http://desk.example.test").await, 403);
    assert_eq!(theme("https://desk.example.test:8080").await, 403);
    assert_eq!(theme(&format!("http://{}", app.address)).await, 403, "the host header is not asked");
}

#[tokio::test]
async fn nobody_can_be_signed_in_by_another_site() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    for (headers, status) in
        [(vec![("sec-fetch-site", "cross-site")], 403), (vec![("origin", "https://evil.test")], 403), (vec![], 303)]
    {
        let mut request = visitor.bare("POST", "/login");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let answer = visitor.send(request.form(&[("email", MAKER), ("password", PASSWORD)])).await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn nothing_is_changed_by_get() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let admin = app.signed_in(ADMIN).await;
    let batch = app.batch(MAKERS_FILE).await;
    let before = fingerprint(&app).await;
    for route in batchdesk::http::routes() {
        // Both what GET serves, and what is only for POST.
        let path: Vec<&str> =
            route.path.split('/').map(|part| if part.starts_with('{') { batch.as_str() } else { part }).collect();
        let path = path.join("/");
        let query = "decision=approve&content_hash=0&email=a&password=b&description=something+long";
        let address = if path == "/events" { format!("/events?batch={batch}") } else { format!("{path}?{query}") };
        for browser in [&maker, &admin] {
            let response = browser.request("GET", &address).send().await.unwrap();
            let status = response.status().as_u16();
            assert!(matches!(status, 200 | 303 | 401 | 403 | 404 | 405), "{address}: {status}");
            if !matches!(route.kind, batchdesk::http::RouteKind::Stream) {
                drop(response.text().await);
            }
        }
    }
    assert_eq!(fingerprint(&app).await, before);
    assert_eq!(maker.get("/").await.status, 200, "still signed in");
}

#[tokio::test]
async fn an_act_without_fields_needs_no_encoding_to_be_named() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let path = format!("/batch/batch-refunds/{}/withdraw", app.batch(MAKERS_FILE).await);
    let untyped = maker.send(maker.request("POST", &path).body("x=1")).await;
    assert_eq!(untyped.status, 415, "fields need an encoding: {}", untyped.text);
    let taken = maker.send(maker.request("POST", &path)).await;
    assert_eq!(taken.status, 303, "{}", taken.text);
}

#[tokio::test]
async fn a_key_opens_the_machine_interface_only() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    let key = ("authorization", "Bearer bd_demo_acme");
    let cross = ("sec-fetch-site", "cross-site");
    for route in batchdesk::http::routes() {
        let machine = matches!(route.kind, batchdesk::http::RouteKind::Machine);
        assert_eq!(machine, route.path.starts_with("/api/v1/"), "{}", route.path);
        assert_eq!(machine, route.need == batchdesk::http::Access::Key, "{}", route.path);
        if machine {
            continue;
        }
        let path = route.path.replace("{id}", "1").replace("{row}", "1");
        let answer = withdraw(&visitor, &path, &[key, cross]).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
    }
    // Nobody is signed in by another site, with a header of any kind.
    let request = visitor.bare("POST", "/login").header(key.0, key.1).header(cross.0, cross.1);
    let answer = visitor.send(request.form(&[("email", MAKER), ("password", PASSWORD)])).await;
    assert_eq!((answer.status, visitor.cookie("batchdesk")), (403, None));
    // There the key is what counts, and the guard has nothing to guard.
    assert_eq!(withdraw(&visitor, "/api/v1/batches/1", &[key, cross]).await.status, 405);
}
