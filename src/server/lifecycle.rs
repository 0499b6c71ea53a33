//! The life of the process: its parts, the signals that end it, and the order in which it ends.
//!
//! The first SIGTERM or SIGINT sets `soft`: nothing new is begun, what is under way ends. A second one, or
//! [`PATIENCE`], sets `hard`: everything ends now. A part that ends by itself (a crash, or a return that nobody asked
//! for) ends the process with an error, so that whoever keeps it running starts it again.

pub mod accept;
pub mod descriptors;

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longest time that the parts have to end what is under way.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Longest time that they have after that.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The parts of this process and the two words that end them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Nothing new; end what is under way.
    pub soft: CancellationToken,
    /// End now.
    pub hard: CancellationToken,
    parts: TaskTracker,
    crash: Arc<Mutex<Option<String>>>,
}

/// How the process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As asked, with everything under way ended.
    Drained,
    /// As asked, but something was cut off.
    CutOff,
    /// Because a part crashed: which, and how.
    Crashed(String),
}

impl Lifecycle {
    /// Starts a part that must live until `soft` is set.
    pub fn spawn(&self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let life = self.clone();
        self.parts.spawn(async move {
            let ended = futures::FutureExt::catch_unwind(AssertUnwindSafe(part)).await;
            let how = match ended {
                Err(panic) => format!("the {name} crashed: {}", panic_text(&*panic)),
                Ok(()) if !life.soft.is_cancelled() => format!("the {name} ended without being asked to"),
                Ok(()) => return,
            };
            tracing::error!("{how}");
            life.crash.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(how);
            life.soft.cancel();
        });
    }

    /// Sets `soft` at the first SIGTERM or SIGINT from now on, and `hard` at the second.
    pub fn watch_signals(&self) -> Result<(), String> {
        let watched = |kind| signal(kind).map_err(|error| format!("Signals cannot be watched: {error}."));
        let (mut terminate, mut interrupt) = (watched(SignalKind::terminate())?, watched(SignalKind::interrupt())?);
        let life = self.clone();
        tokio::spawn(async move {
            while !life.hard.is_cancelled() {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if life.soft.is_cancelled() {
                    tracing::info!("asked to stop now");
                    life.hard.cancel();
                } else {
                    tracing::info!("asked to stop");
                    life.soft.cancel();
                }
            }
        });
        Ok(())
    }

    /// Waits until the process is to stop, and then until every part has ended or had its time.
    pub async fn ended(&self) -> Ending {
        self.ended_within(MAX_WAIT).await
    }

    async fn ended_within(&self, patience: Duration) -> Ending {
        self.soft.cancelled().await;
        self.parts.close();
        let mut cut_off = false;
        tokio::select! {
            biased;
            () = self.parts.wait() => {}
            () = self.hard.cancelled() => cut_off = true,
            () = tokio::time::sleep(patience) => cut_off = true,
        }
        self.hard.cancel();
        if cut_off && tokio::time::timeout(LAST_WORDS, self.parts.wait()).await.is_err() {
            tracing::warn!(parts = self.parts.len(), "ended with work under way");
        }
        match self.crash.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(how) => Ending::Crashed(how),
            None if cut_off => Ending::CutOff,
            None => Ending::Drained,
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_that_end_when_asked_are_drained() {
        let life = Lifecycle::default();
        life.spawn("web part", life.soft.clone().cancelled_owned());
        life.soft.cancel();
        assert_eq!(life.ended().await, Ending::Drained);
    }

    #[tokio::test]
    async fn a_part_that_panics_or_returns_early_stops_the_others_and_is_named() {
        let life = Lifecycle::default();
        life.spawn("web part", life.soft.clone().cancelled_owned());
        life.spawn("worker", async { panic!("no tasks") });
        assert_eq!(life.ended().await, Ending::Crashed("the worker crashed: no tasks".to_owned()));

        let life = Lifecycle::default();
        life.spawn("web part", async {});
        assert_eq!(life.ended().await, Ending::Crashed("the web part ended without being asked to".to_owned()));
    }

    #[tokio::test]
    async fn a_part_that_does_not_end_is_cut_off_when_its_time_is_over() {
        let life = Lifecycle::default();
        life.spawn("worker", life.hard.clone().cancelled_owned());
        life.soft.cancel();
        assert_eq!(life.ended_within(Duration::from_millis(20)).await, Ending::CutOff);
        assert!(life.hard.is_cancelled());
    }
}
