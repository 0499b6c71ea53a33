//! Commands of the binary beside a running application.

use super::support::{ADMIN, MAKERS_FILE, TestApp};
use batchdesk::server::embedded::Embedded;
use sqlx::{Connection, Executor};
use std::{path::Path, process::Output};
use tokio::process::Command;

/// What a command says and how it ends.
struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

async fn run(app: &TestApp, folder: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
    command
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", app.database_url())
        .env("BATCHDESK_DATA_DIR", folder)
        // 32 times 7, the key of every application here.
        .env("BATCHDESK_SECRET_KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code(), out: text(stdout), error: text(stderr) }
}

async fn status(app: &TestApp, key: &str) -> u16 {
    let batch = app.batch(MAKERS_FILE).await;
    let visitor = app.visitor();
    let request = visitor.bare("GET", &format!("/api/v1/batches/{batch}")).bearer_auth(key);
    visitor.send(request).await.status
}

#[tokio::test]
async fn a_key_is_made_shown_once_and_revoked() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let acme = ["--organisation", "Acme Stores"];
    let key = |words: &[&'static str]| [&["key"], words, &acme[..]].concat();

    let made = run(&app, folder.path(), &key(&["create", "--name", "Shop system"])).await;
    assert_eq!(made.code, Some(0), "{}", made.error);
    let bearer = made.out.trim_end();
    assert!(bearer.starts_with("bd_") && bearer.len() == 46 && !bearer.contains(char::is_whitespace), "{}", made.out);
    assert_eq!(status(&app, bearer).await, 200);
    let second = run(&app, folder.path(), &key(&["create", "--name", " Shop system "])).await;
    assert_eq!(second.code, Some(1), "one name, one key");
    for (refused, why) in [
        (&["create", "--name", "Approver", "--role", "checker"][..], "only people approve"),
        (&["create", "--name", "Everything", "--role", "owner"], "only people approve"),
        (&["create", "--name", " "], "1 to 100 characters"),
        (&["revoke", "--name", "Nobody"], "no key named"),
    ] {
        let said = run(&app, folder.path(), &key(refused)).await;
        assert!(said.code == Some(1) && said.error.contains(why) && said.out.is_empty(), "{refused:?}: {}", said.error);
    }
    let elsewhere = run(&app, folder.path(), &["key", "list", "--organisation", "Nowhere"]).await;
    assert!(elsewhere.code == Some(1) && elsewhere.error.contains("no organisation named"), "{}", elsewhere.error);

    let mut database = app.database().await;
    let stored: String = sqlx::query_scalar(
        "SELECT string_agg(k::text || o::text, '') FROM api_key k JOIN api_key_organisation o ON o.api_key_id = k.id",
    )
    .fetch_one(&mut database)
    .await
    .unwrap();
    let hash: Vec<u8> = sqlx::query_scalar(
        "SELECT key_sha256 FROM api_key_organisation JOIN api_key ON id = api_key_id WHERE name = 'Shop system'",
    )
    .fetch_one(&mut database)
    .await
    .unwrap();
    assert!(!stored.contains(&bearer[3..]) && hash.len() == 32, "only its hash is stored");

    let revoked = run(&app, folder.path(), &key(&["revoke", "--name", "Shop system"])).await;
    assert_eq!(revoked.code, Some(0), "{}", revoked.error);
    assert_eq!(status(&app, bearer).await, 401);
    assert_eq!(status(&app, "bd_demo_acme").await, 200, "the others go on");
    assert_eq!(run(&app, folder.path(), &key(&["revoke", "--name", "Shop system"])).await.code, Some(1));

    let again = run(&app, folder.path(), &key(&["create", "--name", "Shop system", "--role", "maker"])).await;
    assert_eq!(again.code, Some(0), "a name is free again: {}", again.error);
    assert_ne!(again.out, made.out);
    let list = run(&app, folder.path(), &key(&["list"])).await.out;
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(lines[0].starts_with("Shop system: maker, made 20") && !lines[0].contains("revoked"), "{list}");
    assert!(lines[2].starts_with("Shop system: viewer, made 20") && lines[2].contains(", revoked 20"), "{list}");
    assert!(!list.contains("bd_") || list.matches("bd_").count() == list.matches("bd_demo_acme").count(), "{list}");

    let acts: Vec<(String, String)> = sqlx::query_as(
        "SELECT action, detail::jsonb->>'name' FROM audit WHERE action LIKE 'api_key.%'
                        AND detail LIKE '%Shop%' ORDER BY id",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    let acts: Vec<&str> = acts.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(acts, ["api_key.created", "api_key.revoked", "api_key.created"]);
}

#[tokio::test]
async fn the_audit_trail_is_checked_against_heads_that_were_kept() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let verify = ["audit", "verify"];
    // The web part does not chain; the worker does.
    batchdesk::server::ops::audit::seal_all(&app.state).await.unwrap();
    let heads = run(&app, folder.path(), &["audit", "head"]).await;
    assert_eq!((heads.code, heads.out.lines().count()), (Some(0), 2), "{}", heads.error);
    assert!(heads.out.lines().all(|line| line.starts_with("batchdesk-head,1,")), "{}", heads.out);
    let exported = folder.path().join("exported");
    std::fs::write(&exported, &heads.out).unwrap();
    let exported = exported.to_str().unwrap();
    let sound = run(&app, folder.path(), &["audit", "verify", "--head", exported]).await;
    assert_eq!(sound.code, Some(0), "{}{}", sound.out, sound.error);
    assert!(sound.out.contains("Acme Stores: ") && sound.out.contains(" entries, the chain is sound"), "{}", sound.out);

    app.signed_in(ADMIN).await;
    let waiting = run(&app, folder.path(), &verify).await;
    assert!(waiting.code == Some(0) && waiting.out.contains(", 1 not chained yet"), "{}", waiting.out);

    let mut database = app.database().await;
    sqlx::raw_sql("DELETE FROM audit_seal WHERE sequence = 3").execute(&mut database).await.unwrap();
    let broken = run(&app, folder.path(), &verify).await;
    assert!(broken.code == Some(1) && broken.out.contains("entry 3 is not in the chain"), "{}", broken.out);
    assert!(broken.error.contains("is not what it was"), "{}", broken.error);

    for (arguments, code) in [
        (["audit", "verify", "--head", "/nowhere/heads"], 2),
        (["audit", "verify", "--head", concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE")], 2),
    ] {
        let said = run(&app, folder.path(), &arguments).await;
        assert_eq!(said.code, Some(code), "{}", said.error);
    }
}

#[tokio::test]
async fn a_database_of_other_migrations_is_refused_in_one_line() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut database = app.database().await;
    database.execute("UPDATE _sqlx_migrations SET checksum = 'other' WHERE version = 1").await.unwrap();
    let line = "The tables of this database were made by an earlier version of Batchdesk that this one cannot take \
                over. Name a new, empty database in DATABASE_URL.";
    for arguments in
        [&["migrate"][..], &["serve"], &["serve", "--migrate"], &["key", "list", "--organisation", "Acme Stores"]]
    {
        let said = run(&app, folder.path(), arguments).await;
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.error);
        assert!(said.error.trim_end().ends_with(line), "{arguments:?}: {}", said.error);
    }
}

#[tokio::test]
async fn a_data_folder_of_other_migrations_is_refused_in_one_line() {
    let folder = tempfile::Builder::new().prefix("batchdesk-outside-").tempdir_in("/tmp").unwrap();
    // Where the tests run as root another user runs PostgreSQL, who must get to its folder.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    let embedded = Embedded::start_for_tests(&data).await.unwrap();
    let mut database = sqlx::PgConnection::connect_with(&embedded.connect_options()).await.unwrap();
    database
        .execute(
            "CREATE SCHEMA desk; CREATE TABLE desk._sqlx_migrations (version bigint PRIMARY KEY,
             description text NOT NULL,
               installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL,
                 execution_time bigint NOT NULL);
             INSERT INTO desk._sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT n, 'earlier', true, 'earlier', 0 FROM generate_series(1, 25) n;
             DO $$ BEGIN
               IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'batchdesk_owner')
                 THEN CREATE ROLE batchdesk_owner; END IF;
             END $$;
             ALTER SCHEMA desk OWNER TO batchdesk_owner; ALTER TABLE desk._sqlx_migrations OWNER TO batchdesk_owner",
        )
        .await
        .unwrap();
    database.close().await.unwrap();
    embedded.stop().await;
    drop(embedded);
    let mut command = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
    command.arg("demo").env("BATCHDESK_DATA_DIR", &data).env("BATCHDESK_LISTEN", "127.0.0.1:0");
    let output = command.env("BATCHDESK_SIMULATOR_LISTEN", "127.0.0.1:0").output().await.unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    let next = format!("cannot take over. Remove the data folder {} and start again.", data.display());
    assert!(error.trim_end().ends_with(&next), "{error}");
    assert_eq!(error.lines().filter(|line| line.contains("earlier version")).count(), 1, "{error}");
}
