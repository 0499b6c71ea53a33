//! Search and, on a phone, the order: both are the address.

use super::sort::choices as orders;
use crate::{
    domain::{operation::Operation, page::BatchQuery},
    ui::{
        components::{Button, Icon, Menu, SearchBox},
        hooks::url::use_go,
    },
};
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use std::time::Duration;

/// How long typing must rest before the list is asked for.
const REST: Duration = Duration::from_millis(200);

/// Search by file name, and the order where the heads of the table are not shown.
#[component]
pub fn Toolbar(
    /// Whose list.
    operation: Operation,
    /// Its state.
    query: Memo<BatchQuery>,
) -> impl IntoView {
    let go = use_go();
    let text = RwSignal::new(query.with_untracked(|query| query.search.clone()));
    // What this field asked for last: a change of the address to anything else came from elsewhere (back, a link).
    let asked = StoredValue::new(text.get_untracked());
    Effect::new(move || {
        let search = query.with(|query| query.search.clone());
        if search != asked.get_value() {
            asked.set_value(search.clone());
            text.set(search);
        }
    });
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let stop_waiting = move || {
        if let Some(handle) = waiting.try_update_value(Option::take).flatten() {
            handle.clear();
        }
    };
    on_cleanup(stop_waiting);
    let search = {
        let go = go.clone();
        Callback::new(move |(typed, now): (String, bool)| {
            stop_waiting();
            let go = go.clone();
            let ask = move || {
                let next = query.with_untracked(|query| BatchQuery { search: typed.clone(), page: 1, ..query.clone() });
                if next.search != query.with_untracked(|query| query.search.clone()) {
                    asked.set_value(typed.clone());
                    go(format!("{}{}", operation.path(), next.to_query()), true);
                }
            };
            if now {
                ask();
            } else {
                waiting.set_value(set_timeout_with_handle(ask, REST).ok());
            }
        })
    };
    let switch_case = Callback::new(move |case_sensitive: bool| {
        stop_waiting();
        let search = text.get_untracked();
        asked.set_value(search.clone());
        let next = query.with_untracked(|query| BatchQuery { search, case_sensitive, page: 1, ..query.clone() });
        go(format!("{}{}", operation.path(), next.to_query()), true);
    });
    let keep = Signal::derive(move || {
        let mut pairs = query.with(BatchQuery::pairs);
        pairs.retain(|(name, _)| !matches!(*name, "q" | "case"));
        pairs
    });
    let order = move || {
        query.with(|query| {
            orders(operation)
                .find(|choice| (choice.sort, choice.descending) == (query.sort, query.descending))
                .map_or("Another order", |choice| choice.text)
        })
    };
    let choices = move || {
        let query = query.get();
        orders(operation)
            .map(|choice| {
                let (sort, descending) = (choice.sort, choice.descending);
                let current = (sort, descending) == (query.sort, query.descending);
                let address = BatchQuery { sort, descending, page: 1, ..query.clone() }.to_query();
                view! {
                    <a
                        href=format!("{}{address}", operation.path())
                        aria-current=current.then_some("true")
                        aria-pressed=if current { "true" } else { "false" }
                    >
                        <Icon name="check" />
                        {choice.text}
                    </a>
                }
            })
            .collect_view()
    };
    view! {
        <div class="row">
            <SearchBox
                action=operation.path()
                label="Search by file name"
                text=text
                case_sensitive=Signal::derive(move || query.with(|query| query.case_sensitive))
                keep=keep
                on_search=search
                on_case=switch_case
            />
            <div class="only-narrow">
                <Button icon="updown" opens="order-menu">
                    {order}
                </Button>
                <Menu id="order-menu" label="Order">
                    {choices}
                </Menu>
            </div>
        </div>
    }
    .into_any()
}
