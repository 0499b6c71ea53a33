//! What the pages of gateway connections show. They are rendered on the server only.

use super::{DisplayTime, settings_change::Changes};
use crate::ids::GatewayId;

/// Whether anything is sent to a connection, or for the whole organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// As usual.
    On,
    /// A person paused it.
    Paused {
        /// E-mail of who did.
        by: String,
        /// Since when.
        since: DisplayTime,
        /// What they wrote.
        reason: String,
    },
    /// Batchdesk stopped it by itself.
    Stopped {
        /// Since when.
        since: DisplayTime,
        /// Why, one sentence.
        reason: String,
    },
}

/// A connection in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRow {
    /// Which.
    pub id: GatewayId,
    /// `Juspay (acme)`.
    pub name: String,
    /// `Juspay`.
    pub connector: String,
    /// Where it answers.
    pub base_url: String,
    /// The merchant's id there.
    pub merchant_id: String,
    /// Whether it moves no real money.
    pub sandbox: bool,
    /// Whether new batches use it.
    pub chosen: bool,
    /// Whether it sends.
    pub sending: Sending,
    /// `K`, `Q` or `N`.
    pub class: String,
    /// What that rests on: `measured on 20 Nov 2026, 18:13:00 IST`.
    pub class_ground: String,
    /// How long keys are remembered: `24 hours`; empty below class K.
    pub key_window: String,
    /// Requests on the wire; none means the operator's default.
    pub concurrency: Option<u32>,
    /// Requests a second; none means no limit.
    pub rate_limit: Option<u32>,
    /// Requests at once after a rest; none means evenly spaced.
    pub rate_burst: Option<u32>,
    /// When it was added.
    pub added: DisplayTime,
}

/// A call of a measurement and what it proved.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProbeStep {
    /// What was done: `The same request again, with the same key`.
    pub call: String,
    /// What came back, in words.
    pub seen: String,
    /// What that proves: `proved`, `disproved`, `open` (not tried, or not to be told), or `seen` where nothing hangs on
    /// it.
    pub verdict: String,
}

/// What a class rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// When.
    pub at: DisplayTime,
    /// By whom.
    pub actor: String,
    /// Measured, or declared by the operator.
    pub measured: bool,
    /// Whether it is about the account as it is now.
    pub current: bool,
    /// `K`, `Q` or `N`.
    pub class: String,
    /// The order that the calls were made on; empty when declared.
    pub order_id: String,
    /// The calls.
    pub steps: Vec<ProbeStep>,
}

/// The page of all connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// The one for new batches first.
    pub rows: Vec<ConnectionRow>,
    /// Whether the whole organisation sends.
    pub organisation: Sending,
    /// What waits for a second administrator.
    pub changes: Changes,
    /// Whether the person may change anything.
    pub may_change: bool,
}

/// The page of one connection, or of a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPage {
    /// The connection; none on the page that adds one.
    pub row: Option<ConnectionRow>,
    /// Name and label of the connectors that there are.
    pub connectors: Vec<(String, String)>,
    /// Batches that run, are paused, or wait for a decision on it.
    pub open_batches: u64,
    /// What its class rests on, newest first.
    pub capabilities: Vec<Capability>,
    /// Requests on the wire where the connection sets none.
    pub default_concurrency: u32,
    /// Whether the person may change anything.
    pub may_change: bool,
    /// What waits for a second administrator, and what the forms need to know of the reader.
    pub changes: Changes,
}
