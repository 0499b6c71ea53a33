//! Live events: one LISTEN connection a process feeds a bounded broadcast; streams of pages read from it.

use crate::domain::ids::{BatchId, OrganisationId};
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
    sender: broadcast::Sender<Changed>,
}

impl Default for Live {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(1024) }
    }
}

impl Live {
    /// Tells every stream of this process.
    pub fn tell(&self, changed: Changed) {
        // No receiver is not an error: nobody is watching.
        let _ = self.sender.send(changed);
    }

    /// A new reader.
    pub fn watch(&self) -> broadcast::Receiver<Changed> {
        self.sender.subscribe()
    }
}
