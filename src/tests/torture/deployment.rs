//! One scenario's deployment: a database, a gateway and servers of its own, and what was submitted to them.

mod batches;
mod end;
mod servers;
mod size;

pub(super) use size::{budget, size, size_of_three, size_text};

use super::{
    client::{Client, Organisation},
    cluster::Cluster,
    cut::Cut,
    demo::{Running, free_port},
    file::RefundFile,
    random::{self, Random},
    report::say,
};
use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// A guard that is taken out, so that the scenario must fail.
#[derive(Clone, Copy, Debug)]
pub(super) enum Out {
    Nothing,
    /// At the gateway's replies, by `BATCHDESK_MUTANT`.
    Code(&'static str),
    /// In a copy of the tree with the patches of `mutants/`, by `BATCHDESK_MUTANT`.
    Patch(&'static str),
    /// In the database, by statements.
    Sql(&'static str),
}

/// How a deployment is made.
pub(super) struct Setup<'a> {
    pub(super) scenario: &'static str,
    /// Of the gateway.
    pub(super) knobs: &'a [&'a str],
    pub(super) out: Out,
    /// Somebody between the servers and the database.
    pub(super) cut: bool,
}

/// A batch under observation.
pub(super) struct Batch {
    pub(super) organisation: &'static Organisation,
    pub(super) file: RefundFile,
    pub(super) id: String,
    accepted: i64,
}

/// The deployment.
pub(super) struct Deployment {
    scenario: &'static str,
    pub(super) seed: u64,
    pub(super) random: Random,
    out: Out,
    runtime: Runtime,
    pub(super) client: Client,
    /// Killed first when the deployment ends.
    pub(super) servers: Vec<Running>,
    _gateway: Running,
    pub(super) cut: Option<Cut>,
    pub(super) cluster: Cluster,
    pub(super) batches: Vec<Batch>,
    /// What does not hold, found on the way.
    pub(super) breaches: Vec<String>,
    listen: u16,
    begun: Instant,
    failed: bool,
    started: usize,
    folder: Option<tempfile::TempDir>,
}

impl Deployment {
    /// Everything but the servers.
    pub(super) fn begin(setup: &Setup) -> Self {
        let seed = random::seed();
        let folder = tempfile::Builder::new().prefix("batchdesk-torture-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let cluster = Cluster::start(folder.path());
        let (gateway, listen) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
        command
            .args(["simulator", "--listen", &format!("127.0.0.1:{gateway}"), "--ledger"])
            .arg(folder.path().join("ledger.jsonl"))
            .args(setup.knobs)
            .env_clear();
        let simulator = Running::start(command, folder.path().join("gateway.log"), "Gateway simulator is listening");
        let cut = setup.cut.then(|| Cut::start(cluster.port()));
        let deployment = Self {
            scenario: setup.scenario,
            seed,
            random: Random::new(seed),
            out: setup.out,
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            client: Client::new(format!("http://127.0.0.1:{listen}")),
            servers: Vec::new(),
            _gateway: simulator,
            cut,
            cluster,
            batches: Vec::new(),
            breaches: Vec::new(),
            listen,
            begun: Instant::now(),
            failed: false,
            started: 0,
            folder: Some(folder),
        };
        deployment
            .sql(&format!("UPDATE batchdesk.gateway SET base_url = 'http://127.0.0.1:{gateway}', updated_at = now()"));
        if let Out::Sql(statements) = setup.out {
            deployment.sql(statements);
        }
        say(&format!("torture: {} begins, BATCHDESK_SEED={seed}", setup.scenario));
        deployment
    }

    /// A place in the folder of this deployment.
    pub(super) fn place(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }

    /// A moment that the seed decides.
    pub(super) fn pass_time(&mut self, most_ms: u64) {
        thread::sleep(Duration::from_millis(self.random.within(0..=most_ms)));
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.servers.clear();
        let failed = thread::panicking() || self.failed;
        let folder = self.folder.take().unwrap();
        if failed && matches!(self.out, Out::Nothing) {
            say(&format!("everything that belongs to this failure is kept in {}", folder.keep().display()));
        }
    }
}
