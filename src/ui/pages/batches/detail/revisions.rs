//! The file and each retry of its failed rows.

use crate::{
    domain::view::retries::RevisionRow,
    ui::components::{MoneyView, TimeView, count},
};
use leptos::prelude::*;

/// Newest first; nothing while there is only the file.
pub fn list(rows: Vec<RevisionRow>) -> AnyView {
    if rows.is_empty() {
        return ().into_any();
    }
    let body = rows
        .into_iter()
        .map(|row| {
            let (accepted, failed, queued) = row.outcome;
            let part = |number: u64, words: &str| (number > 0).then(|| format!("{} {words}", count(number)));
            let outcome: Vec<String> =
                [part(accepted, "accepted"), part(failed, "failed"), part(queued, "queued")].into_iter().flatten().collect();
            let name = if row.number == 1 { "The file".to_owned() } else { format!("Retry {}", row.number - 1) };
            view! {
                <tr role="row">
                    <th role="rowheader" scope="row" data-cell="lead">{name}<small>{row.maker}</small></th>
                    <td role="cell" data-cell="mark"><TimeView moment=row.at stacked=true/></td>
                    <td role="cell" class="cash" data-cell="end"><MoneyView amount=row.amount/><small>{count(row.records)}" rows"</small></td>
                    <td role="cell">{row.decision}</td>
                    <td role="cell">{outcome.join(", ")}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="revisions">
            <div class="card-head"><h2 id="revisions">"Retries"</h2><small>"newest first"</small></div>
            <div class="table-box" tabindex="0" role="region" aria-label="Retries, scrolls sideways">
                <table role="table" class="table" data-slips="" data-density="compact">
                    <caption class="vh">"The file and each retry of its failed rows"</caption>
                    <thead role="rowgroup">
                        <tr role="row">
                            <th role="columnheader" scope="col">"Asked for"</th>
                            <th role="columnheader" scope="col">"When"</th>
                            <th role="columnheader" scope="col" class="cash">"Amount"</th>
                            <th role="columnheader" scope="col">"Decision"</th>
                            <th role="columnheader" scope="col">"Outcome"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{body}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
