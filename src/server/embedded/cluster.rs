//! One cluster on disk: made, checked, cleared of an earlier postmaster, and started.

use super::{
    Durability, NAME, PORT,
    folders::Folders,
    programs::{self, Programs},
};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{self, Signal},
    },
    unistd::{Pid, getpid, getppid, setsid},
};
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The log begins anew when it is larger than this at a start; the one before is kept.
const LARGEST_LOG: u64 = 16 * 1024 * 1024;
/// Longest wait for the postmaster of an earlier run to write its last checkpoint.
const EARLIER_POSTMASTER: Duration = Duration::from_secs(120);
/// What a new cluster is given beyond PostgreSQL's defaults. The operator may change it.
const SETTINGS: &str = "
# Set by Batchdesk when it made this cluster; change what you like. Where it listens is given on the command line.
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
wal_compression = on
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
log_line_prefix = '%m [%p] '
";

/// A cluster that is ready to be started.
#[derive(Debug)]
pub(super) struct Cluster {
    folders: Folders,
    programs: Programs,
    durability: Durability,
}

/// The postmaster's log, and where this run begins in it.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    begin: u64,
}

impl Cluster {
    /// Takes the folders, finds the programs, makes the cluster when there is none, and sees an earlier postmaster off.
    pub(super) fn prepare(data_dir: &Path, durability: Durability, wait_for_lock: Duration) -> Result<Self, String> {
        let folders = Folders::take(data_dir, wait_for_lock)?;
        let existing = match fs::read_to_string(folders.cluster.join("PG_VERSION")) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(format!("The database in {} cannot be read: {error}.", folders.cluster.display()));
            }
        };
        if existing.is_none() && folders.cluster.exists() {
            return Err(format!(
                "{} is no PostgreSQL cluster: it has no PG_VERSION. Move it away.",
                folders.cluster.display()
            ));
        }
        let programs = programs::find(existing.as_deref(), &folders.cluster, folders.user.as_ref())?;
        let cluster = Self { folders, programs, durability };
        if existing.is_none() {
            cluster.make()?;
        }
        cluster.see_off_earlier_postmaster()?;
        Ok(cluster)
    }

    /// Folder of the socket.
    pub(super) fn sockets(&self) -> &Path {
        &self.folders.sockets
    }

    /// The log from here on.
    pub(super) fn log(&self) -> LogFile {
        let path = self.folders.log.clone();
        if fs::metadata(&path).is_ok_and(|log| log.len() > LARGEST_LOG) {
            let _ = fs::rename(&path, path.with_extension("log.1"));
        }
        LogFile { begin: fs::metadata(&path).map_or(0, |log| log.len()), path }
    }

    /// Starts the postmaster. To be called from a thread that lives as long as the process.
    pub(super) fn spawn(&self) -> io::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.folders.log)?;
        let mut command = self.command("postgres");
        // Quoted as in a list of folders, since a path may hold blanks and commas.
        let sockets = self.folders.sockets.to_string_lossy().replace('"', "\"\"");
        command.arg("-D").arg(&self.folders.cluster).arg("-p").arg(PORT.to_string());
        let mut set = |setting: String| {
            command.arg("-c").arg(setting);
        };
        set("listen_addresses=".to_owned());
        set(format!("unix_socket_directories=\"{sockets}\""));
        set("unix_socket_permissions=0700".to_owned());
        let durable = if self.durability == Durability::Full { "on" } else { "off" };
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            set(format!("{name}={durable}"));
        }
        if self.durability == Durability::None {
            // A test makes a database of hundreds that live for a second each: nothing is worth tidying, compressing or
            // keeping for a standby.
            for setting in ["autovacuum=off", "wal_compression=off", "wal_level=minimal", "max_wal_senders=0"] {
                set(setting.to_owned());
            }
        }
        command.stdout(log.try_clone()?).stderr(log).spawn()
    }

    /// A program of the cluster as its user, with nothing of our environment (which holds secrets), that ends with us.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.bin.join(program));
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").stdin(Stdio::null());
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(user) = &self.folders.user {
            user.apply(&mut command);
        }
        end_with_us(&mut command);
        command
    }

    /// Makes the cluster beside its place and moves it there when it is whole, so that a half-made one is never
    /// started.
    fn make(&self) -> Result<(), String> {
        let folder = self.folders.home.join("postgres.new");
        let trouble = |error: io::Error| format!("The database cannot be made in {}: {error}.", folder.display());
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(trouble(error)),
            _ => {}
        }
        tracing::info!(folder = %self.folders.cluster.display(), version = self.programs.major, "making the database");
        self.folders.make(&folder).map_err(trouble)?;
        let mut command = self.command("initdb");
        command
            .arg("-D")
            .arg(&folder)
            .args(["-U", NAME, "--auth-local=trust", "--auth-host=reject", "-E", "UTF8"])
            .args(["--locale=C", "--data-checksums", "--no-instructions"]);
        if self.durability == Durability::None {
            command.arg("--no-sync");
        }
        let output = command.output().map_err(trouble)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ");
            return Err(format!("The database cannot be made in {}: initdb says: {said}", folder.display()));
        }
        let finish = || -> io::Result<()> {
            let mut settings = OpenOptions::new().append(true).open(folder.join("postgresql.conf"))?;
            settings.write_all(SETTINGS.as_bytes())?;
            settings.sync_all()?;
            fs::rename(&folder, &self.folders.cluster)?;
            File::open(&self.folders.home)?.sync_all()
        };
        finish().map_err(trouble)
    }

    /// Waits for the postmaster of an earlier run. It is stopping already (its parent died); it is told once more.
    /// Nobody else can own it: we hold the folder's lock.
    fn see_off_earlier_postmaster(&self) -> Result<(), String> {
        let began = Instant::now();
        let mut told = false;
        while let Some(pid) = self.living_postmaster() {
            if !told {
                told = true;
                tracing::info!(%pid, "waiting for the PostgreSQL of an earlier run to stop");
                let _ = signal::kill(pid, Signal::SIGINT);
            }
            if began.elapsed() > EARLIER_POSTMASTER {
                return Err(format!(
                    "The PostgreSQL of an earlier run (process {pid}) still uses {}. Stop it and start again.",
                    self.folders.cluster.display()
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The process named in `postmaster.pid`, if it lives and is this cluster's postmaster (whose folder is the
    /// cluster).
    fn living_postmaster(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.folders.cluster.join("postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1)?);
        let own = match fs::read_link(format!("/proc/{pid}/cwd")) {
            Ok(folder) => self.folders.cluster.canonicalize().is_ok_and(|cluster| cluster == folder),
            // Without /proc there is only the number.
            Err(_) => !Path::new("/proc/self").exists() && signal::kill(pid, None).is_ok(),
        };
        own.then_some(pid)
    }
}

impl LogFile {
    /// The last thing that this run wrote and that tells why it ended.
    pub(super) fn reason(&self) -> String {
        let mut text = Vec::new();
        let _ = File::open(&self.path).and_then(|mut log| {
            log.seek(SeekFrom::Start(self.begin))?;
            log.take(LARGEST_LOG).read_to_end(&mut text)
        });
        let text = String::from_utf8_lossy(&text);
        let telling = |line: &&str| ["FATAL:", "PANIC:", "error:"].iter().any(|word| line.contains(word));
        let last = text.lines().rev().find(telling).or_else(|| text.lines().next_back());
        last.map_or_else(|| "it wrote nothing".to_owned(), |line| line.trim().trim_end_matches('.').to_owned())
    }
}

impl fmt::Display for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Gives `command` a session of its own (Ctrl-C in our terminal must not reach PostgreSQL before we have drained) and
/// has the kernel send it SIGINT, a fast shutdown, when the thread that starts it ends, in whatever way.
#[expect(
    unsafe_code,
    reason = "a parent-death signal can only be set in the child, between fork and exec, after setuid"
)]
fn end_with_us(command: &mut Command) {
    let parent = getpid();
    let in_child = move || {
        setsid()?;
        prctl::set_pdeathsig(Signal::SIGINT)?;
        // The parent may have died before the signal was asked for: then it never comes.
        if getppid() == parent { Ok(()) } else { Err(io::Error::from(Errno::ESRCH)) }
    };
    // SAFETY: the closure makes system calls only; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(in_child) };
}
