//! The state of a list is its address: search, sort, filter and page live in the query string, so that going back,
//! loading again, a bookmark and a browser without JavaScript all work.

use crate::domain::page::{BatchQuery, TaskQuery};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_query_map},
};

/// The state of a batch list, from the address.
pub fn batch_query() -> Memo<BatchQuery> {
    let map = use_query_map();
    Memo::new(move |_| map.with(|map| BatchQuery::from_pairs(map.into_iter().map(|(k, v)| (k.as_ref(), v)))))
}

/// The state of a table of tasks, from the address.
pub fn task_query() -> Memo<TaskQuery> {
    let map = use_query_map();
    Memo::new(move |_| map.with(|map| TaskQuery::from_pairs(map.into_iter().map(|(k, v)| (k.as_ref(), v)))))
}

/// One value of the query string.
pub fn query_value(name: &'static str) -> Memo<Option<String>> {
    let map = use_query_map();
    Memo::new(move |_| map.with(|map| map.get(name)))
}

/// Path and query of this page, as a form's `next` or a sign-in wants it.
pub fn here() -> Memo<String> {
    let location = use_location();
    Memo::new(move |_| {
        let (path, query) = (location.pathname.get(), location.search.get());
        match query.strip_prefix('?').unwrap_or(&query) {
            "" => path,
            query => format!("{path}?{query}"),
        }
    })
}

/// Goes to another state of the same page. `typing` leaves no step in the history and does not scroll.
pub fn use_go() -> impl Fn(String, bool) + Clone + Send + Sync + 'static {
    let navigate = use_navigate();
    move |address: String, typing: bool| {
        navigate(&address, NavigateOptions { replace: typing, scroll: false, ..NavigateOptions::default() });
    }
}
