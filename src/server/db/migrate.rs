//! Roles, schema, migrations and functions. Roles belong to the cluster: they are made once, under an advisory lock,
//! before any migration.
//!
//! Tables are made by numbered files, forward only. Functions, triggers and views stand once each under
//! `migrations/functions` and are applied again whenever one of those files, or a table, has changed;
//! `migrations/README.md` has the rules.

use super::{GlobalTx, StartError};
use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection,
    migrate::{Migrate, Migrator},
    postgres::PgConnectOptions,
};
use std::collections::BTreeMap;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

macro_rules! function_files {
    ($($name:literal)*) => { [$(($name, include_str!(concat!("../../../migrations/functions/", $name, ".sql")))),*] };
}

/// In the order in which they are applied. What policies and defaults rest on comes before the tables.
const FUNCTIONS: [(&str, &str); 19] = function_files!(
    "session" "access" "settings_changes" "connections" "unique_ids" "imports" "batches" "decisions" "retries" "tasks" "task_views"
    "review" "orders" "tell" "outbox" "audit" "going_back" "retention" "lanes"
);

const ROLES: &str = "
DO $$ DECLARE r text; BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('batchdesk roles'));
  FOREACH r IN ARRAY ARRAY['batchdesk_owner','batchdesk_web','batchdesk_worker','batchdesk_scheduler'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', r);
    END IF;
    IF NOT pg_has_role(current_user, r, 'MEMBER') THEN EXECUTE format('GRANT %I TO CURRENT_USER', r); END IF;
  END LOOP;
  IF NOT pg_has_role('batchdesk_owner', 'batchdesk_scheduler', 'MEMBER') THEN
    GRANT batchdesk_scheduler TO batchdesk_owner;
  END IF;
END $$";

const SCHEMA: &str = "
DO $$ BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('batchdesk roles'));
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'batchdesk') THEN
    -- Its name before the first release.
    IF EXISTS (SELECT FROM pg_class WHERE relname = '_sqlx_migrations'
                 AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'desk')) THEN
      ALTER SCHEMA desk RENAME TO batchdesk;
    ELSE
      CREATE SCHEMA batchdesk AUTHORIZATION batchdesk_owner;
    END IF;
  END IF;
  GRANT USAGE ON SCHEMA batchdesk TO batchdesk_web, batchdesk_worker, batchdesk_scheduler;
END $$";

/// Which functions were applied last, by the hash of their file.
const FUNCTION_FILE: &str = "
CREATE TABLE IF NOT EXISTS function_file (name text PRIMARY KEY, sha256 bytea NOT NULL);
GRANT SELECT ON function_file, _sqlx_migrations TO batchdesk_web, batchdesk_worker";

/// A grant or a function that is no longer in the files is gone as well. The owner's own rights stay, and those of the
/// role that looks across organisations.
const NO_GRANTS: &str = "SET LOCAL lock_timeout = '5s';
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA batchdesk FROM PUBLIC, batchdesk_web, batchdesk_worker";

/// What is created may be executed by everybody until that is taken away.
const NOT_FOR_ALL: &str = "REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA batchdesk FROM PUBLIC";

/// How often functions are tried again that wait for work which is going on.
const TRIES: u32 = 12;

/// How far a database is migrated, as this binary sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Something of this binary is not applied.
    Behind,
    /// Everything of this binary is applied.
    Current,
    /// The same, and more: a later binary was here.
    Ahead,
    /// Its tables were made by migrations that this binary does not have.
    Foreign,
}

/// Makes the roles, and nothing else: a dump names them and does not bring them.
pub async fn roles_only(options: &PgConnectOptions) -> Result<(), StartError> {
    let mut connection = options.clone().connect().await.map_err(StartError::Unreachable)?;
    connection.execute(ROLES).await.map_err(failed)?;
    connection.close().await.map_err(StartError::Unreachable)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StartError {
    StartError::Migration(error.into())
}

/// Makes roles and schema where they are missing, applies every migration that is not applied yet, and the functions
/// where they or the tables changed. A database that a later binary migrated is left as it is.
pub async fn run(options: &PgConnectOptions) -> Result<(), StartError> {
    let mut connection = options.clone().connect().await.map_err(StartError::Unreachable)?;
    connection.execute(ROLES).await.map_err(failed)?;
    connection.execute(SCHEMA).await.map_err(failed)?;
    connection.execute("SET ROLE batchdesk_owner; SET search_path = batchdesk").await.map_err(failed)?;
    // The lock is the connection's: it ends with it, whatever happens.
    connection.lock().await.map_err(failed)?;
    match state(&mut connection).await.map_err(failed)? {
        State::Foreign => return Err(StartError::Foreign),
        State::Ahead => tracing::warn!("a later version of Batchdesk has migrated this database; it is left as it is"),
        State::Behind => {
            let [(_, before_tables), ..] = FUNCTIONS;
            in_transaction(&mut connection, &[before_tables, NOT_FOR_ALL], false).await.map_err(failed)?;
            MIGRATOR.run(&mut connection).await.map_err(failed)?;
            connection.execute(FUNCTION_FILE).await.map_err(failed)?;
            apply_functions(&mut connection).await.map_err(failed)?;
        }
        State::Current => {}
    }
    connection.close().await.map_err(StartError::Unreachable)
}

async fn apply_functions(connection: &mut PgConnection) -> sqlx::Result<()> {
    let files = FUNCTIONS.iter().map(|(_, sql)| *sql);
    let statements: Vec<&str> = [NO_GRANTS].into_iter().chain(files).chain([NOT_FOR_ALL]).collect();
    let mut tries = 1;
    loop {
        match in_transaction(connection, &statements, true).await {
            // Triggers are made again under locks of their tables; work that goes on has the right of way.
            Err(sqlx::Error::Database(error))
                if tries < TRIES && matches!(error.code().as_deref(), Some("55P03" | "40P01")) =>
            {
                tries += 1;
            }
            done => return done,
        }
    }
}

async fn in_transaction(connection: &mut PgConnection, statements: &[&str], keep: bool) -> sqlx::Result<()> {
    let mut tx = connection.begin().await?;
    for statement in statements {
        // The files of this binary.
        tx.execute(AssertSqlSafe((*statement).to_owned())).await?;
    }
    if keep {
        tx.execute("DELETE FROM function_file").await?;
        for (name, sha256) in hashes() {
            let sql = "INSERT INTO function_file (name, sha256) VALUES ($1, $2)";
            sqlx::query(sql).bind(name).bind(sha256).execute(&mut *tx).await?;
        }
    }
    tx.commit().await
}

/// Of each file of functions, and of the tables that they were applied over.
fn hashes() -> BTreeMap<String, Vec<u8>> {
    let tables =
        MIGRATOR.iter().fold(Sha256::new(), |hash, migration| hash.chain_update(&migration.checksum)).finalize();
    let files = FUNCTIONS.iter().map(|(name, sql)| ((*name).to_owned(), Sha256::digest(sql).to_vec()));
    files.chain([("tables".to_owned(), tables.to_vec())]).collect()
}

/// Rows of a table that may not be there yet: 42P01 no such table, 3F000 no such schema.
async fn rows_of<T>(connection: &mut PgConnection, sql: &'static str) -> sqlx::Result<Option<Vec<T>>>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    match sqlx::query_as(sql).fetch_all(connection).await {
        Ok(rows) => Ok(Some(rows)),
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "3F000")) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn state(connection: &mut PgConnection) -> sqlx::Result<State> {
    let applied = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
    let Some(applied) = rows_of::<(i64, Vec<u8>)>(&mut *connection, applied).await? else {
        return Ok(State::Behind);
    };
    let newest = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default();
    let mut ahead = false;
    for (version, checksum) in &applied {
        match MIGRATOR.iter().find(|migration| migration.version == *version) {
            Some(migration) if *migration.checksum == **checksum => {}
            None if *version > newest => ahead = true,
            _ => return Ok(State::Foreign),
        }
    }
    if !MIGRATOR.iter().all(|migration| applied.iter().any(|(version, _)| *version == migration.version)) {
        return Ok(State::Behind);
    }
    if ahead {
        return Ok(State::Ahead);
    }
    let stored = rows_of(connection, "SELECT name, sha256 FROM function_file").await?.unwrap_or_default();
    Ok(if BTreeMap::from_iter(stored) == hashes() { State::Current } else { State::Behind })
}

/// Whether a migration was ever begun here: without the roles no pool can be opened.
pub async fn is_begun(options: &PgConnectOptions) -> Result<bool, StartError> {
    let mut connection = options.clone().connect().await.map_err(StartError::Unreachable)?;
    let there = sqlx::query_scalar(
        "SELECT count(*) = 2 FROM pg_roles WHERE rolname IN ('batchdesk_web', 'batchdesk_worker') \
         AND EXISTS (SELECT FROM pg_namespace WHERE nspname = 'batchdesk')",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(StartError::Unreachable)?;
    connection.close().await.map_err(StartError::Unreachable)?;
    Ok(there)
}

/// How far the database of a transaction is migrated.
pub async fn state_of(tx: &mut GlobalTx) -> sqlx::Result<State> {
    state(tx.conn()).await
}
