//! What becomes of orders: the toggle, the store, the button, the files.

use super::*;
use crate::{
    domain::{finding::FindingCode, operation::Operation, page::TaskQuery, task::TaskStatus, view::CellPart},
    server::ops::{batches, uploads::Submitted},
};
use harness::OWNER;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_is_asked_and_orders_are_stored() {
    let harness = SyncHarness::new().await;
    harness.book.write("GONE", Order::Missing);
    harness.book.write("PART", Order::Charged(2_500));
    let batch = harness.batch(&["PLAIN,PLAIN-1,R1", "GONE,,R2", "PART,,", "MIXED,OTHER-1,"], true).await;
    let running = harness.start();
    harness.settled(batch).await;
    running.stop().await;
    let plain = harness.task(batch, "PLAIN").await;
    assert_eq!((plain.status.as_str(), plain.gateway_status.as_deref()), ("ACCEPTED", Some("SYNCED")));
    assert_eq!((plain.response.as_deref(), plain.message), (Some("Stored in Batchdesk"), None));
    let gone = harness.task(batch, "GONE").await;
    assert_eq!((gone.status.as_str(), gone.gateway_status.as_deref(), gone.response), ("FAILED", Some("FAILED"), None));
    assert_eq!(gone.message.as_deref(), Some("The gateway does not know order GONE."));
    let mixed = harness.task(batch, "MIXED").await;
    assert_eq!((mixed.status.as_str(), mixed.gateway_status.as_deref()), ("FAILED", Some("FAILED")));
    let message = mixed.message.unwrap();
    assert!(message.contains("OTHER-1") && message.contains("MIXED-1"), "both are named: {message}");
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    assert_eq!(harness.number("SELECT count(*) FROM stored_order").await, 3, "what was read is kept, matched or not");
    assert_eq!(
        harness
            .number(
                "SELECT count(*) FROM stored_order WHERE order_id = 'PART' AND refunded_minor = 2500
                        AND refundable_minor = 7500
                       AND transactions = '{PART-1}' AND refunds->0->>'reference' = 'SIM1' AND body LIKE '%PART%'"
            )
            .await,
        1
    );
    assert_eq!(harness.number("SELECT count(*) FROM evidence WHERE source = 'QUERY'").await, 4, "each answer is kept");
    assert_eq!(harness.number("SELECT count(*) FROM attempt").await, 0);

    let owner = harness.test.caller(OWNER).await;
    let query = TaskQuery { status: Some(TaskStatus::Failed), ..TaskQuery::default() };
    let detail = batches::detail(&harness.test.state, &owner, Operation::OrderSync, batch, &query).await.unwrap();
    assert_eq!((detail.tasks.total, detail.switch, detail.row_map.as_str()), (2, Some(true), "AFAF"));
    assert_eq!((detail.snapshot.counts.accepted, detail.snapshot.counts.failed, detail.snapshot.records), (2, 2, 4));
    let row = &detail.tasks.rows[0];
    assert_eq!((&row.cells[0][0], row.row_id.as_str()), (&CellPart::Flag("NOT SYNCED".to_owned()), "R2"));
    assert!(batches::detail(&harness.test.state, &owner, Operation::Refund, batch, &query).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_toggle_off_what_is_stored_counts() {
    let harness = SyncHarness::new().await;
    let before = harness.batch(&["OLD,,"], true).await;
    let running = harness.start();
    harness.settled(before).await;
    let batch = harness.batch(&["OLD,OLD-1,", "NEW,,"], false).await;
    harness.settled(batch).await;
    running.stop().await;
    let old = harness.task(batch, "OLD").await;
    assert_eq!((old.status.as_str(), old.gateway_status.as_deref()), ("ACCEPTED", Some("NOT REQUESTED")));
    let new = harness.task(batch, "NEW").await;
    assert_eq!((new.status.as_str(), new.gateway_status.as_deref()), ("FAILED", Some("NOT REQUESTED")));
    let message = new.message.unwrap();
    assert!(message.contains("NEW") && message.contains("Turn Sync With Gateway on"), "{message}");
    assert_eq!((harness.book.asked("OLD"), harness.book.asked("NEW")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_asks_about_every_record_and_counters_move_both_ways() {
    let harness = SyncHarness::with_external_system().await;
    harness.book.write("LATE", Order::Missing);
    let batch = harness.batch(&["LATE,,", "LEAVES,,", "STAYS,,", "CHANGES,,"], true).await;
    let running = harness.start();
    harness.settled(batch).await;
    assert_eq!(harness.status(batch).await, "completed_with_failures");
    harness.book.write("LATE", Order::Charged(0));
    harness.book.write("CHANGES", Order::Charged(100));
    let said = harness.press(batch).await;
    assert!(said.starts_with("Asking the gateway about 4 orders."), "{said}");
    harness.until("the missing order is there", async || harness.task(batch, "LATE").await.status == "ACCEPTED").await;
    harness.settled(batch).await;
    assert_eq!(harness.status(batch).await, "completed", "failed to accepted");
    assert_eq!(harness.book.asked("STAYS"), 2);
    assert_eq!(harness.endpoint.arrived("STAYS").len(), 1, "what did not change is not told again");
    let told = harness.endpoint.arrived("CHANGES");
    assert_eq!(told.len(), 2);
    assert_ne!(told[0].id, told[1].id);
    assert_eq!(told[1].body["data"]["order"]["refunds"][0]["amount"], 100);

    harness.book.write("LEAVES", Order::Missing);
    harness.press(batch).await;
    harness.until("the order is gone", async || harness.task(batch, "LEAVES").await.status == "FAILED").await;
    harness.settled(batch).await;
    assert_eq!(harness.status(batch).await, "completed_with_failures", "accepted to failed");
    running.stop().await;
    let counted = "SELECT (accepted * 10 + failed)::bigint FROM batch_progress";
    assert_eq!(harness.number(&format!("{counted} WHERE batch_id = '{batch}'")).await, 31);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_stored_orders_asks_the_gateway_after_the_button() {
    let harness = SyncHarness::new().await;
    let batch = harness.batch(&["NEW,,"], false).await;
    let running = harness.start();
    harness.settled(batch).await;
    assert_eq!(harness.book.asked("NEW"), 0);
    harness.press(batch).await;
    harness.until("it is read", async || harness.task(batch, "NEW").await.status == "ACCEPTED").await;
    harness.settled(batch).await;
    running.stop().await;
    assert_eq!(harness.task(batch, "NEW").await.gateway_status.as_deref(), Some("SYNCED"));
    // A second press within ten seconds joins the first.
    let owner = harness.test.caller(OWNER).await;
    let again = batches::sync(&harness.test.state, &owner, Operation::OrderSync, batch).await.unwrap();
    assert_eq!(again.message, "Nothing to ask: all 1 orders are final.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_does_not_answer_is_asked_again() {
    let harness = SyncHarness::new().await;
    harness.book.write("SLOW", Order::Silent(3));
    let batch = harness.batch(&["SLOW,,", "PLAIN,,"], true).await;
    let running = harness.start();
    harness.until("one waits", async || harness.task(batch, "PLAIN").await.status == "ACCEPTED").await;
    harness.settled(batch).await;
    running.stop().await;
    assert_eq!((harness.book.asked("SLOW"), harness.status(batch).await.as_str()), (4, "completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_a_batch_once_for_each_of_its_rows() {
    let harness = SyncHarness::new().await;
    let rows: Vec<String> = (0..1_000).map(|n| format!("PLAIN{n:04},,")).collect();
    let batch = harness.batch(&rows.iter().map(String::as_str).collect::<Vec<_>>(), true).await;
    let running = harness.start();
    harness.questions(1_000).await;
    running.stop().await;
    harness.press(batch).await;
    let running = harness.start();
    harness.questions(2_000).await;
    running.stop().await;
    assert_eq!(harness.number("SELECT count(*) FROM order_task WHERE run_at IS NOT NULL").await, 0);
    let (_, text) = harness.download(batch).await;
    assert_eq!(text.lines().count(), 1_001);
    harness.test.assert_read_in_proportion(1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_keep_to_the_rate_of_the_connection() {
    let harness = SyncHarness::new().await;
    harness.sql("UPDATE gateway SET rate_limit = 10").await;
    let rows: Vec<String> = (0..40).map(|n| format!("PLAIN{n:02},,")).collect();
    let batch = harness.batch(&rows.iter().map(String::as_str).collect::<Vec<_>>(), true).await;
    let begun = Instant::now();
    let running = harness.start();
    let accepted = "SELECT count(*) FROM order_task WHERE status = 'ACCEPTED'";
    harness.until("some were asked about", async || harness.number(accepted).await >= 12).await;
    let owner = harness.test.caller(OWNER).await;
    let health = harness.test.connection_health(&owner, batch).await;
    assert!(!health.eta.is_empty() && !health.eta.contains("every row was sent"), "{}", health.eta);
    harness.settled(batch).await;
    running.stop().await;
    assert_eq!(harness.status(batch).await, "completed");
    let early = harness.book.earlier_than(begun, 10);
    assert_eq!(early, None, "questions that came before their time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_stops_the_connection_and_burns_no_order() {
    let harness = SyncHarness::new().await;
    harness.book.write("LOCKED", Order::Locked);
    let batch = harness.batch(&["LOCKED,,"], true).await;
    let running = harness.start();
    let stopped = "SELECT count(*) FROM gateway WHERE NOT sending";
    harness.until("the connection stops", async || harness.number(stopped).await == 1).await;
    let asked = harness.book.asked("LOCKED");
    harness
        .until("time passes", async || {
            harness.number("SELECT count(*) FROM order_task WHERE run_at <= now()").await == 1
        })
        .await;
    assert!(harness.book.asked("LOCKED") <= asked + 1, "a stopped connection is not asked");
    assert_eq!(harness.task(batch, "LOCKED").await.status, "QUEUED");
    // What only needs what is stored goes on.
    let off = harness.batch(&["OTHER,,"], false).await;
    harness.settled(off).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn download_and_failed_rows_are_the_specifications() {
    let harness = SyncHarness::new().await;
    harness.book.write("-GONE", Order::Missing);
    let batch = harness.batch(&["PLAIN,PLAIN-1,R1", "-GONE,,", "OPEN,\"TRANS_ ABC,789\",R3"], true).await;
    let (name, text) = harness.download(batch).await;
    assert_eq!(name, "batch_sync.csv");
    let created = text.lines().nth(1).unwrap().split(',').nth(9).unwrap().to_owned();
    assert!(created.ends_with("+05:30"), "{text}");
    let header = crate::formats::sync::SYNC_RESULTS_HEADER;
    let expected = format!(
        "{header}1,PLAIN,PLAIN-1,R1,,,,QUEUED,,{created},{created}\n2,'-GONE,,,,,,QUEUED,,{created},{created}\n\
         3,OPEN,\"TRANS_ ABC,789\",R3,,,,QUEUED,,{created},{created}\n"
    );
    assert_eq!(text, expected, "blank while queued");
    let running = harness.start();
    harness.settled(batch).await;
    running.stop().await;
    let (_, text) = harness.download(batch).await;
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[1].starts_with(&format!("1,PLAIN,PLAIN-1,R1,SYNCED,Stored in Batchdesk,SYNCED,ACCEPTED,,{created},"))
    );
    assert!(
        lines[2].starts_with(&format!(
            "2,'-GONE,,,NOT SYNCED,,FAILED,FAILED,The gateway does not know order -GONE.,{created},"
        )),
        "{text}"
    );
    assert!(lines[3].contains(",NOT SYNCED,,FAILED,FAILED,\"Transaction TRANS_ ABC,789 does not belong"), "{text}");
    let owner = harness.test.caller(OWNER).await;
    let file =
        crate::server::ops::downloads::failed_rows(&harness.test.state, &owner, Operation::OrderSync, batch).await;
    let pieces: Vec<_> = futures::TryStreamExt::try_collect(file.unwrap().body).await.unwrap();
    let failed = pieces.concat();
    assert_eq!(
        String::from_utf8_lossy(&failed),
        "order_id,txn_id,unique_request_id\n'-GONE,,\nOPEN,\"TRANS_ ABC,789\",R3\n"
    );
    // It can be uploaded as it is.
    let again = harness.try_upload(OWNER, std::str::from_utf8(&failed).unwrap(), true).await;
    assert!(matches!(again, Submitted::Batch(_)), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_file_makes_a_draft_that_names_what_is_wrong() {
    let harness = SyncHarness::new().await;
    let header = "order_id,txn_id,unique_request_id\n";
    let many: String = (0..1_001).map(|n| format!("A{n},,\n")).collect();
    for (file, code, row, column) in [
        (format!("{header}A,,\n,T,\n"), FindingCode::EmptyOrderId, Some(3), Some("order_id")),
        (format!("{header}A B,,\n"), FindingCode::InvalidOrderId, Some(2), Some("order_id")),
        (format!("{header}A,,\nB,,\nA,,\n"), FindingCode::DuplicateOrderId, Some(4), Some("order_id")),
        (format!("{header}A,\n"), FindingCode::InvalidFileFormat, Some(2), None),
        ("txn_id,unique_request_id\nA,B\n".to_owned(), FindingCode::MissingMandatoryFields, Some(1), Some("order_id")),
        (
            "txn_id,order_id,unique_request_id\nA,B,\n".to_owned(),
            FindingCode::InvalidFileFormat,
            Some(1),
            Some("txn_id"),
        ),
        (format!("{header}{many}"), FindingCode::RowLimitExceeded, None, None),
        (header.to_owned(), FindingCode::EmptyFile, None, None),
    ] {
        let Submitted::Draft(draft) = harness.try_upload(OWNER, &file, false).await else { panic!("taken: {code:?}") };
        let found = draft.findings.iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("{draft:?}"));
        assert_eq!((found.row, found.column.as_deref()), (row, column), "{code:?}");
        assert_eq!(draft.switch, Some(false), "what was chosen is still chosen");
    }
    assert_eq!(harness.number("SELECT count(*) FROM batch").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_again_are_asked_about_and_single_orders_are_not() {
    let harness = SyncHarness::new().await;
    harness.batch(&["A,,R1", "B,,R2"], true).await;
    let owner = harness.test.caller(OWNER).await;
    let upload = |file: &str| crate::server::ops::uploads::Upload {
        file_name: "again.csv".to_owned(),
        bytes: file.as_bytes().to_vec().into(),
        switch: true,
        ..Default::default()
    };
    let submit = async |file: &str| {
        crate::server::ops::uploads::submit(&harness.test.state, &owner, Operation::OrderSync, upload(file))
            .await
            .unwrap()
    };
    let same = submit("order_id,txn_id,unique_request_id\nA,,R1\nB,,R2\n").await;
    assert!(matches!(same, Submitted::Draft(draft) if draft.repeats.len() == 1 && draft.findings.is_empty()));
    let other = submit("order_id,txn_id,unique_request_id\nA,,R1\nB,,R2\nC,,\n").await;
    assert!(matches!(other, Submitted::Batch(_)), "orders and request ids may come again any day");
}
