//! A PostgreSQL of the runner's own: made once, copied for each scenario, killed at will.

use super::{
    demo::{Running, free_port},
    report::say,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File, Permissions},
    hash::{Hash, Hasher},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The login that owns everything. The server takes its runtime roles by itself.
const LOGIN: &str = "torture";
/// Longest wait for PostgreSQL to take connections, with the recovery after a crash.
const UP: Duration = Duration::from_secs(60);

/// A cluster that can be started and killed.
pub(super) struct Cluster {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Cluster {
    /// A cluster with the demo's organisations and people, started.
    pub(super) fn start(folder: &Path) -> Self {
        let mut cluster = Self { folder: folder.join("cluster"), port: free_port(), child: None };
        copy(&template().join("cluster"), &cluster.folder);
        cluster.up();
        cluster
    }

    /// An empty one, started.
    pub(super) fn empty(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        initdb(folder);
        let mut cluster = Self { folder: folder.to_owned(), port: free_port(), child: None };
        cluster.up();
        cluster
    }

    /// The address of the database, at this port or at that of somebody in between.
    pub(super) fn url(&self, port: Option<u16>) -> String {
        url(port.unwrap_or(self.port))
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and waits until it takes connections.
    pub(super) fn up(&mut self) {
        assert!(self.child.is_none(), "PostgreSQL runs already");
        self.child = Some(start(&self.folder, self.port));
    }

    /// SIGKILL of the postmaster; waits until its children are gone too.
    pub(super) fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// What `pg_ctl stop -m immediate` does.
    pub(super) fn stop_at_once(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        let _ = kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal);
        let _ = child.wait();
        // The next postmaster refuses to start while a process of the last one holds the shared memory.
        let _ = fs::remove_file(self.folder.join("postmaster.pid"));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(Signal::SIGQUIT);
    }
}

/// The secret key that the template's credentials are sealed with.
pub(super) fn secret_key() -> String {
    fs::read_to_string(template().join("data/secret.key")).unwrap().trim().to_owned()
}

/// Makes the template at the first call: a cluster in which the demo has been started once.
fn template() -> PathBuf {
    static MADE: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.get_or_insert_with(|| {
        let begun = Instant::now();
        // One place for all runs of this tree, so that nothing is left behind twice; a second run waits for the first.
        let mut name = std::hash::DefaultHasher::new();
        env!("CARGO_MANIFEST_DIR").hash(&mut name);
        let folder = PathBuf::from(format!("/tmp/batchdesk-torture-{:08x}", name.finish() >> 32));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        // Held until this process ends.
        std::mem::forget(lock);
        let (cluster, data) = (folder.join("cluster"), folder.join("data"));
        for old in [&cluster, &data] {
            let _ = fs::remove_dir_all(old);
        }
        fs::create_dir_all(&cluster).unwrap();
        initdb(&cluster);
        let port = free_port();
        let mut child = start(&cluster, port);
        let mut demo = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
        demo.arg("demo")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BATCHDESK_DATA_DIR", &data)
            .env("BATCHDESK_LISTEN", format!("127.0.0.1:{}", free_port()))
            .env("BATCHDESK_SIMULATOR_LISTEN", format!("127.0.0.1:{}", free_port()))
            .env("DATABASE_URL", url(port));
        let (ended, _) = Running::start(demo, folder.join("demo.log"), "Batchdesk is ready at ").stop(UP);
        assert!(ended.success(), "the demo ended with {ended}");
        empty(port);
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        child.wait().unwrap();
        say(&format!("torture: a database with the demo's people, {} s", begun.elapsed().as_secs()));
        folder
    })
    .clone()
}

/// Makes a cluster in a folder that is there.
fn initdb(folder: &Path) {
    if let Some((user, group)) = other_user() {
        chown(folder, Some(user), Some(group)).unwrap();
    }
    let made = program("initdb")
        .args(["--username", LOGIN, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"])
        .arg("--pgdata")
        .arg(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
}

fn url(port: u16) -> String {
    format!("postgres://{LOGIN}@127.0.0.1:{port}/postgres?sslmode=disable")
}

/// Whether it takes connections now.
fn answers(port: u16) -> bool {
    use sqlx::Connection;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match sqlx::PgConnection::connect(&url(port)).await {
            Ok(connection) => connection.close().await.is_ok(),
            Err(_) => false,
        }
    })
}

/// People, organisations and connections stay; the demo's own batches go, and everything that hangs on them.
fn empty(port: u16) {
    use sqlx::Connection;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&url(port)).await.unwrap();
        let statement = "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(c.oid::regclass::text,
                         ', ') || ' CASCADE' FROM pg_class c
            WHERE c.relnamespace = 'batchdesk'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND (c.relname IN ('batch', 'order_balance')
                OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'batch_id'))); END $$";
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    });
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success(), "cp -a {} {}", from.display(), to.display());
}

/// What is killed here is processes, not the machine: nothing is gained by waiting for the disk.
fn start(folder: &Path, port: u16) -> Child {
    let log = File::options().create(true).append(true).open(folder.with_extension("log")).unwrap();
    let give_up = Instant::now() + UP;
    loop {
        let mut child = program("postgres")
            .arg("-D")
            .arg(folder)
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"])
            .args(["-c", "max_connections=150", "-c", "shared_buffers=32MB", "-p"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log.try_clone().unwrap())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() {
            if answers(port) {
                return child;
            }
            assert!(Instant::now() < give_up, "PostgreSQL does not start; see {}.log", folder.display());
            thread::sleep(Duration::from_millis(20));
        }
        // Processes of the one that was killed are still there.
        assert!(Instant::now() < give_up, "PostgreSQL does not start; see {}.log", folder.display());
        thread::sleep(Duration::from_millis(50));
    }
}

/// A program of PostgreSQL, as a user that it accepts.
fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join(name));
    command.current_dir("/");
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// Where PostgreSQL's programs are.
pub(super) fn programs() -> PathBuf {
    let own = std::env::var_os("PG_BIN_DIR").map(PathBuf::from);
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    let brought = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/pg/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places =
        own.into_iter().chain(debian.into_iter().rev()).chain([brought]).chain(std::env::split_paths(&path));
    places
        .find(|place| place.join("initdb").exists())
        .expect("PostgreSQL's programs; `.dev/install postgres` brings them")
}

/// PostgreSQL refuses to run as root.
fn other_user() -> Option<(u32, u32)> {
    if !nix::unistd::getuid().is_root() {
        return None;
    }
    let known = fs::read_to_string("/etc/passwd").unwrap();
    let user = |name: &str| {
        let line = known.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    user("postgres").or_else(|| user("nobody"))
}
