//! The design kit: dumb components, told everything by what they are given.
//!
//! Rules of the look: one primary button a page; colour is status and comes from `data-tone`; lengths that come from
//! data are SVG attributes, because the content security policy allows no inline style.

// Public, because a component is more than the function that the `pub use` below names.
pub mod banner;
pub mod button;
pub mod card;
pub mod copy;
pub mod field;
pub mod format;
pub mod icon;
pub mod lists;
pub mod menu;
pub mod progress_bar;
pub mod search;
pub mod status_badge;
pub mod title;

pub use banner::{Banner, EmptyState, ErrorSummary, LoadFailed};
pub use button::{Button, Kind, LinkButton, Size};
pub use card::{Card, Tile};
pub use copy::CopyButton;
pub use field::{Field, FieldError, TextArea};
pub use format::{MoneyView, ShortId, TimeView, count};
pub use icon::{Glyph, Icon, Mark, Sprite};
pub use lists::{Chip, Chips, Pagination, SortHeader, Tab, Tabs};
pub use menu::{Menu, MenuPlace};
pub use progress_bar::{ProgressBar, ProgressBarSize, progress_label};
pub use search::SearchBox;
pub use status_badge::{BatchStatusBadge, TaskStatusBadge, Tone, batch_look, task_look};
pub use title::{Title, TitleFormat};

/// Text as markup that shows it, for the few places that Leptos writes as they are.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}
