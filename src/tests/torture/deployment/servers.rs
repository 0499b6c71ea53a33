//! Servers and commands of a deployment.

use super::{Deployment, Out};
use crate::torture::{cluster, demo::Running, run::FAST};
use nix::sys::signal::{Signal, kill};
use std::{
    fs,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

impl Deployment {
    /// Starts a server. None: it ended before it was ready, as it was told to.
    pub(in crate::torture) fn try_serve(&mut self, arguments: &[&str], settings: &[(&str, &str)]) -> Option<usize> {
        self.started += 1;
        let number = self.started;
        let folder = self.folder().to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
        command.arg("serve").args(arguments).env_clear().current_dir("/").stdin(Stdio::null());
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "BATCHDESK_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("BATCHDESK_DATA_DIR", folder.join(format!("data{number}")))
            .env("BATCHDESK_LISTEN", format!("127.0.0.1:{}", self.listen))
            .env("BATCHDESK_ALLOWED_HOSTS", "127.0.0.1")
            .env("BATCHDESK_SECRET_KEY", cluster::secret_key())
            .env("DATABASE_URL", self.cluster.url(self.cut.as_ref().map(|cut| cut.port)))
            .envs(FAST)
            .envs(settings.iter().copied());
        if let Out::Code(mutant) | Out::Patch(mutant) = self.out {
            command.env("BATCHDESK_MUTANT", mutant);
        }
        let mut running = Running::try_start(command, folder.join("server.log"), "Batchdesk is ready");
        if running.ended().is_some() {
            return None;
        }
        self.servers.push(running);
        Some(self.servers.len() - 1)
    }

    /// Starts a server that must become ready; its number.
    pub(in crate::torture) fn serve(&mut self, arguments: &[&str], settings: &[(&str, &str)]) -> usize {
        let number = self.try_serve(arguments, settings);
        number.unwrap_or_else(|| panic!("{}: the server ended before it was ready:\n{}", self.scenario, self.log()))
    }

    /// SIGKILL of all servers.
    pub(in crate::torture) fn kill_servers(&mut self) {
        self.servers.drain(..).for_each(Running::kill);
    }

    /// SIGKILL of one server.
    pub(in crate::torture) fn kill(&mut self, server: usize) {
        self.servers.remove(server).kill();
    }

    /// SIGTERM of one server, and how it ended.
    pub(in crate::torture) fn stop(&mut self, server: usize) -> (ExitStatus, Duration) {
        self.servers.remove(server).stop(Duration::from_secs(40))
    }

    /// Sends a signal to a server.
    pub(in crate::torture) fn signal(&self, server: usize, signal: Signal) {
        kill(self.servers[server].pid(), signal).unwrap();
    }

    /// Waits until a server has ended by itself; how.
    pub(in crate::torture) fn death(&mut self, server: usize, patience: Duration) -> Option<ExitStatus> {
        let give_up = Instant::now() + patience;
        loop {
            if let Some(status) = self.servers[server].ended() {
                return Some(status);
            }
            if Instant::now() > give_up {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a server has stopped itself (state T).
    pub(in crate::torture) fn frozen(&mut self, server: usize, patience: Duration) -> bool {
        let stat = format!("/proc/{}/stat", self.servers[server].pid());
        let give_up = Instant::now() + patience;
        while Instant::now() < give_up {
            let text = fs::read_to_string(&stat).unwrap_or_default();
            if text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Runs a line of the README in this deployment's folder: whether it succeeded, and what it said.
    pub(in crate::torture) fn shell(&self, line: &str, settings: &[(&str, &str)]) -> (bool, String) {
        let binary = Path::new(env!("CARGO_BIN_EXE_batchdesk")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", line])
            .env_clear()
            .current_dir(self.folder())
            .env("PATH", format!("{}:{}:{path}", binary.display(), cluster::programs().display()))
            .env("BATCHDESK_ALLOWED_HOSTS", "127.0.0.1")
            .env("BATCHDESK_SECRET_KEY", cluster::secret_key())
            .env("BATCHDESK_DATA_DIR", self.folder().join("commands"))
            .env("DATABASE_URL", self.cluster.url(None))
            .envs(FAST)
            .envs(settings.iter().copied());
        let done = command.output().unwrap();
        let told = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (done.status.success(), told.concat())
    }

    /// What servers wrote on standard error.
    pub(in crate::torture) fn server_log(&self) -> String {
        fs::read_to_string(self.folder().join("server.log")).unwrap_or_default()
    }

    /// Seconds since midnight by the server's clock: its log has the time of each answer.
    pub(in crate::torture) fn clock(&self, batch: usize) -> i64 {
        let lines = |text: &str| text.lines().filter(|line| line.contains("http.answered")).count();
        let read = || fs::read_to_string(self.folder().join("server.log")).unwrap_or_default();
        let before = lines(&read());
        let (organisation, id) = (self.batches[batch].organisation, self.batches[batch].id.clone());
        let _ = self.client.snapshot(organisation, &id);
        let give_up = Instant::now() + Duration::from_secs(20);
        let text = loop {
            let text = read();
            if lines(&text) > before || Instant::now() > give_up {
                break text;
            }
            thread::sleep(Duration::from_millis(10));
        };
        let last = text.lines().rfind(|line| line.contains("http.answered")).unwrap_or_default();
        let time = last.split_once('T').and_then(|(_, rest)| rest.get(..8)).unwrap_or_default();
        time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap_or(0))
    }

    pub(super) fn log(&self) -> String {
        let text = fs::read_to_string(self.folder().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.split_at(lines.len().saturating_sub(20)).1.join("\n")
    }
}
