//! Lists of batches narrowed by person and by day.

use super::support::{TestState, refunds};
use crate::{
    domain::{batch::BatchStatus, operation::Operation, page::BatchQuery},
    server::ops::{approvals::Verdict, batches},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

/// The batches of a list by their first order's number, and the counts beside "All", as `email` sees them.
async fn list_of(test: &TestState, email: &str, query: &str) -> (Vec<String>, Vec<(BatchStatus, u64)>, u64) {
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let caller = test.caller(email).await;
    let query = BatchQuery::from_pairs(pairs);
    let list = batches::list(&test.state, &caller, Operation::Refund, &query).await.unwrap();
    let rows = list.page.rows.iter().map(|row| row.id.to_string()).collect();
    (rows, list.by_status, list.page.total)
}

#[tokio::test]
async fn a_list_is_narrowed_by_person_and_by_day_of_the_organisation_and_counts_follow() {
    let test = TestState::new().await;
    let mut made = Vec::new();
    for (email, order, created) in [
        // The last second of 19 November in Kolkata, the first of the 20th, the last of the 20th.
        ("maker@acme.test", "A", "2026-11-19T18:29:59Z"),
        ("maker2@acme.test", "B", "2026-11-19T18:30:00Z"),
        ("maker@acme.test", "C", "2026-11-20T18:29:59Z"),
    ] {
        let batch = test.upload(email, &refunds(&[(order, "5")])).await;
        let sql = format!("UPDATE batch SET created_at = '{created}' WHERE id = '{batch}'");
        assert_eq!(test.as_superuser(&sql).await.unwrap(), 1);
        made.push(batch);
    }
    let [a, b, c] = [0, 1, 2].map(|index: usize| made[index].to_string());
    test.decide("checker@acme.test", made[2], Verdict::Reject).await.unwrap();
    let maker = test.caller("maker@acme.test").await.person.id;
    let viewer = "viewer@acme.test";
    let letter = |id: &String| match id {
        id if *id == a => 'A',
        id if *id == b => 'B',
        id if *id == c => 'C',
        id => panic!("another batch: {id}"),
    };
    let rows = async |query: &str| list_of(&test, viewer, query).await.0.iter().map(letter).collect::<String>();

    assert_eq!(rows("").await, "CBA", "newest first");
    assert_eq!(rows("sort=created").await, "ABC");
    assert_eq!(rows(&format!("maker={maker}")).await, "CA");
    assert_eq!(rows("from=2026-11-20").await, "CB");
    assert_eq!(rows("to=2026-11-19").await, "A");
    assert_eq!(rows("from=2026-11-20&to=2026-11-20").await, "CB", "a day is the organisation's");
    assert_eq!(rows(&format!("maker={maker}&from=2026-11-20")).await, "C");
    assert_eq!(rows("from=2026-11-21&to=2026-11-20").await, "");
    // What makes no sense is no filter.
    for nonsense in ["maker=x", "from=2026-02-30", "to=tomorrow", "from=%27"] {
        assert_eq!(rows(nonsense).await, "CBA", "{nonsense}");
    }

    // Chips count what the other filters leave, whatever status is chosen.
    let waiting = BatchStatus::AwaitingApproval;
    let query = format!("maker={maker}&status={}", waiting.code());
    let (found, by_status, total) = list_of(&test, viewer, &query).await;
    assert_eq!((found.iter().map(letter).collect::<String>().as_str(), total), ("A", 1));
    assert_eq!(by_status, [(waiting, 1), (BatchStatus::Rejected, 1)]);

    let makers = |email: &'static str, operation| {
        let test = &test;
        async move {
            let caller = test.caller(email).await;
            let list = batches::list(&test.state, &caller, operation, &BatchQuery::default()).await.unwrap();
            list.makers.into_iter().map(|(_, email)| email).collect::<Vec<_>>()
        }
    };
    assert_eq!(makers(viewer, Operation::Refund).await, ["maker2@acme.test", "maker@acme.test"]);
    assert_eq!(makers(viewer, Operation::OrderSync).await, Vec::<String>::new(), "people of this operation");
    assert_eq!(makers("owner@globex.test", Operation::Refund).await, Vec::<String>::new(), "and of this organisation");
    assert_eq!(list_of(&test, "owner@globex.test", &format!("maker={maker}")).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn ten_thousand_batches_are_narrowed_by_a_range_of_an_index() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("A", "5")])).await;
    let organisation = test.caller("maker@acme.test").await.organisation.id;
    let (maker, other) =
        (test.caller("maker@acme.test").await.person.id, test.caller("maker2@acme.test").await.person.id);
    // One a quarter of an hour, back from now; one in a hundred by somebody else. Triggers are of no interest here.
    let fill = format!(
        "SET session_replication_role = replica;
         INSERT INTO batch (organisation_id, id, gateway_id, operation, work, file_name, currency, maker, status,
           records, amount_minor, created_at, updated_at)
         SELECT b.organisation_id, gen_random_uuid(), b.gateway_id, b.operation, b.work, 'f' || n, b.currency,
                CASE WHEN n % 100 = 0 THEN '{other}'::uuid
                  ELSE '{maker}'::uuid END, 'completed', 1, n, now() - n * interval '15 minutes', now()
           FROM batch b, generate_series(1, 10000) n WHERE b.id = '{batch}';
         ANALYZE batch;"
    );
    test.as_superuser(&fill).await.unwrap();
    let mut web = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let mut tx = web.begin().await.unwrap();
    tx.execute("SET LOCAL ROLE batchdesk_web").await.unwrap();
    tx.execute(AssertSqlSafe(format!("SELECT set_config('app.organisation', '{organisation}', true)"))).await.unwrap();
    let narrow = [
        (format!("maker = '{other}'"), "batch_by_maker"),
        (
            "created_at >= now() - interval '9 days' AND created_at < now() - interval '8 days'".to_owned(),
            "batch_by_created",
        ),
        (format!("maker = '{other}' AND created_at < now() - interval '50 days'"), "batch_by_maker"),
    ];
    for (condition, index) in narrow {
        let sql = format!(
            "EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF) SELECT * FROM batch WHERE organisation_id = '{organisation}'
             AND operation = 'refund' AND {condition}
              ORDER BY created_at DESC, id DESC LIMIT 50"
        );
        let rows = tx.fetch_all(AssertSqlSafe(sql)).await.unwrap();
        let plan = rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n");
        assert!(plan.contains(index), "{condition}\n{plan}");
        assert!(!plan.contains("Rows Removed by Filter") && !plan.contains("Seq Scan"), "{condition}\n{plan}");
    }
    // And who has uploaded is answered with one look a person.
    tx.commit().await.unwrap();
    let caller = test.caller("maker@acme.test").await;
    let list = batches::list(&test.state, &caller, Operation::Refund, &BatchQuery::default()).await.unwrap();
    assert_eq!(list.makers.len(), 2);
}
