//! What people do with a batch, as plain forms: each answers 303 to the page, or the page with the refusal on it.

use super::{
    Web,
    address::PathId,
    form::Form,
    redirects, render,
    reply::{done, refused_on_page},
    request_context::SignedIn,
};
use crate::{
    domain::{ids::BatchId, operation::Operation, view::Flash},
    server::{
        error::{OpError, OpResult},
        ops::{access::Caller, batches},
    },
};
use axum::{extract::State, response::Response};

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
        return render::error_response(&web, &visit, &OpError::not_found("batch")).await;
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
