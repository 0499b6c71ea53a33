//! Pages: who may see which. A page is decided on before Leptos starts, so that its status is right, and sent when it is
//! whole, so that it works without JavaScript.

use super::{
    Web,
    access::Access,
    address::{self, PathId},
    body, cookies, error, redirects,
    render::{self, Page, provide},
    request_context::{self, RequestContext},
};
use crate::{
    api::ApiError,
    domain::{
        access::Right,
        error::{Refusal, RefusalKind},
        ids::BatchId,
        operation::Operation,
    },
    server::{
        error::{OpError, OpResult},
        ops::{self, access::Caller},
    },
};
use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};

/// What a page needs before it is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub need: Access,
    /// Whether the address names a batch, and of which operation; it must be there.
    pub batch: Option<Option<Operation>>,
    /// Whether the browser takes the page over. A server page has no part in the browser: it is plain HTML and forms,
    /// and every link to it is `rel="external"`.
    pub hydrate: bool,
}

/// `GET` of a page.
pub(super) async fn show(
    State(web): State<Web>,
    visit: RequestContext,
    PathId(id): PathId,
    rule: Rule,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let Some(caller) = &visit.caller else {
        return match rule.need {
            Access::Anyone => present_page(&web, &visit, target, rule).await,
            _ => request_context::signed_out(&parts),
        };
    };
    if parts.uri.path() == "/login" {
        return Redirect::to(redirects::after_sign_in(next_of(&parts.uri).as_deref())).into_response();
    }
    if let Err(error) = admit(&web, caller, rule, &id).await.and_then(|()| address::check_query(&parts.uri)) {
        return render::error_response(&web, &visit, &error).await;
    }
    present_page(&web, &visit, target, rule).await
}

async fn present_page(web: &Web, visit: &RequestContext, target: &str, rule: Rule) -> Response {
    let page = Page::new(target);
    let page = if rule.hydrate { page } else { page.without_hydration() };
    let mut response = page.render(web, visit).await;
    if let Some(cookie) = cookies::clear_flash(web, &visit.headers) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `next` of a query string.
fn next_of(uri: &Uri) -> Option<String> {
    let query = uri.query()?.as_bytes();
    url::form_urlencoded::parse(query).find_map(|(name, value)| (name == "next").then(|| value.into_owned()))
}

/// Refuses who may not see the page, and batches that are not there. A batch of another organisation is not there.
async fn admit(web: &Web, caller: &Caller, rule: Rule, id: &str) -> OpResult<()> {
    rule.need.check(caller)?;
    let Some(operation) = rule.batch else { return Ok(()) };
    let missing = || OpError::not_found("batch");
    let batch: BatchId = id.parse().map_err(|_| missing())?;
    let (of, _) = ops::batches::locate(web, caller, batch, Right::Read).await?;
    match operation {
        Some(operation) if operation != of => Err(missing()),
        _ => Ok(()),
    }
}

/// Any address that nobody serves.
pub(super) async fn missing(State(web): State<Web>, visit: RequestContext, method: Method) -> Response {
    let error = OpError::refuse(RefusalKind::NotFound, "There is no page at this address.");
    if method.is_safe() { render::error_response(&web, &visit, &error).await } else { error::problem_details(&error) }
}

/// A server function. Whoever is not signed in, or may not call it, does not reach it.
pub(super) async fn server_function(
    State(web): State<Web>,
    visit: RequestContext,
    need: Access,
    mut request: Request,
) -> Response {
    let admitted = match &visit.caller {
        Some(caller) => need.check(caller),
        None if need == Access::Anyone => Ok(()),
        None => Err(OpError::refuse(RefusalKind::SignedOut, "You are signed out. Sign in and try again.")),
    };
    if let Err(error) = admitted {
        return api_error(error.refusal);
    }
    // Called by our pages only, which read the answer themselves; nobody is to be sent back to a page.
    request.headers_mut().remove(header::REFERER);
    request.headers_mut().remove(header::ACCEPT);
    let (parts, body) = request.into_parts();
    let read = Request::from_parts(parts.clone(), body);
    let input = match body::small(read, "application/json").await {
        Ok(input) => input,
        Err(error) => return api_error(error.refusal),
    };
    let request = Request::from_parts(parts, Body::from(input));
    let (state, caller) = (web.app.clone(), visit.caller);
    leptos_axum::handle_server_fns_with_context(move || provide(&state, &caller), request).await.into_response()
}

/// A refusal in the form that server functions answer with.
fn api_error(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(ApiError { refusal })).into_response()
}
