//! Queries: asked as often as wanted, so nobody has to decide while no rule says so.

use super::{MAKER, OperationHarness, rows};
use crate::{
    domain::{batch::BatchStatus, operation::Operation::TestQuery},
    server::ops::batches,
};

const FILE: &str = "order_id,reference\nORD_1,mine\nMISSING_2,\n";

#[tokio::test]
async fn a_query_goes_from_upload_to_its_result_file() {
    let harness = OperationHarness::new().await;
    let findings = harness.findings(TestQuery, "order_id,reference\nORD_1,\n,mine\n").await;
    assert_eq!(findings, ["Empty order ID: order_id is empty."]);
    let batch = harness.upload(TestQuery, FILE).await;
    let begun = harness.snapshot(batch).await;
    assert_eq!((begun.status, begun.decision.unwrap().verdict.as_str()), (BatchStatus::Processing, "not_required"));
    harness.is_kept_from_strangers(TestQuery, batch, FILE).await;
    let running = harness.start();
    let ended = harness.until(batch, BatchStatus::CompletedWithFailures).await;
    assert_eq!((ended.records, ended.counts.queued, ended.counts.accepted, ended.counts.failed), (2, 0, 1, 1));
    assert_eq!(ended.import, None);
    let missing = "The gateway does not know order MISSING_2.";
    assert_eq!(
        rows(&harness.detail(TestQuery, batch).await),
        [("ORD_1".to_owned(), "ACCEPTED", String::new()), ("MISSING_2".to_owned(), "FAILED", missing.to_owned())]
    );
    assert_eq!(harness.audited(batch).await, ["maker@acme.test batch.created"]);
    // Asked again by a person, as often as wanted.
    let maker = harness.test.caller(MAKER).await;
    let report = batches::sync(&harness.test.state, &maker, TestQuery, batch).await.unwrap();
    assert_eq!((report.asking, report.message.contains("2 test queries")), (2, true), "{report:?}");
    while harness.number("SELECT count(*) FROM order_task WHERE run_at IS NOT NULL").await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    running.stop().await;
    assert_eq!(
        harness.result(TestQuery, batch).await,
        format!(
            "S.No,Order ID,Reference,Answer,Task Status,Error \
             Message\n1,ORD_1,mine,SYNCED,ACCEPTED,\n2,MISSING_2,,FAILED,FAILED,{missing}\n"
        )
    );
    assert_eq!(harness.script.sends(), 0, "a query sends nothing");
}
