//! Connections to the database that end while nobody uses them.

use super::support::TestState;
use crate::server::db::{Db, PoolSizes};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_unused_is_replaced_before_anybody_notices() {
    let test = TestState::new().await;
    let organisation = test.caller("owner@globex.test").await.organisation.id;
    for _ in 0..3 {
        // As many as one step may hold at once, all back in the pool and all ended by the server.
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(test.state.db.worker(organisation).await.unwrap());
        }
        for tx in held {
            tx.commit().await.unwrap();
        }
        test.state.db.global().await.unwrap().commit().await.unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
                   AND pid <> pg_backend_pid()";
        test.as_superuser(end).await.unwrap();
        test.state.db.worker(organisation).await.unwrap().commit().await.unwrap();
        test.state.db.worker_global().await.unwrap().commit().await.unwrap();
        test.state.db.global().await.unwrap().commit().await.unwrap();
        test.state.db.web(organisation, None).await.unwrap().commit().await.unwrap();
    }
}

/// A look for thousands of rows, one by one, seems dear enough to be compiled first; that takes longer than the look.
#[tokio::test]
async fn no_statement_is_compiled_before_it_is_run_whatever_the_database_is_set_to() {
    let test = TestState::new().await;
    test.as_superuser("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = on', current_database()); END $$")
        .await
        .unwrap();
    let db = Db::connect(test.options.clone(), PoolSizes::default()).await.unwrap();
    let mut session = db.listener().await.unwrap();
    let jit: String = sqlx::query_scalar("SHOW jit").fetch_one(&mut session).await.unwrap();
    assert_eq!(jit, "off");
}
