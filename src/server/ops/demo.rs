//! The people and organisations of the demo. They exist only there.

use crate::server::{error::OpResult, state::AppState};
use url::Url;

/// Password of everybody in the demo.
pub const PASSWORD: &str = "batchdesk-demo";

/// Makes organisations, people, API keys and connections to the simulator at `simulator`, once; later starts only bring the
/// simulator's address up to date. Sample batches are made the first time.
pub async fn seed(state: &AppState, simulator: &Url) -> OpResult<()> {
    let _ = (state, simulator);
    todo!()
}
