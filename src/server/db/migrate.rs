//! Roles, schema and migrations. Roles belong to the cluster: they are made once, under an advisory lock, before any migration.

use super::{GlobalTx, StartError};
use sqlx::{ConnectOptions, Connection, Executor, migrate::Migrator, postgres::PgConnectOptions};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

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
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'desk') THEN
    CREATE SCHEMA desk AUTHORIZATION batchdesk_owner;
  END IF;
  GRANT USAGE ON SCHEMA desk TO batchdesk_web, batchdesk_worker, batchdesk_scheduler;
END $$";

/// Makes the roles, and nothing else: a dump names them and does not bring them.
pub async fn roles_only(options: &PgConnectOptions) -> Result<(), StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::Migration(error.to_string());
    let mut connection = options.clone().connect().await.map_err(StartError::Unreachable)?;
    connection.execute(ROLES).await.map_err(|error| failed(&error))?;
    connection.close().await.map_err(StartError::Unreachable)
}

/// Makes roles and schema where they are missing and applies every migration that is not applied yet.
pub async fn run(options: &PgConnectOptions) -> Result<(), StartError> {
    run_all(options, &MIGRATOR).await
}

/// The same up to a version: a database as an earlier binary left it.
#[cfg(test)]
pub async fn run_until(options: &PgConnectOptions, last: i64) -> Result<(), StartError> {
    let earlier = MIGRATOR.iter().filter(|migration| migration.version <= last).cloned().collect();
    run_all(options, &Migrator::with_migrations(earlier)).await
}

async fn run_all(options: &PgConnectOptions, migrator: &Migrator) -> Result<(), StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::Migration(error.to_string());
    let mut connection = options.clone().connect().await.map_err(StartError::Unreachable)?;
    connection.execute(ROLES).await.map_err(|error| failed(&error))?;
    connection.execute(SCHEMA).await.map_err(|error| failed(&error))?;
    connection.execute("SET ROLE batchdesk_owner; SET search_path = desk").await.map_err(|error| failed(&error))?;
    migrator.run(&mut connection).await.map_err(|error| failed(&error))?;
    connection
        .execute("GRANT SELECT ON _sqlx_migrations TO batchdesk_web, batchdesk_worker")
        .await
        .map_err(|error| failed(&error))?;
    connection.close().await.map_err(StartError::Unreachable)
}

/// Whether a migration was ever begun here: without the roles no pool can be opened.
pub async fn is_begun(options: &PgConnectOptions) -> Result<bool, StartError> {
    let mut connection = options.clone().connect().await.map_err(StartError::Unreachable)?;
    let there = sqlx::query_scalar(
        "SELECT count(*) = 2 FROM pg_roles WHERE rolname IN ('batchdesk_web', 'batchdesk_worker') \
         AND EXISTS (SELECT FROM pg_namespace WHERE nspname = 'desk')",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(StartError::Unreachable)?;
    connection.close().await.map_err(StartError::Unreachable)?;
    Ok(there)
}

/// Whether every migration of this binary is applied, and none failed half way.
pub async fn is_current(tx: &mut GlobalTx) -> sqlx::Result<bool> {
    let applied: Vec<i64> =
        match sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(tx.conn()).await {
            Ok(applied) => applied,
            // 42P01: there is no such table yet; 3F000: no such schema
            Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "3F000")) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
    // Each one, not the newest: a later binary may bring one that stands before those that are there.
    Ok(MIGRATOR.iter().all(|migration| applied.contains(&migration.version)))
}
