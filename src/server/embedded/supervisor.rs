//! The thread that owns the postmaster.

use super::cluster::{Cluster, LogFile};
use nix::{
    sys::{
        signal::{self, Signal},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{oneshot, watch};

/// First wait before a start after a crash; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait before a start after a crash.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A postmaster that lived this long was well.
const WELL: Duration = Duration::from_secs(30);

/// What the thread and its owner share.
#[derive(Debug)]
pub(super) struct Supervisor {
    state: Mutex<State>,
    changed: Condvar,
    ended: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// Set from the start of the postmaster until it is about to be reaped: a signal to it always finds itself.
    postmaster: Option<Pid>,
    /// Starts in a row that did not last.
    failed_starts: u32,
    stopping: bool,
}

/// Starts the thread; it prepares the cluster and starts the postmaster.
pub(super) async fn start(
    prepare: impl FnOnce() -> Result<Cluster, String> + Send + 'static,
) -> Result<(Arc<Supervisor>, PathBuf, LogFile), String> {
    let (ended_sender, ended) = watch::channel(false);
    let supervisor = Arc::new(Supervisor { state: Mutex::default(), changed: Condvar::new(), ended });
    let (prepared_sender, prepared) = oneshot::channel();
    let shared = supervisor.clone();
    let run = move || {
        match prepare() {
            Ok(cluster) => {
                let log = cluster.log();
                // Nobody waits any more: the start was given up while the cluster was being made.
                if prepared_sender.send(Ok((cluster.sockets().to_owned(), log))).is_ok() {
                    shared.keep_running(&cluster);
                }
            }
            Err(why) => drop(prepared_sender.send(Err(why))),
        }
        let _ = ended_sender.send(true);
    };
    std::thread::Builder::new()
        .name("embedded-postgres".to_owned())
        .spawn(run)
        .map_err(|error| format!("No thread for the embedded PostgreSQL: {error}."))?;
    let (sockets, log) = prepared.await.map_err(|_| "The embedded PostgreSQL's thread ended.".to_owned())??;
    Ok((supervisor, sockets, log))
}

impl Supervisor {
    /// Process id of the postmaster.
    pub(super) fn postmaster(&self) -> Option<Pid> {
        self.lock().postmaster
    }

    /// Starts in a row that did not last.
    pub(super) fn failed_starts(&self) -> u32 {
        self.lock().failed_starts
    }

    /// Whether the postmaster is down for good.
    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until the postmaster is down for good.
    pub(super) async fn ended(&self) {
        // An error means that the thread is gone, which is the same.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Asks the postmaster to stop and not to be started again.
    pub(super) fn request_stop(&self, how: Signal) {
        let mut state = self.lock();
        state.stopping = true;
        if let Some(pid) = state.postmaster {
            let _ = signal::kill(pid, how);
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_running(&self, cluster: &Cluster) {
        let mut wait = FIRST_WAIT;
        loop {
            let began = Instant::now();
            let spawned = {
                let mut state = self.lock();
                if state.stopping {
                    return;
                }
                let spawned = cluster.spawn();
                state.postmaster =
                    spawned.as_ref().ok().and_then(|child| i32::try_from(child.id()).ok()).map(Pid::from_raw);
                spawned
            };
            let how = match spawned {
                Ok(mut child) => {
                    if let Some(pid) = self.postmaster() {
                        // Waits without reaping, so that the number cannot be another process's while it may be
                        // signalled.
                        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
                            == Err(nix::Error::EINTR)
                        {}
                    }
                    self.lock().postmaster = None;
                    child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
                }
                Err(error) => error.to_string(),
            };
            let mut state = self.lock();
            if state.stopping {
                return;
            }
            if began.elapsed() > WELL {
                wait = FIRST_WAIT;
                state.failed_starts = 0;
            }
            state.failed_starts += 1;
            tracing::warn!(%how, again_in = ?wait, "the embedded PostgreSQL ended");
            drop(self.changed.wait_timeout_while(state, wait, |state| !state.stopping));
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}
