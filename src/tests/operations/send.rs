//! Sends: once under a key, after a second person has decided.

use super::{CHECKER, MAKER, OperationHarness, rows};
use crate::{
    domain::{batch::BatchStatus, operation::Operation::TestSend},
    server::ops::approvals::Verdict,
};

const FILE: &str = "order_id,amount\nORD_1,12.50\nDECLINE_2,1.00\nAFTER_3,2.00\n";

#[tokio::test]
async fn a_send_goes_from_upload_over_a_decision_to_its_result_file() {
    let harness = OperationHarness::new().await;
    let findings = harness.findings(TestSend, "order_id,amount\nORD_1,0\n,1.00\n").await;
    assert_eq!(findings.len(), 2, "{findings:?}");
    let batch = harness.upload(TestSend, FILE).await;
    let waiting = harness.snapshot(batch).await;
    assert_eq!(waiting.status, BatchStatus::AwaitingApproval, "as its descriptor says: there is no rule");
    assert_eq!(waiting.sums().total, 1_550);
    harness.is_kept_from_strangers(TestSend, batch, FILE).await;
    let running = harness.start();
    assert!(harness.test.decide(MAKER, batch, Verdict::Approve).await.is_err(), "its own maker");
    assert_eq!(harness.script.sends(), 0, "nobody has decided");
    harness.test.decide(CHECKER, batch, Verdict::Approve).await.unwrap();
    harness.until(batch, BatchStatus::CompletedWithFailures).await;
    running.stop().await;
    let ended = harness.snapshot(batch).await;
    assert_eq!((ended.records, ended.counts.queued, ended.counts.accepted, ended.counts.failed), (3, 0, 2, 1));
    let sums = ended.sums();
    assert_eq!((sums.queued, sums.accepted, sums.failed), (0, 1_450, 100));
    assert_eq!((harness.script.effects(), harness.script.most_effects()), (2, 1), "each once");
    assert_eq!(harness.number("SELECT count(*) FROM attempt WHERE NOT balanced").await, 0, "it takes from orders");
    let detail = harness.detail(TestSend, batch).await;
    let statuses: Vec<_> = rows(&detail).into_iter().map(|(order, status, _)| (order, status)).collect();
    let expected = [("ORD_1", "ACCEPTED"), ("DECLINE_2", "FAILED"), ("AFTER_3", "ACCEPTED")];
    assert_eq!(statuses, expected.map(|(order, status)| (order.to_owned(), status)));
    assert_eq!(harness.audited(batch).await, ["maker@acme.test batch.created", "checker@acme.test batch.approved"]);
    assert_eq!(harness.notices_of(MAKER).await, ["checker@acme.test approved your batch rows.csv."]);
    assert_eq!(
        harness.result(TestSend, batch).await,
        "S.No,Order ID,Amount,Reference,Task Status,Error \
         Message\n1,ORD_1,12.50,REF1,ACCEPTED,\n2,DECLINE_2,1.00,,FAILED,scripted\n3,AFTER_3,2.00,REF1,ACCEPTED,\n"
    );
}
