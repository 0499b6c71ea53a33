//! The organisation's own rules: who changes them, and that they hold at once.

use super::support::{ADMIN, MAKER, Part, TestApp};

#[tokio::test]
async fn a_changed_row_limit_holds_for_the_next_upload_and_a_bad_one_changes_nothing() {
    let app = TestApp::start().await;
    let admin = app.signed_in(ADMIN).await;
    let refused = admin.form("/settings/limits", &[("row_limit", "0"), ("approval_days", "7")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("Give a whole number of rows from 1 to"), "{}", refused.text);
    let maker = app.signed_in(MAKER).await;
    let file = "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\nA1,1,,,,,,,,,,,,,,,,,\nA2,1,,,,,,,,,,,,,,,,,\nA3,1,,,,,,,,,,,,,,,,,\n";
    let upload = || async {
        let parts = [Part::Field("description", "three"), Part::File("three.csv", file)];
        maker.upload("/batch/batch-refunds", "application/json", &parts).await
    };
    assert_eq!(upload().await.status, 201, "three rows fit the limit of 1,000");
    assert_eq!(admin.form("/settings/limits", &[("row_limit", "2"), ("approval_days", "3")]).await.status, 303);
    let over = upload().await;
    assert_eq!(over.status, 422);
    assert!(over.text.contains("Row limit exceeded: 3 rows, at most 2"), "{}", over.text);
}

#[tokio::test]
async fn without_the_rule_a_batch_needs_no_second_person_and_says_so() {
    let app = TestApp::start().await;
    let admin = app.signed_in(ADMIN).await;
    let off =
        admin.form("/settings/approval", &[("operation", "refund"), ("needed", "no"), ("reason", "Quiet week")]).await;
    assert_eq!(off.status, 303);
    assert!(admin.get("/settings").await.text.contains("without a second person"));
}
