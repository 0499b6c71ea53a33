//! `/batch/batch-refunds/{id}`: one batch, its numbers moving while it is carried out.
//!
//! The server renders everything; live events move the numbers, and the table is read again at most once a second while
//! they move.

pub mod activity;
pub mod card;
pub mod fresh;
pub mod head;
pub mod labels;
pub mod notices;
pub mod progress;
pub mod revisions;
pub mod row_map;
pub mod tasks;

use crate::{
    api::{
        ApiError,
        batches::{load_batch, sync_batch},
    },
    domain::{
        batch::BatchStatus,
        error::{Refusal, RefusalKind},
        ids::BatchId,
        operation::Operation,
        page::TaskQuery,
        view::{BatchDetail, BatchSnapshot, SyncReport},
    },
    ui::{
        components::Title,
        hooks::{
            live::{Connection, LiveAnnouncer, LiveState, is_newer, percent, use_live_batch},
            url::{here, task_query, use_go},
        },
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page of one batch.
#[component]
pub fn BatchDetailPage(
    /// What it does.
    operation: Operation,
) -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").and_then(|id| id.parse::<BatchId>().ok()));
    let query = task_query();
    let address = here();
    let go = use_go();
    let search = Callback::new(move |query: TaskQuery| {
        if let Some(id) = id.get_untracked() {
            go(tasks::address(operation, id, &query), false);
        }
    });
    let loading = Resource::new_blocking(
        move || (id.get(), query.get()),
        move |(id, query)| async move {
            match id {
                Some(id) => load_batch(operation, id, query).await,
                None => Err(no_such_batch()),
            }
        },
    );
    let live = use_live_batch(id.into());
    let fresh = fresh::refetch_while_moving(live.snapshot, move || loading.refetch());
    // Here, and not in the part of the page that is made anew with each refetch: what it said must outlast that.
    let sync = Action::new(move |(): &()| async move {
        let answer = match id.get_untracked() {
            Some(id) => sync_batch(operation, id).await,
            None => Err(no_such_batch()),
        };
        loading.refetch();
        answer
    });
    Effect::new(move |before: Option<Option<BatchId>>| {
        let now = id.get();
        if before.is_some_and(|before| before != now) {
            sync.value().set(None);
        }
        now
    });
    // What the page last showed: a failed refetch must not take it away.
    let last_good = StoredValue::new(None::<BatchDetail>);

    view! {
        <Transition>
            {move || Suspend::new(async move {
                let (detail, stale) = match loading.await {
                    Ok(detail) => {
                        last_good.set_value(Some(detail.clone()));
                        fresh.loaded(detail.snapshot.clone());
                        (detail, None)
                    }
                    Err(error) => {
                        fresh.failed();
                        let kept = last_good.get_value().filter(|kept| Some(kept.snapshot.id) == id.get_untracked());
                        match kept {
                            Some(detail) => (detail, Some(error.refusal)),
                            None => return view! { <notices::NotLoaded operation refusal=error.refusal address=address.get_untracked()/> }.into_any(),
                        }
                    }
                };
                let query = query.get_untracked();
                view! { <Detail detail stale live query search sync/> }.into_any()
            })}
        </Transition>
        <LiveAnnouncer snapshot=live.snapshot/>
    }
    .into_any()
}

fn no_such_batch() -> ApiError {
    ApiError { refusal: Refusal::new(RefusalKind::NotFound, "There is no batch with this ID in this organisation.") }
}

/// The page, once there is something to show. Knows no routes, so it can be rendered from data alone.
#[component]
pub fn Detail(
    /// What was loaded.
    detail: BatchDetail,
    /// Why it could not be loaded again, if it could not.
    #[prop(optional_no_strip)]
    stale: Option<Refusal>,
    /// Live numbers.
    live: LiveState,
    /// What the table shows.
    query: TaskQuery,
    /// Shows other tasks.
    search: Callback<TaskQuery>,
    /// Asks the gateway, then loads everything again.
    sync: Action<(), Result<SyncReport, ApiError>>,
) -> impl IntoView {
    let loaded = detail.snapshot.clone();
    let shown = Memo::new(move |_| {
        live.snapshot.with(|live| match live {
            Some(live) if live.id == loaded.id && is_newer(live, &loaded) => live.clone(),
            _ => loaded.clone(),
        })
    });
    // A memo: it ends with this part of the page, while what shows it stays until the next one is there. A derived
    // signal would be asked once more in between, by an event, and be gone.
    let following = Memo::new(move |_| live.connection.get() == Connection::Live && !live.paused.get());
    // Before anything was sent there is nothing to see where.
    let row_map = if detail.snapshot.status.has_been_sent() || !detail.revisions.is_empty() {
        detail.row_map.clone()
    } else {
        String::new()
    };
    let first_title = title(&detail.snapshot);
    let log = head::below(&detail.snapshot, "activity");
    view! {
        // The server asks for the title when everything is rendered; by then this run may have given way to another.
        <Title text=move || shown.try_with(title).unwrap_or_else(|| first_title.clone())/>
        <head::Head detail=detail.clone() shown sync/>
        <div class="stack" data-gap="24">
            <notices::Notices detail=detail.clone() shown stale/>
            <div class="state">
                <section class="card" aria-labelledby="progress">
                    <progress::Progress shown following/>
                    <progress::Tiles shown query=query.clone()/>
                    <row_map::RowMap letters=row_map/>
                </section>
                <card::Card detail=detail.clone() shown/>
            </div>
            <tasks::Tasks shown tasks=detail.tasks query search/>
            {revisions::list(detail.revisions)}
            <div class="split" data-side="half">
                <activity::Activity rows=detail.activity log/>
                <activity::Failures shown failures=detail.failures/>
            </div>
            <div class="print-only sign">
                <span>"Made by"</span>
                <span>"Approved by"</span>
                <span>"Checked against the statement"</span>
            </div>
        </div>
    }
    .into_any()
}

/// `(42%) r.csv – Batch Refunds` while it runs.
fn title(shown: &BatchSnapshot) -> String {
    let section = shown.operation.labels().title;
    let running = match shown.status {
        BatchStatus::Processing => format!("({}%) ", percent(&shown.counts)),
        _ => String::new(),
    };
    format!("{running}{} – {section}", shown.file_name)
}
