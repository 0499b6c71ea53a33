//! Whether the process lives, and whether it can do its work.

use super::Web;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::time::Duration;

/// A database that does not answer within this time is not ready.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// `GET /healthz`: the process lives.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers and is migrated, and the process is not on its way out.
pub(super) async fn ready(State(web): State<Web>) -> Response {
    if web.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match tokio::time::timeout(MAX_WAIT, web.db.ready()).await {
        Ok(Ok(true)) => "ready\n".into_response(),
        Ok(Ok(false)) => (StatusCode::SERVICE_UNAVAILABLE, "the database is not migrated\n").into_response(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "readyz.failed");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response(),
    }
}
