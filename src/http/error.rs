//! How a refusal leaves the web part: one mapping from [`OpError`] to a status, for pages and for machines.

use crate::{domain::error::RefusalKind, server::error::OpError};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// The status of a refusal.
pub(super) fn status(error: &OpError) -> StatusCode {
    StatusCode::from_u16(error.refusal.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Seconds after which it is worth trying again.
pub(super) fn retry_after(error: &OpError) -> Option<u32> {
    error.retry_after.or((error.refusal.kind == RefusalKind::Unavailable).then_some(5))
}

/// Writes what the person is not told into the log. Called once for each error that leaves.
pub(super) fn log(request_id: &str, error: &OpError) {
    if error.context.is_some() {
        tracing::error!(request_id, error = %error, "http.failed");
    }
}

/// `application/problem+json` (RFC 9457) with our code.
pub(super) fn problem_details(error: &OpError) -> Response {
    let status = status(error);
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": error.refusal.kind.code(),
        "detail": error.refusal.message,
    });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = retry_after(error) {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A 500 that needs nothing to work, when a page cannot be made.
pub(super) fn plain_internal() -> Response {
    let text = "Something went wrong on our side. Try again; if it stays, tell your administrator.\n";
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}
