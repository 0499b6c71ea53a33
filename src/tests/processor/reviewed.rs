//! Review: two people, never one; what they decide counts once, on what they were shown, and nothing is sent.

use super::{ProcessorHarness, Script};
use crate::{
    domain::{
        access::Role,
        error::RefusalKind,
        ids::BatchId,
        operation::Operation,
        view::review::{Review, ReviewTask},
    },
    server::{
        db::{self, tasks::resolve},
        gateway::GatewayClass,
        ops::{
            access::Caller,
            batches, people,
            review::{self, Finding, ProposalKey, ProposedRow, ReviewDecision},
        },
    },
    tests::support::PASSWORD,
};
use secrecy::SecretString;
use std::time::Duration;

const ONE: &str = "owner@globex.test";
const OTHER: &str = "second@globex.test";

/// A harness whose batch has these orders in review, its processor stopped, and a second person beside its maker.
async fn case(orders: &[&str]) -> (ProcessorHarness, BatchId) {
    let harness = ProcessorHarness::new(GatewayClass::N, Script::default()).await;
    join(&harness, OTHER).await;
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (*order, "10.00")).collect();
    let batch = harness.batch(&rows).await;
    let running = harness.start();
    harness.until(batch, &["REVIEW", "SUCCEEDED", "FAILED"]).await;
    running.stop().await;
    (harness, batch)
}

async fn join(harness: &ProcessorHarness, email: &str) {
    people::create(&harness.test.state, "Globex", email, Role::Owner, &SecretString::from(PASSWORD)).await.unwrap();
}

async fn page(harness: &ProcessorHarness, email: &str, batch: BatchId) -> Review {
    let caller = harness.test.caller(email).await;
    review::review(&harness.test.state, &caller, Some(batch)).await.unwrap()
}

fn row(task: &ReviewTask, reference: &str) -> ProposedRow {
    let (row, revision) = task.name.split_once('.').unwrap();
    ProposedRow {
        row: row.parse().unwrap(),
        revision: revision.parse().unwrap(),
        seen: task.seen.clone(),
        reference: reference.to_owned(),
    }
}

/// What is open, as a proposal names it.
async fn open(harness: &ProcessorHarness, batch: BatchId, reference: &str) -> Vec<ProposedRow> {
    page(harness, ONE, batch).await.batches[0].open.iter().map(|task| row(task, reference)).collect()
}

/// What is proposed, as an answer names it.
async fn proposed(harness: &ProcessorHarness, batch: BatchId) -> Vec<ProposalKey> {
    let shown = page(harness, OTHER, batch).await;
    let key = |task: &ReviewTask| {
        let named = row(task, "");
        ProposalKey { row: named.row, revision: named.revision, n: task.proposal.as_ref().unwrap().number }
    };
    shown.batches[0].proposed.iter().map(key).collect()
}

async fn propose(harness: &ProcessorHarness, batch: BatchId, finding: Finding, rows: &[ProposedRow]) {
    let caller = harness.test.caller(ONE).await;
    review::propose(&harness.test.state, &caller, batch, finding, rows, "seen in the gateway's desk").await.unwrap();
}

async fn close(
    harness: &ProcessorHarness,
    email: &str,
    batch: BatchId,
    answer: ReviewDecision,
    keys: &[ProposalKey],
) -> Result<u64, RefusalKind> {
    let caller = harness.test.caller(email).await;
    let closed = review::close(&harness.test.state, &caller, batch, answer, keys, "because").await;
    closed.map_err(|(error, _)| error.refusal.kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_settle_what_the_gateway_cannot_tell() {
    let (harness, batch) = case(&["BEFORE_1", "AFTER_1", "BEFORE_2", "PLAIN_1"]).await;
    assert_eq!(harness.status(batch).await, "processing");
    let sends = harness.script.sends();
    let shown = page(&harness, ONE, batch).await;
    let tasks = &shown.batches[0].open;
    assert_eq!(tasks.len(), 3);
    assert!(tasks[0].why.contains("cannot be asked"), "{}", tasks[0].why);
    assert!(tasks[0].evidence[0].summary.starts_with("Sent: no clear answer, HTTP 504"), "{:?}", tasks[0].evidence);
    propose(&harness, batch, Finding::Done, &[row(&tasks[1], "GW_REF_7")]).await;
    // Several rows with one reason.
    propose(&harness, batch, Finding::NotDone, &[row(&tasks[0], ""), row(&tasks[2], "")]).await;
    for order in ["BEFORE_1", "AFTER_1", "BEFORE_2"] {
        assert_eq!(harness.task(batch, order).await.state, "REVIEW", "a proposal alone moves nothing");
    }
    let keys = proposed(&harness, batch).await;
    assert_eq!(close(&harness, OTHER, batch, ReviewDecision::Confirm, &keys).await, Ok(3));
    assert_eq!(harness.task(batch, "AFTER_1").await.state, "SUCCEEDED");
    for order in ["BEFORE_1", "BEFORE_2"] {
        let task = harness.task(batch, order).await;
        assert_eq!(task.state, "FAILED");
        assert!(task.message.unwrap().contains("not carried out: seen in the gateway's desk"));
    }
    assert_eq!(harness.number("SELECT count(*) FROM task WHERE gw_ref = 'GW_REF_7'").await, 1);
    assert_eq!(
        harness.number("SELECT sum(committed_minor)::bigint FROM order_balance").await,
        2_000,
        "what was not done is free again"
    );
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    assert_eq!(harness.script.sends(), sends);
    for (action, n) in [("review.proposed", 2), ("review.confirmed", 1)] {
        assert_eq!(harness.number(&format!("SELECT count(*) FROM audit WHERE action = '{action}'")).await, n);
    }
    harness.sound(batch).await;
    // A row that failed so can be sent again as any failed row: it is final, and its key is used up.
    assert_eq!(harness.number("SELECT count(*) FROM open_task").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_confirms_what_they_proposed_in_whatever_way() {
    let (harness, batch) = case(&["BEFORE_1"]).await;
    propose(&harness, batch, Finding::NotDone, &open(&harness, batch, "").await).await;
    let keys = proposed(&harness, batch).await;
    for answer in [ReviewDecision::Confirm, ReviewDecision::Reject] {
        assert_eq!(close(&harness, ONE, batch, answer, &keys).await, Err(RefusalKind::Forbidden));
    }
    assert_eq!(close(&harness, OTHER, batch, ReviewDecision::Withdraw, &keys).await, Err(RefusalKind::Forbidden));
    // Round the operation, as the role that the web part has: the function refuses, and nothing can be written beside
    // it.
    let one = harness.test.caller(ONE).await;
    let web = async || harness.test.state.db.web(harness.organisation, Some(one.person.id)).await.unwrap();
    let error = db::review::close(&mut web().await, batch, "CONFIRM", &keys, "").await.unwrap_err();
    assert_eq!(db::guard_code(&error).as_deref(), Some("BD403"));
    for statement in [
        "INSERT INTO review_confirmation (organisation_id, batch_id, row_no, revision, n)
         SELECT organisation_id, batch_id, row_no, revision, n FROM review_proposal",
        "INSERT INTO review_proposal (organisation_id, batch_id, row_no, revision, n, verdict, reason)
         SELECT organisation_id, batch_id, row_no, revision, 2, 'NOT_DONE', 'x' FROM review_proposal",
        "UPDATE open_task SET state = 'RETRY'",
        "DELETE FROM open_task",
        "INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded)
         SELECT organisation_id, batch_id, row_no, revision, 1, true FROM open_task",
        "UPDATE review_proposal SET proposer = gen_random_uuid()",
    ] {
        let error = harness.test.as_web(one.organisation.id, one.person.id, statement).await.unwrap_err();
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{statement}: {error}");
    }
    // And were it written by the owner of the tables: the guard on the table asks who is signed in.
    let sql = format!(
        "BEGIN; SET LOCAL app.organisation = '{}'; SET LOCAL app.person = '{}';
         INSERT INTO review_confirmation (organisation_id, batch_id, row_no, revision, n)
           SELECT organisation_id, batch_id, row_no, revision, n FROM review_proposal; COMMIT",
        harness.organisation, one.person.id
    );
    assert!(harness.test.as_superuser(&sql).await.unwrap_err().to_string().contains("another person must confirm"));
    assert_eq!(harness.task(batch, "BEFORE_1").await.state, "REVIEW");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_confirmations_at_once_one_counts() {
    let (harness, batch) = case(&["BEFORE_1"]).await;
    for n in 0..3 {
        join(&harness, &format!("racer{n}@globex.test")).await;
    }
    propose(&harness, batch, Finding::Done, &open(&harness, batch, "R1").await).await;
    let keys = proposed(&harness, batch).await;
    let tries = (0..32).map(|n| {
        let email = format!("racer{}@globex.test", n % 3);
        let answer = if n % 4 == 3 { ReviewDecision::Reject } else { ReviewDecision::Confirm };
        let (harness, keys) = (&harness, &keys);
        async move { close(harness, &email, batch, answer, keys).await }
    });
    let results = futures::future::join_all(tries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().filter_map(|r| r.as_ref().err()).all(|kind| *kind == RefusalKind::Conflict), "{results:?}");
    assert_eq!(harness.number("SELECT count(*) FROM review_confirmation").await, 1);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_sees_and_moves_nothing() {
    let (harness, batch) = case(&["BEFORE_1"]).await;
    let rows = open(&harness, batch, "R1").await;
    propose(&harness, batch, Finding::Done, &rows).await;
    let keys = proposed(&harness, batch).await;
    let stranger = harness.test.caller("owner@acme.test").await;
    let state = &harness.test.state;
    let kind = |error: crate::server::error::OpError| error.refusal.kind;
    assert_eq!(review::review(state, &stranger, Some(batch)).await.map_err(kind).unwrap_err(), RefusalKind::NotFound);
    assert!(review::review(state, &stranger, None).await.unwrap().batches.is_empty());
    let proposed = review::propose(state, &stranger, batch, Finding::Done, &rows, "x").await;
    assert_eq!(proposed.map_err(|(error, _)| kind(error)).unwrap_err(), RefusalKind::NotFound);
    assert_eq!(
        close(&harness, "owner@acme.test", batch, ReviewDecision::Confirm, &keys).await,
        Err(RefusalKind::NotFound)
    );
    // A forgotten check of the batch moves nothing either: the functions see the organisation of the session only.
    let mut tx = state.db.web(stranger.organisation.id, Some(stranger.person.id)).await.unwrap();
    let error = db::review::close(&mut tx, batch, "CONFIRM", &keys, "").await.unwrap_err();
    assert_eq!(db::guard_code(&error).as_deref(), Some("BD412"));
    assert_eq!(harness.task(batch, "BEFORE_1").await.state, "REVIEW");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moved_meanwhile_is_not_decided() {
    let (harness, batch) = case(&["AFTER_1", "BEFORE_1", "BEFORE_2"]).await;
    let before = open(&harness, batch, "R1").await;
    propose(&harness, batch, Finding::NotDone, &before[..2]).await;
    let keys = proposed(&harness, batch).await;
    // The gateway has a record of AFTER_1 after all: somebody asks, and the task ends by itself.
    let one = harness.test.caller(ONE).await;
    batches::sync(&harness.test.state, &one, Operation::Refund, batch).await.unwrap();
    let running = harness.start();
    harness.ends(batch, "AFTER_1", "SUCCEEDED").await;
    running.stop().await;
    assert_eq!(close(&harness, OTHER, batch, ReviewDecision::Confirm, &keys).await, Err(RefusalKind::Changed));
    assert_eq!(harness.task(batch, "BEFORE_1").await.state, "REVIEW", "all or none");
    let late = review::propose(&harness.test.state, &one, batch, Finding::NotDone, &before, "x").await.unwrap_err();
    assert_eq!(late.0.refusal.kind, RefusalKind::Changed);
    // What stands otherwise than when it was proposed on: the proposal is void, and another can be made.
    harness.sql("UPDATE open_task SET message = 'The gateway said something else.' WHERE row_no = 2").await;
    assert_eq!(close(&harness, OTHER, batch, ReviewDecision::Confirm, &keys[1..]).await, Err(RefusalKind::Changed));
    assert_eq!(page(&harness, ONE, batch).await.batches[0].open.len(), 2);
    propose(&harness, batch, Finding::NotDone, &open(&harness, batch, "").await).await;
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewed_task_is_asked_about_and_never_sent_again_by_itself() {
    // Class Q until it is in review; then K, where a key that is not found is sent again by itself.
    let harness = ProcessorHarness::new(GatewayClass::Q, Script::keyed()).await;
    join(&harness, OTHER).await;
    let batch = harness.batch(&[("BEFORE_1", "10.00"), ("BEFORE_2", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["REVIEW"]).await;
    running.stop().await;
    harness.sql("UPDATE gateway_promise SET class = 'K', key_window = '24 hours'").await;
    let rows = open(&harness, batch, "").await;
    propose(&harness, batch, Finding::AskAgain, &rows).await;
    assert_eq!(close(&harness, OTHER, batch, ReviewDecision::Confirm, &proposed(&harness, batch).await).await, Ok(2));
    assert_eq!(harness.task(batch, "BEFORE_1").await.state, "UNKNOWN");
    // The database lets no intent pass, whatever a worker makes of it.
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    let worker = harness.worker();
    let held = resolve::claim_open(&mut tx, harness.gateway, 9, worker, Duration::from_secs(60)).await.unwrap();
    assert!(held.len() == 2 && held.iter().all(|task| task.reviewed && !task.in_window));
    let held: Vec<_> = held.iter().collect();
    assert!(resolve::intend_again(&mut tx, worker, &held).await.unwrap().is_empty(), "a reviewed task may be sent");
    drop(tx);
    // One of the two arrived late.
    let key = harness.key(batch, "BEFORE_2").await;
    harness.script.books.lock().unwrap().make(&key);
    let running = harness.start();
    harness.until(batch, &["REVIEW", "SUCCEEDED", "FAILED"]).await;
    running.stop().await;
    for order in ["BEFORE_1", "BEFORE_2"] {
        assert_eq!(harness.script.calls(order).len(), 1, "{order} was sent again");
    }
    assert_eq!(harness.task(batch, "BEFORE_2").await.state, "SUCCEEDED");
    let task = harness.task(batch, "BEFORE_1").await;
    assert_eq!(task.state, "REVIEW", "the answer goes back to people");
    assert!(task.message.unwrap().contains("asked again"));
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_rejected_with_a_reason_or_taken_back_by_who_made_it() {
    let (harness, batch) = case(&["BEFORE_1"]).await;
    let state = &harness.test.state;
    let (one, other) = (harness.test.caller(ONE).await, harness.test.caller(OTHER).await);
    let kind = |(error, _): crate::server::ops::refused::Refused| error.refusal.kind;
    let rows = open(&harness, batch, "").await;
    for (finding, rows, why) in [
        (Finding::NotDone, &rows[..], " "),
        (Finding::Done, &rows[..], "no reference"),
        (Finding::NotDone, &[], "no row"),
        (Finding::AskAgain, &rows[..], "class N cannot be asked"),
    ] {
        let refused = review::propose(state, &one, batch, finding, rows, why).await;
        assert_eq!(refused.map_err(kind).unwrap_err(), RefusalKind::Invalid, "{why:?}");
    }
    propose(&harness, batch, Finding::NotDone, &rows).await;
    let twice = review::propose(state, &other, batch, Finding::NotDone, &rows, "x").await;
    assert_eq!(twice.map_err(kind).unwrap_err(), RefusalKind::Conflict);
    let keys = proposed(&harness, batch).await;
    let mute = review::close(state, &other, batch, ReviewDecision::Reject, &keys, " ").await;
    assert_eq!(mute.map_err(kind).unwrap_err(), RefusalKind::Invalid);
    assert_eq!(close(&harness, OTHER, batch, ReviewDecision::Reject, &keys).await, Ok(1));
    assert_eq!(
        close(&harness, OTHER, batch, ReviewDecision::Confirm, &keys).await,
        Err(RefusalKind::Conflict),
        "it is over"
    );
    propose(&harness, batch, Finding::NotDone, &rows).await;
    let keys = proposed(&harness, batch).await;
    assert_eq!(keys[0].n, 2);
    assert_eq!(close(&harness, ONE, batch, ReviewDecision::Withdraw, &keys).await, Ok(1));
    assert_eq!(page(&harness, ONE, batch).await.batches[0].open.len(), 1);
    assert_eq!(harness.task(batch, "BEFORE_1").await.state, "REVIEW");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_needs_a_fresh_proof_of_the_password_and_the_right_to_approve() {
    let (harness, batch) = case(&["BEFORE_1"]).await;
    propose(&harness, batch, Finding::Done, &open(&harness, batch, "R1").await).await;
    let keys = proposed(&harness, batch).await;
    let other = harness.test.caller(OTHER).await;
    let old = Caller { proved_at: Some(harness.test.state.clock.now() - time::Duration::minutes(11)), ..other.clone() };
    let refused =
        review::close(&harness.test.state, &old, batch, ReviewDecision::Confirm, &keys, "").await.unwrap_err();
    assert_eq!(refused.0.refusal.kind, RefusalKind::Invalid);
    for (email, role) in [("reader@globex.test", Role::Viewer), ("writer@globex.test", Role::Maker)] {
        people::create(&harness.test.state, "Globex", email, role, &SecretString::from(PASSWORD)).await.unwrap();
        assert_eq!(
            close(&harness, email, batch, ReviewDecision::Confirm, &keys).await,
            Err(RefusalKind::Forbidden),
            "{email}"
        );
    }
    people::create(&harness.test.state, "Globex", "judge@globex.test", Role::Checker, &SecretString::from(PASSWORD))
        .await
        .unwrap();
    let judge = harness.test.caller("judge@globex.test").await;
    let refused = review::propose(&harness.test.state, &judge, batch, Finding::Done, &[], "x").await.unwrap_err();
    assert_eq!(refused.0.refusal.kind, RefusalKind::Forbidden);
    assert_eq!(close(&harness, "judge@globex.test", batch, ReviewDecision::Confirm, &keys).await, Ok(1));
    assert_eq!(harness.status(batch).await, "completed");
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_took_and_cannot_finish_is_ended_by_people_too() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    join(&harness, OTHER).await;
    let batch = harness.batch(&[("LATER_1", "10.00"), ("LATER_2", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["PENDING"]).await;
    running.stop().await;
    harness
        .sql(
            "UPDATE open_task SET gateway_status = 'MANUAL_REVIEW', run_at = now() + interval '1 hour'
                 WHERE state = 'PENDING'",
        )
        .await;
    let rows = open(&harness, batch, "R9").await;
    assert_eq!(rows.len(), 2);
    propose(&harness, batch, Finding::Done, &rows[..1]).await;
    propose(&harness, batch, Finding::NotDone, &rows[1..]).await;
    assert_eq!(close(&harness, OTHER, batch, ReviewDecision::Confirm, &proposed(&harness, batch).await).await, Ok(2));
    assert_eq!(harness.task(batch, "LATER_1").await.state, "SUCCEEDED");
    assert_eq!(harness.task(batch, "LATER_2").await.state, "FAILED");
    assert_eq!(harness.number("SELECT pending::bigint FROM batch_progress").await, 0);
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_is_an_entry_that_is_acknowledged_once() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    join(&harness, OTHER).await;
    let batch = harness.batch(&[("DECLINE_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["FAILED"]).await;
    *harness.script.contradicts.lock().unwrap() = true;
    let one = harness.test.caller(ONE).await;
    batches::sync(&harness.test.state, &one, Operation::Refund, batch).await.unwrap();
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    let shown = page(&harness, ONE, batch).await;
    let entry = &shown.batches[0].entries[0];
    assert!(
        entry.sentence.starts_with("The gateway shows this refund as done")
            && entry.sentence.contains("We had it as failed since "),
        "{}",
        entry.sentence
    );
    let detail =
        batches::detail(&harness.test.state, &one, Operation::Refund, batch, &Default::default()).await.unwrap();
    assert_eq!(detail.differences, 1);
    let state = &harness.test.state;
    let id = entry.id.parse().ok();
    let kind = |(error, _): crate::server::ops::refused::Refused| error.refusal.kind;
    let stranger = harness.test.caller("owner@acme.test").await;
    assert_eq!(review::acknowledge(state, &stranger, batch, id, "x").await.map_err(kind), Err(RefusalKind::NotFound));
    assert_eq!(review::acknowledge(state, &one, batch, id, " ").await.map_err(kind), Err(RefusalKind::Invalid));
    assert_eq!(review::acknowledge(state, &one, batch, id, "paid once, checked").await.map_err(kind), Ok(()));
    let other = harness.test.caller(OTHER).await;
    assert_eq!(review::acknowledge(state, &other, batch, id, "me too").await.map_err(kind), Err(RefusalKind::Conflict));
    assert!(review::review(state, &one, None).await.unwrap().batches.is_empty(), "nothing is open");
    harness.sound(batch).await;
}
