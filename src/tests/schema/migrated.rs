//! How a database gets its schema, and what a binary makes of one that it does not know.

use crate::{
    server::db::{
        self, Db, PoolSizes, StartError,
        migrate::{self, State},
    },
    tests::support::TestState,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection, postgres::PgConnectOptions};

async fn admin(options: &PgConnectOptions) -> PgConnection {
    options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap()
}

async fn column(admin: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(admin).await.unwrap()
}

/// Who may execute what, who owns it, and what it does.
const FUNCTIONS: &str = "SELECT concat_ws(' ', oid::regprocedure, proowner::regrole, prosecdef, proconfig, prosrc,
  (SELECT string_agg(x::text, ',' ORDER BY x::text) FROM unnest(proacl) AS x))
  FROM pg_proc WHERE pronamespace = 'batchdesk'::regnamespace ORDER BY oid::regprocedure::text";

async fn state(options: &PgConnectOptions) -> State {
    let db = Db::connect(options.clone(), PoolSizes { web: 1, worker: 1 }).await.unwrap();
    let state = db.migrated().await.unwrap();
    db.close().await;
    state
}

#[tokio::test]
async fn functions_that_changed_are_applied_again_and_nothing_is_left_of_the_old_ones() {
    let test = TestState::new().await;
    let mut admin = admin(&test.options).await;
    let before = column(&mut admin, FUNCTIONS).await;
    assert!(before.iter().any(|line| line.starts_with("runnable_lanes() batchdesk_scheduler t")), "{before:?}");
    assert!(before.iter().any(|line| line.starts_with("decision_guard() batchdesk_owner t")), "{before:?}");
    assert_eq!(state(&test.options).await, State::Current);
    // As an earlier binary might have left it: another body, a right too many, a view without a column, no trigger.
    test.as_superuser(
        "CREATE OR REPLACE FUNCTION is_administrator() RETURNS boolean LANGUAGE sql AS 'SELECT true';
             GRANT EXECUTE ON FUNCTION take_over(uuid, int, bigint, uuid, int) TO batchdesk_web, PUBLIC;
             DROP VIEW task; DROP TRIGGER decision_guard ON decision;
             UPDATE function_file SET sha256 = '' WHERE name = 'decisions'",
    )
    .await
    .unwrap();
    assert_eq!(state(&test.options).await, State::Behind);
    migrate::run(&test.options).await.unwrap();
    assert_eq!(state(&test.options).await, State::Current);
    assert_eq!(column(&mut admin, FUNCTIONS).await, before);
    for there in [
        "SELECT viewname::text FROM pg_views WHERE viewname = 'task'",
        "SELECT tgname::text FROM pg_trigger WHERE tgname = 'decision_guard'",
    ] {
        assert_eq!(column(&mut admin, there).await.len(), 1, "{there}");
    }
    // Nobody but the owner may execute what was granted to nobody.
    let open = column(
        &mut admin,
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'batchdesk'::regnamespace
            AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)",
    )
    .await;
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn functions_wait_for_work_that_is_going_on() {
    let test = TestState::new().await;
    test.as_superuser("UPDATE function_file SET sha256 = ''").await.unwrap();
    let mut busy = admin(&test.options).await;
    busy.execute("BEGIN; LOCK TABLE decision IN ROW EXCLUSIVE MODE").await.unwrap();
    let work_ends = async {
        let mut admin = admin(&test.options).await;
        let waits = "SELECT pid::text FROM pg_locks WHERE NOT granted AND relation = 'decision'::regclass";
        while column(&mut admin, waits).await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        busy.execute("COMMIT").await.unwrap();
    };
    let (migrated, ()) = tokio::join!(migrate::run(&test.options), work_ends);
    migrated.unwrap();
    assert_eq!(state(&test.options).await, State::Current);
}

#[tokio::test]
async fn two_processes_migrate_an_empty_database_at_once() {
    let options = TestState::empty("test_migrated_at_once").await;
    let (one, other) = tokio::join!(migrate::run(&options), migrate::run(&options));
    one.unwrap();
    other.unwrap();
    assert_eq!(state(&options).await, State::Current);
    migrate::run(&options).await.unwrap();
}

#[tokio::test]
async fn a_schema_of_the_earlier_name_is_taken_over_with_its_rows() {
    let test = TestState::new().await;
    let mut admin = admin(&test.options).await;
    let people = "SELECT count(*)::text FROM batchdesk.person";
    let before = column(&mut admin, people).await;
    admin.execute("ALTER SCHEMA batchdesk RENAME TO desk").await.unwrap();
    migrate::run(&test.options).await.unwrap();
    assert_eq!(state(&test.options).await, State::Current);
    assert_eq!(column(&mut admin, people).await, before);
}

#[tokio::test]
async fn tables_of_other_migrations_are_not_touched() {
    for other in [
        // The numbers are the same, the files are not.
        "UPDATE _sqlx_migrations SET checksum = 'other' WHERE version = 1",
        // A number that was never used here, below those that are.
        "UPDATE _sqlx_migrations SET version = 0 WHERE version = 2",
    ] {
        let test = TestState::new().await;
        test.as_superuser(other).await.unwrap();
        test.as_superuser("UPDATE function_file SET sha256 = ''; DROP VIEW task").await.unwrap();
        let refused = migrate::run(&test.options).await.unwrap_err();
        assert!(matches!(refused, StartError::Foreign), "{other}: {refused}");
        assert_eq!(state(&test.options).await, State::Foreign);
        let mut admin = admin(&test.options).await;
        assert!(column(&mut admin, "SELECT viewname::text FROM pg_views WHERE viewname = 'task'").await.is_empty());
    }
}

#[tokio::test]
async fn what_a_later_binary_migrated_is_left_as_it_is() {
    let test = TestState::new().await;
    test.as_superuser(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', true, 'later', 0);
             CREATE OR REPLACE FUNCTION is_administrator() RETURNS boolean LANGUAGE sql AS 'SELECT 1 = 1';
             UPDATE function_file SET sha256 = 'later'",
    )
    .await
    .unwrap();
    assert_eq!(state(&test.options).await, State::Ahead);
    migrate::run(&test.options).await.unwrap();
    let mut admin = admin(&test.options).await;
    let source = "SELECT prosrc FROM pg_proc WHERE proname = 'is_administrator'";
    assert_eq!(column(&mut admin, source).await, ["SELECT 1 = 1"], "an older binary brought its own functions back");
    assert!(db::Db::ready(&test.state.db).await.unwrap(), "and runs beside the later one");
}
