//! Live events: one LISTEN connection a process feeds a bounded broadcast; streams of pages read from it.

pub mod listen;

use crate::domain::ids::{BatchId, OrganisationId};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::broadcast;

/// Something changed on a batch. Carries no data: whoever is told reads the batch again, with the rights of its own caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which batch.
    pub batch: BatchId,
}

/// The broadcast of this process. A slow reader loses events and is told so (`Lagged`): it reads everything again.
#[derive(Clone, Debug)]
pub struct Live {
    sender: Arc<RwLock<broadcast::Sender<Changed>>>,
}

/// Events that a slow reader may be behind.
const BEHIND: usize = 1024;

impl Default for Live {
    fn default() -> Self {
        Self { sender: Arc::new(RwLock::new(broadcast::Sender::new(BEHIND))) }
    }
}

impl Live {
    /// Tells every stream of this process.
    pub fn tell(&self, changed: Changed) {
        // No receiver is not an error: nobody is watching.
        let _ = self.sender.read().unwrap_or_else(PoisonError::into_inner).send(changed);
    }

    /// Something may have been missed: every stream ends (`Closed`), and whoever watches comes back and reads everything again.
    pub fn resync(&self) {
        *self.sender.write().unwrap_or_else(PoisonError::into_inner) = broadcast::Sender::new(BEHIND);
    }

    /// A new reader.
    pub fn watch(&self) -> broadcast::Receiver<Changed> {
        self.sender.read().unwrap_or_else(PoisonError::into_inner).subscribe()
    }
}
