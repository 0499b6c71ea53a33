//! Search over all batches: what begins with a text, of one organisation, in the modules the person may read.

use super::support::{TestState, refunds};
use crate::{
    domain::error::RefusalKind,
    server::ops::{
        approvals::Verdict,
        search::{self},
    },
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

const HEADER: &str = "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\n";

#[tokio::test]
async fn tasks_are_found_by_order_transaction_unique_id_and_key_and_batches_by_id_and_name() {
    let test = TestState::new().await;
    let file = format!("{HEADER}ORD_77,5,TXN_9,RF7,,,,,,,,,,,,,,,\nORD_78,6,,RF-8-is-too-long-for-it,,,,,,,,,,,,,,,\n");
    let batch = test.upload("maker@acme.test", &file).await;
    let viewer = test.caller("viewer@acme.test").await;
    let orders = |text: &'static str| {
        let (state, viewer) = (test.state.clone(), viewer.clone());
        async move {
            let found = search::search(&state, &viewer, text).await.unwrap();
            let orders: Vec<String> = found.tasks.iter().map(|task| task.order_id.clone()).collect();
            (orders, found.tasks.first().and_then(|task| task.by.as_ref().map(|(label, _)| *label)))
        }
    };
    assert_eq!(orders(" ORD_7 ").await, (vec!["ORD_77".to_owned(), "ORD_78".to_owned()], None));
    assert_eq!(orders("TXN_").await, (vec!["ORD_77".to_owned()], Some("Transaction")));
    assert_eq!(orders("RF7").await, (vec!["ORD_77".to_owned()], Some("Unique ID")), "key and unique id are one task");
    assert_eq!(orders("RF-8-is").await, (vec!["ORD_78".to_owned()], Some("Unique ID")));
    for nothing in ["ord_7", "RD_77", "OR", "ORD%", "%", "ORD_779"] {
        assert_eq!(orders(nothing).await.0, Vec::<String>::new(), "{nothing}");
    }
    let named = search::search(&test.state, &viewer, "refu").await.unwrap();
    assert_eq!(named.batches.iter().map(|found| found.id).collect::<Vec<_>>(), [batch]);
    let id = batch.to_string();
    let by_id = search::search(&test.state, &viewer, &id[..13]).await.unwrap();
    assert_eq!(by_id.batches.iter().map(|found| found.id).collect::<Vec<_>>(), [batch]);
    test.decide("checker@acme.test", batch, Verdict::Reject).await.unwrap();
    assert_eq!(orders("ORD_77").await.0.len(), 1, "what was rejected is found too");
}

#[tokio::test]
async fn nothing_of_another_organisation_and_nothing_without_a_right_is_found() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("CANARY_1", "5")])).await;
    let stranger = test.caller("owner@globex.test").await;
    for text in ["CANARY_1", "refunds.csv", &batch.to_string()] {
        let found = search::search(&test.state, &stranger, text).await.unwrap();
        assert!(found.tasks.is_empty() && found.batches.is_empty(), "{text}");
    }
    let admin = test.caller("admin@acme.test").await;
    let refused = search::search(&test.state, &admin, "CANARY_1").await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Forbidden);
}

#[tokio::test]
async fn every_search_is_a_range_of_an_index_under_the_policies() {
    let test = TestState::new().await;
    let organisation = test.caller("maker@acme.test").await.organisation.id;
    let mut web = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let mut tx = web.begin().await.unwrap();
    for statement in [
        "SET LOCAL ROLE batchdesk_web".to_owned(),
        format!("SELECT set_config('app.organisation', '{organisation}', true)"),
        // The tables are empty here; what is asked is what can be used, not what is cheapest.
        "SET LOCAL enable_seqscan = off".to_owned(),
    ] {
        tx.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    for (table, column) in
        [("record", "order_id"), ("record", "txn_id"), ("record", "gateway_key"), ("unique_id_taken", "unique_id")]
    {
        let sql = format!(
            "EXPLAIN SELECT * FROM {table} WHERE organisation_id = '{organisation}' AND {column} ^@ 'ORD_'
             ORDER BY {column} LIMIT 5"
        );
        let rows = tx.fetch_all(AssertSqlSafe(sql)).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(&format!("({column} >= 'ORD_'::text)")), "{column} is not a range of an index:\n{plan}");
        assert!(!plan.contains("Sort"), "{column} is sorted:\n{plan}");
    }
}
