//! What a route knows of a request before it looks at its own input: extractors hand it on.

use super::{
    Web, error, redirects,
    session::{SessionData, SessionHash},
};
use crate::{
    domain::view::{Flash, PageContext, Theme},
    server::{
        error::{OpError, OpResult},
        ops::{self, access::Caller},
    },
};
use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, Method, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use std::{convert::Infallible, sync::Arc};
use tower_sessions::Session;

/// The name of a request in answers and in the log.
#[derive(Clone, Debug)]
pub(super) struct RequestName(pub Arc<str>);

/// What a route knows of a request before it looks at its own input.
#[derive(Clone)]
pub(super) struct RequestContext {
    pub caller: Option<Caller>,
    pub session: Session,
    pub who: Option<SessionData>,
    pub hash: Option<SessionHash>,
    /// The network address of the other end, for limits on failed sign-ins.
    pub address: String,
    pub request_id: String,
    pub theme: Theme,
    /// A notice left by an earlier form.
    pub flash: Option<Flash>,
    /// The browser carries a flash cookie that is to be forgotten once a page was shown.
    pub headers: HeaderMap,
}

impl RequestContext {
    /// Whether the client asked for JSON rather than a page.
    pub(super) fn wants_json(&self) -> bool {
        wants_json(&self.headers)
    }

    /// What the pages know before any data is loaded.
    pub(super) async fn page_context(&self, web: &Web, flash: Option<Flash>) -> OpResult<PageContext> {
        let viewer = match &self.caller {
            Some(caller) => Some(ops::sessions::viewer(web, caller).await?),
            None => None,
        };
        Ok(PageContext { viewer, ..self.bare_context(web, flash) })
    }

    /// The same without the person, for pages that must not ask the database.
    pub(super) fn bare_context(&self, web: &Web, flash: Option<Flash>) -> PageContext {
        PageContext {
            viewer: None,
            theme: self.theme,
            flash: flash.or_else(|| self.flash.clone()).unwrap_or_default(),
            demo: web.config.demo,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Whether the client asked for JSON rather than a page.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.split(',').any(|kind| kind.trim().starts_with("application/json")))
}

impl FromRequestParts<Web> for RequestContext {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Self::Rejection> {
        // Missing only if a route was put outside of the layer that names callers.
        parts.extensions.get::<Self>().cloned().ok_or_else(error::plain_internal)
    }
}

impl OptionalFromRequestParts<Web> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// A visit of somebody who is signed in. Others are sent to the sign-in page, machines get 401.
pub(super) struct SignedIn {
    pub visit: RequestContext,
    pub caller: Caller,
}

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Self::Rejection> {
        let visit = <RequestContext as FromRequestParts<Web>>::from_request_parts(parts, web).await?;
        match visit.caller.clone() {
            Some(caller) => Ok(Self { visit, caller }),
            None => Err(signed_out(parts)),
        }
    }
}

/// The answer to somebody who is not signed in.
pub(super) fn signed_out(parts: &Parts) -> Response {
    let path = parts.uri.path();
    if wants_json(&parts.headers) || path == "/events" || path.starts_with("/api/") {
        return error::problem_details(&OpError::refuse(
            crate::domain::error::RefusalKind::SignedOut,
            "You are signed out. Sign in and try again.",
        ));
    }
    let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    Redirect::to(&redirects::to_sign_in(method, target)).into_response()
}
