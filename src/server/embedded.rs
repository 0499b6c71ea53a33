//! A private PostgreSQL that starts and stops with this process.
//!
//! The cluster lies in the data folder and listens on a unix socket only. One thread owns it for as long as the process
//! lives: it starts the postmaster, starts it again when it dies, and waits for it at the end. The kernel tells the
//! postmaster when that thread ends (parent-death signal), so that even `kill -9` of this process leaves nothing
//! running.

mod cluster;
mod folders;
mod programs;
mod supervisor;

#[cfg(test)]
mod tests;

use cluster::Cluster;
use nix::sys::signal::Signal;
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::{path::Path, sync::Arc, time::Duration};
use supervisor::Supervisor;
use tokio::time::{Instant, sleep, timeout};

/// Name of the cluster's first user (a superuser) and of the database.
const NAME: &str = "batchdesk";
/// The port only names the socket's file.
const PORT: u16 = 5432;
/// Longest wait for an answer that is not "the database system is starting up".
const NO_ANSWER: Duration = Duration::from_secs(60);
/// Longest wait for a recovery after a crash.
const RECOVERY: Duration = Duration::from_secs(900);
/// Starts in a row that end before the first answer.
const FAILED_STARTS: u32 = 7;

/// Whether what is committed survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    /// Yes.
    Full,
    /// No: for tests.
    None,
}

/// A running private cluster.
#[derive(Debug)]
pub struct Embedded {
    supervisor: Arc<Supervisor>,
    sockets: std::path::PathBuf,
}

impl Embedded {
    /// Starts the cluster in `data_dir`, made when missing, and waits until it answers. The error is one sentence.
    pub async fn start(data_dir: &Path) -> Result<Self, String> {
        Self::start_with(data_dir, Durability::Full, Duration::from_secs(30)).await
    }

    /// The same without waiting for the disk, for tests: a crash of the machine loses the data.
    pub async fn start_for_tests(data_dir: &Path) -> Result<Self, String> {
        Self::start_with(data_dir, Durability::None, Duration::from_secs(10)).await
    }

    async fn start_with(data_dir: &Path, durability: Durability, wait_for_lock: Duration) -> Result<Self, String> {
        let data_dir = data_dir.to_owned();
        let prepare = move || Cluster::prepare(&data_dir, durability, wait_for_lock);
        let (supervisor, sockets, log) = supervisor::start(prepare).await?;
        let embedded = Self { supervisor, sockets };
        match embedded.ready(&log).await {
            Ok(()) => Ok(embedded),
            Err(why) => {
                embedded.stop().await;
                Err(why)
            }
        }
    }

    /// How to connect to the database `batchdesk`, as the cluster's first user.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.options_for(NAME)
    }

    /// The same as an address that libpq and its likes understand.
    pub fn database_url(&self) -> String {
        let folder = self.sockets.to_string_lossy();
        let folder = percent_encoding::utf8_percent_encode(&folder, percent_encoding::NON_ALPHANUMERIC);
        format!("postgres://{NAME}@localhost:{PORT}/{NAME}?host={folder}")
    }

    /// Process id of the postmaster; none between a crash and the next start.
    pub fn postmaster(&self) -> Option<i32> {
        self.supervisor.postmaster().map(nix::unistd::Pid::as_raw)
    }

    /// Stops the cluster and waits until it is down. To be called after everything that uses it has ended.
    pub async fn stop(&self) {
        // Fast shutdown first; then without the last checkpoint; then by force. The write-ahead log keeps all three
        // safe.
        for (signal, patience) in [(Signal::SIGINT, 60), (Signal::SIGQUIT, 10), (Signal::SIGKILL, 10)] {
            self.supervisor.request_stop(signal);
            if timeout(Duration::from_secs(patience), self.supervisor.ended()).await.is_ok() {
                return;
            }
            tracing::warn!(%signal, "the embedded PostgreSQL does not stop");
        }
    }

    fn options_for(&self, database: &str) -> PgConnectOptions {
        // Every field is set, so that PGHOST and its likes in the environment mean nothing here.
        PgConnectOptions::new_without_pgpass()
            .socket(&self.sockets)
            .port(PORT)
            .username(NAME)
            .password("")
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .application_name(NAME)
    }

    async fn ready(&self, log: &cluster::LogFile) -> Result<(), String> {
        let (began, mut said) = (Instant::now(), Instant::now());
        let mut maintenance = loop {
            let why = match timeout(Duration::from_secs(5), PgConnection::connect_with(&self.options_for("postgres")))
                .await
            {
                Ok(Ok(connection)) => break connection,
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::PoolTimedOut,
            };
            let recovering = matches!(&why, sqlx::Error::Database(e) if e.code().as_deref() == Some("57P03"));
            let limit = if recovering { RECOVERY } else { NO_ANSWER };
            if self.supervisor.failed_starts() >= FAILED_STARTS
                || self.supervisor.has_ended()
                || began.elapsed() > limit
            {
                return Err(format!("The embedded PostgreSQL does not start: {}. See {log}.", log.reason()));
            }
            if said.elapsed() > Duration::from_secs(10) {
                said = Instant::now();
                tracing::info!(seconds = began.elapsed().as_secs(), "waiting for the embedded PostgreSQL: {why}");
            }
            sleep(Duration::from_millis(20)).await;
        };
        let made = async {
            let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(NAME)
                .fetch_one(&mut maintenance)
                .await?;
            if !there {
                sqlx::query("create database batchdesk").execute(&mut maintenance).await?;
            }
            maintenance.close().await
        };
        made.await.map_err(|error| format!("The embedded PostgreSQL cannot make its database: {error}."))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.supervisor.request_stop(Signal::SIGINT);
    }
}
