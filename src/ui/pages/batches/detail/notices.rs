//! What the person should know or do now, each with its next step.

use super::{head::below, words::things};
use crate::{
    domain::{
        batch::{BatchStatus, Operation},
        error::{Refusal, RefusalKind},
        view::{BatchDetail, BatchSnapshot},
    },
    ui::{
        components::{Banner, Icon, LinkButton, LoadFailed, Size, TimeView, Tone, count},
        hooks::page::page_context,
    },
};
use leptos::prelude::*;

/// A fact, its sentence, and the acts that follow from it.
fn banner(tone: Tone, fact: String, sentence: impl IntoView + 'static, acts: Option<AnyView>) -> AnyView {
    match acts {
        None => view! { <Banner tone title=fact>{sentence}</Banner> }.into_any(),
        Some(acts) => view! {
            <Banner tone title=fact actions=Box::new(move || acts)>
                {sentence}
            </Banner>
        }
        .into_any(),
    }
}

/// Banners above the page.
#[component]
pub fn Notices(
    detail: BatchDetail,
    shown: Memo<BatchSnapshot>,
    /// Why the page could not be loaded again.
    #[prop(optional_no_strip)]
    stale: Option<Refusal>,
) -> impl IntoView {
    let detail = StoredValue::new(detail);
    // Only what the banners depend on: they must not be drawn again with every counter.
    let standing_of = Memo::new(move |_| {
        shown.with(|shown| (shown.status, shown.decision.clone(), shown.counts.failed, shown.counts.accepted))
    });
    let open = Memo::new(move |_| shown.with(|shown| (shown.counts.checking, shown.counts.review)));
    let notice = Memo::new(move |_| shown.with(|shown| shown.notice.clone()));
    view! {
        {stale
            .map(|refusal| {
                let again = view! { <a class="button" data-size="sm" href="" rel="external">"Try again"</a> }.into_any();
                banner("waiting", "The rows below may be old.".to_owned(), refusal.message, Some(again))
            })}
        {move || notice.get().map(|notice| banner("waiting", "Work on this batch waits.".to_owned(), notice, None))}
        {move || {
            standing_of.track();
            shown.with_untracked(|shown| detail.with_value(|detail| standing(detail, shown)))
        }}
        {move || {
            let (checking, review) = open.get();
            waiting_for_the_gateway(shown.with_untracked(|shown| shown.operation), checking, review)
        }}
    }
    .into_any()
}

/// What the status means for the person who looks.
fn standing(detail: &BatchDetail, shown: &BatchSnapshot) -> Option<AnyView> {
    let operation = shown.operation;
    let counts = shown.counts;
    let decision = shown.decision.clone();
    let link =
        |href: String, words: &'static str| view! { <LinkButton href size=Size::Small>{words}</LinkButton> }.into_any();
    let upload_again = || Some(link(format!("{}/new", operation.path()), "Upload again"));
    Some(match shown.status {
        BatchStatus::AwaitingApproval => awaiting(detail, shown),
        BatchStatus::Rejected => {
            let (person, reason) = decision.map(|decision| (decision.person, decision.reason)).unwrap_or_default();
            let reason = if reason.is_empty() { String::new() } else { format!("“{reason}” ") };
            let next = format!("{reason}Nothing was sent. Correct the file and upload it again.");
            banner("failed", format!("{person} rejected this batch."), next, upload_again())
        }
        BatchStatus::Withdrawn => banner(
            "neutral",
            format!("{} took this batch back.", detail.maker),
            "It was not decided, and nothing was sent.",
            upload_again(),
        ),
        BatchStatus::Expired => banner(
            "neutral",
            "Nobody decided in time.".to_owned(),
            "Nothing was sent. Upload the file again to ask anew.",
            upload_again(),
        ),
        BatchStatus::Paused => {
            let resume = detail.actions.resume.then(|| {
                view! {
                    <form method="post" action=below(shown, "resume")>
                        <button class="button" data-size="sm" type="submit">
                            <Icon name="play"/>
                            "Resume"
                        </button>
                    </form>
                }
                .into_any()
            });
            let wait = things(operation, counts.queued);
            let sentence = format!("Nothing new is sent; what was on its way finishes. {wait} still queued.");
            banner("waiting", "Paused.".to_owned(), sentence, resume)
        }
        BatchStatus::Cancelled => banner(
            "neutral",
            "Cancelled.".to_owned(),
            format!(
                "What had not been sent was called off and counts as rejected. {} accepted: that stays so.",
                things(operation, counts.accepted),
            ),
            None,
        ),
        BatchStatus::CompletedWithFailures if operation == Operation::OrderSync => {
            let rest = match counts.accepted {
                0 => "None is in sync.".to_owned(),
                1 => "The other one is in sync.".to_owned(),
                accepted => format!("The other {} are in sync.", count(accepted)),
            };
            let sentence = format!("{rest} The table says why; Sync with Gateway asks about every row again.");
            let show = link("?status=FAILED#tasks".to_owned(), "Show failed tasks");
            banner("waiting", format!("{} failed.", things(operation, counts.failed)), sentence, Some(show))
        }
        BatchStatus::CompletedWithFailures => {
            let rest = match counts.accepted {
                0 => "None was accepted.".to_owned(),
                1 => "The other one is accepted and is not sent again.".to_owned(),
                accepted => format!("The other {} are accepted and are not sent again.", count(accepted)),
            };
            let download = view! {
                <LinkButton href=below(shown, "failed_rows.csv") size=Size::Small icon="download" download=true>
                    "Download only failed rows"
                </LinkButton>
            }
            .into_any();
            banner(
                "waiting",
                format!("{} failed.", things(operation, counts.failed)),
                format!("{rest} Download the failed rows, correct them and upload them as a new batch."),
                Some(download),
            )
        }
        BatchStatus::Invalid => banner(
            "failed",
            "The file had findings.".to_owned(),
            "Nothing was sent. Correct the file and upload it again.",
            upload_again(),
        ),
        BatchStatus::Validating | BatchStatus::Processing | BatchStatus::Completed => return None,
    })
}

/// Who decides, and what this person can do about it.
fn awaiting(detail: &BatchDetail, shown: &BatchSnapshot) -> AnyView {
    let own = page_context().viewer.is_some_and(|viewer| viewer.person.email == detail.maker);
    let module = shown.operation.module().code();
    let words = if detail.actions.decide {
        "You can decide.".to_owned()
    } else if own {
        format!("You created this request, so another person with Approve on {module} must decide.")
    } else {
        format!("A person with Approve on {module} decides; not {}, who asked for it.", detail.maker)
    };
    let expires = detail.expires.clone().map(|moment| view! { " It expires on " <TimeView moment/> "." });
    let acts = if detail.actions.decide {
        let href = format!("/approvals/{}", shown.id);
        Some(view! { <LinkButton href size=Size::Small>"Review and decide"</LinkButton> }.into_any())
    } else if detail.actions.withdraw {
        let withdraw = view! {
            <form method="post" action=below(shown, "withdraw")>
                <button class="button" data-size="sm" type="submit">
                    <Icon name="undo"/>
                    "Withdraw"
                </button>
            </form>
        };
        Some(withdraw.into_any())
    } else {
        None
    };
    let sentence = view! { {words} " Nothing is sent before that." {expires} };
    banner("waiting", "Waiting for a decision.".to_owned(), sentence, acts)
}

/// Tasks whose fate is open, and what happens with them.
fn waiting_for_the_gateway(operation: Operation, checking: u64, review: u64) -> AnyView {
    let checked = (checking > 0).then(|| {
        let (is, they, not) = match checking {
            1 => ("is", "it was", "It is not"),
            _ => ("are", "they were", "They are not"),
        };
        banner(
            "queued",
            format!("{} {is} being checked with the gateway.", things(operation, checking)),
            format!(
                "No clear reply came, so perhaps {they} carried out. {not} sent again: the gateway is asked until it tells. Sync with Gateway asks now.",
            ),
            None,
        )
    });
    let reviewed = (review > 0).then(|| {
        let show = view! { <LinkButton href="?status=QUEUED" size=Size::Small>"Show queued tasks"</LinkButton> };
        banner(
            "waiting",
            format!("{} {} review.", things(operation, review), if review == 1 { "needs" } else { "need" }),
            "Whether the money moved is not known, and Batchdesk does not guess. Look the Unique Id up with the gateway; once it has an answer there, Sync with Gateway brings it here.",
            Some(show.into_any()),
        )
    });
    view! { {checked} {reviewed} }.into_any()
}

/// The page when the batch could not be loaded at all.
#[component]
pub fn NotLoaded(
    operation: Operation,
    refusal: Refusal,
    /// Address of this page.
    address: String,
) -> impl IntoView {
    let title = match refusal.kind {
        RefusalKind::NotFound => "No such batch",
        RefusalKind::Forbidden => "You may not open this batch",
        RefusalKind::SignedOut => "You are signed out",
        _ => "The batch could not be loaded",
    };
    let body = match refusal.kind {
        RefusalKind::NotFound | RefusalKind::Forbidden => {
            let all =
                view! { <LinkButton href=operation.path().to_owned() size=Size::Small>"All batches"</LinkButton> };
            let all: AnyView = all.into_any();
            view! { <Banner tone="neutral" actions=Box::new(move || all)>{refusal.message}</Banner> }.into_any()
        }
        _ => view! { <LoadFailed what="The batch" refusal address/> }.into_any(),
    };
    view! {
        <leptos_meta::Title text=title/>
        <div class="head">
            <div class="head-title">
                <h1>{title}</h1>
            </div>
        </div>
        {body}
    }
    .into_any()
}
