//! The store of orders: its list and searches, an order's page, and refunds that are made from orders.

mod refund;
mod store;

use super::support::TestState;
use crate::{
    domain::{
        ids::{BatchId, GatewayId},
        operation::{Effect, Operation},
        view::orders::{ChosenOrder, RefundSelection},
    },
    server::{
        db::{
            self,
            orders::{SeenOrder, see},
        },
        ops::uploads::{self, Submitted, Upload},
    },
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

const MAKER: &str = "maker@acme.test";
const CHECKER: &str = "checker@acme.test";
const VIEWER: &str = "viewer@acme.test";
const OWNER: &str = "owner@globex.test";

/// A batch of `email` that asked about these orders.
async fn sync(test: &TestState, email: &str, orders: &[&str]) -> BatchId {
    let rows: String = orders.iter().map(|order| format!("{order},,\n")).collect();
    let upload = Upload {
        file_name: "orders.csv".to_owned(),
        bytes: format!("order_id,txn_id,unique_request_id\n{rows}").into_bytes().into(),
        description: "a test".to_owned(),
        confirm_repeat: true,
        switch: true,
        ..Upload::default()
    };
    match uploads::submit(&test.state, &test.caller(email).await, Operation::OrderSync, upload).await.unwrap() {
        Submitted::Batch(batch) => batch,
        Submitted::Draft(draft) => panic!("{draft:?}"),
    }
}

/// An order as the gateway has it: charged 100.00 and nothing refunded.
fn order(batch: BatchId, order_id: &str) -> SeenOrder {
    SeenOrder {
        order_id: order_id.to_owned(),
        batch_id: batch.0,
        status: "CHARGED".to_owned(),
        charged: true,
        amount_minor: 10_000,
        currency: "INR".to_owned(),
        refunded_minor: 0,
        refundable_minor: Some(10_000),
        transactions: vec![format!("tx-{order_id}")],
        refunds: json!([]),
        body: json!({ "order_id": order_id, "customer_email": "buyer@shop.test" }).to_string(),
        content: "00".repeat(32),
    }
}

/// Stores orders as they were seen at `at`.
async fn store(test: &TestState, email: &str, seen: &[SeenOrder], at: OffsetDateTime) {
    let organisation = test.caller(email).await.organisation.id;
    let mut tx = test.state.db.worker(organisation).await.unwrap();
    let gateway = db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id;
    see(&mut tx, GatewayId(gateway), seen, at).await.unwrap();
    tx.commit().await.unwrap();
}

/// Orders of `email`'s organisation that were just seen, plain.
async fn seen(test: &TestState, email: &str, orders: &[&str]) -> BatchId {
    let batch = sync(test, email, orders).await;
    let rows: Vec<SeenOrder> = orders.iter().map(|id| order(batch, id)).collect();
    store(test, email, &rows, test.state.clock.now() - Duration::hours(1)).await;
    batch
}

/// Orders with amounts as typed; none for what is left.
fn chosen(orders: &[(&str, Option<&str>)]) -> RefundSelection {
    let orders = orders.iter().map(|(id, amount)| ChosenOrder {
        order_id: (*id).to_owned(),
        amount: amount.map(str::to_owned),
        unique_id: String::new(),
    });
    RefundSelection { orders: orders.collect(), description: "Returns".to_owned(), draft: None }
}
