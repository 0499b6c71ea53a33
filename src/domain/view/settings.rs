//! What the settings pages show.

use super::{OrganisationRef, connections::Sending, settings_change::Changes};
use crate::operation::Operation;

/// The organisation's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name, currency, zone.
    pub organisation: OrganisationRef,
    /// Data rows of a file, at most.
    pub row_limit: u32,
    /// The highest row limit that the operator allows.
    pub most_rows: u32,
    /// Days until a batch that waits for a decision expires.
    pub approval_days: u32,
    /// Which operations need the decision of a second person.
    pub approvals: Vec<(Operation, bool)>,
    /// Whether anything is sent.
    pub sending: Sending,
    /// Where synchronised orders are told; none while they are kept here.
    pub external: Option<External>,
    /// What waits for a second administrator.
    pub changes: Changes,
    /// Whether the reader may change them.
    pub may_change: bool,
}

/// The external system of Batch Sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Its address.
    pub url: String,
    /// Whether anything is sent there.
    pub enabled: bool,
}
