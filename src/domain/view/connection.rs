//! What is going on at a connection, for the pages of batches that use it.

use super::DisplayTime;
use serde::{Deserialize, Serialize};

/// How a connection does, over all worker processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionHealth {
    /// How people know it: `Juspay (acme)`.
    pub name: String,
    /// Whether work goes on.
    pub state: ConnectionState,
    /// Tasks that came to an end within the last minute, for all batches together.
    pub finished_in_a_minute: u64,
    /// `4.2 a second`, over the last minute or since work began in it; empty when nothing was finished.
    pub rate: String,
    /// The limit in force: `5 requests a second, 8 calls at once`.
    pub limit: String,
    /// Worker processes that share the limit now.
    pub workers: u64,
    /// When the batch will be through, or why that cannot be said; empty when nothing is left.
    pub eta: String,
}

/// Whether work goes on at a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConnectionState {
    /// As usual.
    Working,
    /// The gateway asked us to stay away for a while.
    Paused {
        /// Since when.
        since: DisplayTime,
        /// Until when.
        until: DisplayTime,
        /// One sentence.
        reason: String,
    },
    /// It does not answer well: the breaker is open, and it is tried again and again.
    Trouble {
        /// Since when.
        since: DisplayTime,
        /// What it said last, one sentence.
        reason: String,
    },
    /// Nothing is sent until a person lets it.
    Stopped {
        /// Since when; none when that is not known.
        since: Option<DisplayTime>,
        /// Why, one sentence.
        reason: String,
    },
}
