//! Refunds from orders: what is refused, and that what is made is what the same file would have made.

use super::*;
use crate::server::ops::uploads::Ticks;
use crate::{
    domain::{access::Permissions, view::orders::RefundOrders},
    server::{
        error::OpResult,
        ops::{
            approvals::Verdict,
            batches, downloads,
            orders::{
                self,
                refund::{self, RefundOutcome},
            },
        },
    },
    tests::support::refunds,
};
use futures::StreamExt;
use sqlx::{AssertSqlSafe, ConnectOptions};

async fn send(test: &TestState, email: &str, orders: &RefundSelection) -> OpResult<RefundOutcome> {
    refund::send(&test.state, &test.caller(email).await, orders, Ticks::default()).await
}

async fn page(test: &TestState, email: &str, orders: &RefundSelection) -> RefundOrders {
    refund::page(&test.state, &test.caller(email).await, orders.clone()).await.unwrap()
}

/// Sends what is refused; returns the sentence, and the draft with what the intake found.
async fn refused(test: &TestState, orders: &RefundSelection) -> (String, RefundSelection) {
    match send(test, MAKER, orders).await.unwrap() {
        RefundOutcome::Findings { draft, sentence, .. } => (sentence, RefundSelection { draft, ..orders.clone() }),
        made => panic!("{made:?}"),
    }
}

async fn made(test: &TestState, email: &str, orders: &RefundSelection, confirm: bool) -> BatchId {
    let seal = if confirm { page(test, email, orders).await.seal } else { String::new() };
    match refund::send(&test.state, &test.caller(email).await, orders, Ticks { repeats: &seal, ..Ticks::default() })
        .await
        .unwrap()
    {
        RefundOutcome::Batch { batch, .. } => batch,
        refused => panic!("{refused:?}"),
    }
}

/// One value, as the superuser sees it.
async fn value<T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin>(
    test: &TestState,
    sql: &str,
) -> T {
    let mut admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut admin).await.unwrap()
}

async fn batches_of(test: &TestState) -> i64 {
    value(test, "SELECT count(*) FROM batch WHERE operation = 'refund'").await
}

#[tokio::test]
async fn a_batch_from_orders_is_the_batch_of_the_same_file() {
    let test = TestState::new().await;
    // The gateway may call an order as no file of orders can.
    let rows = ["ORD_1", "-ORD_2", "ORD,3"].map(|id| order(BatchId(uuid::Uuid::nil()), id));
    let batch = sync(&test, MAKER, &["ANY"]).await;
    store(&test, MAKER, &rows.map(|row| SeenOrder { batch_id: batch.0, ..row }), test.state.clock.now()).await;
    let mut orders = chosen(&[("ORD_1", Some("12.50")), ("-ORD_2", None), ("ORD,3", Some(" 7 "))]);
    orders.orders[2].unique_id = "MY-OWN-1".to_owned();
    let RefundOutcome::Batch { batch, records, waits } = send(&test, MAKER, &orders).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!((records, waits), (3, true));
    let maker = test.caller(MAKER).await;
    let made = batches::snapshot(&test.state, &maker, batch).await.unwrap();
    assert_eq!(made.sums().total, 1_250 + 10_000 + 700);
    assert_eq!(made.records, 3);
    let day = crate::server::ops::time_format::day_text(
        test.state.clock.now(),
        &crate::server::ops::time_format::zone("Asia/Kolkata"),
    );
    assert_eq!(made.file_name, format!("orders-{day}.csv"));

    let mut file = downloads::original(&test.state, &maker, Operation::Refund, batch).await.unwrap();
    let bytes = file.body.next().await.unwrap().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.contains("\n'-ORD_2,100.00,,,") && text.contains("\n\"ORD,3\", 7 ,,MY-OWN-1,"), "{text}");

    // A checker takes it back out of the way; then the same rows as a file.
    test.decide(CHECKER, batch, Verdict::Reject).await.unwrap();
    let again = test.upload("maker2@acme.test", text).await;
    let uploaded = batches::snapshot(&test.state, &maker, again).await.unwrap();
    assert_eq!(uploaded.content_sha256, made.content_sha256, "what a decision is about is the same");
    assert_ne!(uploaded.id, made.id);
    let acts =
        test.as_superuser("UPDATE audit SET at = at WHERE action = 'batch.created' AND detail LIKE '%orders-%'").await;
    assert_eq!(acts.unwrap(), 1, "it is in the audit trail as every batch is");
}

#[tokio::test]
async fn what_has_nothing_left_is_left_out_and_nothing_is_made() {
    let test = TestState::new().await;
    let batch = sync(&test, MAKER, &["ANY"]).await;
    let plain = |id: &str| order(batch, id);
    let rows = [
        plain("FULL"),
        SeenOrder { refunded_minor: 9_000, refundable_minor: Some(1_000), ..plain("PART") },
        SeenOrder { refunded_minor: 10_000, refundable_minor: Some(0), ..plain("DONE") },
        SeenOrder { charged: false, status: "NEW".into(), ..plain("OPEN") },
        SeenOrder { currency: "USD".into(), ..plain("ABROAD") },
        SeenOrder { refunded_minor: 2_500, refundable_minor: None, ..plain("SILENT") },
    ];
    store(&test, MAKER, &rows, test.state.clock.now()).await;
    let all = chosen(&["FULL", "PART", "DONE", "OPEN", "ABROAD", "SILENT", "GONE"].map(|id| (id, None)));
    let looked = page(&test, MAKER, &all).await;
    let lines: Vec<_> = looked.lines.iter().map(|line| (line.order.order_id.as_str(), line.amount.as_str())).collect();
    assert_eq!(lines, [("FULL", "100.00"), ("PART", "10.00"), ("SILENT", "75.00")]);
    assert_eq!(looked.total.unwrap().minor, 18_500);
    let why: Vec<_> = looked.left_out.iter().map(|(id, why)| (id.as_str(), why.as_str())).collect();
    for (id, said) in [
        ("DONE", "Nothing is left"),
        ("OPEN", "Nothing was captured: the gateway says NEW"),
        ("ABROAD", "USD"),
        ("GONE", "never seen"),
    ] {
        assert!(why.iter().any(|(left, why)| *left == id && why.contains(said)), "{id}: {why:?}");
    }
    assert_eq!(refused(&test, &all).await.0, "4 orders cannot be refunded. Nothing was made: look at what is left.");

    let over = chosen(&[("PART", Some("10.01")), ("FULL", Some("100"))]);
    let looked = page(&test, MAKER, &over).await;
    assert_eq!(looked.lines[0].errors, [("amount".to_owned(), "Too much: ₹10.00 can be refunded.".to_owned())]);
    assert!(looked.lines[1].errors.is_empty() && looked.total.is_none());
    assert_eq!(refused(&test, &over).await.0, "1 error. Nothing was made.");
    for wrong in ["0", "-1", "1.005", "ten", "", "1,00"] {
        let typed = chosen(&[("PART", Some(wrong))]);
        let looked = page(&test, MAKER, &typed).await;
        assert_eq!((looked.lines[0].errors[0].0.as_str(), looked.lines[0].amount.as_str()), ("amount", wrong));
        refused(&test, &typed).await;
    }
    assert_eq!(refused(&test, &RefundSelection::default()).await.0, "No order is chosen. Nothing was made.");
    // A checker must know what it is for.
    let silent = RefundSelection { description: " ".to_owned(), ..chosen(&[("FULL", None)]) };
    assert!(refused(&test, &silent).await.0.starts_with("Describe the refunds"));
    assert_eq!(batches_of(&test).await, 0);
}

#[tokio::test]
async fn what_is_on_its_way_is_not_refunded_twice() {
    let test = TestState::new().await;
    let at = seen(&test, MAKER, &["ORD_1"]).await;
    let first = made(&test, MAKER, &chosen(&[("ORD_1", Some("60"))]), false).await;
    let looked = page(&test, MAKER, &chosen(&[("ORD_1", None)])).await;
    assert_eq!((looked.lines[0].amount.as_str(), looked.lines[0].order.on_way.minor), ("40.00", 6_000));
    let over = chosen(&[("ORD_1", Some("40.01"))]);
    assert_eq!(
        page(&test, MAKER, &over).await.lines[0].errors[0].1,
        "Too much: ₹40.00 can be refunded, for ₹60.00 is on its way already."
    );
    refused(&test, &over).await;
    let rest = made(&test, MAKER, &chosen(&[("ORD_1", None)]), false).await;
    let looked = page(&test, MAKER, &chosen(&[("ORD_1", None)])).await;
    assert!(looked.lines.is_empty() && looked.left_out[0].1.contains("₹100.00 is on its way already"), "{looked:?}");
    // What was rejected is not on its way any more.
    test.decide(CHECKER, first, Verdict::Reject).await.unwrap();
    assert_eq!(page(&test, MAKER, &chosen(&[("ORD_1", None)])).await.lines[0].amount, "60.00");
    // Once the gateway shows a refund under its key, its own figures count.
    let key: String = value(&test, &format!("SELECT gateway_key FROM record WHERE batch_id = '{rest}'")).await;
    let shown = SeenOrder {
        refunded_minor: 4_000,
        refundable_minor: Some(6_000),
        refunds: json!([{ "unique_request_id": key, "reference": "SIM1", "amount": 4_000, "status": "SUCCESS", "type": "STANDARD" }]),
        ..order(at, "ORD_1")
    };
    store(&test, MAKER, &[shown], test.state.clock.now()).await;
    let line = page(&test, MAKER, &chosen(&[("ORD_1", None)])).await.lines.remove(0);
    assert_eq!((line.amount.as_str(), line.order.on_way.minor), ("60.00", 0));
    let told = orders::page(&test.state, &test.caller(VIEWER).await, "ORD_1").await.unwrap();
    assert_eq!(
        told.refunds[0].history,
        Some(format!("/batch/batch-refunds/{rest}/tasks/1")),
        "the gateway's refund is ours"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_makes_one_batch() {
    let test = TestState::new().await;
    seen(&test, "owner@globex.test", &["ORD_1"]).await;
    let part = chosen(&[("ORD_1", Some("40"))]);
    let (one, other) = tokio::join!(send(&test, "owner@globex.test", &part), send(&test, "owner@globex.test", &part));
    let made = |sent: &RefundOutcome| matches!(sent, RefundOutcome::Batch { .. });
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(made(&one) != made(&other), "{one:?} {other:?}");
    assert_eq!(batches_of(&test).await, 1);
}

#[tokio::test]
async fn what_of_ours_is_on_its_way_is_told_to_who_may_read_refunds() {
    let test = TestState::new().await;
    seen(&test, MAKER, &["ORD_1"]).await;
    made(&test, MAKER, &chosen(&[("ORD_1", Some("60"))]), false).await;
    let mut caller = test.caller(VIEWER).await;
    let on_way = async |caller: &crate::server::ops::access::Caller| {
        orders::page(&test.state, caller, "ORD_1").await.unwrap().seen.unwrap().on_way.minor
    };
    assert_eq!(on_way(&caller).await, 6_000);
    caller.permissions = Permissions(
        [(crate::domain::access::Module::Orders, crate::domain::access::Right::Read)].into_iter().collect(),
    );
    assert_eq!(on_way(&caller).await, 0);
    let refused = orders::page(&test.state, &caller, "ORD\0_1").await.unwrap_err();
    assert_eq!(refused.refusal.kind, crate::domain::error::RefusalKind::NotFound);
}

#[tokio::test]
async fn findings_of_the_intake_come_back_at_their_fields_and_look_alikes_need_a_word() {
    let test = TestState::new().await;
    seen(&test, MAKER, &["ORD_1", "ORD_2"]).await;
    let earlier =
        test.upload("maker2@acme.test", &refunds(&[("ORD_1", "5")]).replace("ORD_1,5,,,", "ORD_1,5,,TAKEN1,")).await;
    let same = chosen(&[("ORD_1", Some("5")), ("ORD_2", Some("6"))]);
    let (sentence, kept) = refused(&test, &same).await;
    assert!(sentence.contains("went out before"), "{sentence}");
    let looked = page(&test, MAKER, &kept).await;
    assert_eq!((looked.repeats.len(), looked.repeats[0].row, looked.repeats[0].batch), (1, Some(2), earlier));
    assert!(looked.lines.iter().all(|line| line.errors.is_empty()));
    // Nobody else sees what was kept.
    assert!(page(&test, "maker2@acme.test", &kept).await.repeats.is_empty());
    assert_eq!(batches_of(&test).await, 1);
    // A tick is for the lines that it was shown with.
    let other = chosen(&[("ORD_1", Some("5")), ("ORD_2", Some("6.01"))]);
    let said = refund::send(
        &test.state,
        &test.caller(MAKER).await,
        &other,
        Ticks { repeats: &looked.seal, ..Ticks::default() },
    )
    .await
    .unwrap();
    assert!(matches!(said, RefundOutcome::Findings { .. }), "{said:?}");
    made(&test, MAKER, &same, true).await;

    let mut taken = chosen(&[("ORD_2", Some("1")), ("ORD_1", Some("2"))]);
    taken.orders[1].unique_id = "TAKEN1".to_owned();
    let (_, kept) = refused(&test, &taken).await;
    let looked = page(&test, MAKER, &kept).await;
    assert!(looked.lines[0].errors.is_empty());
    assert_eq!(looked.lines[1].errors[0].0, "unique_id");
    assert!(looked.lines[1].errors[0].1.starts_with("Unique ID already used: TAKEN1"), "{looked:?}");
    assert_eq!(looked.lines[1].unique_id, "TAKEN1", "what was typed is kept");
    // Twice in the form itself is found before anything is kept.
    taken.orders[0].unique_id = "TAKEN1".to_owned();
    assert!(page(&test, MAKER, &taken).await.lines[1].errors[0].1.starts_with("Duplicate unique ID"));
    assert_eq!(batches_of(&test).await, 2);
}

#[tokio::test]
async fn never_more_than_the_row_limit_and_never_past_another_connection() {
    let test = TestState::new().await;
    seen(&test, MAKER, &["ORD_1", "ORD_2", "ORD_3"]).await;
    let three = chosen(&[("ORD_1", None), ("ORD_2", None), ("ORD_3", None)]);
    test.as_superuser("UPDATE organisation SET row_limit = 2").await.unwrap();
    let maker = test.caller(MAKER).await;
    for refused in [
        refund::page(&test.state, &maker, three.clone()).await.map(|_| ()).unwrap_err(),
        refund::send(&test.state, &maker, &three, Ticks::default()).await.map(|_| ()).unwrap_err(),
    ] {
        assert!(refused.refusal.message.starts_with("Row limit exceeded: 3 orders, at most 2"), "{refused}");
    }
    // The same id at another connection may be somebody else's order.
    let new =
        crate::tests::support::gateway("Acme Stores", "http://127.0.0.1:10", crate::server::gateway::GatewayClass::K);
    let new = crate::server::ops::gateways::NewGateway { merchant_id: "acme2".to_owned(), ..new };
    crate::server::ops::gateways::add(&test.state, new).await.unwrap();
    let looked = page(&test, MAKER, &chosen(&[("ORD_1", None)])).await;
    assert!(looked.left_out[0].1.contains("another gateway connection"), "{looked:?}");
    refused(&test, &chosen(&[("ORD_1", None)])).await;
}

#[tokio::test]
async fn an_order_is_asked_about_by_a_batch_of_one_row() {
    let test = TestState::new().await;
    test.upload(MAKER, &refunds(&[("ORD_9", "5")])).await;
    let maker = test.caller(MAKER).await;
    let batch = orders::synchronise(&test.state, &maker, "ORD_9").await.unwrap();
    let made = batches::snapshot(&test.state, &maker, batch).await.unwrap();
    assert_eq!((made.operation, made.records, made.status.code()), (Operation::OrderSync, 1, "awaiting_approval"));
    let page = orders::page(&test.state, &maker, "ORD_9").await.unwrap();
    assert!(page.seen.is_none() && page.may_sync);
    assert!(page.history.iter().any(|told| told.step.title == "A sync was asked for"));
    let mut reader = maker.clone();
    reader.permissions = Permissions(
        maker.permissions.0.iter().filter(|(_, right)| *right == crate::domain::access::Right::Read).copied().collect(),
    );
    assert!(orders::synchronise(&test.state, &reader, "ORD_9").await.is_err());
}
