//! Guessing passwords: how many are checked, whom a flood keeps out, and what opens again.

use super::support::{Browser, CHECKER, MAKER, PASSWORD, TestApp, TestResponse, VIEWER, until};
use batchdesk::server::{
    hashing::{AT_ONCE, Lane, OF_ONE, STRANGERS, WAITING},
    ops::{
        housekeeping, people,
        throttle::{CHECKS, NETWORK_CHECKS, WINDOW, WITHOUT_PAUSE, pause},
    },
};
use futures::{StreamExt, future::join_all};
use time::Duration;

const REFUSED: &str = "Email or password is not right";
const BUSY: &str = "Too many people are signing in at this moment. Try again in 5 seconds.";

/// An application behind a proxy that says where requests come from.
async fn app() -> TestApp {
    TestApp::with(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await
}

/// One attempt of this browser, from this address.
async fn attempt(browser: &Browser, address: &str, email: &str, password: &str) -> TestResponse {
    let request = browser.request("POST", "/login").header("accept", "text/html").header("x-forwarded-for", address);
    browser.send(request.form(&[("email", email), ("password", password)])).await
}

/// Attempts (address, e-mail, password) that all come at once; those for which the queue was full come again, a few at
/// a time.
async fn insist(app: &TestApp, attempts: Vec<(String, String, String)>) -> Vec<u16> {
    let once = async |(address, email, password): &(String, String, String)| {
        let answer = attempt(&app.visitor(), address, email, password).await;
        (!answer.text.contains(BUSY)).then_some(answer.status)
    };
    let first = join_all(attempts.iter().map(&once)).await;
    let again = attempts.iter().zip(first).map(|(attempt, answered)| {
        let once = &once;
        async move {
            match answered {
                Some(status) => status,
                None => until("a place in the queue", async || once(attempt).await).await,
            }
        }
    });
    futures::stream::iter(again).buffered(OF_ONE).collect().await
}

async fn throttled(app: &TestApp) -> i64 {
    let count = "SELECT count(*) FROM sign_in_throttle";
    sqlx::query_scalar(count).fetch_one(&mut app.database().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_that_come_at_once_are_counted_before_they_are_checked() {
    let app = app().await;
    let held = hold_the_turns(&app).await;
    let before = app.state.hashing.begun();
    let guess = |number| (format!("203.0.113.{number}"), MAKER.to_owned(), format!("guess {number}"));
    let guesses = insist(&app, (0..200).map(guess).collect());
    // As many as are let in wait together; then all turns are free at once.
    let released = async {
        let counted = "SELECT coalesce(max(cardinality(attempts)), 0) FROM sign_in_throttle";
        until("the account is closed", async || {
            let most: i32 = sqlx::query_scalar(counted).fetch_one(&mut app.database().await).await.unwrap();
            (most == CHECKS).then_some(())
        })
        .await;
        drop(held);
    };
    let (answers, ()) = tokio::join!(guesses, released);
    let with = |status: u16| answers.iter().filter(|found| **found == status).count();
    let checked = app.state.hashing.begun() - before;
    println!("200 guesses at once from 200 addresses: {checked} checked, {} refused", with(429));
    assert_eq!(checked, u64::try_from(CHECKS).unwrap());
    // On a busy machine some wait in vain for a connection to the database; nothing was checked for them.
    assert_eq!((with(422), with(429) + with(503)), (10, 190), "{answers:?}");
    // Not the right one either while the limit holds, from anywhere.
    let late = attempt(&app.visitor(), "198.51.100.7", MAKER, PASSWORD).await;
    assert_eq!(late.status, 429);
    assert_eq!(app.state.hashing.begun() - before, checked);
    // Nobody else is kept out.
    assert_eq!(attempt(&app.visitor(), "198.51.100.7", VIEWER, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn no_half_hour_has_more_than_ten_wrong_guesses_and_each_pause_is_longer() {
    let app = app().await;
    let (step, mut passed) = (Duration::seconds(30), Duration::ZERO);
    let mut checked: Vec<Duration> = Vec::new();
    while passed < WINDOW * 3 {
        for _ in 0..6 {
            match attempt(&app.visitor(), "203.0.113.1", MAKER, "wrong").await.status {
                422 => checked.push(passed),
                status => {
                    assert_eq!(status, 429);
                    break;
                }
            }
        }
        app.advance(step);
        passed += step;
    }
    let most = checked.iter().map(|from| checked.iter().filter(|at| (*from..*from + WINDOW).contains(*at)).count());
    println!("checked at {:?}", checked.iter().map(|at| at.whole_seconds()).collect::<Vec<_>>());
    assert_eq!(most.max(), Some(usize::try_from(CHECKS).unwrap()));
    let pauses: Vec<_> = checked.windows(2).take(9).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, (1..=9).map(pause).collect::<Vec<_>>());
    assert!(checked.iter().any(|at| *at > WINDOW * 2), "it is never closed for good");
}

#[tokio::test]
async fn what_is_closed_says_until_when_and_keeps_the_email() {
    let app = app().await;
    let visitor = app.visitor();
    for _ in 0..=WITHOUT_PAUSE {
        let wrong = attempt(&visitor, "203.0.113.1", MAKER, "wrong").await;
        assert_eq!((wrong.status, wrong.header("retry-after")), (422, ""));
    }
    let closed = attempt(&visitor, "203.0.113.2", MAKER, PASSWORD).await;
    assert_eq!((closed.status, closed.header("retry-after")), (429, "30"));
    assert!(closed.text.contains("Try again in 30 seconds, or ask an administrator to set a new password."));
    assert!(closed.text.contains(&format!("value=\"{MAKER}\"")), "the address is kept");
    app.advance(Duration::seconds(29));
    assert_eq!(attempt(&visitor, "203.0.113.2", MAKER, PASSWORD).await.header("retry-after"), "1");
    app.advance(Duration::seconds(1));
    assert_eq!(attempt(&visitor, "203.0.113.2", MAKER, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn right_passwords_do_not_count() {
    let app = app().await;
    for _ in 0..CHECKS * 2 {
        assert_eq!(attempt(&app.visitor(), "203.0.113.1", MAKER, PASSWORD).await.status, 303);
    }
    assert_eq!(throttled(&app).await, 0);
    // Nor do they make room for more wrong ones.
    for _ in 0..WITHOUT_PAUSE {
        assert_eq!(attempt(&app.visitor(), "203.0.113.1", MAKER, "wrong").await.status, 422);
        assert_eq!(attempt(&app.visitor(), "203.0.113.1", MAKER, PASSWORD).await.status, 303);
    }
    assert_eq!(attempt(&app.visitor(), "203.0.113.1", MAKER, "wrong").await.status, 422);
    assert_eq!(attempt(&app.visitor(), "203.0.113.1", MAKER, "wrong").await.status, 429);
}

#[tokio::test]
async fn whatever_is_typed_as_an_email_gets_the_ordinary_refusal_for_one_hash() {
    let app = app().await;
    let long = |bytes: usize| format!("{}@b.test", "a".repeat(bytes - 7));
    let typed = [
        MAKER.to_owned(),
        "nobody@acme.test".to_owned(),
        long(255),
        long(3_000),
        long(50_000),
        "maker\0@acme.test".to_owned(),
        "\u{1}\u{7f}\u{85}".to_owned(),
        "no at sign".to_owned(),
        String::new(),
    ];
    for (number, email) in (1..).zip(&typed) {
        let answer = attempt(&app.visitor(), "203.0.113.1", email, "wrong").await;
        let shown: String = email.chars().take(40).collect();
        assert_eq!(answer.status, 422, "{shown:?}");
        assert!(answer.text.contains(REFUSED), "{shown:?}");
        assert!(answer.text.len() < 20_000 && !answer.text.contains('\0'), "{shown:?}");
        // The same one hash for a known e-mail, an unknown one and none: the same time.
        assert_eq!(app.state.hashing.begun(), number, "{shown:?}");
    }
    // The network, and the two that could be somebody's.
    assert_eq!(throttled(&app).await, 3);
    let widest: i64 = sqlx::query_scalar("SELECT max(length(t::text))::bigint FROM sign_in_throttle t")
        .fetch_one(&mut app.database().await)
        .await
        .unwrap();
    assert!(widest < 1_000, "{widest}");
    assert!(
        !sqlx::query_scalar::<_, bool>("SELECT bool_or(t::text LIKE '%acme%') FROM sign_in_throttle t")
            .fetch_one(&mut app.database().await)
            .await
            .unwrap()
    );

    app.advance(WINDOW);
    housekeeping::tidy_up(&app.state).await.unwrap();
    assert_eq!(throttled(&app).await, 0, "rows are cleared when nothing of them counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_has_a_limit_of_its_own_and_all_of_an_ipv6_network_is_one() {
    let app = app().await;
    let guess = |number| (format!("2001:db8:1:2::{number:x}"), format!("nobody{number}@acme.test"), "wrong".to_owned());
    let statuses = insist(&app, (0..NETWORK_CHECKS + 20).map(guess).collect()).await;
    assert_eq!(app.state.hashing.begun(), u64::try_from(NETWORK_CHECKS).unwrap());
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 20);
    let closed = attempt(&app.visitor(), "2001:db8:1:2:ffff::1", MAKER, PASSWORD).await;
    assert_eq!((closed.status, closed.header("retry-after")), (429, "1800"));
    assert!(closed.text.contains("Too many wrong passwords from your network. Try again in 30 minutes."));
    assert_eq!(attempt(&app.visitor(), "2001:db8:1:3::1", MAKER, PASSWORD).await.status, 303);
    app.advance(WINDOW);
    assert_eq!(attempt(&app.visitor(), "2001:db8:1:2::1", MAKER, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_browser_that_signed_in_before_is_not_kept_out_by_strangers() {
    let app = app().await;
    let (known, other) = (app.signed_in(MAKER).await, app.signed_in(MAKER).await);
    let kept = known.cookie("batchdesk-device").unwrap();
    known.form("/logout", &[]).await;
    assert_eq!(known.cookie("batchdesk-device"), Some(kept.clone()), "signing out does not forget the browser");
    for _ in 0..=WITHOUT_PAUSE {
        attempt(&app.visitor(), "203.0.113.1", MAKER, "wrong").await;
    }
    for number in 0..NETWORK_CHECKS {
        attempt(&app.visitor(), "203.0.113.2", &format!("nobody{number}@acme.test"), "wrong").await;
    }
    assert_eq!(attempt(&app.visitor(), "198.51.100.7", MAKER, PASSWORD).await.status, 429, "by account");
    assert_eq!(attempt(&app.visitor(), "203.0.113.2", VIEWER, PASSWORD).await.status, 429, "by network");
    assert_eq!(attempt(&known, "203.0.113.2", MAKER, PASSWORD).await.status, 303, "neither holds for it");

    // It is known to the one who signed in, and to nobody else; and nobody can make one up.
    for _ in 0..=WITHOUT_PAUSE {
        attempt(&app.visitor(), "203.0.113.3", CHECKER, "wrong").await;
    }
    assert_eq!(attempt(&known, "198.51.100.7", CHECKER, PASSWORD).await.status, 429);
    let forged = app.visitor();
    forged.set_cookie("batchdesk-device", &kept.chars().rev().collect::<String>());
    assert_eq!(attempt(&forged, "198.51.100.7", MAKER, PASSWORD).await.status, 429);

    // Its own counter has the same bound, and what was guessed there keeps no other browser of the person out.
    let second = app.visitor();
    second.set_cookie("batchdesk-device", &kept);
    for _ in 0..=WITHOUT_PAUSE {
        assert_eq!(attempt(&second, "198.51.100.7", MAKER, "wrong").await.status, 422);
    }
    assert_eq!(attempt(&known, "198.51.100.7", MAKER, PASSWORD).await.status, 429);
    assert_eq!(attempt(&other, "198.51.100.7", MAKER, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_browser_is_known_to_each_person_who_signed_in_with_it() {
    let app = app().await;
    let shared = app.signed_in(MAKER).await;
    for email in [CHECKER, VIEWER, MAKER] {
        assert_eq!(attempt(&shared, "203.0.113.1", email, PASSWORD).await.status, 303);
    }
    assert_eq!(shared.cookie("batchdesk-device").unwrap().split('.').count(), 3, "one word for each");
    for email in [MAKER, CHECKER, VIEWER] {
        for _ in 0..=WITHOUT_PAUSE {
            attempt(&app.visitor(), "203.0.113.9", email, "wrong").await;
        }
        assert_eq!(attempt(&app.visitor(), "203.0.113.1", email, PASSWORD).await.status, 429);
        assert_eq!(attempt(&shared, "203.0.113.1", email, PASSWORD).await.status, 303, "{email}");
    }
}

#[tokio::test]
async fn the_cookie_of_a_known_browser_is_as_safe_as_that_of_the_session() {
    let app = TestApp::with(|config| config.public_url = Some("https://desk.example.test".parse().unwrap())).await;
    let answer = app.visitor().form("/login", &[("email", MAKER), ("password", PASSWORD)]).await;
    let lines: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    let [session, device] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(session.starts_with("__Host-batchdesk=") && device.starts_with("__Host-batchdesk-device="), "{lines:?}");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Secure"] {
        assert!(device.split("; ").any(|found| found == part), "{part} in {device}");
    }
    assert!(!device.contains("Domain") && !device.contains("maker") && !session.contains("Max-Age"), "{lines:?}");
}

#[tokio::test]
async fn a_reset_opens_the_account_and_ends_sessions_and_known_browsers() {
    let app = app().await;
    let old = app.signed_in(MAKER).await;
    app.advance(Duration::seconds(1));
    for _ in 0..=WITHOUT_PAUSE {
        attempt(&app.visitor(), "203.0.113.1", MAKER, "wrong").await;
    }
    assert_eq!(attempt(&app.visitor(), "198.51.100.7", MAKER, PASSWORD).await.status, 429);
    let new = "a password that is new";
    people::reset_password(&app.state, &MAKER.to_uppercase(), &new.into()).await.unwrap();
    assert_eq!(old.get("/approvals").await.status, 303, "the session ended");
    assert_eq!(attempt(&app.visitor(), "198.51.100.7", MAKER, new).await.status, 303, "as the page says");
    // The old browser is a stranger again.
    for _ in 0..=WITHOUT_PAUSE {
        attempt(&app.visitor(), "203.0.113.1", MAKER, "wrong").await;
    }
    assert_eq!(attempt(&old, "198.51.100.7", MAKER, new).await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_does_not_begin_with_a_password_that_was_reset_meanwhile() {
    let app = app().await;
    let held = hold_the_turns(&app).await;
    let visitor = app.visitor();
    let waiting = tokio::spawn({
        let visitor = visitor.clone();
        async move { attempt(&visitor, "203.0.113.1", MAKER, PASSWORD).await.status }
    });
    until("it waits for its turn", async || (throttled(&app).await == 2).then_some(())).await;
    let mut database = app.database().await;
    let other =
        "UPDATE person SET password_hash = (SELECT password_hash FROM person WHERE email = $2) WHERE email = $1";
    sqlx::query(other).bind(MAKER).bind(CHECKER).execute(&mut database).await.unwrap();
    drop(held);
    assert_eq!(waiting.await.unwrap(), 422);
    assert!(visitor.cookie("batchdesk").is_none());
}

/// Every turn, so that whoever comes has to wait.
async fn hold_the_turns(app: &TestApp) -> Vec<batchdesk::server::hashing::HashPermit> {
    let queue = &app.state.hashing;
    let turns = (0..AT_ONCE).map(|_| queue.turn(queue.enter(Lane::Known, "the test").unwrap()));
    join_all(turns).await.into_iter().map(Option::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_strangers_puts_few_hashes_before_a_known_browser_and_is_sent_away() {
    let app = app().await;
    let known = app.signed_in(MAKER).await;
    let held = hold_the_turns(&app).await;
    let queue = &app.state.hashing;
    let before = queue.begun();
    let flood = tokio::spawn({
        let visitors: Vec<_> = (0..200).map(|_| app.visitor()).collect();
        async move {
            join_all(visitors.iter().enumerate().map(|(number, visitor)| async move {
                let (address, email) = (format!("203.0.113.{number}"), format!("nobody{number}@acme.test"));
                attempt(visitor, &address, &email, "wrong").await
            }))
            .await
        }
    });
    until("the lane of strangers is full", async || (queue.waiting(Lane::Stranger) == STRANGERS).then_some(())).await;
    // One network alone does not fill it; that of the flood is full already.
    assert_eq!(attempt(&app.visitor(), "198.51.100.7", VIEWER, PASSWORD).await.status, 429);
    let person = tokio::spawn({
        let known = known.clone();
        async move { attempt(&known, "203.0.113.1", MAKER, PASSWORD).await.status }
    });
    until("the person waits", async || (queue.waiting(Lane::Known) == 1).then_some(())).await;
    // The check is counted, so it waits for nothing but its turn.
    until("the person is counted", async || {
        let counted = "SELECT count(*) FROM sign_in_throttle WHERE cardinality(attempts) > 0";
        let rows: i64 = sqlx::query_scalar(counted).fetch_one(&mut app.database().await).await.unwrap();
        (rows == i64::try_from(2 * STRANGERS + 1).unwrap()).then_some(())
    })
    .await;
    drop(held);
    assert_eq!(person.await.unwrap(), 303);
    let answers = flood.await.unwrap();
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    let checked = queue.begun() - before - 1;
    println!(
        "200 strangers at once: {checked} checked, {} sent away; {} hashes were begun before that of a person known \
         here",
        busy.len(),
        queue.most_ahead(Lane::Known)
    );
    assert!(busy.iter().all(|answer| answer.text.contains(BUSY) && answer.header("retry-after") == "5"));
    assert!(busy[0].text.contains("value=\"nobody"), "the address is kept");
    assert_eq!(usize::try_from(checked).unwrap() + busy.len(), 200);
    // One of the strangers' lane stands at the turnstile, and one more may slip in while two turns end at once.
    assert!(queue.most_ahead(Lane::Known) <= 2, "{}", queue.most_ahead(Lane::Known));
    const { assert!(OF_ONE < STRANGERS && STRANGERS < WAITING) };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_an_open_session_is_counted_before_it_is_checked_and_strangers_do_not_close_it() {
    let app = app().await;
    let checker = app.signed_in(CHECKER).await;
    let batch = app.batch(super::support::MAKERS_FILE).await;
    let page = format!("/approvals/{batch}");
    let detail = checker.api("/api/approvals/detail", serde_json::json!({ "batch": batch })).await.json();
    let hash = detail["snapshot"]["content_sha256"].as_str().unwrap().to_owned();
    app.advance(Duration::minutes(11));
    for _ in 0..=WITHOUT_PAUSE {
        attempt(&app.visitor(), "203.0.113.1", CHECKER, "wrong").await;
    }
    assert_eq!(attempt(&app.visitor(), "203.0.113.1", CHECKER, PASSWORD).await.status, 429);
    let before = app.state.hashing.begun();
    let decide = async |password: &str| {
        let fields = [("decision", "approve"), ("content_hash", hash.as_str()), ("password", password)];
        until("a place in the queue", async || {
            let answer = checker.form(&page, &fields).await;
            (!answer.text.contains(BUSY)).then_some(answer)
        })
        .await
    };
    let answers = join_all((0..20).map(|_| decide("wrong"))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    let checked = app.state.hashing.begun() - before;
    println!("20 guesses at once in an open session: {checked} checked");
    assert!((5..=10).contains(&checked), "{checked}");
    assert_eq!(u64::try_from(20 - refused.len()).unwrap(), checked);
    assert!(refused.iter().all(|answer| !answer.header("retry-after").is_empty()));
    assert_eq!(decide(PASSWORD).await.status, 429);
    // Another person of the organisation is not kept from anything.
    app.advance(WINDOW - Duration::minutes(20));
    assert_eq!(app.signed_in(MAKER).await.get("/").await.status, 200);
}
