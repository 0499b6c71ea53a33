//! Filters by person and by day: a plain form that asks by GET. A field that asks for another list the moment it
//! changes would take the page away from under whoever is still choosing.

use crate::{
    domain::{
        ids::PersonId,
        operation::Operation,
        page::{BatchQuery, Day},
    },
    ui::components::Icon,
};
use leptos::prelude::*;

/// The form, folded away while it narrows nothing.
#[component]
pub fn Filters(
    /// Whose list.
    operation: Operation,
    /// Its state.
    query: BatchQuery,
    /// Who can be chosen.
    makers: Vec<(PersonId, String)>,
) -> impl IntoView {
    let kept = query.pairs().into_iter().filter(|(name, _)| !matches!(*name, "maker" | "from" | "to"));
    let kept = kept.map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    let people = makers
        .into_iter()
        .map(|(id, email)| {
            view! {
                <option value=id.to_string() selected=query.maker == Some(id)>
                    {email}
                </option>
            }
        })
        .collect_view();
    let is_narrowed = query.is_narrowed();
    let clear = is_narrowed.then(|| {
        let address = BatchQuery { status: query.status, ..query.without_filters() }.to_query();
        view! {
            <a class="button" data-kind="quiet" href=format!("{}{address}", operation.path()) rel="external">
                "Clear filters"
            </a>
        }
    });
    view! {
        <details class="filters" open=is_narrowed>
            <summary class="button" data-size="sm">
                <Icon name="list" />
                "Filters"
            </summary>
            <form method="get" action=operation.path()>
                {kept}
                <label class="field">
                    <span class="label">"Uploaded by"</span>
                    <select class="input" name="maker">
                        <option value="">"Everybody"</option>
                        {people}
                    </select>
                </label>
                {day("from", "Created from", query.from.as_ref())}
                {day("to", "Created to", query.to.as_ref())}
                <div class="row">
                    <button class="button" type="submit">
                        "Show"
                    </button>
                    {clear}
                </div>
            </form>
        </details>
    }
    .into_any()
}

fn day(name: &'static str, label: &'static str, day: Option<&Day>) -> AnyView {
    let value = day.map(|day| day.text().to_owned()).unwrap_or_default();
    view! {
        <label class="field">
            <span class="label">{label}</span>
            <input class="input" type="date" name=name value=value />
        </label>
    }
    .into_any()
}
