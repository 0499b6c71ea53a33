//! The one surface, and the counters that stand on it.

use super::{Glyph, Tone};
use leptos::prelude::*;

/// A surface with a heading; its parts are divided by rules, never by more boxes.
#[component]
pub fn Card(
    /// Its heading, and the name of the region.
    #[prop(into)]
    title: String,
    /// Beside the heading, in the third grey.
    #[prop(optional, into)]
    note: Option<String>,
    /// `sheet-body` parts, tables, lists.
    children: Children,
) -> impl IntoView {
    let name = title.clone();
    view! {
        <section class="card" aria-label=name>
            <div class="card-head">
                <h2>{title}</h2>
                {note.map(|note| view! { <small>{note}</small> })}
            </div>
            {children()}
        </section>
    }
    .into_any()
}

/// A counter: label, number, a line below. A link when it leads to what it counts.
#[component]
pub fn Tile(
    /// `Total Accepted Tasks`.
    #[prop(into)]
    label: String,
    /// What outside checks find it by: `accepted`, `rejected`, `queued`.
    #[prop(optional)]
    count: Option<&'static str>,
    /// Tone of its glyph.
    #[prop(optional)]
    tone: Option<Tone>,
    /// Glyph before the label.
    #[prop(optional)]
    glyph: Option<&'static str>,
    /// Where it leads.
    #[prop(optional, into)]
    href: Option<String>,
    /// The page shows what it counts.
    #[prop(optional, into)]
    current: Signal<bool>,
    /// The number.
    #[prop(into)]
    number: ViewFn,
    /// The line below.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let inside = view! {
        <span class="tile-label">{glyph.map(|name| view! { <Glyph name=name /> })} {label}</span>
        <span class="tile-number">{number.run()}</span>
        {children.map(|children| view! { <span class="tile-note">{children()}</span> })}
    };
    match href {
        Some(href) => view! {
            <a href=href data-tone=tone data-count=count aria-current=move || current.get().then_some("true")>
                {inside}
            </a>
        }
        .into_any(),
        None => view! { <div data-tone=tone data-count=count>{inside}</div> }.into_any(),
    }
}
