//! The demo as a child process on a folder of its own: started, killed, asked to stop, started again.

use super::random::Random;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File, Permissions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Longest wait for the line that says it is ready; the first start makes a database.
const READY: Duration = Duration::from_secs(180);
/// Longest wait for what a killed process leaves behind to end by itself.
const GONE: Duration = Duration::from_secs(60);

/// A data folder, the addresses, and the demo that runs on them.
pub(super) struct Demo {
    folder: Option<tempfile::TempDir>,
    data: PathBuf,
    listen: u16,
    simulator: u16,
    knobs: Vec<String>,
    settings: Vec<(&'static str, String)>,
    running: Option<Running>,
}

/// A process of ours whose log goes to a file.
pub(super) struct Running {
    child: Child,
    log: PathBuf,
}

impl Demo {
    /// Starts the demo with the simulator's knobs and settings on a new folder.
    pub(super) fn start(knobs: &[&str], settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("batchdesk-proof-").tempdir_in("/tmp").unwrap();
        // Where the tests run as root another user runs PostgreSQL, who must get to its folder.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let mut demo = Self {
            data: folder.path().join("data"),
            folder: Some(folder),
            listen: free_port(),
            simulator: free_port(),
            knobs: knobs.iter().map(|knob| (*knob).to_owned()).collect(),
            settings: settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            running: None,
        };
        demo.start_again();
        demo
    }

    /// Starts the demo again on the same folder, and waits until it is ready.
    pub(super) fn start_again(&mut self) {
        assert!(self.running.is_none(), "the demo runs already");
        let mut command = self.command(&["demo"]);
        command.args(&self.knobs);
        self.running = Some(Running::start(command, self.log("demo"), "Batchdesk is ready at "));
    }

    /// Runs a command beside the demo, with `input` on its standard input.
    pub(super) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// SIGKILL. The simulator and PostgreSQL end by themselves a moment later.
    pub(super) fn kill(&mut self) {
        self.running.take().unwrap().kill();
    }

    /// SIGTERM, and how it ended within `patience`.
    pub(super) fn stop(&mut self, patience: Duration) -> (ExitStatus, Duration) {
        self.running.take().unwrap().stop(patience)
    }

    /// Address of the pages.
    pub(super) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.listen)
    }

    /// Address of the gateway.
    pub(super) fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.simulator)
    }

    /// What the gateway wrote so far: whole lines only.
    pub(super) fn ledger(&self) -> String {
        let mut text = fs::read_to_string(self.data.join("simulator-ledger.jsonl")).unwrap();
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text
    }

    /// The process of PostgreSQL that lives now.
    pub(super) fn postmaster(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.database_folder().join("postgres/postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?);
        kill(pid, None).is_ok().then_some(pid)
    }

    fn database_folder(&self) -> PathBuf {
        let elsewhere = fs::read_to_string(self.data.join("postgres.location"));
        elsewhere.map_or_else(|_| self.data.clone(), |text| PathBuf::from(text.trim()))
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.log"))
    }

    /// The binary, started from `/` with nothing of our environment but what it needs to find programs.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
        command.args(arguments).env_clear().current_dir("/").stdin(Stdio::null());
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "PG_BIN_DIR", "BATCHDESK_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("BATCHDESK_DATA_DIR", &self.data)
            .env("BATCHDESK_LISTEN", format!("127.0.0.1:{}", self.listen))
            .env("BATCHDESK_ALLOWED_HOSTS", "127.0.0.1")
            .env("BATCHDESK_SIMULATOR_LISTEN", format!("127.0.0.1:{}", self.simulator))
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.running.take());
        let give_up = Instant::now() + GONE;
        let port_is_taken = || TcpListener::bind(("127.0.0.1", self.simulator)).is_err();
        while (self.postmaster().is_some() || port_is_taken()) && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(20));
        }
        let folder = self.folder.take().unwrap();
        if thread::panicking() {
            let kept = folder.keep();
            let _ =
                writeln!(std::io::stderr(), "everything that belongs to this failure is kept in {}", kept.display());
            return;
        }
        let database = self.database_folder();
        if database != self.data {
            let _ = fs::remove_dir_all(database);
        }
        let _ = folder.close();
    }
}

impl Running {
    pub(super) fn start(command: Command, log: PathBuf, ready: &str) -> Self {
        let mut running = Self::try_start(command, log, ready);
        match running.ended() {
            None => running,
            Some(status) => panic!("it did not become ready ({status}):\n{}", running.last_words()),
        }
    }

    /// The same for a process that may end before it is ready.
    pub(super) fn try_start(mut command: Command, log: PathBuf, ready: &str) -> Self {
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Read to its end, so that the process never waits for us.
        thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut running = Self { child, log };
        let give_up = Instant::now() + READY;
        loop {
            match lines.recv_timeout(give_up.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(ready) => return running,
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let _ = running.child.wait();
                    return running;
                }
                Err(why) => panic!("it did not become ready ({why}):\n{}", running.last_words()),
            }
        }
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how and after what time it ended.
    pub(super) fn stop(mut self, patience: Duration) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        kill(self.pid(), Signal::SIGTERM).unwrap();
        while begun.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, begun.elapsed());
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end within {} s after SIGTERM:\n{}", patience.as_secs(), self.last_words());
    }

    pub(super) fn last_words(&self) -> String {
        let mut text = String::new();
        let _ = File::open(&self.log).and_then(|mut log| log.read_to_string(&mut text));
        let lines: Vec<&str> = text.lines().collect();
        lines.split_at(lines.len().saturating_sub(30)).1.join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A free port below those that the kernel gives to outgoing connections: it stays free between two starts.
pub(super) fn free_port() -> u16 {
    let mut random = Random::new(RandomState::new().build_hasher().finish());
    loop {
        let port = u16::try_from(random.within(15_000..=32_000)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
