//! The list of batches of one operation.

pub mod filters;
pub mod sort;
pub mod table;
pub mod toolbar;
pub mod updates;

use super::AreaTabs;
use crate::{
    api::{
        ApiError,
        batches::{list_batches, sync_batch},
    },
    domain::{
        access::Right,
        batch::BatchStatus,
        ids::BatchId,
        operation::Operation,
        page::BatchQuery,
        view::{BatchList, BatchSnapshot},
    },
    ui::{
        components::{Banner, Chip, Chips, EmptyState, Kind, LinkButton, LoadFailed, Title},
        hooks::{
            live::use_live_list,
            page::page_context,
            url::{batch_query, here},
        },
    },
};
use filters::Filters;
use leptos::prelude::*;
use std::collections::BTreeMap;
use table::BatchTable;
use toolbar::Toolbar;
use updates::{ListUpdates, NewBatches};

/// What the list was asked by, and what came.
type ListResult = (BatchQuery, Result<BatchList, ApiError>);

/// The newest numbers of batches, as they come.
type Live = BTreeMap<BatchId, BatchSnapshot>;

/// What the last "Sync with Gateway" of this page came to: the tone and the words.
type Report = Option<(&'static str, String)>;

/// "Sync with Gateway" from a page with JavaScript.
#[derive(Clone, Copy)]
pub struct SyncAct {
    /// Batches that are being asked for.
    busy: RwSignal<Vec<BatchId>>,
    press: Callback<(BatchId, String)>,
}

/// The list of one operation.
#[component]
pub fn BatchListPage(
    /// Which.
    operation: Operation,
) -> impl IntoView {
    let labels = operation.labels();
    let live: Signal<Live> = use_live_list(operation).snapshots.into();
    let query = batch_query();
    let list = Resource::new(
        move || query.get(),
        move |query| async move {
            let answer = list_batches(operation, query.clone()).await;
            (query, answer)
        },
    );
    let news = ListUpdates::watch(live, list);
    let report = RwSignal::new(Report::None);
    let sync = sync_act(operation, report, Callback::new(move |()| list.refetch()));
    let context = page_context();
    let may = |right| context.viewer.as_ref().is_some_and(|viewer| viewer.may(operation.module(), right));
    let (may_create, may_decide) = (may(Right::ReadWrite), may(Right::Approve));
    let new_address = format!("{}/new", operation.path());
    let address = here();
    view! {
        <Title text=format!("{} – Bulk Operations", labels.title) />
        <div class="head">
            <h1>{labels.title}</h1>
            <p>{labels.description}</p>
            <div class="head-actions">
                {if may_create {
                    view! {
                        <LinkButton href=new_address kind=Kind::Primary icon="plus">
                            {labels.create}
                        </LinkButton>
                    }
                        .into_any()
                } else if may_decide {
                    ().into_any()
                } else {
                    view! { <p class="small dim">"You have read access"</p> }.into_any()
                }}
            </div>
        </div>
        <div class="stack">
            <AreaTabs operation=operation />
            <Toolbar operation=operation query=query />
            // Always there, so that what appears in it is spoken.
            <div class="report" role="status">
                {move || report.get().map(|(tone, text)| view! { <Banner tone=tone>{text}</Banner> })}
            </div>
            <NewBatches news=news />
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    match list.await {
                        (query, Ok(list)) => {
                            news.show(&query, &list.page);
                            view! { <Loaded operation=operation query=query list=list live=live sync=sync /> }
                                .into_any()
                        }
                        (_, Err(error)) => {
                            view! {
                                <LoadFailed what="The list" refusal=error.refusal address=address.get_untracked() />
                            }
                                .into_any()
                        }
                    }
                })}
            </Transition>
        </div>
    }
    .into_any()
}

/// Asks the gateway, says what came of it, and has the list read again.
fn sync_act(operation: Operation, report: RwSignal<Report>, reload: Callback<()>) -> SyncAct {
    let busy = RwSignal::new(Vec::new());
    let press = Callback::new(move |(batch, file_name): (BatchId, String)| {
        if busy.with_untracked(|busy| busy.contains(&batch)) {
            return;
        }
        busy.update(|busy| busy.push(batch));
        report.set(None);
        leptos::task::spawn_local(async move {
            let answer = sync_batch(operation, batch).await;
            // The person may have left the page meanwhile.
            let _ = busy.try_update(|busy| busy.retain(|other| *other != batch));
            let _ = report.try_set(Some(match answer {
                Ok(done) => ("neutral", format!("{file_name}: {}", done.message)),
                Err(error) => ("failed", format!("{file_name}: {}", error.refusal.message)),
            }));
            let _ = reload.try_run(());
        });
    });
    SyncAct { busy, press }
}

/// The list, once it is there.
#[component]
fn Loaded(
    operation: Operation,
    query: BatchQuery,
    list: BatchList,
    live: Signal<Live>,
    sync: SyncAct,
) -> impl IntoView {
    let labels = operation.labels();
    let sample = operation.files().samples.first().map_or("", |sample| sample.name);
    let address = move |query: &BatchQuery| format!("{}{}", operation.path(), query.to_query());
    if !list.any {
        let href = format!("{}/new", operation.path());
        return view! {
            <section class="card" aria-label=labels.caption>
                <EmptyState icon="stack" title=labels.first_use text=labels.first_use_text>
                    {list
                        .can_create
                        .then(|| {
                            view! {
                                <LinkButton href=href>{labels.create}</LinkButton>
                                <a href=format!("/samples/{sample}") download=sample>
                                    {sample}
                                </a>
                            }
                        })}
                </EmptyState>
            </section>
        }
        .into_any();
    }
    let chips = chips(&list.by_status, &query, address);
    let stopped = list.notice.map(|notice| view! { <Banner tone="waiting" title="Nothing is sent.">{notice}</Banner> });
    view! {
        {stopped}
        <div class="list-tools">
            <Chips label="File Upload Status" chips=chips />
            <Filters operation=operation query=query.clone() makers=list.makers />
        </div>
        <section class="card" aria-label=labels.caption>
            {if list.page.rows.is_empty() {
                view! { <NothingFound operation=operation query=query narrowed=list.narrowed total=list.page.total /> }.into_any()
            } else {
                view! {
                    <BatchTable operation=operation caption=labels.caption page=list.page query=query live=live sync=sync />
                }
                    .into_any()
            }}
        </section>
    }
    .into_any()
}

/// "All" and each status that has batches, or that is chosen.
fn chips(by_status: &[(BatchStatus, u64)], query: &BatchQuery, address: impl Fn(&BatchQuery) -> String) -> Vec<Chip> {
    let with = |status: Option<BatchStatus>| address(&BatchQuery { status, page: 1, ..query.clone() });
    let all = Chip {
        href: with(None),
        text: "All".to_owned(),
        count: by_status.iter().map(|(_, count)| count).sum(),
        current: query.status.is_none(),
    };
    let counted = |status| by_status.iter().find(|(other, _)| *other == status).map(|(_, count)| *count);
    let rest = BatchStatus::ALL.into_iter().filter_map(|status| {
        let current = query.status == Some(status);
        let count = counted(status).or_else(|| current.then_some(0))?;
        Some(Chip { href: with(Some(status)), text: status.text().to_owned(), count, current })
    });
    std::iter::once(all).chain(rest).collect()
}

/// Why there are no rows, and the way back to some.
#[component]
fn NothingFound(
    operation: Operation,
    query: BatchQuery,
    /// Person and days, in words.
    narrowed: String,
    total: u64,
) -> impl IntoView {
    let address = move |query: BatchQuery| format!("{}{}", operation.path(), query.to_query());
    if total > 0 {
        let first = address(BatchQuery { page: 1, ..query.clone() });
        return view! {
            <EmptyState icon="list" title=format!("There is no page {}", query.page)>
                <LinkButton href=first>"Go to the first page"</LinkButton>
            </EmptyState>
        }
        .into_any();
    }
    let searched = !query.search.is_empty();
    let title = match (searched, query.status) {
        (true, Some(status)) => format!("No file matches “{}” among {}", query.search, status.text()),
        (true, None) => format!("No file matches “{}”", query.search),
        (false, Some(status)) => format!("Nothing is {} now", status.text()),
        (false, None) => "There is no file".to_owned(),
    };
    // A list goes on with a comma, a single thing does not.
    let title = match (searched, query.status) {
        (false, None) => title + narrowed.trim_start_matches(','),
        _ => title + &narrowed,
    };
    let sensitive = searched && query.case_sensitive;
    let text = if sensitive { "The search is case-sensitive." } else { "" };
    let without_search = address(BatchQuery { search: String::new(), page: 1, ..query.clone() });
    let any_case = address(BatchQuery { case_sensitive: false, page: 1, ..query.clone() });
    let clear = query.is_narrowed().then(|| address(query.without_filters()));
    let any_status = query.status.is_some().then(|| address(BatchQuery { status: None, page: 1, ..query }));
    view! {
        <EmptyState icon="search" title=title text=text>
            {searched.then(|| view! { <LinkButton href=without_search>"Clear search"</LinkButton> })}
            {sensitive.then(|| view! { <LinkButton href=any_case>"Turn off case-sensitive"</LinkButton> })}
            {clear.map(|href| view! { <LinkButton href=href>"Clear filters"</LinkButton> })}
            {any_status.map(|href| view! { <LinkButton href=href>"Show every status"</LinkButton> })}
        </EmptyState>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_follow_the_life_cycle_and_keep_the_search() {
        let query = BatchQuery {
            search: "oct".to_owned(),
            status: Some(BatchStatus::Paused),
            page: 4,
            ..BatchQuery::default()
        };
        let by_status = [(BatchStatus::Completed, 7), (BatchStatus::AwaitingApproval, 2)];
        let chips = chips(&by_status, &query, BatchQuery::to_query);
        let shown: Vec<_> = chips.iter().map(|c| (c.text.as_str(), c.count, c.current, c.href.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("All", 9, false, "?q=oct"),
                ("Awaiting approval", 2, false, "?q=oct&status=awaiting_approval"),
                ("Paused", 0, true, "?q=oct&status=paused"),
                ("Completed", 7, false, "?q=oct&status=completed"),
            ]
        );
    }
}
