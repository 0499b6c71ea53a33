//! `/search`: what begins with a text, over all batches the person may read. Rendered on the server only.

use crate::{
    api::search::search,
    domain::{
        page::TaskQuery,
        view::{
            orders::{OrderQuery, StoredOrder, order_path},
            search::{Found, FoundBatch, FoundTask, MOST_FOUND, SHORTEST_SEARCH},
        },
    },
    ui::{
        components::{
            BatchStatusBadge, Button, Card, EmptyState, Icon, Kind, LoadFailed, MoneyView, TaskStatusBadge, TimeView,
            Title, count,
        },
        hooks::url::query_value,
        parts::order_badge::badge,
    },
};
use leptos::prelude::*;

/// The page.
#[component]
pub fn SearchPage() -> impl IntoView {
    let text = query_value("q").get_untracked().unwrap_or_default();
    view! {
        <Title text="Search" />
        <div class="head">
            <h1>"Search"</h1>
        </div>
        <Suspense fallback=|| ()>
            {Suspend::new({
                let text = text.clone();
                async move {
                    match search(text).await {
                        Ok(found) => view! { <Loaded found=found /> }.into_any(),
                        Err(error) => {
                            view! { <LoadFailed what="The search" refusal=error.refusal address="/search" /> }.into_any()
                        }
                    }
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Loaded(found: Found) -> impl IntoView {
    let Found { text, orders, more_orders, batches, tasks, more } = found;
    let nothing = orders.is_empty() && batches.is_empty() && tasks.is_empty();
    let short = text.chars().count() < SHORTEST_SEARCH;
    let results = match (short, nothing) {
        (true, _) => {
            let text = format!(
                "Type at least {SHORTEST_SEARCH} letters of an order, a transaction, a unique ID, a batch ID or a file \
                 name."
            );
            view! { <p class="dim">{text}</p> }.into_any()
        }
        (false, true) => {
            let title = format!("Nothing begins with {text}");
            view! {
                <EmptyState
                    icon="search"
                    title=title
                    text="Upper and lower case are told apart. A part from the middle of a file name is found on the \
                          list of batches."
                />
            }
            .into_any()
        }
        (false, false) => view! {
            {(!orders.is_empty()).then(|| view! { <Orders orders=orders more=more_orders text=text.clone() /> })}
            {(!tasks.is_empty()).then(|| view! { <Tasks tasks=tasks more=more text=text.clone() /> })}
            {(!batches.is_empty()).then(|| view! { <Batches batches=batches text=text.clone() /> })}
        }
        .into_any(),
    };
    view! {
        <div class="stack" data-gap="24">
            <SearchForm text=text />
            {results}
        </div>
    }
    .into_any()
}

#[component]
fn SearchForm(text: String) -> impl IntoView {
    view! {
        <form class="row search-form" role="search" method="get" action="/search">
            <div class="input-box search">
                <Icon name="search" />
                <input
                    class="input"
                    type="search"
                    name="q"
                    maxlength="128"
                    autocomplete="off"
                    spellcheck="false"
                    autofocus
                    aria-label="Order, transaction, unique ID, batch ID or file name"
                    placeholder="Order, transaction, unique ID, batch ID or file name"
                    value=text
                />
            </div>
            <Button kind=Kind::Primary>"Search"</Button>
        </form>
    }
    .into_any()
}

/// A value whose beginning was searched for: the beginning is marked.
fn marked(value: &str, text: &str) -> AnyView {
    match value.strip_prefix(text) {
        Some(rest) => view! { <mark>{text.to_owned()}</mark>{rest.to_owned()} }.into_any(),
        None => value.to_owned().into_any(),
    }
}

/// What was found, a line each; the third column is money.
fn table(label: &'static str, heads: [&'static str; 5], rows: AnyView) -> AnyView {
    let head = |(place, head)| {
        view! {
            <th role="columnheader" scope="col" class=(place == 2).then_some("num")>
                {head}
            </th>
        }
    };
    view! {
        <table role="table" class="table" data-slips="" aria-label=label>
            <thead role="rowgroup">
                <tr role="row">{heads.into_iter().enumerate().map(head).collect_view()}</tr>
            </thead>
            <tbody role="rowgroup">{rows}</tbody>
        </table>
    }
    .into_any()
}

#[component]
fn Orders(orders: Vec<StoredOrder>, more: bool, text: String) -> impl IntoView {
    let found = count(u64::try_from(orders.len()).unwrap_or(0));
    let note = if more { format!("The first {found}") } else { format!("{found} found") };
    let all = OrderQuery { search: text.clone(), ..OrderQuery::default() }.to_path();
    let rows = orders.into_iter().map(|order| order_row(order, &text)).collect_view();
    view! {
        <Card title="Orders" note=note>
            {table("Orders that were found", ["Order", "Status", "Amount", "Refundable", "Last seen"], rows.into_any())}
            <div class="card-foot">
                <a href=all>"Show them in the list of orders"</a>
            </div>
        </Card>
    }
    .into_any()
}

fn order_row(order: StoredOrder, text: &str) -> AnyView {
    let by = order
        .transaction
        .as_deref()
        .map(|id| view! { <small>"Transaction " <span class="id">{marked(id, text)}</span></small> });
    let left = match order.left.clone() {
        Ok(left) => view! { <MoneyView amount=left /> }.into_any(),
        Err(why) => view! { <span class="dim">{why}</span> }.into_any(),
    };
    view! {
        <tr role="row">
            <th role="rowheader" scope="row" data-cell="lead">
                <a class="name id" href=order_path(&order.order_id)>{marked(&order.order_id, text)}</a>
                {by}
            </th>
            <td role="cell" class="tight" data-cell="mark">{badge(&order)}</td>
            <td role="cell" class="cash" data-cell="end">
                <MoneyView amount=order.amount />
            </td>
            <td role="cell" data-label="Refundable">{left}</td>
            <td role="cell" class="tight" data-cell="drop">
                <TimeView moment=order.seen />
            </td>
        </tr>
    }
    .into_any()
}

#[component]
fn Tasks(tasks: Vec<FoundTask>, more: bool, text: String) -> impl IntoView {
    let shown = tasks.len();
    let note = match more {
        true => format!("The first {MOST_FOUND}. Type more letters to narrow it down."),
        false => format!("{} found", count(u64::try_from(shown).unwrap_or(0))),
    };
    let rows = tasks.into_iter().map(|task| task_row(task, &text)).collect_view();
    view! {
        <Card title="Tasks" note=note>
            {table("Tasks that were found", ["Order", "Task Status", "Amount", "Batch", "Created"], rows.into_any())}
        </Card>
    }
    .into_any()
}

fn task_row(task: FoundTask, text: &str) -> AnyView {
    let batch = format!("{}/{}", task.operation.path(), task.batch);
    let query = TaskQuery { order: task.order_id.clone(), ..TaskQuery::default() }.to_query();
    let mark = if task.by.is_none() { text } else { "" };
    let by = task
        .by
        .map(|(label, value)| view! { <small>{label} " " <span class="id">{marked(&value, text)}</span></small> });
    view! {
        <tr role="row">
            <th role="rowheader" scope="row" data-cell="lead">
                <a class="name id" href=format!("{batch}{query}#task-{}", task.number)>{marked(&task.order_id, mark)}</a>
                {by}
            </th>
            <td role="cell" class="tight" data-cell="mark">
                <TaskStatusBadge status=task.status />
            </td>
            <td role="cell" class="cash" data-cell="end">
                {task.operation.has_amounts().then(|| view! { <MoneyView amount=task.amount /> })}
            </td>
            <td role="cell">
                <a href=batch>{task.file_name}</a>
                <small>{task.operation.labels().title} ", row " {count(task.number)}</small>
            </td>
            <td role="cell" class="tight" data-cell="drop">
                <TimeView moment=task.created />
            </td>
        </tr>
    }
    .into_any()
}

#[component]
fn Batches(batches: Vec<FoundBatch>, text: String) -> impl IntoView {
    let rows = batches
        .into_iter()
        .map(|batch| {
            let id = batch.id.to_string();
            let named = batch.file_name.starts_with(&text);
            view! {
                <tr role="row">
                    <th role="rowheader" scope="row" data-cell="lead">
                        <a class="name" href=format!("{}/{id}", batch.operation.path())>
                            {marked(&batch.file_name, if named { &text } else { "" })}
                        </a>
                        <small class="id">{marked(&id, if named { "" } else { &text })}</small>
                    </th>
                    <td role="cell" class="tight" data-cell="mark">
                        <BatchStatusBadge status=batch.status />
                    </td>
                    <td role="cell" class="cash" data-cell="end">
                        {batch.operation.has_amounts().then(|| view! { <MoneyView amount=batch.amount /> })}
                        <small>{count(batch.records)} " rows"</small>
                    </td>
                    <td role="cell">{batch.operation.labels().title}</td>
                    <td role="cell" class="tight" data-cell="drop">
                        <TimeView moment=batch.created />
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Card title="Batches">
            {table("Batches that were found", ["File", "Status", "Amount", "Module", "Created"], rows.into_any())}
        </Card>
    }
    .into_any()
}
