//! Pages: who may see which, and how one is rendered. A page is decided on before Leptos starts, so that its status is
//! right, and sent when it is whole, so that it works without JavaScript.

use super::{
    Web,
    address::{self, PathId},
    body, cookies, error, redirects,
    request_context::{self, RequestContext},
    routes::{self, Access},
    security, session,
};
use crate::{
    api::ApiError,
    app::shell,
    domain::{
        access::Right,
        error::{Refusal, RefusalKind},
        ids::BatchId,
        operation::Operation,
        view::{Flash, PageContext},
    },
    server::{
        error::{OpError, OpResult},
        ops::{self, access::Caller},
        state::AppState,
    },
    ui::context::{ErrorPage, NoHydration, SessionTag},
};
use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

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
        return error::error_response(&web, &visit, &error).await;
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

/// A page that is to be rendered.
pub(super) struct Page<'a> {
    target: &'a str,
    status: StatusCode,
    flash: Option<Flash>,
    hydrate: bool,
    error: Option<ErrorPage>,
    /// Seconds after which it is worth trying again.
    retry_after: Option<u32>,
}

impl<'a> Page<'a> {
    /// The page at `target` (path and query).
    pub(super) fn new(target: &'a str) -> Self {
        Self { target, status: StatusCode::OK, flash: None, hydrate: true, error: None, retry_after: None }
    }

    /// Answers with this status.
    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Answers with the status of this refusal, and says when to come again where that is known.
    pub(super) fn refused(self, error: &OpError) -> Self {
        Self { status: error::status(error), retry_after: error::retry_after(error), ..self }
    }

    /// With what a form left to say.
    pub(super) fn flash(self, flash: Flash) -> Self {
        Self { flash: Some(flash), ..self }
    }

    /// As plain HTML: the address in the browser is that of the form, which has no page that could be hydrated.
    pub(super) fn without_hydration(self) -> Self {
        Self { hydrate: false, ..self }
    }

    /// Renders it for this visit.
    pub(super) async fn render(self, web: &Web, visit: &RequestContext) -> Response {
        match visit.page_context(web, self.flash.clone()).await {
            Ok(context) => self.with_context(web, visit, context).await,
            Err(error) => {
                error::log(&visit.request_id, &error);
                let page = Page { error: Some(error_page(&error, visit)), ..self }.refused(&error);
                page.with_context(web, visit, visit.bare_context(web, None)).await
            }
        }
    }

    async fn with_context(self, web: &Web, visit: &RequestContext, context: PageContext) -> Response {
        let Ok(request) = Request::builder().uri(self.target).body(Body::empty()) else {
            return error::plain_internal();
        };
        let (state, caller) = (web.app.clone(), visit.caller.clone());
        let (error, hydrate) = (self.error, self.hydrate);
        let tag = visit.hash.as_ref().map(session::tag);
        let provide = move || {
            provide(&state, &caller);
            provide_context(context.clone());
            if let Some(error) = error.clone() {
                provide_context(error);
            }
            if let Some(tag) = tag.clone() {
                provide_context(SessionTag(tag));
            }
            if !hydrate {
                provide_context(NoHydration);
            }
            if let (Some(nonce), Some(options)) = (leptos::nonce::use_nonce(), use_context::<ResponseOptions>())
                && let Ok(policy) = HeaderValue::try_from(security::policy(Some(&nonce)))
            {
                options.insert_header(header::CONTENT_SECURITY_POLICY, policy);
            }
        };
        let mut response = leptos_axum::render_app_async_with_context(provide, shell)(request).await;
        // A page that could not load its data has set a status of its own.
        if response.status().is_success() {
            *response.status_mut() = self.status;
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// What pages and server functions find in their context.
fn provide(state: &AppState, caller: &Option<Caller>) {
    provide_context(state.clone());
    provide_context(caller.clone());
}

/// The page that tells of a refusal, with its status.
pub(super) async fn error(web: &Web, visit: &RequestContext, error: &OpError) -> Response {
    let page = Page { error: Some(error_page(error, visit)), hydrate: false, ..Page::new("/") }.refused(error);
    // When the database is away, asking it who looks would fail once more.
    let context = match error.refusal.kind {
        RefusalKind::Unavailable | RefusalKind::Internal => visit.bare_context(web, None),
        _ => match visit.page_context(web, None).await {
            Ok(context) => context,
            Err(second) => {
                error::log(&visit.request_id, &second);
                visit.bare_context(web, None)
            }
        },
    };
    page.with_context(web, visit, context).await
}

fn error_page(error: &OpError, visit: &RequestContext) -> ErrorPage {
    ErrorPage {
        status: error.refusal.kind.status(),
        message: error.refusal.message.clone(),
        request_id: visit.request_id.clone(),
    }
}

/// Any address that nobody serves.
pub(super) async fn missing(State(web): State<Web>, visit: RequestContext, method: Method) -> Response {
    let error = OpError::refuse(RefusalKind::NotFound, "There is no page at this address.");
    if method.is_safe() { error::error_response(&web, &visit, &error).await } else { error::problem_details(&error) }
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

/// Which rule holds for the page at a route's path; none for a page that must not be served.
pub(super) fn rule(path: &str) -> Option<Rule> {
    routes::page_rule(path)
}
