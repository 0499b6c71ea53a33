//! The HTTP API, version 1: bearer keys, JSON, problems with codes.

use super::super::{Web, address::PathId, error};
use crate::{
    domain::{error::RefusalKind, ids::BatchId, view::BatchSnapshot},
    server::{
        error::{OpError, OpResult},
        ops::{self, access::Caller},
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// `GET /api/v1/batches/{id}`.
pub(in crate::http) async fn batch(State(web): State<Web>, headers: HeaderMap, PathId(id): PathId) -> Response {
    match find(&web, &headers, &id).await {
        Ok(snapshot) => Json(snapshot).into_response(),
        Err(error) => {
            error::log("", &error);
            let mut response = error::problem_details(&error);
            if response.status() == StatusCode::UNAUTHORIZED {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            response
        }
    }
}

async fn find(web: &Web, headers: &HeaderMap, id: &str) -> OpResult<BatchSnapshot> {
    let caller = caller(web, headers).await?;
    let batch: BatchId = id.parse().map_err(|_| OpError::not_found("batch"))?;
    ops::batches::snapshot(web, &caller, batch).await
}

async fn caller(web: &Web, headers: &HeaderMap) -> OpResult<Caller> {
    let refused = || OpError::refuse(RefusalKind::SignedOut, "Send a valid key as `Authorization: Bearer …`.");
    let key = bearer(headers).ok_or_else(refused)?;
    ops::api_keys::authenticate(web, key).await?.ok_or_else(refused)
}

/// The key in the header, if there is one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty() && key.len() <= 256).then_some(key)
}
