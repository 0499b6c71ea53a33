//! Approvals: the inbox, and the page of a decision.

pub mod decision;
pub mod evidence;
pub mod inbox;
pub mod retry;

pub use inbox::ApprovalsPage;

use crate::{
    api::{ApiError, approvals::load_approval},
    domain::{
        batch::BatchStatus,
        error::{Refusal, RefusalKind},
        ids::BatchId,
        money::Money,
        view::{ApprovalDetail, DecisionView, Flash},
    },
    ui::{
        components::{Banner, BatchStatusBadge, LinkButton, LoadFailed, MoneyView, Size, TimeView, Title},
        hooks::{
            live::use_live_batch,
            page::{flash, page_context},
            url::here,
        },
        pages::batches::detail::{fresh::refetch_while_moving, labels::things},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page of a decision.
#[component]
pub fn ApprovalPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").and_then(|id| id.parse::<BatchId>().ok()));
    let address = here();
    let loading = Resource::new_blocking(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => load_approval(id).await,
                None => Err(ApiError {
                    refusal: Refusal::new(
                        RefusalKind::NotFound,
                        "There is no request with this ID in this organisation.",
                    ),
                }),
            }
        },
    );
    // Somebody else may decide, or the maker take it back, while this page is read.
    let live = use_live_batch(id.into());
    let fresh = refetch_while_moving(live.snapshot, move || loading.refetch());
    let flash = flash();
    let viewer = page_context().viewer.map(|viewer| viewer.person.email).unwrap_or_default();
    view! {
        <Transition>
            {move || {
                let (flash, viewer) = (flash.clone(), viewer.clone());
                Suspend::new(async move {
                    match loading.await {
                        Ok(detail) => {
                            fresh.loaded(detail.snapshot.clone());
                            view! { <Request detail flash viewer/> }.into_any()
                        }
                        Err(error) => {
                            fresh.failed();
                            not_loaded(error.refusal, address.get_untracked())
                        }
                    }
                })
            }}
        </Transition>
    }
    .into_any()
}

fn not_loaded(refusal: Refusal, address: String) -> AnyView {
    let title = match refusal.kind {
        RefusalKind::NotFound => "No such request",
        RefusalKind::Forbidden => "You may not open this request",
        RefusalKind::SignedOut => "You are signed out",
        _ => "The request could not be loaded",
    };
    let body = match refusal.kind {
        RefusalKind::NotFound | RefusalKind::Forbidden => {
            let all = view! { <LinkButton href="/approvals".to_owned() size=Size::Small>"All approvals"</LinkButton> };
            let all: AnyView = all.into_any();
            view! { <Banner tone="neutral" actions=Box::new(move || all)>{refusal.message}</Banner> }.into_any()
        }
        _ => view! { <LoadFailed what="The request" refusal address/> }.into_any(),
    };
    view! {
        <Title text=title/>
        <div class="head"><div class="head-title"><h1>{title}</h1></div></div>
        {body}
    }
    .into_any()
}

/// What a decision is about, and the form that makes it. Knows no routes, so it can be rendered from data alone.
#[component]
pub fn Request(
    /// What the checker is shown.
    detail: ApprovalDetail,
    /// What an earlier try left to say.
    flash: Flash,
    /// E-mail of the signed-in person.
    viewer: String,
) -> impl IntoView {
    let snapshot = detail.snapshot.clone();
    let operation = snapshot.operation;
    let labels = operation.labels();
    let kind = labels.title;
    let total = Money::new(snapshot.sums().total, snapshot.sums().currency);
    let about = things(operation, snapshot.records);
    let submitted = detail.submitted.clone();
    let again = detail.retry.as_ref().map(|retry| format!(", failed rows again (retry {})", retry.number));
    let expires = detail.expires.clone().filter(|_| snapshot.status == BatchStatus::AwaitingApproval);
    let can_decide = detail.can_decide;
    view! {
        <Title text=format!("{} – Approvals", snapshot.file_name)/>
        <div class="head">
            <div class="head-title">
                <h1>{snapshot.file_name.clone()}</h1>
                <BatchStatusBadge status=snapshot.status/>
            </div>
            <div class="meta">
                <span>{kind}{again}", asked for by "{detail.maker.clone()}</span>
                <TimeView moment=submitted/>
                {expires.map(|moment| view! { <span>"expires "<TimeView moment/></span> })}
                <a class="id" href=format!("{}/{}", operation.path(), snapshot.id)>{snapshot.id.to_string()}</a>
            </div>
        </div>
        <div class="split" data-side="end">
            <div class="stack" data-gap="24">
                {outcome(&detail)}
                <evidence::WillHappen detail=detail.clone()/>
                {detail.retry.clone().map(|asked| view! { <retry::RetryRequest asked total/> })}
                <evidence::Largest snapshot=snapshot.clone() rows=detail.largest.clone()/>
                {operation.has_amounts().then(|| view! {
                    <evidence::Again operation repeated=detail.repeated.clone() earlier=detail.earlier.clone()/>
                })}
                {operation.has_amounts().then(|| view! {
                    <div class="split" data-side="half">
                        <evidence::Classes operation records=snapshot.records classes=detail.classes.clone()/>
                        <evidence::Parts total parts=detail.parts.clone()/>
                    </div>
                })}
                <evidence::Preview snapshot=snapshot.clone() rows=detail.preview.clone()/>
            </div>
            <decision::Decision detail flash viewer/>
        </div>
        {can_decide.then(|| view! {
            <div class="dock only-menu no-print">
                <p>{operation.has_amounts().then(|| view! { <b><MoneyView amount=total/></b> })}<small>{about}</small></p>
                <a class="button" href="#decision" rel="external">"Go to the decision"</a>
            </div>
        })}
    }
    .into_any()
}

/// What has become of the request, once it no longer waits.
fn outcome(detail: &ApprovalDetail) -> Option<AnyView> {
    let snapshot = &detail.snapshot;
    let DecisionView { person, reason, verdict, .. } = snapshot.decision.clone().unwrap_or_else(|| DecisionView {
        verdict: String::new(),
        person: String::new(),
        at: String::new(),
        reason: String::new(),
    });
    let (tone, fact) = match (snapshot.status, verdict.as_str()) {
        (BatchStatus::AwaitingApproval, _) => return None,
        (BatchStatus::Withdrawn, _) => ("neutral", format!("{} took this request back.", detail.maker)),
        (BatchStatus::Expired, _) => ("neutral", "Nobody decided in time.".to_owned()),
        (_, "approved") => ("accepted", format!("Approved by {person}.")),
        (_, "rejected") => ("failed", format!("Rejected by {person}.")),
        _ => ("neutral", "No decision was needed.".to_owned()),
    };
    let at = detail.decided.clone();
    let batch = format!("{}/{}", snapshot.operation.path(), snapshot.id);
    let open: AnyView = view! { <LinkButton href=batch size=Size::Small>"Open the batch"</LinkButton> }.into_any();
    Some(
        view! {
            <Banner tone title=fact actions=Box::new(move || open)>
                {(!reason.is_empty()).then(|| format!("“{reason}” "))}
                {at.map(|moment| view! { <TimeView moment/> })}
            </Banner>
        }
        .into_any(),
    )
}
