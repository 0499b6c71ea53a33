//! How many statements an address costs. They are read from the log of the database, of the web part's connections
//! alone.

use super::support::{CHECKER, MAKERS_FILE, Part, STRANGER, TestApp, execute, until};
use sqlx::Connection;
use std::{collections::HashSet, path::PathBuf};

/// The log of an application's database from the moment on that it holds every statement.
struct StatementLog {
    path: PathBuf,
    begin: usize,
    database: String,
}

impl StatementLog {
    async fn of(app: &TestApp) -> Self {
        let mut admin = app.database().await;
        execute(&mut admin, "ALTER SYSTEM SET log_line_prefix = '%d %p '".to_owned()).await;
        execute(&mut admin, "SELECT pg_reload_conf()".to_owned()).await;
        until("new sessions name their database in the log", || async {
            let mut connection = app.database().await;
            let prefix: String = sqlx::query_scalar("SHOW log_line_prefix").fetch_one(&mut connection).await.unwrap();
            (prefix == "%d %p ").then_some(())
        })
        .await;
        let (database, folder): (String, String) =
            sqlx::query_as("SELECT current_database()::text, current_setting('data_directory')")
                .fetch_one(&mut admin)
                .await
                .unwrap();
        execute(&mut admin, format!("ALTER DATABASE {database} SET log_statement = 'all'")).await;
        let path = PathBuf::from(folder).with_file_name("postgres.log");
        let begin = std::fs::metadata(&path).unwrap().len();
        // A setting of the database holds in sessions that begin after it.
        let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid()
                         AND backend_type = 'client backend'";
        sqlx::query(others).fetch_all(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        Self { path, begin: usize::try_from(begin).unwrap(), database }
    }

    /// What the web part has run since the log began, transactions' beginnings and ends among it.
    fn statements(&self) -> Vec<String> {
        let log = std::fs::read(&self.path).unwrap();
        let log = String::from_utf8_lossy(&log[self.begin..]).into_owned();
        let mut web = HashSet::new();
        let mut found = Vec::new();
        let prefix = format!("{} ", self.database);
        for line in log.lines().filter_map(|line| line.strip_prefix(&prefix)) {
            let Some((pid, said)) = line.split_once(" LOG:  ") else { continue };
            let Some((_, statement)) = said.split_once(": ") else { continue };
            if statement.starts_with("SET ROLE") {
                if statement.contains("batchdesk_web") {
                    web.insert(pid.to_owned());
                }
            } else if web.contains(pid) && (said.starts_with("execute") || said.starts_with("statement")) {
                found.push(statement.to_owned());
            }
        }
        found
    }
}

/// What is run by the second of two equal requests: the first opens connections.
macro_rules! cost {
    ($log:expr, $what:expr, $request:expr) => {{
        let _ = $request;
        let before = $log.statements().len();
        let answer = $request;
        let run = $log.statements().split_off(before);
        println!("{}: {} statements", $what, run.len());
        (answer, run)
    }};
}

#[tokio::test]
async fn a_page_a_decision_and_an_upload_ask_the_database_no_more_than_they_need() {
    let app = TestApp::start().await;
    let checker = app.signed_in(CHECKER).await;
    let owner = app.signed_in(STRANGER).await;
    let batch = app.batch(MAKERS_FILE).await;
    let detail = checker.api("/api/approvals/detail", serde_json::json!({ "batch": batch })).await.json();
    let hash = detail["snapshot"]["content_sha256"].as_str().unwrap().to_owned();
    let log = StatementLog::of(&app).await;

    let page = format!("/batch/batch-refunds/{batch}");
    let (answer, run) = cost!(log, "a batch's page", checker.get(&page).await);
    assert_eq!(answer.status, 200);
    assert!(run.len() <= 30, "{}", run.join("\n"));

    let stale = [("decision", "approve"), ("content_hash", "00")];
    let address = format!("/approvals/{batch}");
    checker.form(&address, &stale).await;
    let before = log.statements().len();
    let fields = [("decision", "approve"), ("content_hash", hash.as_str())];
    assert_eq!(checker.form(&address, &fields).await.status, 303);
    let run = log.statements().split_off(before);
    println!("an approval: {} statements", run.len());
    assert!(run.len() <= 13, "{}", run.join("\n"));

    let header = "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10";
    let (answer, run) = cost!(log, "the page of a batch that is carried out", checker.get(&page).await);
    assert_eq!(answer.status, 200);
    assert!(run.len() <= 37, "{}", run.join("\n"));

    let file = |n: u32| format!("{header}\nORD_{n},100.50,,,,,,,,,,,,,,,,,\n");
    let mut n = 0;
    let (answer, run) = cost!(log, "an upload", {
        n += 1;
        owner.upload("/batch/batch-refunds", "application/json", &[Part::File("r.csv", &file(n))]).await
    });
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert!(run.len() <= 24, "{}", run.join("\n"));
    // Two of the request: the session, and who it is. Two of the upload: whether they may, and how much; the batch.
    let transactions = run.iter().filter(|statement| statement.starts_with("BEGIN")).count();
    assert_eq!(transactions, 4, "{}", run.join("\n"));
}
