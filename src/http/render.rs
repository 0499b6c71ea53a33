//! How a page of the application is rendered: whole, with what it finds in its context, and with its status.

use super::{Web, error, request_context::RequestContext, session};
use crate::{
    app::shell,
    domain::{
        error::RefusalKind,
        view::{Flash, PageContext},
    },
    server::{error::OpError, ops::access::Caller, state::AppState},
    ui::context::{ErrorPage, NoHydration, SessionTag},
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

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
                let page = Page { error: Some(error_view(&error, visit)), ..self }.refused(&error);
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
                && let Ok(policy) = HeaderValue::try_from(content_policy(Some(&nonce)))
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
pub(super) fn provide(state: &AppState, caller: &Option<Caller>) {
    provide_context(state.clone());
    provide_context(caller.clone());
}

/// The answer to a failed request: an error page, or a problem for machines.
pub(super) async fn error_response(web: &Web, visit: &RequestContext, refused: &OpError) -> Response {
    error::log(&visit.request_id, refused);
    if visit.wants_json() {
        return error::problem_details(refused);
    }
    error_page(web, visit, refused).await
}

/// The page that tells of a refusal, with its status.
async fn error_page(web: &Web, visit: &RequestContext, error: &OpError) -> Response {
    let page = Page { error: Some(error_view(error, visit)), hydrate: false, ..Page::new("/") }.refused(error);
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

fn error_view(error: &OpError, visit: &RequestContext) -> ErrorPage {
    ErrorPage {
        status: error.refusal.kind.status(),
        message: error.refusal.message.clone(),
        request_id: visit.request_id.clone(),
    }
}

/// The content security policy; with the nonce of a page for its own scripts.
pub(super) fn content_policy(nonce: Option<&str>) -> String {
    let nonce = nonce.map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    format!(
        "default-src 'self'; script-src 'self'{nonce} 'wasm-unsafe-eval'; style-src 'self'; worker-src 'self'; \
         object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_no_inline_code_but_that_of_the_nonce() {
        assert!(!content_policy(None).contains("nonce") && !content_policy(None).contains("unsafe-inline"));
        assert!(content_policy(Some("abc")).contains("script-src 'self' 'nonce-abc' 'wasm-unsafe-eval';"));
    }
}
