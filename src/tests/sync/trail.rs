//! The trail of one order through a sync, and the log of its batch.

use super::*;
use crate::{
    domain::{error::RefusalKind, operation::Operation, task::TaskStatus, view::retries::HistoryEvent},
    server::ops::{activity, downloads, history},
};
use harness::OWNER;

fn values<'a>(step: &'a HistoryEvent, name: &str) -> Vec<&'a str> {
    step.facts.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_and_each_message_is_in_the_trail_of_its_order() {
    let harness = SyncHarness::with_external_system().await;
    harness.endpoint.reply_with("A", &[(503, "busy"), (200, "{\"ok\":true,\"token\":\"hush\"}")]);
    harness.book.write("GONE", Order::Missing);
    let batch = harness.batch(&["A,A-1,R1", "GONE,,"], true).await;
    let running = harness.start();
    harness.settled(batch).await;
    let press = harness.press(batch).await;
    assert!(!press.is_empty());
    harness.settled(batch).await;
    running.stop().await;

    let owner = harness.test.caller(OWNER).await;
    let state = &harness.test.state;
    let history = history::task(state, &owner, Operation::OrderSync, batch, 1).await.unwrap();
    assert_eq!((history.order_id.as_str(), history.status, history.retry), ("A", TaskStatus::Accepted, false));
    let (asked, told) = ("The gateway was asked about the order", "The external system was told the order");
    let pressed = "Sync with Gateway: every order of the batch is asked about again";
    // The clock of acts stands still in tests, that of the database does not.
    let (presses, steps): (Vec<_>, Vec<_>) = history.steps.iter().partition(|step| step.title == pressed);
    assert_eq!(presses.iter().map(|step| step.actor.as_str()).collect::<Vec<_>>(), [OWNER]);
    let titles: Vec<&str> = steps.iter().map(|step| step.title.as_str()).collect();
    // Told again after 503; asked again by the press, and not told what it has already.
    assert_eq!(
        titles,
        ["Row 2 of orders.csv", "No decision was needed", asked, told, asked, told, asked, "Synchronised"]
    );
    let file = steps[0];
    assert_eq!(values(file, "unique_request_id"), ["R1"]);
    assert_eq!(values(file, "Sync With Gateway"), ["On"]);
    assert_eq!(file.actor, OWNER);
    let (first, second) = (steps[3], steps[5]);
    assert_eq!((values(first, "HTTP status"), first.tone, first.raw.as_str()), (vec!["503"], "waiting", "busy"));
    assert_eq!((values(second, "HTTP status"), second.tone), (vec!["200"], "accepted"));
    assert!(second.raw.contains("\"ok\": true") && !second.raw.contains("hush"), "{}", second.raw);
    for step in &steps[2..6] {
        assert!(values(step, "Answered after")[0].ends_with(" ms"), "{step:?}");
        assert!(step.at.is_some());
    }
    assert_eq!(values(first, "Message"), values(second, "Message"), "the same message again");
    let end = steps.last().unwrap();
    assert_eq!(values(end, "Gateway Sync Status"), ["SYNCED"]);
    assert!(values(end, "External System Response")[0].starts_with("HTTP 200"));

    let gone = history::task(state, &owner, Operation::OrderSync, batch, 2).await.unwrap();
    let end = gone.steps.last().unwrap();
    assert_eq!(
        (end.title.as_str(), end.remark.as_str()),
        ("Not synchronised", "The gateway does not know order GONE.")
    );
    assert!(!gone.steps.iter().any(|step| step.title == told), "an order that is not known is not told");
    let missing = history::task(state, &owner, Operation::OrderSync, batch, 3).await.unwrap_err();
    assert_eq!(missing.refusal.kind, RefusalKind::NotFound);
    let viewer = harness.test.caller("viewer@acme.test").await;
    let theirs = history::task(state, &viewer, Operation::OrderSync, batch, 1).await.unwrap_err();
    assert_eq!(theirs.refusal.kind, RefusalKind::NotFound, "another organisation's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_batch_says_who_did_what_and_when_its_tasks_ended() {
    let harness = SyncHarness::new().await;
    let batch = harness.batch(&["A,,", "B,,"], true).await;
    let owner = harness.test.caller(OWNER).await;
    let state = &harness.test.state;
    let log = async |page| activity::log(state, &owner, Operation::OrderSync, batch, page).await.unwrap();
    let before = log(1).await;
    let names =
        |log: &crate::domain::view::activity::ActivityLog| log.facts.iter().map(|fact| fact.0).collect::<Vec<_>>();
    assert_eq!(names(&before), ["Created", "Decision"]);
    assert_eq!(before.facts[1].1, "Not required");
    let running = harness.start();
    harness.settled(batch).await;
    harness.press(batch).await;
    harness.settled(batch).await;
    running.stop().await;
    harness.download(batch).await;
    let file = downloads::ResultFile::Workbook;
    downloads::data(state, &owner, Operation::OrderSync, batch, file).await.unwrap();

    let after = log(1).await;
    let expected = ["Created", "Decision", "First task ended", "Last task ended", "Sync with Gateway", "Downloads"];
    assert_eq!(names(&after), expected);
    assert!(after.facts[0].1.ends_with(&format!("by {OWNER}")), "{:?}", after.facts);
    assert!(after.facts[4].1.starts_with("Once ") && after.facts[4].1.ends_with(&format!("by {OWNER}")));
    assert!(after.facts[5].1.starts_with("2 times, last "), "{:?}", after.facts[5]);
    let acts: Vec<(&str, &str)> = after.acts.rows.iter().map(|act| (act.text.as_str(), act.actor.as_str())).collect();
    assert_eq!(
        acts,
        [
            ("Downloaded batch_sync.xlsx", OWNER),
            ("Downloaded batch_sync.csv", OWNER),
            ("Sync with Gateway, 2 asked about", OWNER),
            ("Uploaded, 2 rows checked, none with an error; Sync With Gateway on", OWNER),
        ]
    );
    assert_eq!(after.acts.total, 4);
    assert!(log(2).await.acts.rows.is_empty(), "a page that is not there is empty");
    assert!(log(u32::MAX).await.acts.rows.is_empty());
}
