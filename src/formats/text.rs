//! Bytes to text: UTF-8, or UTF-16 that says so. Never a guess.

use crate::domain::finding::Finding;
use std::borrow::Cow;

/// A file as text.
#[derive(Debug)]
pub struct Text<'a> {
    /// The characters, without byte order mark.
    pub text: Cow<'a, str>,
    /// What to tell about the encoding.
    pub warning: Option<Finding>,
}

/// Reads a file as text, or says at which byte it is not.
pub fn decode(bytes: &[u8]) -> Result<Text<'_>, Finding> {
    let _ = bytes;
    todo!()
}
