//! The table of tasks: filtered by status, searched by order id, paged; all of it in the address.

use super::labels::{next_step, things};
use crate::{
    domain::{
        batch::BatchStatus,
        ids::BatchId,
        money::Money,
        operation::Operation,
        page::{Paged, TaskQuery},
        task::TaskStatus,
        view::{BatchSnapshot, CellPart, Split, TaskRow},
    },
    ui::components::{Chip, Chips, Glyph, Icon, MoneyView, Pagination, TaskStatusBadge, Tone},
};
use leptos::prelude::*;

/// Characters of an answer that stand in the table; the rest unfolds.
const SHOWN: usize = 48;

/// The address of the batch's page with `query`.
pub(super) fn address(operation: Operation, id: BatchId, query: &TaskQuery) -> String {
    format!("{}/{id}{}", operation.path(), query.to_query())
}

/// Filter, search, table and pages.
#[component]
pub fn Tasks(
    shown: Memo<BatchSnapshot>,
    tasks: Paged<TaskRow>,
    query: TaskQuery,
    /// Opens the page with another query, without loading everything again.
    search: Callback<TaskQuery>,
) -> impl IntoView {
    let (operation, id) = shown.with_untracked(|shown| (shown.operation, shown.id));
    let here = move |query: &TaskQuery| address(operation, id, query);
    let chips = {
        let query = query.clone();
        move || {
            let counts = shown.with(|shown| shown.counts);
            let all = counts.queued + counts.accepted + counts.failed;
            let chip = |status: Option<TaskStatus>, text: &str, count| Chip {
                href: here(&TaskQuery { status, page: 1, ..query.clone() }),
                text: text.to_owned(),
                count,
                current: query.status == status,
            };
            let chips = vec![
                chip(None, "All", all),
                chip(Some(TaskStatus::Accepted), TaskStatus::Accepted.code(), counts.accepted),
                chip(Some(TaskStatus::Failed), TaskStatus::Failed.code(), counts.failed),
                chip(Some(TaskStatus::Queued), TaskStatus::Queued.code(), counts.queued),
            ];
            view! { <Chips label="Task Status" chips/> }
        }
    };
    let nothing = tasks.rows.is_empty().then(|| nothing_found(shown, &query));
    let pages = tasks.pages();
    let page_address = {
        let query = query.clone();
        move |page| here(&TaskQuery { page, ..query.clone() })
    };
    let (page, size, total) = (tasks.page, tasks.size, tasks.total);
    let base = format!("{}/{id}/tasks/", operation.path());
    let (batch, stopped) = shown.with_untracked(|shown| (shown.status, shown.notice.is_some()));
    let rows = tasks.rows.into_iter().map(|task| row(operation, task, &base, batch, stopped)).collect_view();
    view! {
        <section class="card" aria-labelledby="tasks">
            <div class="card-head">
                <h2 id="tasks">"Tasks"</h2>
                {chips}
                <Search clear=here(&TaskQuery { status: query.status, ..TaskQuery::default() }) query search/>
            </div>
            {match nothing {
                Some(nothing) => nothing,
                None => view! {
                    <div class="table-box" tabindex="0" role="region" aria-label="Tasks table, scrolls sideways">
                        <table role="table" class="table tasks" data-slips="" data-density="compact">
                            <caption class="vh">"Tasks of this batch"</caption>
                            <thead role="rowgroup">
                                {heads(operation)}
                            </thead>
                            <tbody role="rowgroup">{rows}</tbody>
                        </table>
                    </div>
                    <Pagination page pages size total href=page_address/>
                }
                .into_any(),
            }}
        </section>
    }
    .into_any()
}

fn nothing_found(shown: Memo<BatchSnapshot>, query: &TaskQuery) -> AnyView {
    let all = shown.with_untracked(|shown| things(shown.operation, shown.records));
    let href = shown.with_untracked(|shown| address(shown.operation, shown.id, &TaskQuery::default()));
    let sentence = match (&query.status, query.order.is_empty()) {
        (Some(status), true) => format!("No task is {}.", status.code()),
        (None, false) => format!("No order id begins with “{}”.", query.order),
        (Some(status), false) => {
            format!("No task that is {} has an order id that begins with “{}”.", status.code(), query.order)
        }
        (None, true) => "This page is empty.".to_owned(),
    };
    view! {
        <div class="empty">
            <h3>{sentence}</h3>
            <div class="row"><a class="button" href=href>"Show all "{all}</a></div>
        </div>
    }
    .into_any()
}

/// The search: a plain form, so that it works without JavaScript.
#[component]
fn Search(
    query: TaskQuery,
    search: Callback<TaskQuery>,
    /// The address of the table without the search.
    clear: String,
) -> impl IntoView {
    let status = query.status;
    let typed = RwSignal::new(query.order.clone());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        search.run(TaskQuery { status, order: typed.get_untracked().trim().to_owned(), page: 1 });
    };
    let clear = (!query.order.is_empty()).then(|| {
        view! {
            <span class="input-end">
                <a
                    class="button"
                    data-kind="quiet"
                    data-only="icon"
                    data-size="sm"
                    href=clear
                    title="Clear search"
                    aria-label="Clear search"
                >
                    <Icon name="x"/>
                </a>
            </span>
        }
    });
    view! {
        <form class="row no-print" role="search" method="get" on:submit=submit>
            {status.map(|status| view! { <input type="hidden" name="status" value=status.code()/> })}
            <div class="input-box search">
                <Icon name="search"/>
                <input
                    class="input"
                    type="search"
                    name="q"
                    maxlength="128"
                    autocomplete="off"
                    spellcheck="false"
                    aria-label="Search by order ID"
                    placeholder="Order ID"
                    value=query.order
                    on:input=move |event| typed.set(event_target_value(&event))
                />
                {clear}
            </div>
        </form>
    }
    .into_any()
}

/// Tone and glyph of a word about how it went.
fn look(status: &str) -> (Tone, &'static str) {
    match status {
        "SUCCESS" | "SYNCED" => ("accepted", "done"),
        "FAILURE" | "FAILED" | "NOT SYNCED" => ("failed", "invalid"),
        "PENDING" => ("waiting", "waiting"),
        "MANUAL_REVIEW" => ("waiting", "partial"),
        _ => ("neutral", "info"),
    }
}

/// Two lines of a head; the second may be missing.
fn lines(head: &'static [&'static str]) -> impl IntoView {
    head.iter().enumerate().map(|(line, text)| view! { {(line > 0).then(|| view! { <br/> })}{*text} }).collect_view()
}

fn heads(operation: Operation) -> AnyView {
    let [subject, beside] = operation.labels().subject;
    let columns = operation.descriptor().columns.iter().map(|column| {
        view! { <th role="columnheader" scope="col" class=column.head_class>{lines(column.head)}</th> }
    });
    view! {
        <tr role="row">
            <th role="columnheader" scope="col" class="num">"S.No"</th>
            <th role="columnheader" scope="col">
                {subject.split_inclusive('/').map(|piece| view! { {piece}<wbr/> }).collect_view()}
                {(!beside.is_empty()).then(|| view! { <br/>{beside} })}
            </th>
            <th role="columnheader" scope="col">"Task Status"</th>
            {operation.has_amounts().then(|| view! { <th role="columnheader" scope="col" class="cash">"Amount"</th> })}
            {columns.collect_view()}
            <th role="columnheader" scope="col">"Error Message"</th>
            <th role="columnheader" scope="col">"Updated At"</th>
        </tr>
    }
    .into_any()
}

/// One task.
fn row(operation: Operation, task: TaskRow, base: &str, batch: BatchStatus, stopped: bool) -> AnyView {
    let TaskRow { number, row, status, state, amount, updated, created, split, .. } = task;
    // What is only asked about waits for nothing that people could change.
    let (note, next) = match operation.has_amounts() {
        true => (state.note(), next_step(state, batch, stopped)),
        false => (None, None),
    };
    let message = (!task.message.is_empty()).then(|| {
        let class = if status == TaskStatus::Failed { "bad" } else { "dim" };
        view! { <span class=class>{task.message}</span> }
    });
    let times = format!("Created {}, updated {}", created.text, updated.text);
    let cells = operation.descriptor().columns.iter().zip(task.cells).map(|(column, parts)| {
        view! {
            <td role="cell" class=column.class data-cell=column.place data-label=column.label>
                {parts.into_iter().map(part).collect_view()}
            </td>
        }
    });
    view! {
        <tr role="row" id=format!("task-{number}")>
            <td role="cell" class="num dim" data-cell="drop" title=format!("Row {row} of the file")>{number}</td>
            <th role="rowheader" scope="row" data-cell="lead">
                <a class="name id" href=format!("{base}{number}") rel="external">{task.order_id}</a>
                {(!task.txn_id.is_empty()).then(|| part(CellPart::SmallId(task.txn_id)))}
            </th>
            <td role="cell" class="tight" data-cell="mark">
                <TaskStatusBadge status/>
                {note.map(|note| view! { <small>{note}</small> })}
            </td>
            {operation.has_amounts().then(|| view! {
                <td role="cell" class="cash" data-cell="end">
                    <MoneyView amount/>
                    {split.map(|split| parts(&split, amount))}
                </td>
            })}
            {cells.collect_view()}
            <td role="cell" class="msg">{message}" "{next.map(|next| view! { <span class="dim">{next}</span> })}</td>
            <td role="cell" class="tight" data-cell="drop">
                <time datetime=updated.utc title=times>{updated.time}<small>{updated.date}</small></time>
            </td>
        </tr>
    }
    .into_any()
}

/// A part of a cell.
fn part(part: CellPart) -> AnyView {
    match part {
        CellPart::Flag(text) => {
            let (tone, glyph) = look(&text);
            view! { <span class="flag" data-tone=tone><Glyph name=glyph/>{text}</span> }.into_any()
        }
        CellPart::Small(text) => view! { <small>{text}</small> }.into_any(),
        CellPart::Id(text) => view! { <span class="id">{text}</span> }.into_any(),
        CellPart::SmallId(text) => view! { <small class="id">{text}</small> }.into_any(),
        CellPart::Response(text) => response_cell(text),
    }
}

/// A long answer is cut, and unfolds.
fn response_cell(text: String) -> AnyView {
    if text.chars().count() <= SHOWN {
        return view! { <span class="id">{text}</span> }.into_any();
    }
    let start: String = text.chars().take(SHOWN).collect();
    view! {
        <details class="answer">
            <summary class="id">{start}"…"</summary>
            <span class="id">{text}</span>
        </details>
    }
    .into_any()
}

/// Parts of a split refund, one a line.
pub(crate) fn parts(split: &Split, amount: Money) -> impl IntoView + use<> {
    let marketplace = split.marketplace.map(|minor| ("marketplace".to_owned(), minor));
    let vendors = split.vendors.iter().cloned();
    marketplace
        .into_iter()
        .chain(vendors)
        .map(|(name, minor)| view! { <small>{name}" "{Money::new(minor, amount.currency).bare()}</small> })
        .collect_view()
}
