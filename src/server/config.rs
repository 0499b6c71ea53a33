//! Configuration from the environment, read once and typed.

use super::secrets::SecretKey;
use secrecy::SecretString;
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use url::Url;

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
    /// Seals the credentials in the database.
    pub secret_key: SecretKey,
    /// Address of the gateway simulator (demo).
    pub simulator_listen: SocketAddr,
    /// Ceiling of every organisation's row limit.
    pub max_rows: u32,
    /// Ceiling of the bytes of an upload; by default the limits of the operation.
    pub max_upload_bytes: Option<u64>,
    /// Hosts inside private ranges that gateways and webhooks may have.
    pub allowed_hosts: Vec<String>,
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
