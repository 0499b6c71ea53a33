//! Configuration from the environment, read once and typed. Each bad value is one line that names its variable.

mod read;
#[cfg(test)]
mod tests;

use super::{files::Objects, secrets::SecretKey};
use crate::domain::limits::Ceilings;
use read::{Purpose, Reader};
use secrecy::SecretString;
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use url::Url;

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3000);
const DATA_DIR: &str = ".batchdesk";

/// What the operator has set. Field by field the variable of the same name with `BATCHDESK_` before it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the web part.
    pub listen: SocketAddr,
    /// Address of the Prometheus text; off when none.
    pub metrics_listen: Option<SocketAddr>,
    /// Address that people type; decides cookie name, Secure and the cross-site guard.
    pub public_url: Option<Url>,
    /// `DATABASE_URL`; none means the embedded PostgreSQL.
    pub database_url: Option<SecretString>,
    /// Folder of everything that this process keeps on disk.
    pub data_dir: PathBuf,
    /// Where large files are; `BATCHDESK_OBJECT_STORE` and the variables of AWS, by default a folder in `data_dir`.
    pub object_store: Objects,
    /// Seals the credentials in the database.
    pub secret_key: SecretKey,
    /// Address of the gateway simulator (demo).
    pub simulator_listen: SocketAddr,
    /// Ceiling of every organisation's row limit.
    pub max_rows: u32,
    /// Ceiling of the bytes of an upload; by default the limits of the operation.
    pub max_upload_bytes: Option<u64>,
    /// Days for which the file of a batch is kept after its last change; longer while anything is open in it.
    pub retention_days_files: u16,
    /// The same for imports.
    pub retention_days_imports: u16,
    /// Hosts inside private ranges that gateways and webhooks may have.
    pub allowed_hosts: Vec<String>,
    /// Proxies in front, whose `X-Forwarded-For` says where a request came from.
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// Connections of one network address at once; 0 is no bound. By default half of all that the process takes.
    pub connections_per_address: Option<usize>,
    /// Requests on the wire per gateway connection.
    pub gateway_concurrency: usize,
    /// Longest wait for a gateway's reply.
    pub gateway_timeout: Duration,
    /// How long a worker holds what it claimed.
    pub lease: Duration,
    /// How often an idle worker looks for work.
    pub poll: Duration,
    /// How long after a send without a clear reply the gateway is asked; more than twice the slowest answer.
    pub resolve_after: Duration,
    /// Whether this is the demo.
    pub demo: bool,
}

impl Config {
    /// What the environment says for the server. The error has one line for each bad value.
    pub fn from_env(demo: bool) -> Result<Self, String> {
        Self::from(&|name| std::env::var_os(name), if demo { Purpose::Demo } else { Purpose::Serve })
    }

    /// The same for a command that works on the database beside the server: it also takes the key that the demo made.
    pub fn from_env_for_command() -> Result<Self, String> {
        Self::from(&|name| std::env::var_os(name), Purpose::Command)
    }

    /// What the operator allows at most in one file.
    pub const fn ceilings(&self) -> Ceilings {
        Ceilings { rows: self.max_rows, bytes: self.max_upload_bytes }
    }

    /// Where files lie that are too large for the memory while they come in.
    pub fn spool_dir(&self) -> PathBuf {
        self.data_dir.join("spool")
    }

    /// What the operator should know at the start.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let https = self.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        if !https && !self.listen.ip().is_loopback() {
            warnings.push(format!(
                "Batchdesk listens on {} without https: passwords and sessions can be read on the way. Put it behind a \
                 proxy with https and set BATCHDESK_PUBLIC_URL to its address, or listen on 127.0.0.1.",
                self.listen
            ));
        }
        if self.demo && !self.listen.ip().is_loopback() {
            warnings.push("This is the demo: everybody who reaches it knows its passwords.".to_owned());
        }
        if self.metrics_listen.is_some_and(|address| !address.ip().is_loopback()) {
            warnings.push(
                "BATCHDESK_METRICS_LISTEN is not a loopback address: whoever reaches it reads the metrics.".to_owned(),
            );
        }
        warnings
    }

    fn from(lookup: &dyn Fn(&'static str) -> Option<std::ffi::OsString>, purpose: Purpose) -> Result<Self, String> {
        let mut read = Reader::new(lookup);
        let listen = read.address("BATCHDESK_LISTEN").unwrap_or(LISTEN);
        let simulator_listen =
            read.address("BATCHDESK_SIMULATOR_LISTEN").unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4010)));
        let gateway_timeout =
            read.milliseconds("BATCHDESK_GATEWAY_TIMEOUT_MS", 1..=600_000).unwrap_or(Duration::from_secs(20));
        let resolve_after = read.resolve_after(gateway_timeout);
        let mut allowed_hosts = read.hosts("BATCHDESK_ALLOWED_HOSTS");
        if purpose == Purpose::Demo {
            allowed_hosts.push(simulator_listen.ip().to_string());
        }
        let data_dir = read.folder("BATCHDESK_DATA_DIR", DATA_DIR);
        let config = Self {
            listen,
            metrics_listen: read.address("BATCHDESK_METRICS_LISTEN"),
            public_url: read.public_url("BATCHDESK_PUBLIC_URL"),
            database_url: read.database_url("DATABASE_URL"),
            secret_key: read.secret_key("BATCHDESK_SECRET_KEY", &data_dir, purpose),
            object_store: read.object_store("BATCHDESK_OBJECT_STORE", &data_dir),
            data_dir,
            simulator_listen,
            max_rows: read.number("BATCHDESK_MAX_ROWS", 1..=50_000_000).unwrap_or(100_000),
            max_upload_bytes: read.number("BATCHDESK_MAX_UPLOAD_BYTES", 1..=u64::MAX),
            retention_days_files: read.number("BATCHDESK_RETENTION_DAYS_FILES", 1..=36_500).unwrap_or(2_557),
            retention_days_imports: read.number("BATCHDESK_RETENTION_DAYS_IMPORTS", 1..=36_500).unwrap_or(30),
            allowed_hosts,
            trusted_proxies: read.addresses("BATCHDESK_TRUSTED_PROXIES"),
            connections_per_address: read.number("BATCHDESK_CONNECTIONS_PER_ADDRESS", 0..=1_000_000),
            gateway_concurrency: read.number("BATCHDESK_GATEWAY_CONCURRENCY", 1..=10_000).unwrap_or(20),
            gateway_timeout,
            lease: read.milliseconds("BATCHDESK_LEASE_MS", 100..=3_600_000).unwrap_or(Duration::from_secs(60)),
            poll: read.milliseconds("BATCHDESK_POLL_MS", 1..=3_600_000).unwrap_or(Duration::from_secs(1)),
            resolve_after,
            demo: purpose == Purpose::Demo,
        };
        read.finish(config)
    }
}

/// Where the server is and what it works on, for commands that open no secret.
#[derive(Clone, Debug)]
pub struct SocketLimits {
    /// Address of the web part.
    pub listen: SocketAddr,
    /// `DATABASE_URL`; none means the embedded PostgreSQL.
    pub database_url: Option<SecretString>,
    /// Folder of everything that the server keeps on disk.
    pub data_dir: PathBuf,
}

impl SocketLimits {
    /// What the environment says.
    pub fn from_env() -> Result<Self, String> {
        let lookup = |name| std::env::var_os(name);
        let mut read = Reader::new(&lookup);
        let places = Self {
            listen: read.address("BATCHDESK_LISTEN").unwrap_or(LISTEN),
            database_url: read.database_url("DATABASE_URL"),
            data_dir: read.folder("BATCHDESK_DATA_DIR", DATA_DIR),
        };
        read.finish(places)
    }
}

impl From<&Config> for SocketLimits {
    fn from(config: &Config) -> Self {
        Self { listen: config.listen, database_url: config.database_url.clone(), data_dir: config.data_dir.clone() }
    }
}
