//! The money protocol at work: claim, intend, send, settle, resolve.

use super::state::AppState;
use tokio_util::sync::CancellationToken;

/// Runs until `soft` is set, then drains: nothing new is claimed, calls on the wire finish and are recorded, leases are given
/// back. `hard` ends it at once; what was on the wire is asked after by whoever claims it next.
pub async fn run(state: AppState, soft: CancellationToken, hard: CancellationToken) {
    let _ = (state, soft, hard);
}
