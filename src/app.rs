//! The document around the pages, and the table of routes.

use leptos::prelude::*;

/// The application.
#[component]
pub fn App() -> impl IntoView {
    view! { <p>"Batchdesk"</p> }
}
