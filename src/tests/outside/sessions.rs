//! Sessions: cookies, ends, sign-in limits, and where signing in leads.

use super::support::{MAKER, PASSWORD, TestApp, VIEWER};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use batchdesk::http::{ABSOLUTE, IDLE, POLL_HEADER};
use sha2::{Digest, Sha256};
use time::Duration;

const PAGE: &str = "/batch/batch-refunds";

#[tokio::test]
async fn a_session_ends_after_fifteen_idle_minutes_and_only_people_keep_it() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let almost = IDLE - Duration::minutes(2);
    app.advance(almost);
    assert_eq!(maker.get(PAGE).await.status, 200);
    app.advance(almost);
    assert_eq!(maker.get(PAGE).await.status, 200, "the request before kept it alive");

    // What pages do by themselves does not.
    app.advance(almost);
    let batch = app.batch(super::support::MAKERS_FILE).await;
    let stream = maker.request("GET", &format!("/events?batch={batch}")).send().await.unwrap();
    assert_eq!(stream.status().as_u16(), 200);
    let poll = maker.request("POST", "/api/home").header(POLL_HEADER, "1").header("content-type", "application/json");
    assert_eq!(maker.send(poll.body("{}")).await.status, 200);
    assert_eq!(maker.get("/healthz").await.status, 200);
    app.advance(Duration::minutes(2));
    let ended = maker.get(PAGE).await;
    assert_eq!((ended.status, ended.location().as_str()), (303, "/login?next=%2Fbatch%2Fbatch-refunds"));
    assert!(maker.cookie("batchdesk").is_none(), "the cookie is taken back");
    let rows: (i64,) =
        sqlx::query_as("SELECT count(*) FROM session").fetch_one(&mut app.database().await).await.unwrap();
    assert_eq!(rows.0, 0, "an ended session is deleted");
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_whatever_happens() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let step = Duration::minutes(10);
    let mut passed = Duration::ZERO;
    while passed + step < ABSOLUTE {
        app.advance(step);
        passed += step;
        assert_eq!(maker.get("/api/none").await.status, 404, "after {passed}");
        assert!(maker.cookie("batchdesk").is_some(), "after {passed}");
    }
    assert_eq!(maker.get(PAGE).await.status, 200);
    app.advance(step);
    assert_eq!(maker.get(PAGE).await.status, 303);
}

#[tokio::test]
async fn the_cookie_is_for_this_site_and_not_for_scripts() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    let login = [("email", MAKER), ("password", PASSWORD)];
    let answer = visitor.form("/login", &login).await;
    let line = answer.header("set-cookie").to_owned();
    assert!(line.starts_with("batchdesk="), "{line}");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(line.split("; ").any(|found| found == part), "{part} in {line}");
    }
    assert!(!line.contains("Secure") && !line.contains("Domain"), "{line}");

    let https = TestApp::with(|config| config.public_url = Some("https://desk.example.test".parse().unwrap())).await;
    let answer = https.visitor().form("/login", &login).await;
    let line = answer.header("set-cookie").to_owned();
    assert!(line.starts_with("__Host-batchdesk="), "{line}");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Secure"] {
        assert!(line.split("; ").any(|found| found == part), "{part} in {line}");
    }
    assert!(!line.contains("Domain"), "{line}");
    assert!(answer.header("strict-transport-security").contains("max-age=31536000"));
}

#[tokio::test]
async fn the_database_holds_no_id_that_could_be_used() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let id = maker.cookie("batchdesk").unwrap();
    let rows: Vec<(Vec<u8>, String)> =
        sqlx::query_as("SELECT id_sha256, data FROM session").fetch_all(&mut app.database().await).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(URL_SAFE_NO_PAD.decode(&id).unwrap().len(), 32, "256 random bits");
    assert_eq!(rows[0].0, Sha256::digest(id.as_bytes()).to_vec());
    assert!(!rows[0].1.contains(&id));
}

#[tokio::test]
async fn signing_in_makes_a_new_session_and_ends_the_old_one() {
    let app = TestApp::start().await;
    // An id that somebody planted is not taken over, nor is any part of it.
    let planted = "A".repeat(43);
    let visitor = app.visitor();
    visitor.set_cookie("batchdesk", &planted);
    visitor.form("/login", &[("email", MAKER), ("password", PASSWORD)]).await;
    let first = visitor.cookie("batchdesk").unwrap();
    assert!(!first.starts_with("AAAA") && !first.ends_with("AAAA"), "{first}");
    visitor.form("/login", &[("email", VIEWER), ("password", PASSWORD)]).await;
    assert_ne!(visitor.cookie("batchdesk").unwrap(), first);
    let thief = app.visitor();
    thief.set_cookie("batchdesk", &first);
    assert_eq!(thief.get(PAGE).await.status, 303, "the old id opens nothing");
    // Half of it is not enough: both halves count.
    let second = visitor.cookie("batchdesk").unwrap();
    assert_eq!(visitor.get(PAGE).await.status, 200);
    for guess in [format!("{}{}", &second[..42], "A"), format!("{}{}", &second[..22], &planted[22..])] {
        thief.set_cookie("batchdesk", &guess);
        assert_eq!(thief.get(PAGE).await.status, if guess == second { 200 } else { 303 });
    }
}

#[tokio::test]
async fn after_signing_out_the_old_cookie_opens_nothing() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let id = maker.cookie("batchdesk").unwrap();
    let answer = maker.form("/logout", &[]).await;
    assert_eq!((answer.status, answer.location().as_str()), (303, "/login"));
    assert!(maker.cookie("batchdesk").is_none());
    let thief = app.visitor();
    thief.set_cookie("batchdesk", &id);
    assert_eq!(thief.get(PAGE).await.status, 303);
    let acts: Vec<(String,)> =
        sqlx::query_as("SELECT action FROM audit WHERE action LIKE 'person.signed%' ORDER BY at")
            .fetch_all(&mut app.database().await)
            .await
            .unwrap();
    assert_eq!(acts.iter().map(|(act,)| act.as_str()).collect::<Vec<_>>(), ["person.signed_in", "person.signed_out"]);
}

#[tokio::test]
async fn a_wrong_password_keeps_the_email_and_says_nothing_about_the_account() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    let wrong = visitor.form("/login", &[("email", MAKER), ("password", "wrong")]).await;
    let unknown = visitor.form("/login", &[("email", "nobody@acme.test"), ("password", "wrong")]).await;
    assert_eq!((wrong.status, unknown.status), (422, 422));
    let sentence = "Email or password is not right";
    assert!(wrong.text.contains(sentence) && unknown.text.contains(sentence));
    assert!(wrong.text.contains(&format!("value=\"{MAKER}\"")), "the address is kept");
    assert!(!wrong.text.contains("wrong\""), "a password never is");
    assert!(visitor.cookie("batchdesk").is_none());
}

#[tokio::test]
async fn signing_in_leads_only_to_our_own_pages() {
    let app = TestApp::start().await;
    for (next, expected) in [
        ("/approvals", "/approvals"),
        ("/batch/batch-refunds?q=a", "/batch/batch-refunds?q=a"),
        ("//evil.test", "/"),
        ("https://evil.test", "/"),
        ("/\\evil.test", "/"),
        ("/%0d%0aSet-Cookie:x=1//", "/"),
        ("/\r\nSet-Cookie: x=1", "/"),
        ("javascript:alert(1)", "/"),
        ("/login", "/"),
        ("/logout", "/"),
    ] {
        let answer = app.visitor().form("/login", &[("email", MAKER), ("password", PASSWORD), ("next", next)]).await;
        assert_eq!((answer.status, answer.location().as_str()), (303, expected), "{next:?}");
    }
    let maker = app.signed_in(MAKER).await;
    let asked = async |next: &str| maker.get(&format!("/login?next={next}")).await.location();
    assert_eq!(asked("%2Fapprovals").await, "/approvals");
    assert_eq!(asked("%2F%2Fevil.test").await, "/");
    let theme = maker.form("/theme", &[("theme", "dark"), ("next", "//evil.test")]).await;
    assert_eq!(theme.location(), "/");
}

#[tokio::test]
async fn the_colour_scheme_is_kept_and_shown() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    let answer = visitor.form("/theme", &[("theme", "dark"), ("next", "/login")]).await;
    assert_eq!((answer.status, answer.location().as_str()), (303, "/login"));
    assert!(visitor.get("/login").await.text.contains("data-theme=\"dark\""));
}
