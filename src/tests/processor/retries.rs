//! Failed rows sent again in place, from the failure to the refund.

mod guards;
mod refusals;

use super::*;
use crate::server::ops::uploads::Ticks;
use crate::{
    domain::operation::Operation,
    server::ops::{
        access::Caller,
        approvals::Verdict,
        downloads, history,
        retries::{self, RetryOutcome, Typed},
    },
};
use futures::StreamExt;

/// What is typed over a row: its number and (column, text) pairs.
fn typed(number: u32, cells: &[(&str, &str)]) -> Typed {
    let cells = cells.iter().map(|(column, text)| ((*column).to_owned(), (*text).to_owned())).collect();
    Typed { number, take: true, cells }
}

fn left_out(number: u32) -> Typed {
    Typed { take: false, ..typed(number, &[]) }
}

impl ProcessorHarness {
    /// A batch of Acme that was approved and carried out as far as it goes.
    async fn carried_out(&self, rows: &[(&str, &str)]) -> BatchId {
        self.carried_out_file(&refunds(rows)).await
    }

    async fn carried_out_file(&self, file: &str) -> BatchId {
        let batch = self.test.upload("maker@acme.test", file).await;
        self.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
        self.carry_out(batch).await;
        batch
    }

    /// Lets a processor work until every task of the batch is final.
    async fn carry_out(&self, batch: BatchId) {
        let running = self.start();
        self.until(batch, &["SUCCEEDED", "FAILED"]).await;
        running.stop().await;
        self.conserved(batch).await;
    }

    /// Every row counts once, and every minor unit.
    async fn conserved(&self, batch: BatchId) {
        self.same_numbers(batch).await;
        let organisation = self.test.caller("maker@acme.test").await.organisation.id;
        let organisations = [organisation, self.organisation];
        for organisation in organisations {
            let mut tx = self.test.state.db.worker(organisation).await.unwrap();
            assert_eq!(db::tasks::checks::check_batch(&mut tx, batch.0).await.unwrap(), Vec::<String>::new());
            assert_eq!(db::tasks::checks::check_balances(&mut tx, None).await.unwrap(), Vec::<String>::new());
        }
        let off = self
            .number(&format!(
                "SELECT count(*) FROM batch b JOIN batch_progress p ON p.batch_id = b.id
                  WHERE b.id = '{batch}' AND (p.queued + p.accepted + p.failed <> b.records
                    OR p.amount_minor <> b.amount_minor
                     OR p.queued_minor + p.accepted_minor + p.failed_minor <> b.amount_minor
                     OR b.amount_minor <> (SELECT sum(t.amount_minor) FROM task t WHERE t.batch_id = b.id)
                     OR b.records <> (SELECT count(*) FROM task t WHERE t.batch_id = b.id))"
            ))
            .await;
        assert_eq!(off, 0, "a row or a minor unit is lost");
        assert!(self.script.most_effects() <= 1, "money moved twice for one key");
        assert_eq!(
            self.number("SELECT count(*) FROM organisation WHERE NOT sending").await,
            0,
            "an assertion was violated"
        );
    }

    /// Sends failed rows again as `email`, who means it where they went out before.
    async fn try_retry(
        &self,
        email: &str,
        batch: BatchId,
        rows: &[Typed],
    ) -> crate::server::error::OpResult<RetryOutcome> {
        let (state, caller) = (&self.test.state, self.test.caller(email).await);
        let base = self.base(&caller, batch).await;
        retries::keep(state, &caller, Operation::Refund, batch, base, rows).await?;
        let seal = retries::page(state, &caller, Operation::Refund, batch, 1).await?.seal;
        retries::send(state, &caller, Operation::Refund, batch, base, Ticks { repeats: &seal, warnings: &seal }).await
    }

    /// Sends failed rows again as `email`; returns whether they wait for a decision.
    async fn retry(&self, email: &str, batch: BatchId, rows: &[Typed]) -> bool {
        match self.try_retry(email, batch, rows).await.unwrap() {
            RetryOutcome::Revision { waits, .. } => waits,
            RetryOutcome::Findings { errors, repeats, .. } => panic!("{errors} errors, {repeats} repeats"),
        }
    }

    async fn base(&self, caller: &Caller, batch: BatchId) -> u32 {
        retries::page(&self.test.state, caller, Operation::Refund, batch, 1).await.unwrap().base
    }

    /// Queued, accepted, failed: tasks and minor units.
    async fn counters(&self, batch: BatchId) -> [(i64, i64); 3] {
        let mut counters = [(0, 0); 3];
        for (counter, name) in counters.iter_mut().zip(["queued", "accepted", "failed"]) {
            let sql = |what: &str| format!("SELECT {what}::bigint FROM batch_progress WHERE batch_id = '{batch}'");
            *counter = (self.number(&sql(name)).await, self.number(&sql(&format!("{name}_minor"))).await);
        }
        counters
    }

    /// Keys that were sent for an order.
    fn keys(&self, order: &str) -> Vec<String> {
        self.script.calls(order).into_iter().map(|call| call.key).collect()
    }

    async fn file(&self, email: &str, batch: BatchId, failed_only: bool) -> String {
        let caller = self.test.caller(email).await;
        let state = &self.test.state;
        let download = match failed_only {
            true => downloads::failed_rows(state, &caller, Operation::Refund, batch).await.unwrap(),
            false => {
                downloads::data(state, &caller, Operation::Refund, batch, downloads::ResultFile::Csv).await.unwrap()
            }
        };
        let chunks: Vec<_> = download.body.map(|chunk| chunk.unwrap()).collect().await;
        String::from_utf8(chunks.concat()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_rows_are_corrected_approved_and_refunded_and_nothing_is_lost_on_the_way() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00"), ("MISSING_3", "30.00")]).await;
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    assert_eq!(harness.counters(batch).await, [(0, 0), (1, 1_000), (2, 5_000)]);
    let old = harness.keys("DECLINE_2");

    let maker = harness.test.caller("maker2@acme.test").await;
    let shown = retries::page(&harness.test.state, &maker, Operation::Refund, batch, 1).await.unwrap();
    assert_eq!(shown.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3]);
    assert!(shown.rows.iter().all(|row| row.take && !row.why.is_empty()), "all are taken unless left out");
    assert!(shown.rows[1].fails_again.is_some(), "the gateway has no such order");

    let rows = [typed(2, &[("order_id", "PLAIN_2")]), typed(3, &[("order_id", "PLAIN_3"), ("amount", "25.00")])];
    assert!(harness.retry("maker2@acme.test", batch, &rows).await);
    assert_eq!(harness.status(batch).await, "awaiting_approval");
    assert_eq!(
        harness.counters(batch).await,
        [(2, 4_500), (1, 1_000), (0, 0)],
        "from failed to queued, with the new amount"
    );
    harness.conserved(batch).await;

    // Nothing is sent while nobody has decided.
    let sent = harness.script.sends();
    let running = harness.start();
    let other = harness.batch(&[("PLAIN_OTHER", "1.00")]).await;
    harness.until(other, &["SUCCEEDED"]).await;
    running.stop().await;
    assert_eq!(harness.script.sends(), sent + 1, "only the other batch's");

    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    assert_eq!(harness.status(batch).await, "processing");
    harness.conserved(batch).await;
    harness.carry_out(batch).await;
    assert_eq!(harness.status(batch).await, "completed");
    assert_eq!(harness.counters(batch).await, [(0, 0), (3, 5_500), (0, 0)]);
    assert_eq!(harness.keys("DECLINE_2"), old, "the declined order was not asked for again");
    assert_eq!((harness.keys("PLAIN_2").len(), harness.keys("PLAIN_3").len()), (1, 1));
    assert!(!old.contains(&harness.keys("PLAIN_2")[0]), "a key is never used twice");

    let data = harness.file("viewer@acme.test", batch, false).await;
    let lines: Vec<&str> = data.lines().collect();
    assert!(
        lines[2].starts_with("2,PLAIN_2,20.00,SUCCESS") && lines[3].starts_with("3,PLAIN_3,25.00,SUCCESS"),
        "{data}"
    );

    // Every earlier outcome stays in the task's history, in order.
    let viewer = harness.test.caller("viewer@acme.test").await;
    let history = history::task(&harness.test.state, &viewer, Operation::Refund, batch, 2).await.unwrap();
    let kinds: Vec<&str> = history.steps.iter().map(|step| step.kind).collect();
    assert_eq!(
        kinds,
        [
            "file", "decision", "order", "attempt", "reply", "outcome", "retry", "decision", "order", "attempt",
            "reply", "outcome"
        ],
        "{:#?}",
        history.steps
    );
    assert_eq!(history.steps[5].tone, "failed");
    assert_eq!(history.steps[6].changes, [("order_id".to_owned(), "DECLINE_2".to_owned(), "PLAIN_2".to_owned())]);
    assert_eq!((history.steps[11].tone, history.order_id.as_str()), ("accepted", "PLAIN_2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_lie_apart_are_all_sent_once() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let orders: Vec<String> =
        (1..=60).map(|n| if n % 3 == 0 { format!("DECLINE_{n}") } else { format!("PLAIN_{n}") }).collect();
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (order.as_str(), "5.00")).collect();
    let batch = harness.carried_out(&rows).await;
    let again: Vec<String> = (1..=20).map(|n| format!("PLAIN_AGAIN{n}")).collect();
    let rows: Vec<Typed> =
        again.iter().zip(1..).map(|(order, n)| typed(n * 3, &[("order_id", order.as_str())])).collect();
    harness.retry("maker@acme.test", batch, &rows).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    assert_eq!(harness.status(batch).await, "completed");
    for order in &again {
        assert_eq!(harness.keys(order).len(), 1, "{order}");
    }
    assert_eq!(harness.script.effects(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_maker_checker_a_retry_goes_at_once_and_what_fails_again_can_be_sent_once_more() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let owner = "owner@globex.test";
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("DECLINE_2", "20.00"), ("DECLINE_3", "20.00")]).await;
    harness.carry_out(batch).await;
    assert!(!harness.retry(owner, batch, &[left_out(3)]).await, "no checker is needed");
    assert_eq!(harness.status(batch).await, "processing");
    harness.conserved(batch).await;
    harness.carry_out(batch).await;
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    assert_eq!(harness.keys("DECLINE_3").len(), 1, "left out");
    harness.retry(owner, batch, &[typed(2, &[]), typed(3, &[("order_id", "PLAIN_3")])]).await;
    harness.carry_out(batch).await;
    let mut keys = harness.keys("DECLINE_2");
    assert_eq!(keys.len(), 3);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3, "each time under a key of its own");
    let failed = harness.file(owner, batch, true).await;
    assert_eq!(failed.lines().count(), 2, "{failed}");
    assert!(failed.contains("DECLINE_2,20.00"));

    // The submissions of the batch, newest first, each with what it came to.
    let caller = harness.test.caller(owner).await;
    let query = crate::domain::page::TaskQuery::default();
    let detail = crate::server::ops::batches::detail(&harness.test.state, &caller, Operation::Refund, batch, &query)
        .await
        .unwrap();
    let listed: Vec<_> = detail.revisions.iter().map(|row| (row.number, row.records, row.outcome)).collect();
    assert_eq!(listed, [(3, 2, (1, 1, 0)), (2, 1, (0, 1, 0)), (1, 3, (1, 2, 0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_rows_come_back_corrected_in_the_file_of_failed_rows() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("MISSING_1", "10.00"), ("DECLINE_2", "20.00")]).await;
    harness.retry("maker@acme.test", batch, &[typed(1, &[("amount", "7.50"), ("udf3", "call 12")]), left_out(2)]).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    let failed = harness.file("maker@acme.test", batch, true).await;
    let lines: Vec<&str> = failed.lines().collect();
    assert_eq!(lines[1], "MISSING_1,7.50,,,,,,,,,,call 12,,,,,,,");
    assert_eq!(lines[2], "DECLINE_2,20.00,,,,,,,,,,,,,,,,,");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_never_refunds_more_than_an_order_has() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    // 100.00 was captured of every order; the declined row's reservation was given back.
    let batch = harness.carried_out(&[("PLAIN_1", "50.00"), ("DECLINE_2", "60.00")]).await;
    harness.retry("maker@acme.test", batch, &[typed(2, &[("order_id", "PLAIN_1")])]).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    let refused = harness.tasks(batch).await.remove(1);
    assert_eq!((refused.state.as_str(), refused.attempts), ("FAILED", Some(0)));
    assert!(refused.message.unwrap().contains("50.00 of this order can still be refunded"));
    harness.retry("maker@acme.test", batch, &[typed(2, &[("amount", "50.00")])]).await;
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    assert_eq!(harness.status(batch).await, "completed");
    assert_eq!(harness.script.effects(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_the_gateway_has_by_now_is_read_anew() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.carried_out(&[("MISSING_1", "10.00"), ("PLAIN_2", "10.00")]).await;
    harness.retry("maker@acme.test", batch, &[typed(1, &[])]).await;
    let seen = format!("SELECT count(*) FROM order_seen WHERE batch_id = '{batch}' AND order_id = 'MISSING_1'");
    assert_eq!(harness.number(&seen).await, 0, "what was read before the first time is not relied on");
    harness.test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    harness.carry_out(batch).await;
    assert_eq!(harness.number(&seen).await, 1);
    assert_eq!(harness.status(batch).await, "completed_with_failures");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_file_of_failed_rows_goes_again_page_by_page() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let orders: Vec<String> = (1..=1_000).map(|n| format!("MISSING_{n}")).collect();
    let rows: Vec<(&str, &str)> = orders.iter().map(|order| (order.as_str(), "5.00")).collect();
    let batch = harness.batch(&rows).await;
    harness.carry_out(batch).await;
    let owner = harness.test.caller("owner@globex.test").await;
    let state = &harness.test.state;
    let shown = retries::page(state, &owner, Operation::Refund, batch, 20).await.unwrap();
    assert_eq!((shown.page, shown.rows.len(), shown.rows[49].number), ((20, 20), 50, 1_000));
    assert_eq!(shown.fails_again, 1_000);
    // Typed on the first page and on the last, half of the rest left out.
    retries::take_all(state, &owner, Operation::Refund, batch, 1, false).await.unwrap();
    for from in [1, 951] {
        let typed: Vec<Typed> =
            (from..from + 50).map(|n| typed(n, &[("order_id", format!("PLAIN_{n}").as_str())])).collect();
        retries::keep(state, &owner, Operation::Refund, batch, 1, &typed).await.unwrap();
    }
    let shown = retries::page(state, &owner, Operation::Refund, batch, 1).await.unwrap();
    assert_eq!((shown.taken.0, shown.changed, shown.fails_again), (100, 100, 0));
    retries::take_all(state, &owner, Operation::Refund, batch, 1, true).await.unwrap();
    let sent = retries::send(state, &owner, Operation::Refund, batch, 1, Ticks::default()).await.unwrap();
    assert!(matches!(sent, RetryOutcome::Revision { records: 1_000, waits: false }), "{sent:?}");
    harness.carry_out(batch).await;
    assert_eq!(harness.counters(batch).await, [(0, 0), (100, 50_000), (900, 450_000)]);
    assert_eq!(harness.script.effects(), 100);
}
