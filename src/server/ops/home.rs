//! The first page after sign-in.

use super::access::Caller;
use crate::{
    domain::view::Home,
    server::{error::OpResult, state::AppState},
};

/// Numbers and the newest batches, of the modules the caller may read.
pub async fn home(state: &AppState, caller: &Caller) -> OpResult<Home> {
    let _ = (state, caller);
    todo!()
}
