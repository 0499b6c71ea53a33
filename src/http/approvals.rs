//! The decision of a checker, as a plain form. What was typed is never lost: a refusal of it answers with the same
//! page.

use super::{
    Web,
    address::PathId,
    error,
    form::Form,
    render::{self, Page},
    reply::done,
    request_context::{RequestContext, SignedIn},
    step_up::prove_if_given,
};
use crate::{
    domain::{error::RefusalKind, ids::BatchId, view::Flash},
    server::{
        error::OpError,
        ops::{
            access::Caller,
            approvals::{self, Decision, Verdict},
            refused::Refused,
        },
    },
};
use axum::{extract::State, response::Response};

/// `POST /approvals/{batch_id}`.
pub(super) async fn decide(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(id): PathId,
    form: Form,
) -> Response {
    let Ok(batch) = id.parse::<BatchId>() else {
        return render::error_response(&web, &visit, &OpError::not_found("batch")).await;
    };
    let (path, person) = (format!("/approvals/{batch}"), caller.person.id);
    match perform(&web, &visit, caller, batch, &form).await {
        Ok(notice) => done(&web, person, &path, &notice),
        Err((error, field)) => {
            let no_page = matches!(error.refusal.kind, RefusalKind::NotFound | RefusalKind::Forbidden);
            if no_page || visit.wants_json() {
                return render::error_response(&web, &visit, &error).await;
            }
            error::log(&visit.request_id, &error);
            let typed = |name: &str| (name.to_owned(), form.get(name).to_owned());
            let flash = Flash {
                error: Some(error.refusal.message.clone()),
                notice: None,
                field: field.map(str::to_owned),
                values: vec![typed("reason"), typed("decision")],
            };
            Page::new(&path).refused(&error).flash(flash).render(&web, &visit).await
        }
    }
}

async fn perform(
    web: &Web,
    visit: &RequestContext,
    caller: Caller,
    batch: BatchId,
    form: &Form,
) -> Result<String, Refused> {
    let caller = prove_if_given(web, visit, caller, form).await?;
    let decision = Decision {
        verdict: Verdict::from_code(form.get("decision")),
        content_hash: form.get("content_hash").to_owned(),
        reason: form.get("reason").to_owned(),
    };
    let (verdict, file_name) = approvals::decide(web, &caller, batch, decision).await?;
    Ok(match verdict {
        Verdict::Approve => format!("You approved {file_name}. It is being carried out."),
        Verdict::Reject => format!("You rejected {file_name}. Nothing was sent."),
    })
}
