//! What the person should know or do now, each with its next step.

use super::{head::below, labels::things};
use crate::{
    domain::{
        batch::BatchStatus,
        error::{Refusal, RefusalKind},
        operation::{Operation, Work},
        view::{BatchDetail, BatchSnapshot},
    },
    ui::{
        components::{Banner, Icon, LinkButton, LoadFailed, Size, TimeView, Title, Tone, count},
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
        shown.with(|shown| {
            let paused = if shown.status == BatchStatus::Paused { shown.notice.clone() } else { None };
            (shown.status, shown.decision.clone(), shown.counts.failed, shown.counts.accepted, paused)
        })
    });
    let open = Memo::new(move |_| shown.with(|shown| (shown.counts.checking, shown.counts.review)));
    let notice = Memo::new(move |_| shown.with(|shown| shown.notice.clone()));
    view! {
        {stale
            .map(|refusal| {
                let again = view! { <a class="button" data-size="sm" href="" rel="external">"Try again"</a> }.into_any();
                banner("waiting", "The rows below may be old.".to_owned(), refusal.message, Some(again))
            })}
        {move || {
            // What is paused says so below, with its way on.
            let paused = shown.with_untracked(|shown| shown.status == BatchStatus::Paused);
            notice
                .get()
                .filter(|_| !paused)
                .map(|notice| banner("waiting", "Work on this batch waits.".to_owned(), notice, None))
        }}
        {move || {
            standing_of.track();
            shown.with_untracked(|shown| detail.with_value(|detail| standing(detail, shown)))
        }}
        {move || {
            let (checking, review) = open.get();
            shown.with_untracked(|shown| waiting_for_the_gateway(shown, checking, review))
        }}
        {detail.with_value(reconciled)}
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
            let paused = shown.notice.clone().unwrap_or_else(|| "Paused.".to_owned());
            let sentence = format!("Nothing new is sent; what was on its way finishes. {wait} still queued.");
            banner("waiting", paused, sentence, resume)
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
        BatchStatus::CompletedWithFailures if operation.work() == Work::Query => {
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
            let again = detail.actions.retry.then(|| {
                view! {
                    <a class="button" data-size="sm" href=below(shown, "retry") rel="external">"Send failed rows again"</a>
                }
            });
            let next = if again.is_some() { " Correct the failed rows and send them again here." } else { "" };
            let acts = view! {
                {again}
                <LinkButton href=below(shown, "failed_rows.csv") size=Size::Small icon="download" download=true>
                    "Download only failed rows"
                </LinkButton>
            }
            .into_any();
            banner(
                "waiting",
                format!("{} failed.", things(operation, counts.failed)),
                format!("{rest}{next}"),
                Some(acts),
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
    // Of a batch that was sent, failed rows wait: who asked for that may be another than its maker.
    let again = detail.revisions.first();
    let maker = again.map_or(&detail.maker, |again| &again.maker);
    let own = page_context().viewer.is_some_and(|viewer| viewer.person.email == *maker);
    let module = shown.operation.module().code();
    let words = if detail.actions.decide {
        "You can decide.".to_owned()
    } else if own {
        format!("You created this request, so another person with Approve on {module} must decide.")
    } else {
        format!("A person with Approve on {module} decides; not {maker}, who asked for it.")
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
    let fact = match again {
        Some(again) => format!("{} wait for a decision.", things(shown.operation, again.records)),
        None => "Waiting for a decision.".to_owned(),
    };
    banner("waiting", fact, sentence, acts)
}

/// Tasks whose fate is open, and what happens with them.
fn waiting_for_the_gateway(shown: &BatchSnapshot, checking: u64, review: u64) -> AnyView {
    let operation = shown.operation;
    let href = in_review(shown);
    let checked = (checking > 0).then(|| {
        let (is, they, not) = match checking {
            1 => ("is", "it was", "It is not"),
            _ => ("are", "they were", "They are not"),
        };
        banner(
            "queued",
            format!("{} {is} being checked with the gateway.", things(operation, checking)),
            format!(
                "No clear reply came, so perhaps {they} carried out. {not} sent again: the gateway is asked until it \
                 tells. Sync with Gateway asks now.",
            ),
            None,
        )
    });
    let reviewed = (review > 0).then(|| {
        let show = view! { <LinkButton href size=Size::Small on_server=true>"Review"</LinkButton> };
        banner(
            "waiting",
            format!("{} {} review.", things(operation, review), if review == 1 { "needs" } else { "need" }),
            "Whether the money moved is not known, and Batchdesk does not guess. One person looks it up at the gateway \
             and proposes, another confirms.",
            Some(show.into_any()),
        )
    });
    view! { {checked} {reviewed} }.into_any()
}

/// Where the batch stands in review.
fn in_review(shown: &BatchSnapshot) -> String {
    format!("/review?batch={}", shown.id)
}

/// What the last comparison with the gateway said, and differences that nobody has acknowledged.
fn reconciled(detail: &BatchDetail) -> Option<AnyView> {
    let open = detail.differences;
    let Some(last) = detail.reconciled.clone() else {
        return (open > 0).then(|| {
            let show = view! { <LinkButton href=in_review(&detail.snapshot) size=Size::Small on_server=true>"Review"</LinkButton> };
            banner("failed", "The gateway took back its last word.".to_owned(), "See what changed, and acknowledge it.", Some(show.into_any()))
        });
    };
    let tone = match (last.settled, open) {
        (_, 1..) => "failed",
        (true, _) => "accepted",
        _ => "neutral",
    };
    let more = (open > 0 || !last.differences.is_empty()).then(|| {
        view! { <LinkButton href=in_review(&detail.snapshot) size=Size::Small on_server=true>"See differences"</LinkButton> }
            .into_any()
    });
    let lines = last
        .differences
        .into_iter()
        .map(
            |difference| view! { <br/>{format!("{}: {} {}", difference.place, difference.fact, difference.next_step)} },
        )
        .collect_view();
    let fact = if open > 0 { format!("{} to acknowledge.", things_differ(open)) } else { String::new() };
    Some(banner(tone, fact, view! { {last.sentence} {lines} }, more))
}

fn things_differ(open: u64) -> String {
    if open == 1 { "1 difference".to_owned() } else { format!("{} differences", count(open)) }
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
        <Title text=title/>
        <div class="head">
            <div class="head-title">
                <h1>{title}</h1>
            </div>
        </div>
        {body}
    }
    .into_any()
}
