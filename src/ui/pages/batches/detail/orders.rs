//! The table of a sync's tasks: what the gateway and the external system said about each order.

use crate::{
    domain::{task::TaskStatus, view::TaskRow},
    ui::components::{Glyph, TaskStamp, Tone},
};
use leptos::prelude::*;

/// Characters of an answer that stand in the table; the rest unfolds.
const SHOWN: usize = 48;

/// The heads of the columns.
pub(super) fn heads() -> AnyView {
    view! {
        <tr role="row">
            <th role="columnheader" scope="col" class="num">"S.No"</th>
            <th role="columnheader" scope="col">"Order ID"<br/>"Transaction ID"</th>
            <th role="columnheader" scope="col">"Task Status"</th>
            <th role="columnheader" scope="col" class="tight">"Sync Status"</th>
            <th role="columnheader" scope="col">"External System Response"</th>
            <th role="columnheader" scope="col" class="tight">"Gateway Sync Status"</th>
            <th role="columnheader" scope="col">"Unique Request ID"</th>
            <th role="columnheader" scope="col">"Error Message"</th>
            <th role="columnheader" scope="col">"Updated At"</th>
        </tr>
    }
    .into_any()
}

/// Tone and glyph of a word of the two status columns.
fn look(status: &str) -> (Tone, &'static str) {
    match status {
        "SYNCED" => ("accepted", "done"),
        "NOT SYNCED" | "FAILED" => ("failed", "invalid"),
        _ => ("neutral", "info"),
    }
}

fn flag(status: String) -> Option<AnyView> {
    let (tone, glyph) = look(&status);
    (!status.is_empty())
        .then(|| view! { <span class="flag" data-tone=tone><Glyph name=glyph/>{status}</span> }.into_any())
}

/// A long answer is cut, and unfolds.
fn answer(text: String) -> AnyView {
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

/// One task.
pub(super) fn row(task: TaskRow, base: &str) -> AnyView {
    let TaskRow { number, row, status, updated, created, .. } = task;
    let sync = task.sync.unwrap_or_default();
    let message = (!task.message.is_empty()).then(|| {
        let class = if status == TaskStatus::Failed { "bad" } else { "dim" };
        view! { <span class=class>{task.message}</span> }
    });
    let txn = (!task.txn_id.is_empty()).then(|| view! { <small class="id">{task.txn_id}</small> });
    let times = format!("Created {}, updated {}", created.text, updated.text);
    view! {
        <tr role="row" id=format!("task-{number}")>
            <td role="cell" class="num dim" data-cell="drop" title=format!("Row {row} of the file")>{number}</td>
            <th role="rowheader" scope="row" data-cell="lead">
                <a class="name id" href=format!("{base}{number}") rel="external">{task.order_id}</a>
                {txn}
            </th>
            <td role="cell" class="tight" data-cell="mark"><TaskStamp status/></td>
            <td role="cell" class="tight" data-cell="end">{flag(sync.sync_status)}</td>
            <td role="cell" data-label="External system">{(!sync.external_response.is_empty()).then(|| answer(sync.external_response))}</td>
            <td role="cell" class="tight" data-label="Gateway">{flag(sync.gateway_status)}</td>
            <td role="cell" data-cell="drop"><span class="id">{sync.unique_request_id}</span></td>
            <td role="cell" class="msg">{message}</td>
            <td role="cell" class="tight" data-cell="drop">
                <time datetime=updated.utc title=times>{updated.time}<small>{updated.date}</small></time>
            </td>
        </tr>
    }
    .into_any()
}
