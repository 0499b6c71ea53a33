//! Batches: the list, the page of one, the page that takes a file.

pub mod detail;
pub mod list;
pub mod new;
#[cfg(feature = "ssr")]
pub mod retry;
#[cfg(feature = "ssr")]
pub mod story;

use crate::{
    domain::batch::Operation,
    ui::{
        components::{Tab, Tabs},
        layout::AREAS,
    },
};
use leptos::prelude::*;

/// The tabs of the bulk operations.
#[component]
pub fn AreaTabs(
    /// Whose list this is.
    operation: Operation,
) -> impl IntoView {
    let tabs = AREAS.into_iter().map(|(href, text)| Tab { href, text, current: href == operation.path() }).collect();
    view! { <Tabs label="Bulk Operations" tabs=tabs /> }
}
