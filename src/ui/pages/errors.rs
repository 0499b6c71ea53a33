//! What a person sees instead of a page.

use crate::ui::{
    components::{LinkButton, Title},
    context::ErrorPage,
};
use leptos::prelude::*;

/// What happened, in a heading.
const fn heading(status: u16) -> &'static str {
    match status {
        401 => "You are signed out",
        403 => "You may not open this",
        404 => "There is nothing at this address",
        405 => "This address does not take that",
        409 => "This has changed in the meantime",
        413 => "Too large",
        422 | 415 | 400 => "That could not be understood",
        429 => "Too many requests",
        503 => "Batchdesk is not ready",
        _ => "Something went wrong on our side",
    }
}

/// An error that the server decided before there was a page.
#[component]
pub fn ErrorContent(
    /// What happened.
    error: ErrorPage,
) -> impl IntoView {
    let title = heading(error.status);
    view! {
        <Title text=title />
        <div class="head">
            <h1>{title}</h1>
            <p>{error.message}</p>
        </div>
        <div class="stack">
            <div class="row">
                <LinkButton href="/".to_owned()>"Go to Home"</LinkButton>
            </div>
            <p class="small dim">
                "Error " {error.status} {(!error.request_id.is_empty()).then_some(" · request ")}
                <span class="id">{error.request_id}</span>
            </p>
        </div>
    }
    .into_any()
}

/// An address without a page.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    let error = ErrorPage {
        status: 404,
        message: "The link may be old, or the address mistyped.".to_owned(),
        request_id: String::new(),
    };
    view! { <ErrorContent error=error /> }
}
