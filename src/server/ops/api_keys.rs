//! API keys: who calls the machine interface.

use super::access::Caller;
use crate::server::{error::OpResult, state::AppState};

/// The caller behind a bearer key; none when there is no such key.
pub async fn authenticate(state: &AppState, key: &str) -> OpResult<Option<Caller>> {
    let _ = (state, key);
    todo!()
}
