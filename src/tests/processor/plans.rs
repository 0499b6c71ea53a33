//! What a batch costs the database grows with its rows, not with their square, whatever the planner believes.
//!
//! A table that was never analysed, or a batch that is newer than the statistics, looks like one row to the planner:
//! then it may join a batch with itself by reading all of it once for each row. A thousand rows took a minute that way,
//! and nobody would ever have seen the end of a hundred thousand.

use super::{ProcessorHarness, Script};
use crate::server::ops::uploads::Ticks;
use crate::{
    domain::{ids::BatchId, operation::Operation},
    server::{
        gateway::GatewayClass,
        ops::{batches, downloads, retries},
    },
};
use std::time::Duration;

const OWNER: &str = "owner@globex.test";
const ROWS: i64 = 1_000;

/// Rows of every kind, each with an id of its own.
fn file() -> String {
    let kinds = ["PLAIN", "DECLINE", "MISSING", "BEFORE", "AFTER"];
    let mut file = String::from(
        "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\n",
    );
    for (n, kind) in (0..ROWS).zip(kinds.iter().cycle()) {
        file.push_str(&format!("{kind}_{n:04},10.00,,UID{n:04},,,,,,,,,,,,,,,\n"));
    }
    file
}

impl ProcessorHarness {
    /// Waits until nothing of the batch is queued, without a look at its tasks. Hurrying reads all that waits, so it is
    /// done only where nothing moves: the longer a machine takes, the more of it would be counted.
    async fn drained(&self, batch: BatchId) {
        let sql = format!("SELECT queued::bigint FROM batch_progress WHERE batch_id = '{batch}'");
        let (mut last, mut still) = (i64::MAX, 0);
        for _ in 0..3_000 {
            let queued = self.number(&sql).await;
            if queued == 0 {
                return;
            }
            still = if queued == last { still + 1 } else { 0 };
            last = queued;
            if still == 5 {
                self.hurry().await;
                still = 0;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{last} rows are still queued");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_a_batch_once_for_each_of_its_rows() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script { lists: true, ..Script::keyed() }).await;
    let batch = harness.test.upload(OWNER, &file()).await;
    let running = harness.start();
    harness.drained(batch).await;
    harness.compared(1).await;
    running.stop().await;
    let (state, caller) = (&harness.test.state, harness.test.caller(OWNER).await);
    let detail = batches::detail(state, &caller, Operation::Refund, batch, &Default::default()).await.unwrap();
    assert_eq!(detail.snapshot.counts.failed, 400);
    let mut data = downloads::data(state, &caller, Operation::Refund, batch, downloads::ResultFile::Csv).await.unwrap();
    let mut lines = 0;
    while let Some(part) = futures::StreamExt::next(&mut data.body).await {
        lines += part.unwrap().iter().filter(|byte| **byte == b'\n').count();
    }
    assert_eq!(i64::try_from(lines).unwrap(), ROWS + 1);
    batches::sync(state, &caller, Operation::Refund, batch).await.unwrap();
    let sent = async || {
        let base = retries::page(state, &caller, Operation::Refund, batch, 1).await.unwrap().base;
        retries::take_all(state, &caller, Operation::Refund, batch, base, true).await.unwrap();
        retries::send(state, &caller, Operation::Refund, batch, base, Ticks::default()).await.unwrap()
    };
    harness.sql("DELETE FROM recheck").await;
    assert!(matches!(sent().await, retries::RetryOutcome::Revision { records: 400, waits: false }));
    let running = harness.start();
    harness.drained(batch).await;
    running.stop().await;
    let other = harness.test.upload(OWNER, &file().replace("UID", "ANOTHER")).await;
    batches::cancel(state, &caller, Operation::Refund, other).await.unwrap();
    let running = harness.start();
    harness.drained(other).await;
    running.stop().await;
    assert_eq!(harness.number("SELECT count(*) FROM unique_id_taken WHERE unique_id LIKE 'ANOTHER%'").await, 0);
    harness.test.assert_read_in_proportion(ROWS).await;
}
