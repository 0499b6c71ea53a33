//! Everything that was done to a batch.

use super::{ActivityRow, BatchSnapshot};
use crate::page::Paged;

/// The activity log of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityLog {
    /// The batch in numbers.
    pub snapshot: BatchSnapshot,
    /// What it comes to: name and words.
    pub facts: Vec<(&'static str, String)>,
    /// A page of the acts, newest first.
    pub acts: Paged<ActivityRow>,
}
