//! The program itself as a process of its own: the demo on a folder that is removed afterwards.

use batchdesk::server::lifecycle::descriptors;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, Executor};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
};

/// A demo that runs, and ends when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Program {
    /// Starts it with settings, and with so many file descriptors at most; waits until it is ready.
    pub(crate) fn start(open_files: Option<u32>, settings: &[(&str, &str)]) -> Self {
        // The tests open many connections at once, too.
        descriptors::raise();
        let folder = tempfile::Builder::new().prefix("batchdesk-outside-").tempdir_in("/tmp").unwrap();
        // Where the tests run as root another user runs PostgreSQL, who must get to its folder.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let limit = open_files.map(|files| format!("ulimit -n {files} && ")).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limit}exec \"$0\" demo"), env!("CARGO_BIN_EXE_batchdesk")]);
        command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped());
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "PG_BIN_DIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut child = command
            .env("BATCHDESK_LOG", "warn")
            .env("BATCHDESK_DATA_DIR", folder.path().join("data"))
            .env("BATCHDESK_LISTEN", "127.0.0.1:0")
            .env("BATCHDESK_SIMULATOR_LISTEN", "127.0.0.1:0")
            .envs(settings.iter().copied())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.find_map(|line| Some(line.ok()?.strip_prefix("Batchdesk is ready at http://")?.to_owned()));
        let Some(address) = ready else {
            panic!("it did not start: {}", fs::read_to_string(folder.path().join("log")).unwrap())
        };
        // Read to its end, so that the program never waits for us.
        std::thread::spawn(move || lines.count());
        Self { child, address: address.parse().unwrap(), folder }
    }

    /// Runs SQL as the first user of its database.
    pub(crate) async fn sql(&self, statement: &str) {
        let run = fs::read(self.folder.path().join("data/run.json")).unwrap();
        let run: serde_json::Value = serde_json::from_slice(&run).unwrap();
        let mut database = sqlx::PgConnection::connect(run["database_url"].as_str().unwrap()).await.unwrap();
        database.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
    }

    /// A figure of `/proc/…/status` in KiB, as `VmRSS` or `VmHWM`.
    pub(crate) fn kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Forgets the highest use of memory so far, so that `VmHWM` begins anew.
    pub(crate) fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
