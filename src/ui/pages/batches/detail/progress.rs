//! How far the batch is: one sentence, the strip, and three counters that are also filters.

use super::{labels::share, tasks::address};
use crate::{
    domain::{
        batch::BatchStatus,
        money::Money,
        page::TaskQuery,
        task::TaskStatus,
        view::{BatchSnapshot, Counts},
    },
    ui::components::{Glyph, MoneyView, ProgressBar, ProgressBarSize, count},
};
use leptos::prelude::*;

/// The sentence, the strip and when they were read.
#[component]
pub fn Progress(
    shown: Memo<BatchSnapshot>,
    /// Whether live events move the page.
    #[prop(into)]
    following: Signal<bool>,
) -> impl IntoView {
    let sentence = move || {
        shown.with(|shown| {
            let answered = shown.counts.accepted + shown.counts.failed;
            let all = count(shown.records);
            let (number, words) = match shown.status {
                status if status.has_been_sent() => (count(answered), format!("of {all} tasks have an answer")),
                // Failed rows wait to be sent again; the others have their answer.
                BatchStatus::AwaitingApproval if answered > 0 => {
                    (count(answered), format!("of {all} tasks have an answer"))
                }
                BatchStatus::AwaitingApproval => (all, "tasks, not started".to_owned()),
                _ => (all, "tasks, none was sent".to_owned()),
            };
            view! { <span class="hero">{number}</span>" "{words} }
        })
    };
    let counts = Signal::derive(move || shown.with(|shown| shown.counts));
    let ticks = move || {
        shown.with(|shown| {
            // Quarters of a small file would not be whole numbers.
            (shown.records >= 100).then(|| {
                let at = |quarter: u64| count(shown.records * quarter / 4);
                view! {
                    <div class="ticks" aria-hidden="true">
                        <span>"0"</span>
                        <span>{at(1)}</span>
                        <span>{at(2)}</span>
                        <span>{at(3)}</span>
                        <span>{at(4)}</span>
                    </div>
                }
            })
        })
    };
    view! {
        <div class="card-body stack">
            <div class="progress-head">
                <h2 id="progress">{sentence}</h2>
                <p class="meta no-print">
                    <span>{move || shown.with(|shown| format!("Updated {}", shown.updated_text))}</span>
                    {move || (!following.get()).then(|| view! { <a href="" rel="external">"Refresh"</a> })}
                </p>
            </div>
            <div class="stack" data-gap="4"><ProgressBar counts size=ProgressBarSize::Large/>{ticks}</div>
            {move || shown.with(|shown| {
                (!shown.pace.is_empty()).then(|| view! { <p class="small soft" data-pace="">{shown.pace.clone()}</p> })
            })}
        </div>
    }
    .into_any()
}

/// Count, share and amount of what is accepted, rejected and queued; each filters the table below.
#[component]
pub fn Tiles(shown: Memo<BatchSnapshot>, query: TaskQuery) -> impl IntoView {
    let (operation, id) = shown.with_untracked(|shown| (shown.operation, shown.id));
    view! {
        <div class="tiles">
            {TaskStatus::ALL
                .map(|status| {
                    let (tone, count_name, label, glyph) = match status {
                        TaskStatus::Accepted => {
                            ("accepted", "accepted", "Total Accepted Tasks", "accepted")
                        }
                        TaskStatus::Failed => ("failed", "rejected", "Total Rejected Tasks", "failed"),
                        TaskStatus::Queued => ("queued", "queued", "Total Queued Tasks", "queued"),
                    };
                    let to = address(operation, id, &TaskQuery { status: Some(status), ..TaskQuery::default() });
                    let current = (query.status == Some(status)).then_some("true");
                    view! {
                        <a href=format!("{to}#tasks") data-tone=tone aria-current=current>
                            <span class="tile-label"><Glyph name=glyph/>{label}</span>
                            {move || shown.with(|shown| figures(shown, status, count_name))}
                        </a>
                    }
                })
                .collect_view()}
        </div>
    }
    .into_any()
}

fn figures(shown: &BatchSnapshot, status: TaskStatus, count_name: &'static str) -> impl IntoView + use<> {
    let Counts { accepted, failed, queued, .. } = shown.counts;
    let sums = shown.sums();
    let (tasks, minor) = match status {
        TaskStatus::Accepted => (accepted, sums.accepted),
        TaskStatus::Failed => (failed, sums.failed),
        TaskStatus::Queued => (queued, sums.queued),
    };
    let (currency, amounts) = (sums.currency, shown.operation.has_amounts());
    let part = |number: u64, words: &str| (number > 0).then(|| format!("of which {} {words}", count(number)));
    let parts = match status {
        TaskStatus::Accepted => vec![part(shown.counts.pending_at_gateway, "pending at the gateway")],
        TaskStatus::Failed => Vec::new(),
        TaskStatus::Queued => {
            vec![part(shown.counts.checking, "checking with gateway"), part(shown.counts.review, "needs review")]
        }
    };
    view! {
        <span class="tile-number">
            <span data-count=count_name>{count(tasks)}</span>
            " "
            <small>{share(tasks, shown.records)}</small>
        </span>
        <span class="tile-note">
            {amounts.then(|| view! { <MoneyView amount=Money::new(minor, currency)/> })}
            {parts.into_iter().flatten().map(|part| view! { <small class="tile-part">{part}</small> }).collect_view()}
        </span>
    }
}
