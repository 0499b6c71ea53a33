//! Records stand in leaves without row-level security: what keeps organisations apart there.

use super::support::{TestState, refunds};
use crate::{
    domain::{
        ids::{BatchId, GatewayId, OrganisationId},
        money::Currency,
        operation::{Effect, Operation},
        task::RecordExtra,
    },
    server::db::{
        self, Db, PoolSizes,
        batches::{NewBatch, NewRecord},
    },
};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};
use std::{collections::BTreeMap, task::Poll, time::Duration};
use uuid::Uuid;

const ROLES: [&str; 4] = ["batchdesk_web", "batchdesk_worker", "batchdesk_scheduler", "batchdesk_owner"];

async fn connect(test: &TestState, role: &str, organisation: Option<OrganisationId>, email: &str) -> PgConnection {
    let mut connection = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let person = test.caller(email).await.person.id;
    let organisation = organisation.map(|id| id.to_string()).unwrap_or_default();
    let session = format!("SET ROLE {role}; SET app.organisation = '{organisation}'; SET app.person = '{person}'");
    connection.execute(AssertSqlSafe(session)).await.unwrap();
    connection
}

fn code<T>(result: sqlx::Result<T>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned(),
    }
}

async fn code_of(connection: &mut PgConnection, sql: &str) -> String {
    code(connection.execute(AssertSqlSafe(sql.to_owned())).await)
}

async fn number(test: &TestState, sql: &str) -> i64 {
    let mut admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut admin).await.unwrap()
}

/// A batch that is being read in, and the session that reads it.
async fn opened(web: &mut PgConnection) -> Uuid {
    let id = Uuid::now_v7();
    let sql = format!(
        "INSERT INTO batch (organisation_id, id, gateway_id, operation, file_name, file_sha256, currency)
         SELECT organisation_id, '{id}', id, 'refund', 'refunds.csv', sha256('{id}'), 'INR' FROM gateway;
           SET app.batch = '{id}'"
    );
    web.execute(AssertSqlSafe(sql)).await.unwrap();
    id
}

fn row(organisation: OrganisationId, batch: Uuid, revision: i16) -> String {
    format!(
        "INSERT INTO record_leaf (organisation_id, batch_id, row_no, sheet_row, revision, amount_minor, gateway_key,
         order_id, request_sha256)
         VALUES ('{organisation}', '{batch}', 1, 2, {revision}, 100, 'KEY', 'ORD_1', sha256('x'))"
    )
}

#[tokio::test]
async fn a_leaf_takes_rows_from_the_web_part_and_gives_none_to_anybody() {
    let test = TestState::new().await;
    test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let acme = test.caller("maker@acme.test").await.organisation.id;
    let mut admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let leaves: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT c.relname::text, p.relname::text, c.relrowsecurity FROM pg_inherits i JOIN pg_class c
         ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
          WHERE c.relnamespace = 'batchdesk'::regnamespace AND c.relkind = 'r' ORDER BY 1",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let expected =
        ["attempt", "evidence", "outcome", "record"].map(|parent| (format!("{parent}_leaf"), parent.to_owned(), false));
    assert_eq!(leaves, expected, "a new leaf: is it guarded below?");
    for (leaf, parent, _) in &leaves {
        for role in ROLES {
            let mut session = connect(&test, role, Some(acme), "maker@acme.test").await;
            for forbidden in [
                format!("SELECT count(*) FROM {leaf}"),
                format!("SELECT batch_id FROM {leaf} LIMIT 1"),
                format!("COPY {leaf} TO STDOUT"),
                format!("UPDATE {leaf} SET batch_id = batch_id"),
                format!("DELETE FROM {leaf}"),
                format!("TRUNCATE {leaf}"),
            ] {
                assert_eq!(code_of(&mut session, &forbidden).await, "42501", "{role}: {forbidden}");
            }
            let may: bool = sqlx::query_scalar("SELECT has_table_privilege($1, $2, 'INSERT')")
                .bind(role)
                .bind(leaf)
                .fetch_one(&mut session)
                .await
                .unwrap();
            let adds = matches!(role, "batchdesk_web" | "batchdesk_worker") && leaf == "record_leaf";
            assert_eq!(may, adds, "{role} adds rows to {leaf}");
            if role != "batchdesk_owner" && parent == "record" {
                for right in ["INSERT", "UPDATE", "DELETE", "TRUNCATE"] {
                    let may: bool = sqlx::query_scalar("SELECT has_table_privilege($1, $2, $3)")
                        .bind(role)
                        .bind(parent)
                        .bind(right)
                        .fetch_one(&mut session)
                        .await
                        .unwrap();
                    assert!(!may, "{role} may {right} {parent}");
                }
            }
        }
        let guards: i64 = number(
            &test,
            &format!(
                "SELECT count(*) FROM pg_trigger WHERE tgrelid = '{leaf}'::regclass
                      AND tgname = '{parent}_leaf_guard' AND tgenabled = 'O'"
            ),
        )
        .await;
        assert_eq!(guards, i64::from(leaf == "record_leaf"), "{leaf}");
        // What the policy of the parent says holds for every row that comes through it.
        let secured = format!(
            "SELECT (relrowsecurity AND relforcerowsecurity)::int::bigint FROM pg_class
             WHERE oid = '{parent}'::regclass"
        );
        assert_eq!(number(&test, &secured).await, 1, "{parent}");
    }
    let mut web = connect(&test, "batchdesk_web", Some(acme), "maker@acme.test").await;
    assert_eq!(code_of(&mut web, "COPY record FROM STDIN").await, "42501", "past the leaf");
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM record").fetch_one(&mut web).await.unwrap();
    assert_eq!(seen, 1, "the test must be able to fail");
}

#[tokio::test]
async fn a_leaf_refuses_rows_of_another_organisation_and_of_another_batch() {
    let test = TestState::new().await;
    let acme = test.caller("maker@acme.test").await.organisation.id;
    let globex = test.caller("owner@globex.test").await.organisation.id;
    let sealed = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let mut theirs = connect(&test, "batchdesk_web", Some(globex), "owner@globex.test").await;
    let their_batch = opened(&mut theirs).await;
    let mut web = connect(&test, "batchdesk_web", Some(acme), "maker@acme.test").await;
    let batch = opened(&mut web).await;
    let two = |one: &str, other: &str| {
        format!("{one}, {}", other.split_once("VALUES ").unwrap().1.replace(", 1, 2,", ", 2, 3,"))
    };
    for (sql, expected, what) in [
        (row(globex, their_batch, 1), "BD403", "another organisation, its open batch"),
        (row(globex, batch, 1), "BD403", "another organisation, our batch"),
        (two(&row(acme, batch, 1), &row(globex, batch, 1)), "BD403", "one row among one's own"),
        (row(acme, sealed.0, 1).replace(", 1, 2,", ", 2, 3,"), "BD409", "a batch that was submitted"),
        (row(acme, their_batch, 1), "BD409", "another's batch"),
        (row(acme, Uuid::now_v7(), 1), "BD409", "no batch"),
        (row(acme, batch, 2), "BD409", "a revision that nobody asked for"),
        (row(acme, batch, 1).replace("100,", "0,"), "23514", "money without an amount"),
        (row(acme, batch, 1).replace("1, 2,", "0, 2,"), "23514", "no number"),
        (two(&row(acme, batch, 1), &row(acme, batch, 1)).replace(", 2, 3,", ", 1, 2,"), "23505", "twice"),
    ] {
        assert_eq!(code_of(&mut web, &sql).await, expected, "{what}");
    }
    for (organisation, expected) in [(globex, "BD403"), (acme, "done")] {
        let mut copy = web
            .copy_in_raw(
                "COPY record_leaf (organisation_id, batch_id, row_no, sheet_row, amount_minor, gateway_key,
                          order_id, request_sha256) FROM STDIN",
            )
            .await
            .unwrap();
        let line = format!("{organisation}\t{batch}\t7\t8\t100\tKEY\tORD_7\t\\\\x00\n");
        copy.send(line.as_bytes()).await.unwrap();
        assert_eq!(code(copy.finish().await), expected, "COPY");
    }
    let mut nobody = connect(&test, "batchdesk_web", None, "maker@acme.test").await;
    nobody.execute(AssertSqlSafe(format!("SET app.batch = '{batch}'"))).await.unwrap();
    assert_eq!(code_of(&mut nobody, &row(acme, batch, 1)).await, "BD403", "no organisation is set");
    assert_eq!(number(&test, "SELECT count(*) FROM record").await, 2);

    // The guard is what refuses: without it all of that would be taken.
    test.as_superuser("DROP TRIGGER record_leaf_guard ON record_leaf").await.unwrap();
    for sql in [row(globex, their_batch, 1), row(acme, batch, 2), row(acme, Uuid::now_v7(), 1)] {
        assert_eq!(code_of(&mut web, &sql).await, "done", "the test must be able to fail");
    }
    // And what came in that way is still seen by its own organisation alone.
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM record").fetch_one(&mut web).await.unwrap();
    let theirs: i64 = sqlx::query_scalar("SELECT count(*) FROM record").fetch_one(&mut theirs).await.unwrap();
    assert_eq!((seen, theirs), (4, 1));
}

fn record(number: u32) -> NewRecord {
    NewRecord {
        number,
        sheet_row: number + 1,
        order_id: format!("ORD_{number}"),
        amount_minor: 100,
        key: format!("KEY{number}"),
        unique_id: None,
        txn_id: None,
        hash: vec![0; 32],
        extra: RecordExtra::default(),
    }
}

/// A batch as an upload begins it.
fn new_batch(id: BatchId, gateway: GatewayId) -> NewBatch<'static> {
    NewBatch {
        id,
        gateway: Some(gateway),
        operation: Operation::Refund,
        file_name: "refunds.csv",
        currency: Some(Currency::Inr),
        description: "",
        template: "",
        file_sha256: &[0; 32],
        file_bytes: 1,
        row_limit: 1,
        options: "",
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing_behind() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    // One connection: whoever comes next gets it, or one in its place.
    let one = Db::connect(test.options.clone(), PoolSizes { web: 1, worker: 1 }).await.unwrap();
    let begin = async || one.web(maker.organisation.id, Some(maker.person.id)).await.unwrap();
    let mut tx = begin().await;
    let gateway = GatewayId(db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id);
    let id = BatchId(Uuid::now_v7());
    db::batches::insert(&mut tx, &new_batch(id, gateway)).await.unwrap();
    let endless = db::batches::insert_records(tx, id, (1..).map(record));
    assert!(tokio::time::timeout(Duration::from_millis(300), endless).await.is_err(), "there is always one more");
    let mut tx = begin().await;
    let uploaded = db::batches::unique_ids(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    assert!(uploaded.is_empty());
    assert_eq!(number(&test, "SELECT count(*) FROM record").await, 0);
    assert_eq!(number(&test, "SELECT count(*) FROM batch").await, 0);
}

/// Ends when `future` has waited so often; then it is dropped where it stands.
async fn waits<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = times;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Wherever a browser goes away, whoever gets the connection next hears what it asked, and finds nothing begun.
#[tokio::test]
async fn an_upload_that_is_dropped_anywhere_leaves_a_connection_that_can_be_used() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let one = Db::connect(test.options.clone(), PoolSizes { web: 1, worker: 1 }).await.unwrap();
    let begin = async || one.web(maker.organisation.id, Some(maker.person.id)).await.unwrap();
    let mut tx = begin().await;
    let gateway = GatewayId(db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id);
    tx.commit().await.unwrap();
    for times in 0.. {
        let mut tx = begin().await;
        let id = BatchId(Uuid::now_v7());
        db::batches::insert(&mut tx, &new_batch(id, gateway)).await.unwrap();
        let ended = waits(db::batches::insert_records(tx, id, (1..=3).map(record)), times).await;
        let rows = ended.map(|ended| ended.unwrap().1);
        for _ in 0..3 {
            let mut tx = begin().await;
            let chosen = db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().map(|row| GatewayId(row.id));
            let begun = db::batches::load(&mut tx, id).await.unwrap();
            assert_eq!((chosen, begun.is_some()), (Some(gateway), false), "given up after {times} waits");
            tx.commit().await.unwrap();
        }
        if let Some(rows) = rows {
            assert_eq!(rows, 3);
            break;
        }
    }
}

/// Whatever keeps the records from being read to their end, none of them is there, and the connection can be used.
#[tokio::test]
async fn records_that_end_in_an_error_are_not_added() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let one = Db::connect(test.options.clone(), PoolSizes { web: 1, worker: 1 }).await.unwrap();
    let begin = async || one.web(maker.organisation.id, Some(maker.person.id)).await.unwrap();
    for rows in [0, 3, 20_000] {
        let mut tx = begin().await;
        let gateway = GatewayId(db::gateways::chosen(&mut tx, Effect::Refund).await.unwrap().unwrap().id);
        let id = BatchId(Uuid::now_v7());
        db::batches::insert(&mut tx, &new_batch(id, gateway)).await.unwrap();
        let fill = move |sink: &mut db::batches::RecordSink| -> sqlx::Result<()> {
            (1..=rows).try_for_each(|number| sink.add(&record(number)))?;
            Err(sqlx::Error::Io(std::io::Error::other("the disk is gone")))
        };
        let error = db::batches::copy_records(tx, id, fill).await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("the disk is gone"), "{error}");
        let mut tx = begin().await;
        assert!(db::batches::load(&mut tx, id).await.unwrap().is_none());
        tx.commit().await.unwrap();
        assert_eq!(number(&test, "SELECT count(*) FROM record").await, 0, "{rows}");
    }
}

/// Number, row of the sheet, minor units, order; transaction, unique id, what else there is.
type StoredRow = (i32, i32, i64, String, Option<String>, Option<String>, Option<String>);

#[tokio::test]
async fn a_file_of_many_frames_is_stored_as_it_was_read() {
    let test = TestState::new().await;
    test.as_superuser("UPDATE organisation SET row_limit = 100000").await.unwrap();
    let mut file = refunds(&[]);
    let mut expected = BTreeMap::new();
    for n in 1..=4_000 {
        let (txn, unique) = (
            if n % 3 == 0 { format!("TXN_{n}") } else { String::new() },
            if n % 2 == 0 { format!("U{n}") } else { String::new() },
        );
        let note = if n % 5 == 0 { format!("zurück, \"{n}\" ✓") } else { String::new() };
        let split = if n % 7 == 0 { "1.00,,,," } else { ",,,," };
        file.push_str(&format!("ORD_{n},1.00,{txn},{unique},{split},\"{}\",,,,,,,,,\n", note.replace('"', "\"\"")));
        expected.insert(n, (format!("ORD_{n}"), txn, unique, note, n % 7 == 0));
    }
    let batch = test.upload("owner@globex.test", &file).await;
    let mut admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let rows: Vec<StoredRow> = sqlx::query_as(
        "SELECT row_no, sheet_row, amount_minor, order_id, txn_id, unique_id, extra FROM record WHERE batch_id = $1
         ORDER BY row_no",
    )
    .bind(batch.0)
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(rows.len(), 4_000);
    for (number, sheet_row, minor, order, txn, unique, extra) in rows {
        let (their_order, their_txn, their_unique, note, split) = &expected[&number];
        assert_eq!((sheet_row, minor, &order), (number + 1, 100, their_order));
        assert_eq!((&txn.unwrap_or_default(), &unique.unwrap_or_default()), (their_txn, their_unique));
        let extra: RecordExtra = extra.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
        assert_eq!((extra.udf.first().map_or("", String::as_str), extra.split.is_some()), (note.as_str(), *split));
    }
}
