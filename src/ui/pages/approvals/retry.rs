//! Failed rows that are to be sent again: what they were, what they are to be, and why they failed.

use crate::{
    domain::{
        money::Money,
        view::retries::{RetryAskedRow, RetryRequest},
    },
    ui::components::{Glyph, MoneyView, count},
};
use leptos::prelude::*;

/// The rows, those that differ first.
#[component]
pub fn RetryRequest(
    /// What is asked for.
    asked: RetryRequest,
    /// Their sum now.
    total: Money,
) -> impl IntoView {
    let heading = format!("{} changed, before {}, now {total}", count(asked.changed), asked.before);
    let again = (asked.fails_again > 0).then(|| {
        let words = format!("{} unchanged and would fail again.", count(asked.fails_again));
        view! { <p class="card-body flag" data-tone="waiting"><Glyph name="partial"/>{words}</p> }
    });
    let cut = asked.rows.len() == RetryRequest::SHOWN;
    let cut =
        cut.then(|| view! { <p class="card-foot">"Only the first rows are shown, those that were changed first."</p> });
    let rows = asked.rows.into_iter().map(row).collect_view();
    view! {
        <section class="card" aria-labelledby="retry" data-retry="">
            <div class="card-head"><h2 id="retry">"Failed rows, before and now"</h2><small>{heading}</small></div>
            {again}
            <div class="table-box" tabindex="0" role="region" aria-label="Failed rows, scrolls sideways">
                <table role="table" class="table" data-slips="" data-density="compact">
                    <caption class="vh">"Failed rows, before and now"</caption>
                    <thead role="rowgroup">
                        <tr role="row">
                            <th role="columnheader" scope="col" class="num">"Row"</th>
                            <th role="columnheader" scope="col">"Order ID"</th>
                            <th role="columnheader" scope="col">"Changed"</th>
                            <th role="columnheader" scope="col">"Why it failed"</th>
                            <th role="columnheader" scope="col" class="cash">"Amount"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{rows}</tbody>
                </table>
            </div>
            {cut}
        </section>
    }
    .into_any()
}

fn row(row: RetryAskedRow) -> AnyView {
    let empty = |text: String| if text.is_empty() { "empty".to_owned() } else { text };
    let changes = match row.changes.is_empty() {
        true => view! { <span class="dim">"nothing"</span> }.into_any(),
        false => row
            .changes
            .into_iter()
            .map(|(column, was, now)| {
                view! { <small>{column}</small><span class="diff"><del>{empty(was)}</del><ins>{empty(now)}</ins></span> }
            })
            .collect_view()
            .into_any(),
    };
    view! {
        <tr role="row">
            <td role="cell" class="num dim" data-label="Row" data-cell="mark">{row.row}</td>
            <th role="rowheader" scope="row" data-cell="lead"><span class="name id">{row.order_id}</span></th>
            <td role="cell" data-label="Changed">{changes}</td>
            <td role="cell"><span class="bad">{row.why}</span></td>
            <td role="cell" class="cash" data-cell="end"><MoneyView amount=row.amount/></td>
        </tr>
    }
    .into_any()
}
