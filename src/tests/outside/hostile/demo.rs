//! The demo as a process of its own, whose log, memory and database are looked at.

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{
    fs::{self, File, Permissions},
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// Longest wait for the line that says it is ready: a database is made first.
const READY: Duration = Duration::from_secs(180);

pub(super) struct Demo {
    child: Child,
    folder: Option<tempfile::TempDir>,
    base: String,
}

impl Demo {
    pub(super) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("batchdesk-hostile-").tempdir_in("/tmp").unwrap();
        // Where the tests run as root another user runs PostgreSQL, who must get to its folder.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
        command.arg("demo").env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped());
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "PG_BIN_DIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let child = command
            .env("BATCHDESK_DATA_DIR", folder.path().join("data"))
            .env("BATCHDESK_LISTEN", "127.0.0.1:0")
            .env("BATCHDESK_SIMULATOR_LISTEN", "127.0.0.1:0")
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut demo = Self { child, folder: Some(folder), base: String::new() };
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(demo.child.stdout.take().unwrap());
        // Read to its end, so that the process never waits for us.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        while demo.base.is_empty() {
            match lines.recv_timeout(READY) {
                Ok(line) => {
                    demo.base = line.strip_prefix("Batchdesk is ready at ").unwrap_or_default().to_owned();
                }
                Err(why) => panic!("the demo did not become ready ({why}):\n{}", demo.log()),
            }
        }
        demo
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(name)
    }

    /// Everything that it wrote into its log.
    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.file("log")).unwrap()).into_owned()
    }

    /// The most memory that it had so far, in bytes.
    pub(super) fn most_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Whether it still runs.
    pub(super) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A connection to its database as the cluster's first user.
    pub(super) async fn database(&self) -> PgConnection {
        let run: serde_json::Value = serde_json::from_slice(&fs::read(self.file("data/run.json")).unwrap()).unwrap();
        let options: PgConnectOptions = run["database_url"].as_str().unwrap().parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        sqlx::query("SET search_path = batchdesk").execute(&mut connection).await.unwrap();
        connection
    }

    /// The longest value that a query finds.
    pub(super) async fn longest(&self, query: &'static str) -> u64 {
        let mut connection = self.database().await;
        let (bytes,): (i64,) = sqlx::query_as(query).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        u64::try_from(bytes).unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
        let folder = self.folder.take().unwrap();
        if std::thread::panicking() {
            let kept = folder.keep();
            let _ = writeln!(std::io::stderr(), "what belongs to this failure is kept in {}", kept.display());
        }
    }
}
