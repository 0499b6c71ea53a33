//! Batches: the list, the page of one, the page that takes a file.

#[cfg(feature = "ssr")]
pub mod activity;
pub mod detail;
#[cfg(feature = "ssr")]
pub mod history;
pub mod list;
pub mod new;
#[cfg(feature = "ssr")]
pub mod retry;

use crate::{
    domain::{access::Right, operation::Operation},
    ui::{
        components::{Tab, Tabs},
        hooks::page::page_context,
    },
};
use leptos::prelude::*;

/// The tabs of the bulk operations.
#[component]
pub fn AreaTabs(
    /// Whose list this is.
    operation: Operation,
) -> impl IntoView {
    let viewer = page_context().viewer;
    let may_read = |other: &Operation| viewer.as_ref().is_some_and(|viewer| viewer.may(other.module(), Right::Read));
    let tab = |other: Operation| Tab { href: other.path(), text: other.labels().tab, current: other == operation };
    let tabs = Operation::ALL.into_iter().filter(may_read).map(tab).collect();
    view! { <Tabs label="Bulk Operations" tabs=tabs /> }
}
