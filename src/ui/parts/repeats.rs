//! What went out before or is warned of, and the boxes that say it is meant: on every server page that makes refunds
//! without a file.

use crate::{
    domain::{finding::Finding, operation::Operation, view::Repeat},
    ui::components::Glyph,
};
use leptos::prelude::*;

/// Nothing where nothing repeats. `seal` names the lines that the tick is for; a row of the page is called `row-` and
/// its number.
pub fn repeats(operation: Operation, repeats: Vec<Repeat>, seal: String, label: &'static str) -> Option<AnyView> {
    if repeats.is_empty() {
        return None;
    }
    let lines = repeats
        .into_iter()
        .map(|repeat| {
            let path = format!("{}/{}", operation.path(), repeat.batch);
            let place =
                repeat.row.map(|number| view! { <a href=format!("#row-{number}")>{format!("Row {number}")}</a> " " });
            view! { <li>{place} {repeat.message} " " <a href=path>{repeat.file_name}</a></li> }
        })
        .collect_view();
    Some(question(
        "repeats",
        "The same order and amount went out before",
        lines.into_any(),
        "confirm_repeat",
        seal,
        label,
    ))
}

/// Nothing where nothing is to be confirmed.
pub fn warnings(warnings: Vec<Finding>, seal: String, label: &'static str) -> Option<AnyView> {
    if warnings.is_empty() {
        return None;
    }
    let lines = warnings
        .into_iter()
        .map(|finding| {
            let place = finding.row.map(|row| view! { <a href=format!("#row-{row}")>{format!("Row {row}")}</a> " " });
            view! { <li>{place} {finding.message}</li> }
        })
        .collect_view();
    Some(question("confirm", "To be confirmed", lines.into_any(), "confirm_warnings", seal, label))
}

fn question(
    id: &'static str,
    title: &'static str,
    lines: AnyView,
    name: &'static str,
    seal: String,
    label: &'static str,
) -> AnyView {
    let (heading, named) = (format!("{id}-title"), format!("{id}-title"));
    view! {
        <section class="card" id=id aria-labelledby=named>
            <div class="finding" data-tone="waiting">
                <Glyph name="partial" />
                <h2 id=heading>{title}</h2>
                <ul class="lines">{lines}</ul>
                <label class="check">
                    <input type="checkbox" name=name value=seal />
                    {label}
                </label>
            </div>
        </section>
    }
    .into_any()
}
