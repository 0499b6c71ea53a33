//! The web part: plain routes, the pages, the machine interface.

use super::state::AppState;

/// Every route of the web part, with its layers.
pub fn router(state: AppState) -> axum::Router {
    let _ = state;
    axum::Router::new()
}
