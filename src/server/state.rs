//! What every part of the server is given.

use super::{clock::Clock, config::Config, db::Db, hashing::HashQueue, intake_queue::IntakeQueue, live::Live};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Handle on everything shared. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// What is shared.
pub struct Shared {
    /// Configuration.
    pub config: Config,
    /// Database.
    pub db: Db,
    /// Time.
    pub clock: Clock,
    /// Live events of this process.
    pub live: Live,
    /// Where password hashes wait for their turn.
    pub hashing: HashQueue,
    /// Where files that came in wait for theirs.
    pub intakes: IntakeQueue,
    /// Set when the process is to stop: streams end, nothing new is begun.
    pub stopping: CancellationToken,
}

impl AppState {
    /// Ties the parts together.
    pub fn new(config: Config, db: Db, clock: Clock, live: Live, stopping: CancellationToken) -> Self {
        let (hashing, intakes) = (HashQueue::default(), IntakeQueue::default());
        Self(Arc::new(Shared { config, db, clock, live, hashing, intakes, stopping }))
    }
}

impl std::ops::Deref for AppState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}
