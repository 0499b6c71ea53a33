//! What becomes of a retry that is refused, taken back or forgotten, and what the validator and the unique ids say.

use super::*;
use crate::server::ops::uploads::Ticks;
use crate::{
    domain::error::RefusalKind,
    server::ops::{approvals, batches},
};

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_checker_refuses_fail_again_with_the_reason() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00")]).await;
    let sends = harness.script.sends();
    harness.retry("maker@acme.test", batch, &[typed(2, &[("amount", "25.00")])]).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Reject).await.unwrap();
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    assert_eq!(harness.counters(batch).await, [(0, 0), (1, 1_000), (1, 2_500)]);
    harness.conserved(batch).await;
    let task = harness.task(batch, "DECLINE_2").await;
    assert_eq!(task.message.as_deref(), Some("Refused by a checker and not sent: because"));
    assert_eq!(harness.script.sends(), sends);
    // And again, from what was refused.
    harness.retry("maker@acme.test", batch, &[typed(2, &[("order_id", "PLAIN_2"), ("amount", "20.00")])]).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    assert_eq!(harness.status(batch).await, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_nobody_decides_on_fail_again_with_a_sentence() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00")]).await;
    harness.retry("maker@acme.test", batch, &[]).await;
    harness.sql("UPDATE batch SET expires_at = now() - interval '1 second' WHERE status = 'awaiting_approval'").await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED", "FAILED"]).await;
    running.stop().await;
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    assert!(harness.task(batch, "DECLINE_2").await.message.unwrap().starts_with("Nobody decided in time"));
    let told = "SELECT (SELECT count(*) FROM outbox WHERE kind = 'expired' AND payload ? 'retry') + (SELECT count(*)
                FROM notice WHERE kind = 'expired' AND payload ? 'retry')";
    assert!(harness.number(told).await > 0, "who asked is told");
    harness.conserved(batch).await;
    assert!(harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.is_err(), "too late");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_for_a_retry_takes_it_back_and_nobody_else_does() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00")]).await;
    harness.retry("maker2@acme.test", batch, &[]).await;
    let state = &harness.test.state;
    let maker = harness.test.caller("maker@acme.test").await;
    let refused = batches::withdraw(state, &maker, Operation::Refund, batch).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Forbidden);
    let mut tx = state.db.web(maker.organisation.id, Some(maker.person.id)).await.unwrap();
    let error = db::batches::withdraw(&mut tx, batch).await.unwrap_err();
    assert_eq!(db::guard_code(&error).as_deref(), Some("BD403"), "the database by itself");
    drop(tx);
    let asked = harness.test.caller("maker2@acme.test").await;
    batches::withdraw(state, &asked, Operation::Refund, batch).await.unwrap();
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    assert!(harness.task(batch, "DECLINE_2").await.message.unwrap().starts_with("Taken back"));
    harness.conserved(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_validator_of_uploads_checks_what_was_typed_and_what_was_typed_stays() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00"), ("DECLINE_3", "30.00")]).await;
    let rows = [typed(2, &[("amount", "1,250.00"), ("vendor1_id", "V1")]), typed(3, &[("order_id", "")])];
    let sent = harness.try_retry("maker@acme.test", batch, &rows).await.unwrap();
    let RetryOutcome::Findings { errors, .. } = sent else { panic!("sent: {sent:?}") };
    assert!(errors >= 3, "{errors}");
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    let maker = harness.test.caller("maker@acme.test").await;
    let shown = retries::page(&harness.test.state, &maker, Operation::Refund, batch, 1).await.unwrap();
    let cell = |row: usize, name: &str| shown.rows[row].cells.iter().find(|cell| cell.name == name).unwrap();
    assert_eq!(cell(0, "amount").now, "1,250.00");
    assert_eq!(cell(0, "amount").was, "20.00");
    assert!(cell(0, "amount").errors[0].starts_with("Invalid data type"), "{:?}", cell(0, "amount").errors);
    assert!(cell(1, "order_id").errors[0].starts_with("Missing mandatory fields"));
    assert!(shown.findings.iter().any(|(page, finding)| *page == 1 && finding.row == Some(3)), "the row of the file");
    assert_eq!(shown.taken.2, None, "no total while an amount cannot be read");
    // Another person's page shows the rows as they are.
    let other = harness.test.caller("maker2@acme.test").await;
    let theirs = retries::page(&harness.test.state, &other, Operation::Refund, batch, 1).await.unwrap();
    assert!(theirs.findings.is_empty() && !theirs.typed);
    retries::reset(&harness.test.state, &maker, Operation::Refund, batch).await.unwrap();
    let shown = retries::page(&harness.test.state, &maker, Operation::Refund, batch, 1).await.unwrap();
    assert!(!shown.typed && shown.findings.is_empty() && shown.taken.2 == Some(shown.taken.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_in_what_was_typed_must_be_confirmed_as_it_was_shown() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00")]).await;
    let maker = harness.test.caller("maker@acme.test").await;
    let (state, base) = (&harness.test.state, harness.base(&maker, batch).await);
    let keep = async |txn: &str| {
        let rows = [typed(2, &[("txn_id", txn)])];
        retries::keep(state, &maker, Operation::Refund, batch, base, &rows).await.unwrap();
        retries::page(state, &maker, Operation::Refund, batch, 1).await.unwrap().seal
    };
    let send = async |warnings: &str| {
        let ticks = Ticks { warnings, ..Ticks::default() };
        retries::send(state, &maker, Operation::Refund, batch, base, ticks).await.unwrap()
    };
    let other = keep("NULL").await;
    assert!(matches!(send("").await, RetryOutcome::Findings { errors: 0, repeats: 0, warnings: 1 }));
    let seal = keep("2026-11-20").await;
    assert!(
        matches!(send(&other).await, RetryOutcome::Findings { errors: 0, repeats: 0, warnings: 1 }),
        "shown with another word"
    );
    assert!(matches!(send(&seal).await, RetryOutcome::Revision { records: 1, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_went_out_since_in_another_batch_must_be_confirmed() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00")]).await;
    // The failed row was corrected in a spreadsheet and uploaded as a batch of its own.
    harness.carried_out(&[("PLAIN_2", "20.00")]).await;
    let maker = harness.test.caller("maker@acme.test").await;
    let (state, base) = (&harness.test.state, harness.base(&maker, batch).await);
    let rows = [typed(2, &[("order_id", "PLAIN_2"), ("amount", "20.00")])];
    retries::keep(state, &maker, Operation::Refund, batch, base, &rows).await.unwrap();
    let sent = retries::send(state, &maker, Operation::Refund, batch, base, Ticks::default()).await.unwrap();
    assert!(matches!(sent, RetryOutcome::Findings { errors: 0, repeats: 1, warnings: 0 }), "{sent:?}");
    let seal = retries::page(state, &maker, Operation::Refund, batch, 1).await.unwrap().seal;
    // A tick is for what it was shown with.
    let other = [typed(2, &[("order_id", "PLAIN_2"), ("amount", "20.01")])];
    retries::keep(state, &maker, Operation::Refund, batch, base, &other).await.unwrap();
    let elsewhere = retries::page(state, &maker, Operation::Refund, batch, 1).await.unwrap().seal;
    retries::keep(state, &maker, Operation::Refund, batch, base, &rows).await.unwrap();
    let sent =
        retries::send(state, &maker, Operation::Refund, batch, base, Ticks { repeats: &elsewhere, ..Ticks::default() })
            .await
            .unwrap();
    assert!(matches!(sent, RetryOutcome::Findings { errors: 0, repeats: 1, warnings: 0 }), "{sent:?}");
    let sent =
        retries::send(state, &maker, Operation::Refund, batch, base, Ticks { repeats: &seal, ..Ticks::default() })
            .await
            .unwrap();
    assert!(matches!(sent, RetryOutcome::Revision { records: 1, waits: true }), "{sent:?}");
    // The checker sees it too, and an upload of the same row meanwhile is told.
    let checker = harness.test.caller("checker@acme.test").await;
    let shown = approvals::detail(state, &checker, batch).await.unwrap();
    assert_eq!(shown.earlier.len(), 1, "{:?}", shown.earlier);
}

fn with_ids(rows: &[(&str, &str, &str)]) -> String {
    let mut file = refunds(&[]);
    for (order, amount, id) in rows {
        file.push_str(&format!("{order},{amount},,{id},,,,,,,,,,,,,,,\n"));
    }
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_id_that_was_attempted_stays_the_row_s_own_and_is_no_key_again() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch =
        harness.carried_out_file(&with_ids(&[("DECLINE_1", "10.00", "UID1"), ("MISSING_2", "10.00", "UID2")])).await;
    assert_eq!(harness.keys("DECLINE_1"), ["UID1"]);
    harness.retry("maker@acme.test", batch, &[typed(1, &[]), typed(2, &[("order_id", "PLAIN_2")])]).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    let keys = harness.keys("DECLINE_1");
    assert!(keys.len() == 2 && keys[1].starts_with("BD"), "{keys:?}");
    assert!(harness.keys("PLAIN_2")[0].starts_with("BD"), "a key that was given once is not given again");
    let viewer = harness.test.caller("viewer@acme.test").await;
    let history = history::task(&harness.test.state, &viewer, Operation::Refund, batch, 1).await.unwrap();
    let facts: Vec<&(String, String)> = history.steps.iter().flat_map(|step| &step.facts).collect();
    for value in ["UID1", keys[1].as_str()] {
        assert!(facts.iter().any(|(_, fact)| fact == value), "both are shown: {value}");
    }
    // A new id of the person's is taken as it is, and stays taken.
    harness.retry("maker@acme.test", batch, &[typed(1, &[("unique_id", "UID9"), ("order_id", "PLAIN_1")])]).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    assert_eq!(harness.keys("PLAIN_1"), ["UID9"]);
    let held = "SELECT count(*) FROM unique_id_taken WHERE unique_id IN ('UID1', 'UID2', 'UID9')";
    assert_eq!(harness.number(held).await, 3, "what was sent keeps its id");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_another_row_is_being_sent_with_is_not_given_back() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    // The first row fails before it is sent, which frees its id; no key of the gateway's grammar, so the batch makes
    // its own.
    let file = with_ids(&[("MISSING_1", "10.00", "REF-1"), ("DECLINE_2", "10.00", "")]);
    let batch = harness.carried_out_file(&file).await;
    let held = "SELECT count(*) FROM unique_id_taken WHERE unique_id = 'REF-1'";
    assert_eq!(harness.number(held).await, 0);
    let rows = [left_out(1), typed(2, &[("unique_id", "REF-1"), ("order_id", "LATER_2")])];
    harness.retry("maker@acme.test", batch, &rows).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    let running = harness.start();
    harness.until(batch, &["PENDING", "FAILED"]).await;
    assert_eq!(harness.task(batch, "LATER_2").await.state, "PENDING");
    running.stop().await;
    assert_eq!(harness.number(held).await, 1, "it is being refunded under this id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_id_of_a_retry_is_given_back_when_nothing_was_sent() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out_file(&with_ids(&[("DECLINE_1", "10.00", "UID1"), ("PLAIN_2", "10.00", "")])).await;
    harness.retry("maker@acme.test", batch, &[typed(1, &[("unique_id", "UID5")])]).await;
    let held = |id: &'static str| format!("SELECT count(*) FROM unique_id_taken WHERE unique_id = '{id}'");
    assert_eq!((harness.number(&held("UID1")).await, harness.number(&held("UID5")).await), (1, 1));
    harness.test.decide("checker@acme.test", batch, Verdict::Reject).await.unwrap();
    assert_eq!((harness.number(&held("UID1")).await, harness.number(&held("UID5")).await), (1, 0));
    // Free for another batch, and then no longer for this row.
    harness.test.upload("maker2@acme.test", &with_ids(&[("PLAIN_9", "1.00", "UID5")])).await;
    let refused = harness.try_retry("maker@acme.test", batch, &[typed(1, &[])]).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Invalid);
    assert!(refused.refusal.message.contains("Unique ID already used: UID5"), "{}", refused.refusal.message);
    assert_eq!(harness.status(batch).await, "completed_with_failures");
}
