//! What went out before, and the box that says it is meant: on every server page that makes refunds without a file.

use crate::{
    domain::{batch::Operation, view::Repeat},
    ui::components::Glyph,
};
use leptos::prelude::*;

/// Nothing where nothing repeats. `seal` names the lines that the tick is for; a row of the page is called `row-` and its number.
pub(super) fn repeats(repeats: Vec<Repeat>, seal: String, label: &'static str) -> Option<AnyView> {
    if repeats.is_empty() {
        return None;
    }
    let lines = repeats
        .into_iter()
        .map(|repeat| {
            let path = format!("{}/{}", Operation::Refund.path(), repeat.batch);
            let place =
                repeat.row.map(|number| view! { <a href=format!("#row-{number}")>{format!("Row {number}")}</a> " " });
            view! { <li>{place} {repeat.message} " " <a href=path>{repeat.file_name}</a></li> }
        })
        .collect_view();
    Some(
        view! {
            <section class="sheet" id="repeats" aria-labelledby="repeats-title">
                <div class="finding" data-tone="waiting">
                    <Glyph name="partial" />
                    <h2 id="repeats-title">"The same order and amount went out before"</h2>
                    <ul class="lines">{lines}</ul>
                    <label class="check">
                        <input type="checkbox" name="confirm_repeat" value=seal />
                        {label}
                    </label>
                </div>
            </section>
        }
        .into_any(),
    )
}
