//! Icons (16 px, drawn with the pen), glyphs of status (12 px) and the mark. All are symbols of one inline sprite.

use leptos::prelude::*;

/// The symbols. Only the server needs the text: the browser finds the sprite in the page and never builds it.
#[cfg(any(feature = "ssr", test))]
const SPRITE: &str = include_str!("icons.svg");
#[cfg(not(any(feature = "ssr", test)))]
const SPRITE: &str = "";

/// The sprite; stands once in the page, before everything that uses it.
#[component]
pub fn Sprite() -> impl IntoView {
    view! { <svg class="sprite" aria-hidden="true" inner_html=SPRITE></svg> }.into_any()
}

/// An icon. Decoration only: the words stand beside it, or in the label of what it stands in.
#[component]
pub fn Icon(
    /// Name of the symbol without its `i-`.
    name: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
            <use href=format!("#i-{name}") />
        </svg>
    }
    .into_any()
}

/// A glyph of status, in the colour of the nearest tone.
#[component]
pub fn Glyph(
    /// Name of the symbol without its `g-`.
    #[prop(into)]
    name: Signal<&'static str>,
    /// 16 px instead of 12.
    #[prop(optional)]
    medium: bool,
    /// A tone of its own, where none stands around it.
    #[prop(optional, into)]
    tone: Option<&'static str>,
) -> impl IntoView {
    view! {
        <svg
            class="glyph"
            data-size=medium.then_some("md")
            data-tone=tone
            data-spin=move || (name.get() == "running").then_some("")
            viewBox="0 0 12 12"
            aria-hidden="true"
        >
            <use href=move || format!("#g-{}", name.get()) />
        </svg>
    }
    .into_any()
}

/// The mark of Batchdesk.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
            <rect class="mark-tile" width="24" height="24" rx="5" />
            <rect class="mark-row" x="5" y="6" width="14" height="2.5" />
            <rect class="mark-row" x="5" y="10.75" width="14" height="2.5" />
            <rect class="mark-row" x="5" y="15.5" width="7" height="2.5" />
            <rect class="mark-now" x="13.25" y="15.5" width="5.75" height="2.5" />
        </svg>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::SPRITE;
    use std::{fs, path::Path};

    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn every_icon_that_a_page_names_is_in_the_sprite() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui"), &mut files);
        let mut seen = 0;
        for (file, text) in files {
            for (tag, prefix) in [("<Icon name=\"", "i-"), ("<Glyph name=\"", "g-"), ("icon=\"", "i-")] {
                for rest in text.split(tag).skip(1) {
                    let name = rest.split('"').next().unwrap_or_default();
                    if !name.chars().all(|c| c.is_ascii_lowercase()) || name.is_empty() {
                        continue;
                    }
                    seen += 1;
                    assert!(SPRITE.contains(&format!("id=\"{prefix}{name}\"")), "{file} names {prefix}{name}");
                }
            }
        }
        assert!(seen > 10, "the search found only {seen} icons: has the way they are written changed?");
    }
}
