//! One cell of a CSV file that we write: quoted when it must be, and never run by a spreadsheet.

use std::borrow::Cow;

/// Whether a spreadsheet would run a text that begins with this character.
pub(crate) const fn starts_formula(first: char) -> bool {
    matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r')
}

/// A cell of people's text: an apostrophe keeps a spreadsheet from running it.
pub fn guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(starts_formula) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// Appends a cell of people's text, guarded.
pub fn put_text(out: &mut String, text: &str) {
    put_cell(out, &guarded(text));
}

/// The text that was guarded: without the apostrophe that stands before a formula character.
pub fn without_guard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(starts_formula) => rest,
        _ => text,
    }
}

/// Appends a cell, quoted only when it must be.
pub fn put_cell(out: &mut String, text: &str) {
    if !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for (index, piece) in text.split('"').enumerate() {
        if index > 0 {
            out.push_str("\"\"");
        }
        out.push_str(piece);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_guarded_loses_an_apostrophe() {
        for text in ["'", "''", "'a", "a=1", "1-1", ""] {
            assert_eq!(without_guard(text), text);
        }
    }
}
