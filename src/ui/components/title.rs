//! The document's title. Leptos writes it into the page as it is, so it is escaped here, once, for every page.

use leptos::{prelude::*, text_prop::TextProp};

/// What the browser's tab says about this page; the product's name follows. The only way to set it.
#[component]
pub fn Title(
    /// May hold anything that people typed.
    #[prop(into)]
    text: TextProp,
) -> impl IntoView {
    view! { <leptos_meta::Title text=text /> }
}

/// How every title is written. Once, at the root of the application.
#[component]
pub fn TitleFormat() -> impl IntoView {
    view! { <leptos_meta::Title formatter=written /> }
}

fn written(text: String) -> String {
    let title = if text.is_empty() { "Batchdesk".to_owned() } else { format!("{text} – Batchdesk") };
    // The server's title is markup. The browser's is text: a sign that is escaped there is shown that way.
    if cfg!(feature = "ssr") { super::escaped(&title) } else { title }
}
