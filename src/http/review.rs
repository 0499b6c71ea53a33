//! Proposals, confirmations and acknowledgements in review, as plain forms. What was typed is never lost.

use super::{
    Web,
    address::PathId,
    form::Form,
    render,
    reply::{done, refused_on_page},
    request_context::{RequestContext, SignedIn},
    step_up::prove_if_given,
};
use crate::{
    domain::{access::Right, error::RefusalKind, ids::BatchId, view::Flash},
    server::{
        error::OpError,
        ops::{
            access::Caller,
            batches,
            refused::Refused,
            review::{self, Finding, ProposalKey, ProposedRow, ReviewDecision},
        },
    },
};
use axum::{extract::State, response::Response};
use uuid::Uuid;

/// What a form does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReviewAction {
    Propose,
    Decide,
    Withdraw,
    Acknowledge,
}

impl ReviewAction {
    pub(super) const ALL: [Self; 4] = [Self::Propose, Self::Decide, Self::Withdraw, Self::Acknowledge];

    /// The end of its address.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Decide => "answer",
            Self::Withdraw => "withdraw",
            Self::Acknowledge => "acknowledge",
        }
    }
}

/// `POST /review/{batch_id}/…`.
pub(super) async fn act(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(id): PathId,
    act: ReviewAction,
    form: Form,
) -> Response {
    let Ok(batch) = id.parse::<BatchId>() else {
        return render::error_response(&web, &visit, &OpError::not_found("batch")).await;
    };
    let page = format!("/review?batch={batch}");
    match perform(&web, &visit, caller.clone(), batch, act, &form).await {
        Ok(notice) => done(&web, caller.person.id, &page, &notice),
        Err((error, field)) => {
            let typed = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let flash = Flash {
                error: None,
                notice: None,
                field: field.map(|field| format!("{}-{field}", act.path())),
                values: form.pairs().filter(|(name, _)| *name != "password").map(typed).collect(),
            };
            refused_on_page(&web, &visit, &page, error, flash).await
        }
    }
}

async fn perform(
    web: &Web,
    visit: &RequestContext,
    caller: Caller,
    batch: BatchId,
    act: ReviewAction,
    form: &Form,
) -> Result<String, Refused> {
    let plain = |error| (error, None);
    match act {
        ReviewAction::Propose => {
            let finding = Finding::ALL.into_iter().find(|finding| finding.code() == form.get("finding"));
            let rows = form.all("row").filter_map(|row| proposed(row, form)).collect::<Vec<_>>();
            let Some(finding) = finding else {
                // The rights come first, whatever else is wrong.
                batches::locate(web, &caller, batch, Right::ReadWrite).await.map_err(plain)?;
                let error = OpError::refuse(RefusalKind::Invalid, "Choose what became of them.");
                return Err((error, Some("finding")));
            };
            let n = review::propose(web, &caller, batch, finding, &rows, form.get("reason")).await?;
            Ok(format!("Proposed for {}. Another person confirms or rejects it.", review::refunds(n)))
        }
        ReviewAction::Decide => {
            batches::locate(web, &caller, batch, Right::Approve).await.map_err(plain)?;
            let answer = match form.get("answer") {
                "confirm" => ReviewDecision::Confirm,
                "reject" => ReviewDecision::Reject,
                _ => return Err(plain(OpError::refuse(RefusalKind::Invalid, "Choose Confirm or Reject."))),
            };
            let proposals = proposals(form);
            let caller = prove_if_given(web, visit, caller, form).await?;
            let n = review::close(web, &caller, batch, answer, &proposals, form.get("note")).await?;
            Ok(match answer {
                ReviewDecision::Confirm => format!("Confirmed for {}. It counts from now on.", review::refunds(n)),
                _ => format!("Rejected for {}. They wait for another proposal.", review::refunds(n)),
            })
        }
        ReviewAction::Withdraw => {
            let n = review::close(web, &caller, batch, ReviewDecision::Withdraw, &proposals(form), "").await?;
            Ok(format!("Withdrawn for {}. They wait for another proposal.", review::refunds(n)))
        }
        ReviewAction::Acknowledge => {
            let entry = form.get("entry").parse::<Uuid>().ok();
            review::acknowledge(web, &caller, batch, entry, form.get("note")).await?;
            Ok("Acknowledged. Your note stands beside it.".to_owned())
        }
    }
}

/// `7.1.<seen>`: S.No, revision, and where it stood when it was shown.
fn proposed(row: &str, form: &Form) -> Option<ProposedRow> {
    let (name, seen) = row.rsplit_once('.')?;
    let (number, revision) = name.split_once('.')?;
    Some(ProposedRow {
        row: number.parse().ok()?,
        revision: revision.parse().ok()?,
        seen: seen.to_owned(),
        reference: form.get(&format!("reference-{name}")).to_owned(),
    })
}

/// `7.1.2`: S.No, revision, number of the proposal.
fn proposals(form: &Form) -> Vec<ProposalKey> {
    let read = |text: &str| {
        let mut parts = text.split('.');
        let key = ProposalKey {
            row: parts.next()?.parse().ok()?,
            revision: parts.next()?.parse().ok()?,
            n: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(key)
    };
    form.all("proposal").filter_map(read).collect()
}
