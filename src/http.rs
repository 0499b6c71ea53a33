//! The web part: sign-in, the pages, plain forms, files, live events and the HTTP API.
//!
//! Every route is registered in one place ([`routes::table`]) together with what it needs, so that nothing can be
//! served that the access matrix does not know.

mod access;
mod address;
mod api;
mod approvals;
mod authenticate;
mod batches;
mod body;
mod connections;
mod cookies;
mod downloads;
mod error;
mod events;
mod form;
mod health;
mod notices;
mod orders;
mod pages;
mod redirects;
mod render;
mod reply;
mod request_context;
mod retries;
mod review;
mod routes;
mod security;
mod session;
mod settings;
mod settings_changes;
mod sign_in;
pub mod site;
mod step_up;
mod unread;
mod upload;

pub use access::Access;
pub use events::{HEARTBEAT, STREAMS_PER_SESSION};
pub use routes::{Route, RouteKind};
pub use session::{ABSOLUTE, IDLE, POLL_HEADER};

use crate::server::state::AppState;
use std::sync::Arc;

/// What handlers of the web part share: the server's state, and what only this part has.
#[derive(Clone)]
pub(crate) struct Web {
    app: AppState,
    streams: Arc<events::Streams>,
    uploads: Arc<upload::Budget>,
    store: session::Store,
}

impl std::ops::Deref for Web {
    type Target = AppState;
    fn deref(&self) -> &AppState {
        &self.app
    }
}

impl Web {
    fn new(app: AppState) -> Self {
        Self { store: session::Store::new(app.clone()), streams: Arc::default(), uploads: Arc::default(), app }
    }

    /// Whether people reach Batchdesk over https, so that cookies may be bound to it.
    fn https(&self) -> bool {
        self.config.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}

/// Every route of the web part, with its layers.
pub fn router(state: AppState) -> axum::Router {
    let web = Web::new(state);
    let (routers, _) = routes::table();
    security::around(&web, routers)
}

/// Every route of the web part and what it needs, for the access matrix.
pub fn routes() -> Vec<Route> {
    routes::table().1
}
