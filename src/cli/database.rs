//! The database that a command works on: the one it is told, the one of the server beside it, or its own embedded one.

use super::{Failure, run_file::RunFile};
use crate::server::{
    config::SocketLimits,
    db::{
        Db, PoolSizes, StartError,
        migrate::{self, State},
    },
    embedded::Embedded,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, path::PathBuf, str::FromStr, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// Longest wait for a database that does not answer.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A database that answers.
pub(super) struct Database {
    /// How to connect.
    pub(super) options: PgConnectOptions,
    /// The same as text.
    pub(super) url: SecretString,
    embedded: Option<Embedded>,
    /// Where the embedded one keeps its files.
    folder: Option<PathBuf>,
}

impl Database {
    /// Opens the database. With `beside`, that of a server running on the same data folder is used.
    pub(super) async fn open(places: &SocketLimits, beside: bool) -> Result<Self, Failure> {
        if let Some(url) = &places.database_url {
            return Self::open_within(url.clone(), MAX_WAIT).await;
        }
        if beside && let Some(run) = RunFile::read(&places.data_dir) {
            // A file left by a killed server may name a process that is another one by now.
            if let Ok(database) = Self::open_within(SecretString::from(run.database_url), Duration::from_secs(3)).await
            {
                return Ok(database);
            }
        }
        let folder = &places.data_dir;
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
            Failure::unusable(format!("BATCHDESK_DATA_DIR: {} cannot be made: {error}.", folder.display()))
        })?;
        let embedded = Embedded::start(folder).await.map_err(Failure::unusable)?;
        let (options, url) = (embedded.connect_options(), SecretString::from(embedded.database_url()));
        Ok(Self { options, url, embedded: Some(embedded), folder: Some(folder.clone()) })
    }

    async fn open_within(url: SecretString, patience: Duration) -> Result<Self, Failure> {
        let options = PgConnectOptions::from_str(url.expose_secret())
            .map_err(|_| Failure::unusable("DATABASE_URL: is no PostgreSQL address."))?;
        let began = Instant::now();
        let mut said = false;
        loop {
            let why = match timeout(Duration::from_secs(5), options.clone().connect()).await {
                Ok(Ok(connection)) => {
                    let _ = connection.close().await;
                    return Ok(Self { options, url, embedded: None, folder: None });
                }
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::PoolTimedOut,
            };
            let line = || format!("The database at {}:{} {}.", options.get_host(), options.get_port(), in_words(&why));
            if is_final(&why) || began.elapsed() >= patience {
                return Err(Failure::unusable(line()));
            }
            if !said {
                said = true;
                tracing::warn!("{} Trying for {} s.", line(), patience.as_secs());
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Brings it to this version.
    pub(super) async fn migrate(&self) -> Result<(), Failure> {
        // A migration is one long statement; a log that repeats it helps nobody.
        let options = self.options.clone().disable_statement_logging();
        migrate::run(&options).await.map_err(|error| match error {
            StartError::Foreign => self.foreign(),
            error => Failure::unusable(format!("Not migrated: {error}.")),
        })
    }

    /// Its tables are not ours: nothing is taken over from it.
    fn foreign(&self) -> Failure {
        let next = match &self.folder {
            Some(folder) => format!("Remove the data folder {} and start again", folder.display()),
            None => "Name a new, empty database in DATABASE_URL".to_owned(),
        };
        Failure::unusable(format!("{}. {next}.", StartError::Foreign))
    }

    /// Makes the roles that a dump names.
    pub(super) async fn make_roles(&self) -> Result<(), Failure> {
        let options = self.options.clone().disable_statement_logging();
        migrate::roles_only(&options).await.map_err(|error| Failure::unusable(format!("No roles were made: {error}.")))
    }

    /// The pools, of a database that is at this version.
    pub(super) async fn connect(&self, sizes: PoolSizes) -> Result<Db, Failure> {
        let refused = |error| Failure::unusable(format!("{error}."));
        let behind =
            "The database is behind this version of Batchdesk. Run `batchdesk migrate`, or start with --migrate.";
        if !migrate::is_begun(&self.options).await.map_err(refused)? {
            return Err(Failure::unusable(behind));
        }
        let db = Db::connect(self.options.clone(), sizes).await.map_err(refused)?;
        match db.migrated().await {
            Ok(State::Current | State::Ahead) => Ok(db),
            Ok(State::Behind) => Err(Failure::unusable(behind)),
            Ok(State::Foreign) => Err(self.foreign()),
            Err(error) => Err(Failure::unusable(format!("The database {}.", in_words(&error)))),
        }
    }

    /// Stops it, if it is ours. To be called after everything that uses it has ended.
    pub(super) async fn stop(&self) {
        if let Some(embedded) = &self.embedded {
            embedded.stop().await;
        }
    }
}

/// Refusals that waiting does not change: the login (28…), the database's name (3D000), the encryption.
fn is_final(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("28") || code == "3D000"),
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => true,
        _ => false,
    }
}

fn in_words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => "does not answer".to_owned(),
        sqlx::Error::Database(error) => format!("refuses: {}", error.message()),
        error => format!("does not answer: {error}"),
    }
}
