//! What people do with a batch, as plain forms: each answers 303 to the page, or the page with the refusal on it.

use super::{
    Web,
    address::PathId,
    cookies, error,
    form::Form,
    redirects,
    render::Page,
    request_context::{RequestContext, SignedIn},
};
use crate::{
    domain::{
        error::RefusalKind,
        ids::{BatchId, PersonId},
        money::group,
        operation::Operation,
        view::Flash,
    },
    server::{
        error::{OpError, OpResult},
        ops::{access::Caller, batches},
    },
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Redirect, Response},
};

/// What a form does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchAction {
    Sync,
    Withdraw,
    Pause,
    Resume,
    Cancel,
}

impl BatchAction {
    pub(super) const ALL: [Self; 5] = [Self::Sync, Self::Withdraw, Self::Pause, Self::Resume, Self::Cancel];

    /// The last part of the form's address.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Withdraw => "withdraw",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }

    /// Does it; the sentence tells what was done.
    async fn perform(
        self,
        web: &Web,
        caller: &Caller,
        operation: Operation,
        batch: BatchId,
        form: &Form,
    ) -> OpResult<String> {
        Ok(match self {
            Self::Sync => return batches::sync(web, caller, operation, batch).await.map(|report| report.message),
            Self::Withdraw => {
                batches::withdraw(web, caller, operation, batch).await?;
                "The request was withdrawn. Nothing was sent."
            }
            Self::Pause => {
                batches::pause(web, caller, operation, batch, form.get("reason")).await?;
                "The batch is paused. Nothing new is sent; calls on the wire finish."
            }
            Self::Resume => {
                batches::resume(web, caller, operation, batch).await?;
                "The batch goes on."
            }
            Self::Cancel => {
                batches::cancel(web, caller, operation, batch).await?;
                "The batch was cancelled. What had not been sent will not be sent."
            }
        }
        .to_owned())
    }
}

/// `POST /batch/batch-refunds/{id}/sync` and its neighbours.
pub(super) async fn act(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(id): PathId,
    operation: Operation,
    act: BatchAction,
    form: Form,
) -> Response {
    let Ok(batch) = id.parse::<BatchId>() else {
        return error::error_response(&web, &visit, &OpError::not_found("batch")).await;
    };
    let page = format!("{}/{batch}", operation.path());
    match act.perform(&web, &caller, operation, batch, &form).await {
        Ok(notice) => {
            let next = form.find("next").and_then(redirects::local).unwrap_or(&page);
            done(&web, caller.person.id, next, &notice)
        }
        Err(error) => refused_on_page(&web, &visit, &page, error, Flash::default()).await,
    }
}

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
        return error::error_response(web, visit, &error).await;
    }
    error::log(&visit.request_id, &error);
    let flash = Flash { error: Some(error.refusal.message.clone()), ..flash };
    let page = Page::new(path).refused(&error).flash(flash).without_hydration();
    page.render(web, visit).await
}
