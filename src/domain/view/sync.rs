//! What pages show of a sync.

use serde::{Deserialize, Serialize};

/// What became of one order of a sync. Blank while it is queued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncTask {
    /// Unique Request ID as uploaded; may be empty.
    pub unique_request_id: String,
    /// SYNCED, NOT SYNCED, or empty.
    pub sync_status: String,
    /// `HTTP 200 …`, `Stored in Batchdesk`, or empty.
    pub external_response: String,
    /// SYNCED, FAILED, NOT REQUESTED, or empty.
    pub gateway_status: String,
}
