//! What the settings pages show.

use super::OrganisationRef;
use crate::domain::batch::Operation;

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
    /// Whether the reader may change them.
    pub may_change: bool,
}
