//! The figures of the first page.

use super::*;
use crate::{
    domain::money::{Currency, Money},
    server::ops::home,
};

#[tokio::test(flavor = "multi_thread")]
async fn amounts_of_different_currencies_are_never_added() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let owner = harness.test.caller("owner@globex.test").await;
    let today = async || home::home(&harness.test.state, &owner).await.unwrap().refunded_today;
    assert_eq!(today().await, [Money::new(0, Currency::Inr)]);
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("PLAIN_2", "5.00")]).await;
    let other = harness.batch(&[("PLAIN_3", "7.00")]).await;
    let running = harness.start();
    harness.until(batch, &["SUCCEEDED"]).await;
    harness.until(other, &["SUCCEEDED"]).await;
    running.stop().await;
    assert_eq!(today().await, [Money::new(2_200, Currency::Inr)]);
    harness
        .sql(&format!("SET session_replication_role = replica; UPDATE batch SET currency = 'AUD' WHERE id = '{other}'"))
        .await;
    assert_eq!(today().await, [Money::new(1_500, Currency::Inr), Money::new(700, Currency::Aud)]);
}
