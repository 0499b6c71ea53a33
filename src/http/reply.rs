//! What plain forms answer with: another page with a notice, or the same one with what is wrong.

use super::{Web, cookies, error, render, render::Page, request_context::RequestContext};
use crate::{
    domain::{error::RefusalKind, ids::PersonId, money::group, view::Flash},
    server::error::OpError,
};
use axum::{
    http::header,
    response::{IntoResponse, Redirect, Response},
};

/// What became of rows that were submitted. `one` and `many`: how they are called and what happens to them when nobody
/// must decide.
pub(super) fn submitted(records: u64, waits: bool, one: [&str; 2], many: [&str; 2]) -> String {
    let number = group(records, true);
    match (records, waits) {
        (1, true) => format!("1 {} waits for a decision. Nothing is sent before it.", one[0]),
        (1, false) => format!("1 {} {}", one[0], one[1]),
        (_, true) => format!("{number} {} wait for a decision. Nothing is sent before it.", many[0]),
        (_, false) => format!("{number} {} {}", many[0], many[1]),
    }
}

/// 303 to `next`, with a notice for the page there.
pub(super) fn done(web: &Web, person: PersonId, next: &str, notice: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = cookies::set_flash(web, person, notice) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The page at `path` with the refusal on it and what had been typed; an error page when the page itself cannot be
/// shown.
pub(super) async fn refused_on_page(
    web: &Web,
    visit: &RequestContext,
    path: &str,
    error: OpError,
    flash: Flash,
) -> Response {
    let on_page = matches!(
        error.refusal.kind,
        RefusalKind::Conflict | RefusalKind::Changed | RefusalKind::Invalid | RefusalKind::TooMany
    );
    if !on_page || visit.wants_json() {
        return render::error_response(web, visit, &error).await;
    }
    error::log(&visit.request_id, &error);
    let flash = Flash { error: Some(error.refusal.message.clone()), ..flash };
    let page = Page::new(path).refused(&error).flash(flash).without_hydration();
    page.render(web, visit).await
}
