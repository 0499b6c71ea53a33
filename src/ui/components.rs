//! The design kit: dumb components, told everything by what they are given.
//!
//! Rules of the look: one primary button a page; colour is status and comes from `data-tone`; lengths that come from
//! data are SVG attributes, because the content security policy allows no inline style.

mod banner;
mod button;
mod copy;
mod field;
mod figures;
mod icon;
mod lists;
mod menu;
mod search;
mod sheet;
mod stamp;
mod strip;

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
