//! `/batch/batch-refunds/{id}/tasks/{row}` and its neighbours: everything that happened to one task, in order. Rendered
//! on the server only.

use crate::{
    api::retries::load_history,
    domain::{
        access::{Module, Right},
        ids::BatchId,
        operation::Operation,
        view::{orders::order_path, retries::TaskHistory},
    },
    ui::{
        components::{Banner, Icon, LoadFailed, MoneyView, TaskStatusBadge, Title, count},
        hooks::{page::page_context, url::here},
        parts::timeline::step,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};

/// The page.
#[component]
pub fn TaskHistoryPage() -> impl IntoView {
    let operation = Operation::at(&use_location().pathname.get_untracked());
    let params = use_params_map().read_untracked();
    let id = params.get("id").and_then(|id| id.parse::<BatchId>().ok());
    let number = params.get("row").and_then(|row| row.parse().ok()).unwrap_or(0);
    let address = here().get_untracked();
    view! {
        <Suspense fallback=|| ()>
            {Suspend::new(async move {
                // The router let nobody through without a batch.
                let (Some(operation), Some(id)) = (operation, id) else { return ().into_any() };
                match load_history(operation, id, number).await {
                    Ok(history) => view! { <TaskHistoryView history/> }.into_any(),
                    Err(error) => {
                        view! {
                            <Title text="No such task"/>
                            <div class="head"><h1>"No such task"</h1></div>
                            <LoadFailed what="The task" refusal=error.refusal address/>
                        }
                        .into_any()
                    }
                }
            })}
        </Suspense>
    }
    .into_any()
}

/// The page, once there is something to show.
#[component]
fn TaskHistoryView(history: TaskHistory) -> impl IntoView {
    let batch = format!("{}/{}", history.snapshot.operation.path(), history.snapshot.id);
    let (number, all) = history.number;
    let beside = |to: u32, rel: &'static str, words: &'static str| {
        view! { <a class="button" data-size="sm" rel=rel href=format!("{batch}/tasks/{to}")>{words}</a> }
    };
    let previous = (number > 1).then(|| beside(number.saturating_sub(1), "prev", "Previous task"));
    let next = (u64::from(number) < all).then(|| beside(number.saturating_add(1), "next", "Next task"));
    let retry = history.retry.then(|| {
        view! {
            <a class="button" data-kind="primary" href=format!("{batch}/retry#row-{}", history.row)>
                <Icon name="undo"/>
                "Send failed rows again"
            </a>
        }
    });
    let amount =
        history.snapshot.operation.has_amounts().then(|| view! { <span><MoneyView amount=history.amount/></span> });
    let note = (!history.note.is_empty()).then(|| view! { <span>{history.note.clone()}</span> });
    let message = (!history.message.is_empty()).then(|| {
        let tone = if history.status == crate::domain::task::TaskStatus::Failed { "failed" } else { "waiting" };
        let message = history.message.clone();
        view! { <Banner tone>{message}</Banner> }
    });
    let reads_orders = page_context().viewer.is_some_and(|viewer| viewer.may(Module::Orders, Right::Read));
    let order = reads_orders.then(|| view! { <span><a href=order_path(&history.order_id)>"The order"</a></span> });
    let steps = history.steps.into_iter().map(|event| step(event, ().into_any())).collect_view();
    view! {
        <Title text=format!("{} – task {number}", history.order_id)/>
        <div class="head">
            <div class="head-title">
                <h1>{history.order_id.clone()}</h1>
                <TaskStatusBadge status=history.status/>
            </div>
            <div class="meta">
                {order}
                {amount}
                <span>"Task "{count(number.into())}" of "{count(all)}", row "{history.row}" of "<a href=batch.clone()>{history.snapshot.file_name.clone()}</a></span>
                {note}
            </div>
            <div class="head-actions no-print">{previous}{next}{retry}</div>
        </div>
        <div class="stack" data-gap="24">
            {message}
            <section class="card" aria-labelledby="history">
                <div class="card-head"><h2 id="history">"What happened"</h2><small>"oldest first"</small></div>
                <ol class="timeline history card-body">{steps}</ol>
            </section>
        </div>
    }
    .into_any()
}
