//! Reconciliation: each kind of difference is found, the gateway's last word is taken over, nothing is sent, and
//! several processes compare once.

use super::{ProcessorHarness, Script, script::listed};
use crate::{
    domain::{ids::BatchId, operation::Operation, view::review::Reconciled},
    server::{
        gateway::{GatewayClass, ListedRefund},
        ops::{batches, outbox},
    },
};
use std::time::Duration;

const OWNER: &str = "owner@globex.test";

fn script() -> Script {
    Script { lists: true, ..Script::keyed() }
}

impl ProcessorHarness {
    /// What the gateway lists of an order from now on.
    fn show(&self, order: &str, refunds: Option<Vec<ListedRefund>>) {
        self.script.shows.lock().unwrap().insert(order.to_owned(), refunds);
    }

    /// Waits until `n` comparisons have ended, due at once.
    pub(super) async fn compared(&self, n: i64) {
        for _ in 0..2_400 {
            self.sql("UPDATE reconciliation SET run_at = now() WHERE finished_at IS NULL AND owner IS NULL").await;
            if self.number("SELECT count(*) FROM reconciliation WHERE finished_at IS NOT NULL").await >= n {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("not compared: {}", self.number("SELECT count(*) FROM reconciliation").await);
    }

    /// Plans one more comparison of a batch.
    async fn compare_again(&self, batch: BatchId) {
        self.sql(&format!(
            "INSERT INTO reconciliation (organisation_id, batch_id, gateway_id, cause, run_at)
             SELECT organisation_id, id, gateway_id, 'NIGHT', now() FROM batch WHERE id = '{batch}'"
        ))
        .await;
    }

    async fn reconciled(&self, batch: BatchId) -> Reconciled {
        let caller = self.test.caller(OWNER).await;
        let detail = batches::detail(&self.test.state, &caller, Operation::Refund, batch, &Default::default()).await;
        detail.unwrap().reconciled.unwrap()
    }

    async fn kinds(&self) -> Vec<String> {
        let sql = "SELECT kind || ' ' || order_id || CASE WHEN reversed THEN ' reversed' ELSE '' END
                   FROM reconciliation_difference ORDER BY 1";
        self.texts(sql).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_agrees_is_marked_so() {
    let harness = ProcessorHarness::new(GatewayClass::K, script()).await;
    let batch =
        harness.batch(&[("PLAIN_1", "10.00"), ("AFTER_1", "5.00"), ("DECLINE_1", "1.00"), ("MISSING_1", "1.00")]).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED", "FAILED"]).await;
    let sends = harness.script.sends();
    harness.compared(1).await;
    running.stop().await;
    let shown = harness.reconciled(batch).await;
    assert!(shown.sentence.contains("4 of 4 agree. All are final."), "{}", shown.sentence);
    assert!(shown.settled && shown.differences.is_empty());
    assert_eq!(harness.script.sends(), sends, "a comparison never sends");
    assert_eq!(harness.number("SELECT count(*) FROM audit WHERE action = 'batch.reconciled'").await, 1);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_difference_is_found_and_what_is_about_money_goes_to_people() {
    let harness = ProcessorHarness::new(GatewayClass::K, script()).await;
    let orders = [
        "PLAIN_ok",
        "PLAIN_gone",
        "PLAIN_amount",
        "PLAIN_back",
        "DECLINE_done",
        "MISSING_extra",
        "PLAIN_twice",
        "PLAIN_outside",
        "PLAIN_busy",
    ];
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (*order, "10.00")).collect();
    let batch = harness.batch(&rows).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED", "FAILED"]).await;
    let sends = harness.script.sends();
    let key = async |order: &str| harness.key(batch, order).await;
    harness.show("PLAIN_gone", Some(vec![]));
    harness.show("PLAIN_amount", Some(vec![listed(&key("PLAIN_amount").await, "SUCCESS", 999)]));
    harness.show("PLAIN_back", Some(vec![listed(&key("PLAIN_back").await, "FAILURE", 1_000)]));
    harness.show("DECLINE_done", Some(vec![listed(&key("DECLINE_done").await, "SUCCESS", 1_000)]));
    harness.show("MISSING_extra", Some(vec![listed(&key("MISSING_extra").await, "SUCCESS", 1_000)]));
    let twice = listed(&key("PLAIN_twice").await, "SUCCESS", 1_000);
    harness.show("PLAIN_twice", Some(vec![twice.clone(), twice]));
    let stranger = listed("NOTOURS", "SUCCESS", 77);
    harness.show("PLAIN_outside", Some(vec![listed(&key("PLAIN_outside").await, "SUCCESS", 1_000), stranger]));
    harness.show("PLAIN_busy", Some(vec![listed(&key("PLAIN_busy").await, "PENDING", 1_000)]));
    harness.compared(1).await;
    let expected = [
        "amount PLAIN_amount",
        "extra MISSING_extra",
        "extra PLAIN_twice",
        "missing PLAIN_gone",
        "outside PLAIN_outside",
        "status DECLINE_done reversed",
        "status PLAIN_back reversed",
        "status PLAIN_busy",
    ];
    assert_eq!(harness.kinds().await, expected);
    assert_eq!(harness.task(batch, "PLAIN_back").await.state, "FAILED");
    assert_eq!(harness.task(batch, "DECLINE_done").await.state, "SUCCEEDED");
    let shown = harness.reconciled(batch).await;
    assert!(shown.sentence.contains("2 of 9 agree"), "{}", shown.sentence);
    assert!(!shown.settled);
    // About money: the four, and the two reversals. What is not ours and what the gateway finishes by itself is named
    // only.
    let entries = harness.texts("SELECT kind || ' ' || order_id FROM review_entry ORDER BY 1").await;
    let about_money = [
        "amount PLAIN_amount",
        "done_after_failure DECLINE_done",
        "extra MISSING_extra",
        "extra PLAIN_twice",
        "failed_after_success PLAIN_back",
        "missing PLAIN_gone",
    ];
    assert_eq!(entries, about_money);
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    let told = "SELECT kind || ' ' || tasks FROM notice ORDER BY 1";
    assert_eq!(harness.texts(told).await, ["carried_out_after_all 1", "differences 4", "taken_back 1"]);
    // The same facts in the next night: no second entry, no second notice, no second reversal.
    harness.compare_again(batch).await;
    harness.compared(2).await;
    running.stop().await;
    outbox::dispatch_all(&harness.test.state).await.unwrap();
    assert_eq!(harness.number("SELECT count(*) FROM review_entry").await, 6);
    assert_eq!(harness.number("SELECT count(*) FROM reversal").await, 2);
    assert_eq!(harness.texts(told).await, ["carried_out_after_all 1", "differences 4", "taken_back 1"]);
    assert_eq!(harness.script.sends(), sends, "a comparison never sends");
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_final_is_asked_about_and_not_compared() {
    let harness = ProcessorHarness::new(GatewayClass::K, script()).await;
    let batch = harness.batch(&[("LATER_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["PENDING", "SUCCEEDED"]).await;
    harness.sql("UPDATE open_task SET run_at = now() + interval '6 hours' WHERE state = 'PENDING'").await;
    harness.compared(1).await;
    harness.until(batch, &["SUCCEEDED"]).await;
    running.stop().await;
    assert_eq!(harness.kinds().await, [""; 0]);
    harness.sound(batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_compare_a_batch_once() {
    let harness = ProcessorHarness::new(GatewayClass::K, script()).await;
    let orders: Vec<String> = (0..450).map(|n| format!("PLAIN_{n}")).collect();
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (order.as_str(), "1.00")).collect();
    let batch = harness.batch(&rows).await;
    let (one, two) = (harness.start(), harness.start());
    harness.until(batch, &["SUCCEEDED"]).await;
    harness.compared(1).await;
    one.stop().await;
    two.stop().await;
    assert_eq!(harness.number("SELECT count(*) FROM reconciliation").await, 1);
    let listed = harness.script.listed.lock().unwrap().clone();
    assert_eq!(listed.len(), 450);
    assert!(listed.values().all(|times| *times == 1), "an order was read twice");
    let shown = harness.reconciled(batch).await;
    assert!(shown.sentence.contains("450 of 450 agree. All are final."), "{}", shown.sentence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_is_planned_once_by_however_many_processes() {
    let harness = ProcessorHarness::new(GatewayClass::K, script()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED"]).await;
    harness.compared(1).await;
    assert_eq!(
        harness.number("SELECT count(*) FROM reconciliation WHERE cause = 'NIGHT'").await,
        0,
        "the first night is the next one"
    );
    let second = harness.start();
    harness.test.state.clock.advance(time::Duration::hours(24));
    harness.compared(2).await;
    let at_two = "SELECT count(*) FROM reconciliation_night
                  WHERE to_char(night AT TIME ZONE 'Asia/Kolkata', 'HH24:MI:SS') = '02:00:00'";
    while harness.number(at_two).await < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The other process looks at once too when the clock has moved.
    tokio::time::sleep(Duration::from_millis(400)).await;
    running.stop().await;
    second.stop().await;
    assert_eq!(harness.number("SELECT count(*) FROM reconciliation WHERE cause = 'NIGHT'").await, 1);
    assert_eq!(harness.number(at_two).await, 2, "both organisations, at two in their zone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_does_not_answer_waits_and_is_named_at_last() {
    let harness = ProcessorHarness::new(GatewayClass::K, script()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("PLAIN_2", "10.00")]).await;
    harness.show("PLAIN_2", None);
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED"]).await;
    harness.compared(1).await;
    running.stop().await;
    assert_eq!(harness.kinds().await, ["unread PLAIN_2"]);
    let shown = harness.reconciled(batch).await;
    assert!(shown.sentence.contains("1 of 2 agree"), "{}", shown.sentence);
    let asked = harness.script.listed.lock().unwrap()["PLAIN_2"];
    assert!((3..=7).contains(&asked), "asked {asked} times");
    assert_eq!(harness.number("SELECT count(*) FROM review_entry").await, 0, "no money is in doubt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_lists_says_so() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00")]).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED"]).await;
    harness.compared(1).await;
    running.stop().await;
    let shown = harness.reconciled(batch).await;
    assert!(shown.sentence.starts_with("Not reconciled") && !shown.settled, "{}", shown.sentence);
}
