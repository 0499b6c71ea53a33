//! What the page of notices shows.

use super::DisplayTime;

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeView {
    /// When the latest thing that it tells of happened.
    pub at: DisplayTime,
    /// Whether it was read before.
    pub read: bool,
    /// Name of its glyph.
    pub glyph: &'static str,
    /// The sentence, in parts.
    pub parts: Vec<NoticePart>,
    /// What else was said: a reason, the gateway's own words; may be empty.
    pub remark: String,
    /// Where it leads, and the words for it.
    pub link: Option<(String, &'static str)>,
}

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticePart {
    /// Words.
    Words(String),
    /// A name or an amount, to be found at a glance.
    Strong(String),
}

/// The notices of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notices {
    /// Newest first.
    pub notices: Vec<NoticeView>,
    /// How many were not read.
    pub unread: usize,
    /// The moment up to which this page shows them, as the form that marks them as read sends it back.
    pub until: String,
}
