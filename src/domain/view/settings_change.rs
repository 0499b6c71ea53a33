//! What the settings pages show of changes that wait for a second administrator.

use super::DisplayTime;
use crate::{ids::ChangeId, settings_change::Line};

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingChange {
    /// Which.
    pub id: ChangeId,
    /// What is asked for, one sentence.
    pub summary: String,
    /// From what to what.
    pub lines: Vec<Line>,
    /// What follows from it.
    pub consequence: &'static str,
    /// E-mail of who asked.
    pub proposer: String,
    /// When.
    pub at: DisplayTime,
    /// Why.
    pub reason: String,
    /// Until when it can be confirmed.
    pub expires: DisplayTime,
    /// Hash of what is shown, 64 hex digits.
    pub content_sha256: String,
    /// Whether the reader asked for it.
    pub own: bool,
}

/// What a form needs to know that changes settings, and what waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Newest last.
    pub waiting: Vec<WaitingChange>,
    /// Whether another administrator must confirm.
    pub second: bool,
    /// Whether the reader may ask and decide.
    pub may_change: bool,
    /// Whether the password is asked for (last proof older than 10 minutes).
    pub needs_password: bool,
    /// E-mail of the reader, for the keeper of passwords.
    pub viewer: String,
}
