//! The demo's gateway: the simulator as a process of its own, started again when it dies, ended after everything else.

use super::Failure;
use crate::server::lifecycle::accept;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Longest wait for the line that it prints when it listens.
const START: Duration = Duration::from_secs(20);
/// Wait before it is started again.
const AGAIN: Duration = Duration::from_millis(500);

/// The running simulator.
pub(super) struct DemoSimulator {
    /// Where it answers.
    pub(super) url: Url,
    /// Its ledger.
    pub(super) ledger: PathBuf,
    stop: CancellationToken,
    kept: JoinHandle<()>,
}

impl DemoSimulator {
    /// Starts it with the knobs that the demo was given, and waits until it listens.
    pub(super) async fn start(listen: SocketAddr, data_dir: &Path, knobs: &[String]) -> Result<Self, Failure> {
        wait_for_port(listen).await?;
        let ledger = data_dir.join("simulator-ledger.jsonl");
        let (child, lines, url) = spawn(listen, &ledger, knobs).await.map_err(Failure::unusable)?;
        // Asked for any free port, it keeps the one it got.
        let listen = url.socket_addrs(|| None).ok().and_then(|found| found.first().copied()).unwrap_or(listen);
        let stop = CancellationToken::new();
        let kept = tokio::spawn(keep(child, lines, listen, ledger.clone(), knobs.to_vec(), stop.clone()));
        Ok(Self { url, ledger, stop, kept })
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        let _ = self.kept.await;
    }
}

/// The simulator of a demo that was killed a moment ago lets go of its port by itself.
async fn wait_for_port(listen: SocketAddr) -> Result<(), Failure> {
    let give_up = Instant::now() + Duration::from_secs(3);
    loop {
        match TcpListener::bind(listen).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < give_up => {}
            Ok(_) => return Ok(()),
            Err(_) => break,
        }
        sleep(Duration::from_millis(100)).await;
    }
    accept::bind(listen, "BATCHDESK_SIMULATOR_LISTEN").await.map(drop).map_err(Failure::unusable)
}

async fn spawn(
    listen: SocketAddr,
    ledger: &Path,
    knobs: &[String],
) -> Result<(Child, Lines<BufReader<ChildStdout>>, Url), String> {
    let own = std::env::current_exe().map_err(|error| format!("The gateway simulator cannot be started: {error}."))?;
    let mut child = Command::new(own)
        .arg("simulator")
        .arg("--listen")
        .arg(listen.to_string())
        .arg("--ledger")
        .arg(ledger)
        .args(knobs)
        // It needs none of our secrets.
        .env_remove("BATCHDESK_SECRET_KEY")
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Ctrl-C is for us: we end it when the last refund under way has its answer.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("The gateway simulator cannot be started: {error}."))?;
    let stdout = child.stdout.take().ok_or("The gateway simulator cannot be heard.")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = match timeout(START, lines.next_line()).await {
        Ok(Ok(Some(line))) => line,
        Ok(_) => return Err("The gateway simulator ended before it listened.".to_owned()),
        Err(_) => return Err(format!("The gateway simulator does not listen after {} s.", START.as_secs())),
    };
    let url = line
        .find("http://")
        .and_then(|begin| Url::parse(line.get(begin..)?.trim()).ok())
        .ok_or_else(|| format!("The gateway simulator says {line:?} where its address was to be."))?;
    Ok((child, lines, url))
}

async fn keep(
    mut child: Child,
    mut lines: Lines<BufReader<ChildStdout>>,
    listen: SocketAddr,
    ledger: PathBuf,
    knobs: Vec<String>,
    stop: CancellationToken,
) {
    loop {
        let hear = async {
            while let Ok(Some(line)) = lines.next_line().await {
                tracing::info!("simulator: {line}");
            }
        };
        let status = tokio::select! {
            // Its output is read until its end, so that it never waits for us.
            (status, ()) = async { tokio::join!(child.wait(), hear) } => status,
            () = stop.cancelled() => return end(child).await,
        };
        tracing::warn!(?status, "the gateway simulator ended; it is started again");
        (child, lines) = loop {
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = stop.cancelled() => return,
            }
            match spawn(listen, &ledger, &knobs).await {
                Ok((child, lines, _)) => break (child, lines),
                Err(why) => tracing::warn!("{why}"),
            }
        };
    }
}

async fn end(mut child: Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    if timeout(Duration::from_secs(5), child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
