//! Filters by person and by day: a form that asks by GET, and asks at once where there is JavaScript.

use crate::{
    domain::{batch::Operation, ids::PersonId, page::BatchQuery},
    ui::{components::Icon, hooks::url::use_go},
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
    let go = use_go();
    let count =
        usize::from(query.maker.is_some()) + usize::from(query.from.is_some()) + usize::from(query.to.is_some());
    let asked = StoredValue::new(query.clone());
    let change = Callback::new(move |(name, value): (&'static str, String)| {
        let mut next = asked.get_value();
        next.set(name, &value);
        next.page = 1;
        asked.set_value(next.clone());
        go(format!("{}{}", operation.path(), next.to_query()), true);
    });
    let mut kept = query.pairs();
    kept.retain(|(name, _)| !matches!(*name, "maker" | "from" | "to"));
    let kept =
        kept.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    let mut people = vec![(String::new(), "Everybody".to_owned())];
    people.extend(makers.into_iter().map(|(id, email)| (id.to_string(), email)));
    let chosen = query.maker.map(|maker| maker.to_string()).unwrap_or_default();
    let people = people
        .into_iter()
        .map(|(value, text)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{text}</option> }
        })
        .collect_view();
    let day = |name: &'static str, label: &'static str, value: &Option<crate::domain::page::Day>| {
        let value = value.as_ref().map(|day| day.text().to_owned()).unwrap_or_default();
        view! {
            <label class="field">
                <span class="label">{label}</span>
                <input
                    class="input"
                    type="date"
                    name=name
                    value=value.clone()
                    prop:value=value
                    on:change=move |event| change.run((name, event_target_value(&event)))
                />
            </label>
        }
    };
    let clear = query.is_narrowed().then(|| {
        let address = BatchQuery { status: query.status, ..query.without_filters() }.to_query();
        view! {
            <a class="button" data-kind="quiet" href=format!("{}{address}", operation.path())>
                "Clear filters"
            </a>
        }
    });
    view! {
        <details class="filters" open=count > 0>
            <summary class="button">
                <Icon name="list" />
                "Filters"
                {(count > 0).then(|| view! { <small>{count}</small> })}
            </summary>
            <form method="get" action=operation.path()>
                {kept}
                <label class="field">
                    <span class="label">"Uploaded by"</span>
                    <select
                        class="input"
                        name="maker"
                        prop:value=chosen
                        on:change=move |event| change.run(("maker", event_target_value(&event)))
                    >
                        {people}
                    </select>
                </label>
                {day("from", "Created from", &query.from)}
                {day("to", "Created to", &query.to)}
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

/// What narrows the list beside search and status, in words that go on a sentence; empty when nothing does.
pub fn narrowing(query: &BatchQuery, makers: &[(PersonId, String)]) -> String {
    let mut words = String::new();
    if let Some(maker) = query.maker {
        let known = makers.iter().find(|(id, _)| *id == maker).map(|(_, email)| email.as_str());
        words.push_str(&format!(", uploaded by {}", known.unwrap_or("somebody who uploaded nothing here")));
    }
    match (&query.from, &query.to) {
        (Some(from), Some(to)) if from == to => words.push_str(&format!(", created on {}", from.words())),
        (Some(from), Some(to)) => words.push_str(&format!(", created from {} to {}", from.words(), to.words())),
        (Some(from), None) => words.push_str(&format!(", created on {} or later", from.words())),
        (None, Some(to)) => words.push_str(&format!(", created on {} or before", to.words())),
        (None, None) => {}
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_narrows_the_list_is_named() {
        let id: PersonId = "01999999-0000-7000-8000-000000000000".parse().unwrap();
        let makers = [(id, "maker@acme.test".to_owned())];
        let words = |pairs: &[(&str, &str)]| narrowing(&BatchQuery::from_pairs(pairs.iter().copied()), &makers);
        assert_eq!(words(&[("q", "x"), ("status", "completed")]), "");
        assert_eq!(words(&[("maker", &id.to_string())]), ", uploaded by maker@acme.test");
        assert_eq!(
            words(&[("maker", "01999999-0000-7000-8000-000000000001"), ("from", "2026-11-01"), ("to", "2026-11-20")]),
            ", uploaded by somebody who uploaded nothing here, created from 1 Nov 2026 to 20 Nov 2026"
        );
        assert_eq!(words(&[("from", "2026-11-01"), ("to", "2026-11-01")]), ", created on 1 Nov 2026");
        assert_eq!(words(&[("from", "2026-11-01")]), ", created on 1 Nov 2026 or later");
        assert_eq!(words(&[("to", "2026-11-01")]), ", created on 1 Nov 2026 or before");
    }
}
