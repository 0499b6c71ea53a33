//! `/batch/batch-refunds/{id}/activity` and its neighbours: everything that was done to a batch. Rendered on the server
//! only.

use super::detail::activity::timeline;
use crate::{
    api::activity::load_activity,
    domain::{ids::BatchId, operation::Operation, view::activity::ActivityLog},
    ui::{
        components::{BatchStatusBadge, Card, LoadFailed, Pagination, Title, count},
        hooks::url::{here, query_value},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};

/// The page.
#[component]
pub fn ActivityPage() -> impl IntoView {
    let operation = Operation::at(&use_location().pathname.get_untracked());
    let id = use_params_map().read_untracked().get("id").and_then(|id| id.parse::<BatchId>().ok());
    let page = query_value("page").get_untracked().and_then(|page| page.parse().ok()).unwrap_or(1);
    let address = here().get_untracked();
    view! {
        <Title text="Activity log"/>
        <Suspense fallback=|| ()>
            {Suspend::new(async move {
                // The router let nobody through without a batch.
                let (Some(operation), Some(id)) = (operation, id) else { return ().into_any() };
                match load_activity(operation, id, page).await {
                    Ok(log) => view! { <Log log/> }.into_any(),
                    Err(error) => view! { <LoadFailed what="The activity log" refusal=error.refusal address/> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

/// The page, once there is something to show.
#[component]
fn Log(log: ActivityLog) -> impl IntoView {
    let snapshot = log.snapshot;
    let batch = format!("{}/{}", snapshot.operation.path(), snapshot.id);
    let facts = log.facts.into_iter().map(|(name, words)| view! { <dt>{name}</dt><dd>{words}</dd> }).collect_view();
    let acts = log.acts;
    let (number, pages, size, total) = (acts.page, acts.pages(), acts.size, acts.total);
    let address = format!("{batch}/activity");
    let other_page = move |page: u32| format!("{address}?page={page}");
    let nothing =
        acts.rows.is_empty().then(|| view! { <p class="card-body soft">"There is nothing on this page."</p> });
    view! {
        <div class="head">
            <div class="head-title">
                <h1>"Activity log"</h1>
                <BatchStatusBadge status=snapshot.status/>
            </div>
            <div class="meta">
                <span>"of "<a href=batch>{snapshot.file_name.clone()}</a></span>
                <span>{count(total)}{if total == 1 { " entry" } else { " entries" }}</span>
            </div>
        </div>
        <div class="stack" data-gap="24">
            <Card title="In short">
                <div class="card-body">
                    <dl class="facts">{facts}</dl>
                </div>
            </Card>
            <section class="card" aria-labelledby="log">
                <div class="card-head"><h2 id="log">"What was done"</h2><small>"newest first"</small></div>
                {nothing}
                <ol class="timeline card-body">{timeline(acts.rows)}</ol>
                {(pages > 1).then(|| view! { <Pagination page=number pages size total href=other_page/> })}
            </section>
        </div>
    }
    .into_any()
}
