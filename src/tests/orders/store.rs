//! The list, its searches and their plans, and an order's page.

use super::*;
use crate::server::ops::uploads::Ticks;
use crate::{
    domain::{
        access::{Module, Permissions, Right},
        error::RefusalKind,
        ids::OrganisationId,
        view::orders::{From, OrderList, OrderQuery, Refunded},
    },
    server::{
        db::orders::store::{Listing, Start, push_list},
        ops::{approvals::Verdict, orders},
    },
    tests::support::refunds,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, QueryBuilder, Row};
use std::collections::BTreeSet;

async fn list(test: &TestState, email: &str, query: &OrderQuery) -> OrderList {
    orders::list(&test.state, &test.caller(email).await, query.clone()).await.unwrap()
}

async fn ids(test: &TestState, email: &str, query: &OrderQuery) -> Vec<String> {
    list(test, email, query).await.orders.into_iter().map(|order| order.order_id).collect()
}

fn search(text: &str) -> OrderQuery {
    OrderQuery { search: text.to_owned(), ..OrderQuery::default() }
}

/// The query of an address that the list gave.
fn follow(path: &str) -> OrderQuery {
    let address = url::Url::parse("http://x").unwrap().join(path).unwrap();
    let pairs: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    OrderQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

#[tokio::test]
async fn orders_are_listed_newest_seen_first_and_every_page_leads_to_its_neighbours() {
    let test = TestState::new().await;
    let batch = sync(&test, MAKER, &["ANY"]).await;
    let start = test.state.clock.now() - Duration::days(3);
    // Pairs are seen at the same time: the order id tells them apart.
    for pair in 0..61 {
        let rows = [order(batch, &format!("ORD_{pair:03}_A")), order(batch, &format!("ORD_{pair:03}_B"))];
        store(&test, MAKER, &rows, start + Duration::minutes(pair)).await;
    }
    for first in [OrderQuery::default(), search("ORD_"), search("tx-ORD_")] {
        let mut all = Vec::new();
        let (mut query, mut pages) = (first.clone(), Vec::new());
        loop {
            let page = list(&test, MAKER, &query).await;
            assert_eq!(page.newer.is_some(), query.from.is_some(), "the first page has none before it");
            let shown: Vec<String> = page.orders.iter().map(|order| order.order_id.clone()).collect();
            all.extend(shown.clone());
            pages.push((shown, page.newer.clone()));
            match page.older {
                Some(older) => query = follow(&older),
                None => break,
            }
        }
        assert_eq!(pages.iter().map(|(page, _)| page.len()).collect::<Vec<_>>(), [50, 50, 22], "{first:?}");
        let mut expected = all.clone();
        expected.sort();
        expected.dedup();
        assert_eq!(expected.len(), 122, "each once");
        if first.search.is_empty() {
            expected.reverse();
        }
        assert_eq!(all, expected, "{first:?}");
        // And back the same way.
        for at in [2, 1] {
            let back = follow(pages[at].1.as_ref().unwrap());
            assert!(matches!(back.from, Some(From::Before(_))));
            let page = list(&test, MAKER, &back).await;
            assert_eq!(page.orders.iter().map(|order| order.order_id.clone()).collect::<Vec<_>>(), pages[at - 1].0);
            assert_eq!((page.newer.is_some(), page.older.is_some()), (at == 2, true));
        }
    }
    // What makes no sense as a place is no place.
    assert_eq!(ids(&test, MAKER, &follow("/orders?after=1.xORD_")).await.len(), 50);
}

#[tokio::test]
async fn orders_are_found_by_order_and_transaction_and_narrowed_by_state() {
    let test = TestState::new().await;
    let batch = sync(&test, MAKER, &["ANY"]).await;
    let now = test.state.clock.now();
    let plain = |id: &str| order(batch, id);
    let rows = [
        SeenOrder { transactions: vec!["ABC-1".into(), "ABC-2".into(), "ABB-9".into()], ..plain("ORD_1") },
        // Found by its own id once, not by its transaction again.
        SeenOrder {
            transactions: vec!["ABC_own".into()],
            refunded_minor: 400,
            refundable_minor: Some(9_600),
            ..plain("ABC")
        },
        SeenOrder {
            status: "AUTHORIZATION_FAILED".into(),
            charged: false,
            refundable_minor: None,
            transactions: vec![],
            ..plain("ORD_2")
        },
        SeenOrder { refunded_minor: 10_000, refundable_minor: Some(0), ..plain("ORD_3") },
    ];
    store(&test, MAKER, &rows, now - Duration::days(2)).await;
    store(&test, MAKER, &[plain("ORD_NEW")], now).await;
    seen(&test, OWNER, &["ORD_OF_GLOBEX"]).await;

    let found = list(&test, VIEWER, &search("ABC")).await;
    let by: Vec<_> = found.orders.iter().map(|o| (o.order_id.as_str(), o.transaction.as_deref())).collect();
    assert_eq!(by, [("ABC", None), ("ORD_1", Some("ABC-1"))]);
    assert_eq!(ids(&test, VIEWER, &search("ORD_")).await, ["ORD_1", "ORD_2", "ORD_3", "ORD_NEW"]);
    for nothing in ["ord_", "RD_1", "ORD%", "BC-", "ORD_OF"] {
        let none = list(&test, VIEWER, &search(nothing)).await;
        assert!(none.orders.is_empty() && none.any, "{nothing}");
    }
    let narrowed = |change: fn(&mut OrderQuery)| {
        let mut query = OrderQuery::default();
        change(&mut query);
        query
    };
    let status = narrowed(|query| query.status = "AUTHORIZATION_FAILED".to_owned());
    assert_eq!(ids(&test, VIEWER, &status).await, ["ORD_2"]);
    for (refunded, expected) in [
        (Refunded::Nothing, vec!["ORD_NEW", "ORD_2", "ORD_1"]),
        (Refunded::Partly, vec!["ABC"]),
        (Refunded::Wholly, vec!["ORD_3"]),
    ] {
        let query = OrderQuery { refunded: Some(refunded), ..OrderQuery::default() };
        assert_eq!(ids(&test, VIEWER, &query).await, expected);
        let both = OrderQuery { search: "ORD_".to_owned(), ..query };
        assert_eq!(ids(&test, VIEWER, &both).await.len(), expected.iter().filter(|id| id.starts_with("ORD_")).count());
    }
    let zone = crate::server::ops::time_format::zone("Asia/Kolkata");
    let since = OrderQuery {
        since: crate::server::ops::time_format::day_text(now, &zone).parse().ok(),
        ..OrderQuery::default()
    };
    assert_eq!(ids(&test, VIEWER, &since).await, ["ORD_NEW"]);
    let all = list(&test, VIEWER, &OrderQuery::default()).await;
    assert_eq!(all.statuses, ["AUTHORIZATION_FAILED", "CHARGED"]);
    assert!(!all.may_refund && !all.may_sync);

    // A transaction that the gateway no longer lists leads nowhere, a new one does.
    store(&test, MAKER, &[SeenOrder { transactions: vec!["ABC-2".into(), "NEW-1".into()], ..plain("ORD_1") }], now)
        .await;
    for (text, expected) in [("ABC-1", vec![]), ("ABB", vec![]), ("ABC-2", vec!["ORD_1"]), ("NEW-", vec!["ORD_1"])] {
        assert_eq!(ids(&test, VIEWER, &search(text)).await, expected, "{text}");
    }
    // An older reading changes nothing.
    store(&test, MAKER, &[SeenOrder { transactions: vec!["OLD-1".into()], ..plain("ORD_1") }], now - Duration::days(9))
        .await;
    assert!(ids(&test, VIEWER, &search("OLD-")).await.is_empty());
    // An id that no index could hold stops no sync.
    store(&test, MAKER, &[SeenOrder { transactions: vec!["L".repeat(9_000)], ..plain("ORD_1") }], now).await;
}

/// The plan of a page of the list, as the web part would read it.
async fn plan(test: &TestState, organisation: OrganisationId, listing: &Listing<'_>) -> String {
    let mut web = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let mut tx = web.begin().await.unwrap();
    for statement in [
        "SET LOCAL ROLE batchdesk_web".to_owned(),
        format!("SELECT set_config('app.organisation', '{organisation}', true)"),
        // The tables are small here; what is asked is what can be used, not what is cheapest.
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off".to_owned(),
    ] {
        tx.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    let mut query = QueryBuilder::new("EXPLAIN ");
    push_list(&mut query, organisation, listing);
    let rows = query.build().fetch_all(&mut *tx).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_page_is_a_range_of_an_index_under_the_policies() {
    let test = TestState::new().await;
    let organisation = test.caller(MAKER).await.organisation.id;
    let listing = Listing { search: "", status: "", refunded: "", since: None, start: None, back: false, limit: 51 };
    let now = test.state.clock.now();
    for (listing, conditions) in [
        (listing.clone(), vec!["stored_order_seen"]),
        (
            Listing { start: Some(Start::Seen(now, "ORD_7")), ..listing.clone() },
            vec!["stored_order_seen", "ROW(seen_at, order_id) < ROW("],
        ),
        (Listing { status: "CHARGED", ..listing.clone() }, vec!["stored_order_by_status"]),
        (Listing { refunded: "none", ..listing.clone() }, vec!["stored_order_by_refund"]),
        (
            Listing { search: "ORD_", ..listing.clone() },
            vec![
                "stored_order_pkey",
                "(order_id >= 'ORD_'::text)",
                "stored_transaction_pkey",
                "(txn_id >= 'ORD_'::text)",
            ],
        ),
        (
            Listing { search: "ORD_", start: Some(Start::Matched("ORD_7", "ORD_7")), ..listing.clone() },
            vec!["ROW(order_id, order_id) > ROW('ORD_7'::text, 'ORD_7'::text)", "ROW(txn_id, order_id) > ROW("],
        ),
    ] {
        let plan = plan(&test, organisation, &listing).await;
        // The walks themselves: what stands beside each order is looked up for a page of them.
        let walks = plan.split("Subquery Scan").nth(1).unwrap_or(&plan).to_owned();
        for condition in conditions {
            assert!(plan.contains(condition), "{condition} is not in the plan of {listing:?}:\n{plan}");
        }
        assert!(!plan.contains("Seq Scan on stored"), "{plan}");
        assert!(!walks.contains("Seq Scan"), "{plan}");
    }
}

#[tokio::test]
async fn an_order_s_page_tells_what_happened_to_it() {
    let test = TestState::new().await;
    let batch = seen(&test, MAKER, &["ORD_1"]).await;
    test.decide(CHECKER, batch, Verdict::Approve).await.unwrap();
    let refund = test.upload(MAKER, &refunds(&[("ORD_9", "1"), ("ORD_1", "12.50"), ("ORD_1", "3")])).await;
    test.decide(CHECKER, refund, Verdict::Reject).await.unwrap();
    let viewer = test.caller(VIEWER).await;
    let page = orders::page(&test.state, &viewer, "ORD_1").await.unwrap();
    let seen = page.seen.unwrap();
    assert_eq!((seen.amount.minor, seen.left, seen.asked_by.as_str()), (10_000, Ok(seen.amount), MAKER));
    assert_eq!(seen.batch, (batch, "orders.csv".to_owned()));
    assert_eq!(page.transactions, ["tx-ORD_1"]);
    assert!(page.raw.contains("ORD_1") && !page.raw.contains("buyer@shop.test"), "{}", page.raw);
    let told: Vec<(String, String)> =
        page.history.iter().map(|told| (told.step.title.clone(), told.step.actor.clone())).collect();
    let count = |title: &str, actor: &str| {
        told.iter().filter(|told| (told.0.as_str(), told.1.as_str()) == (title, actor)).count()
    };
    assert_eq!(count("A sync was asked for", MAKER), 1, "{told:?}");
    assert_eq!(count("Approved", CHECKER), 1, "{told:?}");
    assert_eq!(count("A refund of ₹12.50 was asked for", MAKER), 1, "{told:?}");
    assert_eq!(count("Rejected", CHECKER), 2, "of each of its two rows");
    assert!(page.history.iter().any(|told| told.step.facts.contains(&("Batch".to_owned(), "Rejected".to_owned()))));
    let links = &page.history.iter().find(|told| told.step.title.contains("12.50 was asked")).unwrap().links;
    assert_eq!(links[1].0, format!("/batch/batch-refunds/{refund}/tasks/2"));
    let times: Vec<&str> = page.history.iter().map(|told| told.step.at.as_ref().unwrap().utc.as_str()).collect();
    assert!(times.is_sorted_by(|later, earlier| later >= earlier), "{times:?}");

    // Known from a refund only: it has a page, and says that it was never asked about.
    let page = orders::page(&test.state, &viewer, "ORD_9").await.unwrap();
    assert!(page.seen.is_none() && !page.history.is_empty() && page.raw.is_empty());
}

#[tokio::test]
async fn an_order_of_another_organisation_is_not_there_and_rights_are_asked_for() {
    let test = TestState::new().await;
    seen(&test, OWNER, &["CANARY_1"]).await;
    test.upload(OWNER, &refunds(&[("CANARY_2", "5")])).await;
    let maker = test.caller(MAKER).await;
    for order in ["CANARY_1", "CANARY_2", "NOBODY_S", ""] {
        let refused = orders::page(&test.state, &maker, order).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::NotFound, "{order}");
        let refused = orders::synchronise(&test.state, &maker, order).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::NotFound, "{order}");
    }
    assert!(ids(&test, MAKER, &search("CANARY")).await.is_empty());
    assert!(ids(&test, MAKER, &search("tx-CANARY")).await.is_empty());
    let looked = orders::refund::page(&test.state, &maker, chosen(&[("CANARY_1", None)])).await.unwrap();
    assert_eq!((looked.lines.len(), looked.left_out.len()), (0, 1));
    assert!(looked.left_out[0].1.contains("never seen"), "{:?}", looked.left_out);

    let admin = test.caller("admin@acme.test").await;
    let kind = |error: crate::server::error::OpError| error.refusal.kind;
    assert_eq!(
        kind(orders::list(&test.state, &admin, OrderQuery::default()).await.unwrap_err()),
        RefusalKind::Forbidden
    );
    assert_eq!(kind(orders::page(&test.state, &admin, "A").await.unwrap_err()), RefusalKind::Forbidden);
    let viewer = test.caller(VIEWER).await;
    assert_eq!(kind(orders::synchronise(&test.state, &viewer, "A").await.unwrap_err()), RefusalKind::Forbidden);
    seen(&test, MAKER, &["OURS"]).await;
    let ours = chosen(&[("OURS", None)]);
    // Neither right alone is enough to refund from orders.
    for rights in [
        [(Module::Refunds, Right::Read), (Module::Orders, Right::ReadWrite)],
        [(Module::Refunds, Right::ReadWrite), (Module::People, Right::ReadWrite)],
    ] {
        let mut caller = maker.clone();
        caller.permissions = Permissions(BTreeSet::from(rights));
        assert_eq!(
            kind(orders::refund::page(&test.state, &caller, ours.clone()).await.unwrap_err()),
            RefusalKind::Forbidden
        );
        assert_eq!(
            kind(orders::refund::send(&test.state, &caller, &ours, Ticks::default()).await.unwrap_err()),
            RefusalKind::Forbidden
        );
    }
    // Who may not read refunds is told of syncs only.
    test.upload(MAKER, &refunds(&[("OURS", "5"), ("REFUND_ONLY", "5")])).await;
    let mut caller = maker.clone();
    caller.permissions = Permissions(BTreeSet::from([(Module::Orders, Right::Read)]));
    let page = orders::page(&test.state, &caller, "OURS").await.unwrap();
    assert!(page.history.iter().all(|told| told.step.title.contains("sync")), "{:?}", page.history);
    assert_eq!(kind(orders::page(&test.state, &caller, "REFUND_ONLY").await.unwrap_err()), RefusalKind::NotFound);
}
