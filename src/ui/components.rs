//! The design kit: dumb components, told everything by what they are given.
//!
//! Rules of the look: one primary button a page; colour is status and comes from `data-tone`; lengths that come from
//! data are SVG attributes, because the content security policy allows no inline style.

// Public, because a component is more than the function that the `pub use` below names.
pub mod banner;
pub mod button;
pub mod copy;
pub mod field;
pub mod figures;
pub mod icon;
pub mod lists;
pub mod menu;
pub mod search;
pub mod sheet;
pub mod stamp;
pub mod strip;
pub mod title;

pub use banner::{Banner, EmptyState, ErrorSummary, LoadFailed};
pub use button::{Button, Kind, LinkButton, Size};
pub use copy::CopyButton;
pub use field::{Field, FieldError, TextArea};
pub use figures::{MoneyView, ShortId, TimeView, count};
pub use icon::{Glyph, Icon, Mark, Sprite};
pub use lists::{Chip, Chips, Pagination, SortHeader, Tab, Tabs};
pub use menu::{Menu, MenuPlace};
pub use search::SearchBox;
pub use sheet::{Sheet, Tile};
pub use stamp::{BatchStamp, TaskStamp, Tone, batch_look, task_look};
pub use strip::{Strip, StripSize, progress_words};
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
