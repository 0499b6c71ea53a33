//! `/review`: what the gateway could not tell, two people decide. Rendered on the server only; every act is a plain
//! form.

pub mod acts;
pub mod entries;
pub mod tasks;

use crate::{
    api::review::load_review,
    domain::{
        error::{Refusal, RefusalKind},
        ids::BatchId,
        view::review::{Reconciled, Review, ReviewBatch},
    },
    ui::{
        components::{Banner, BatchStatusBadge, Chip, Chips, EmptyState, LinkButton, LoadFailed, Size, Title, count},
        hooks::{
            page::flash,
            url::{here, query_value},
        },
    },
};
use leptos::prelude::*;

/// The page.
#[component]
pub fn ReviewPage() -> impl IntoView {
    let asked = query_value("batch").get_untracked();
    let address = here().get_untracked();
    view! {
        <Title text="Review" />
        <div class="head">
            <h1>"Review"</h1>
            <p>
                "What the gateway cannot tell, two people decide: one proposes, another confirms. Nothing on this page \
                 sends anything."
            </p>
        </div>
        <Suspense fallback=|| ()>
            {Suspend::new(async move {
                let only = match asked.as_deref().filter(|asked| !asked.is_empty()).map(str::parse::<BatchId>) {
                    None => Ok(None),
                    Some(Ok(batch)) => Ok(Some(batch)),
                    Some(Err(_)) => Err(Refusal::new(RefusalKind::NotFound, "There is no such batch in this \
                                                                             organisation.")),
                };
                let loaded = match only {
                    Ok(only) => load_review(only).await.map_err(|error| error.refusal),
                    Err(refusal) => Err(refusal),
                };
                match loaded {
                    Ok(review) => view! { <Loaded review=review /> }.into_any(),
                    Err(refusal) => view! { <LoadFailed what="This page" refusal=refusal address=address /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Loaded(review: Review) -> impl IntoView {
    let Review { batches, filter, only, needs_password, reader } = review;
    let flash = flash();
    let shown = batches.len();
    let behind = filter.len().saturating_sub(shown);
    let nothing =
        batches.iter().all(|batch| batch.open.is_empty() && batch.proposed.is_empty() && batch.entries.is_empty());
    let empty = nothing.then(|| match only {
        None => view! {
            <section class="card" aria-label="Review">
                <EmptyState
                    icon="check"
                    title="Nothing is in review"
                    text="Refunds whose end the gateway cannot tell, and differences with the gateway, appear here."
                />
            </section>
        }
        .into_any(),
        Some(_) => view! { <Banner tone="accepted" title="Nothing of this batch is in review." /> }.into_any(),
    });
    let sections = batches
        .into_iter()
        .map(|batch| view! { <Section batch=batch flash=flash.clone() needs_password=needs_password reader=reader.clone() /> })
        .collect_view();
    view! {
        <div class="stack" data-gap="24">
            {(filter.len() > 1 || only.is_some()).then(|| chips(&filter, only))} {empty} {sections}
            {(only.is_none() && behind > 0)
                .then(|| {
                    view! { <p class="small soft">{format!("{} more above: choose one.", batches_of(behind))}</p> }
                })}
        </div>
    }
    .into_any()
}

fn batches_of(n: usize) -> String {
    let n = u64::try_from(n).unwrap_or(0);
    if n == 1 { "1 batch".to_owned() } else { format!("{} batches", count(n)) }
}

/// The filter by batch. Links that the server answers.
fn chips(filter: &[(BatchId, String, u64)], only: Option<BatchId>) -> AnyView {
    let all = Chip {
        href: "/review".to_owned(),
        text: "All batches".to_owned(),
        count: filter.iter().map(|(_, _, open)| open).sum(),
        current: only.is_none(),
    };
    let each = filter.iter().map(|(id, name, open)| Chip {
        href: format!("/review?batch={id}"),
        text: name.clone(),
        count: *open,
        current: only == Some(*id),
    });
    view! { <Chips label="Batches" chips=std::iter::once(all).chain(each).collect() /> }.into_any()
}

/// Everything of one batch.
#[component]
fn Section(
    batch: ReviewBatch,
    flash: crate::domain::view::Flash,
    needs_password: bool,
    reader: String,
) -> impl IntoView {
    let href = format!("{}/{}", batch.operation.path(), batch.id);
    let heading = format!("batch-{}", batch.id);
    let more = (batch.more > 0).then(|| {
        view! {
            <p class="card-foot">
                {format!("{} more of this batch appear here when these are decided.", tasks::refunds(batch.more))}
            </p>
        }
    });
    view! {
        <section class="card review" aria-labelledby=heading.clone()>
            <div class="card-head">
                <h2 id=heading.clone()>
                    <a class="name" href=href.clone() rel="external">
                        {batch.file_name.clone()}
                    </a>
                </h2>
                <BatchStatusBadge status=batch.status />
                <LinkButton href=href size=Size::Small on_server=true>
                    "Open batch"
                </LinkButton>
            </div>
            {batch.reconciled.clone().map(|reconciled| view! { <LastComparison reconciled=reconciled /> })}
            {(!batch.entries.is_empty())
                .then(|| view! { <entries::Entries batch=batch.clone() flash=flash.clone() /> })}
            {(!batch.proposed.is_empty())
                .then(|| {
                    view! {
                        <tasks::Proposed
                            batch=batch.clone()
                            flash=flash.clone()
                            needs_password=needs_password
                            reader=reader.clone()
                        />
                    }
                })}
            {(!batch.open.is_empty()).then(|| view! { <tasks::Open batch=batch.clone() flash=flash.clone() /> })} {more}
        </section>
    }
    .into_any()
}

/// The last comparison with the gateway, each difference with what to do.
#[component]
fn LastComparison(reconciled: Reconciled) -> impl IntoView {
    let glyph = if reconciled.settled { ("accepted", "done") } else { ("neutral", "info") };
    let lines = reconciled
        .differences
        .into_iter()
        .map(|difference| {
            view! {
                <li>
                    <b>{difference.place}</b>
                    <p>{difference.fact}</p>
                    {(!difference.next_step.is_empty()).then(|| view! { <p class="soft">{difference.next_step}</p> })}
                </li>
            }
        })
        .collect_view();
    view! {
        <div class="card-body stack" data-gap="8">
            <p class="compared" data-tone=glyph.0>
                <crate::ui::components::Glyph name=glyph.1 />
                {reconciled.sentence}
            </p>
            <ul class="differences">{lines}</ul>
        </div>
    }
    .into_any()
}
