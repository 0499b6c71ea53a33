//! `/batch/batch-refunds/{id}/tasks/{row}` and its neighbours: everything that happened to one task, in order. Rendered on the server only.

use crate::{
    api::retries::load_story,
    domain::{
        access::{Module, Right},
        ids::BatchId,
        operation::Operation,
        view::{
            orders::order_path,
            retries::{StoryStep, TaskStory},
        },
    },
    ui::{
        components::{Banner, Glyph, Icon, LoadFailed, MoneyView, TaskStamp, TimeView, Title, count},
        hooks::{page::page_context, url::here},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};

/// The page.
#[component]
pub fn StoryPage() -> impl IntoView {
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
                match load_story(operation, id, number).await {
                    Ok(story) => view! { <Story story/> }.into_any(),
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
fn Story(story: TaskStory) -> impl IntoView {
    let batch = format!("{}/{}", story.snapshot.operation.path(), story.snapshot.id);
    let (number, all) = story.number;
    let beside = |to: u32, rel: &'static str, words: &'static str| {
        view! { <a class="button" data-size="sm" rel=rel href=format!("{batch}/tasks/{to}")>{words}</a> }
    };
    let previous = (number > 1).then(|| beside(number.saturating_sub(1), "prev", "Previous task"));
    let next = (u64::from(number) < all).then(|| beside(number.saturating_add(1), "next", "Next task"));
    let retry = story.retry.then(|| {
        view! {
            <a class="button" data-kind="primary" href=format!("{batch}/retry#row-{}", story.row)>
                <Icon name="undo"/>
                "Send failed rows again"
            </a>
        }
    });
    let amount =
        story.snapshot.operation.has_amounts().then(|| view! { <span><MoneyView amount=story.amount/></span> });
    let note = (!story.note.is_empty()).then(|| view! { <span>{story.note.clone()}</span> });
    let message = (!story.message.is_empty()).then(|| {
        let tone = if story.status == crate::domain::task::TaskStatus::Failed { "failed" } else { "waiting" };
        let message = story.message.clone();
        view! { <Banner tone>{message}</Banner> }
    });
    let reads_orders = page_context().viewer.is_some_and(|viewer| viewer.may(Module::Orders, Right::Read));
    let order = reads_orders.then(|| view! { <span><a href=order_path(&story.order_id)>"The order"</a></span> });
    let steps = story.steps.into_iter().map(|told| step(told, ().into_any())).collect_view();
    view! {
        <Title text=format!("{} – task {number}", story.order_id)/>
        <div class="head">
            <div class="head-title">
                <h1>{story.order_id.clone()}</h1>
                <TaskStamp status=story.status/>
            </div>
            <div class="meta">
                {order}
                {amount}
                <span>"Task "{count(number.into())}" of "{count(all)}", row "{story.row}" of "<a href=batch.clone()>{story.snapshot.file_name.clone()}</a></span>
                {note}
            </div>
            <div class="head-actions no-print">{previous}{next}{retry}</div>
        </div>
        <div class="stack" data-gap="24">
            {message}
            <section class="sheet" aria-labelledby="story">
                <div class="sheet-head"><h2 id="story">"What happened"</h2><small>"oldest first"</small></div>
                <ol class="timeline story sheet-body">{steps}</ol>
            </section>
        </div>
    }
    .into_any()
}

/// One step; `links` stand at its foot.
pub(in crate::ui::pages) fn step(step: StoryStep, links: AnyView) -> impl IntoView {
    let glyph = match (step.kind, step.tone) {
        ("file", _) => "here",
        ("retry", _) => "edited",
        (_, "accepted") => "accepted",
        (_, "failed") => "failed",
        (_, "queued") => "running",
        (_, "waiting") => "waiting",
        _ => "done",
    };
    let changes = (!step.changes.is_empty()).then(|| {
        let lines = step.changes.into_iter().map(|(column, was, now)| {
            let empty = |text: String| if text.is_empty() { "empty".to_owned() } else { text };
            view! {
                <dt>{column}</dt>
                <dd class="diff"><del>{empty(was)}</del><ins>{empty(now)}</ins></dd>
            }
        });
        view! { <dl class="facts">{lines.collect_view()}</dl> }
    });
    let facts = (!step.facts.is_empty()).then(|| {
        let lines = step
            .facts
            .into_iter()
            .map(|(name, value)| view! { <dt>{name}</dt><dd class="id">{value}</dd> })
            .collect_view();
        view! { <dl class="facts">{lines}</dl> }
    });
    let raw = (!step.raw.is_empty() && step.raw != "{}").then(|| {
        view! {
            <details>
                <summary>"As it came, secrets taken out"</summary>
                <pre class="code" tabindex="0">{step.raw}</pre>
            </details>
        }
    });
    view! {
        <li data-tone=step.tone data-step=step.kind>
            <Glyph name=glyph medium=true/>
            <p>{step.title}</p>
            {(!step.remark.is_empty()).then(|| view! { <blockquote>{step.remark}</blockquote> })}
            {changes}
            {facts}
            {raw}
            <small>
                {step.at.map(|moment| view! { <TimeView moment/> })}
                {(!step.actor.is_empty()).then(|| view! { <span>{step.actor}</span> })}
                {links}
            </small>
        </li>
    }
}
