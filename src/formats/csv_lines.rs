//! Lines of comma-separated values that we write: `\n`, a cell quoted only when it must be, and people's text never run
//! by a spreadsheet.

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};
use std::borrow::Cow;

/// Whether a spreadsheet would run a text that begins with this character.
pub(crate) const fn starts_formula(first: char) -> bool {
    matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r')
}

/// A cell of people's text: an apostrophe keeps a spreadsheet from running it.
pub fn guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(starts_formula) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text that was guarded: without the apostrophe that stands before a formula character.
pub fn without_guard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(starts_formula) => rest,
        _ => text,
    }
}

/// Lines, cell by cell. Memory takes all of it, so nothing of it can fail.
#[derive(Debug)]
pub struct CsvLines(Writer<Vec<u8>>);

impl Default for CsvLines {
    fn default() -> Self {
        Self(after(Vec::new(), QuoteStyle::Necessary))
    }
}

/// A writer of what comes after this.
fn after(bytes: Vec<u8>, quotes: QuoteStyle) -> Writer<Vec<u8>> {
    WriterBuilder::new().flexible(true).terminator(Terminator::Any(b'\n')).quote_style(quotes).from_writer(bytes)
}

impl CsvLines {
    /// Begins with a line of these cells.
    pub fn with_header<T: AsRef<str>>(columns: &[T]) -> Self {
        let mut lines = Self::default();
        lines.line(columns);
        lines
    }

    /// The next cell, as it is.
    pub fn cell(&mut self, text: &str) {
        let _ = self.0.write_field(text);
    }

    /// The next cell, of people's text, guarded.
    pub fn text(&mut self, text: &str) {
        self.cell(&guarded(text));
    }

    /// The line is whole.
    pub fn end(&mut self) {
        let _ = self.0.write_record(None::<&[u8]>);
    }

    /// A line of these cells, as they are.
    pub fn line<T: AsRef<str>>(&mut self, cells: &[T]) {
        match cells {
            // Of one blank cell: without quotation marks it would be read as no line at all.
            [only] if only.as_ref().trim().is_empty() => {
                let mut quoted = after(self.take_bytes(), QuoteStyle::Always);
                let _ = quoted.write_record([only.as_ref()]);
                self.0 = after(quoted.into_inner().unwrap_or_default(), QuoteStyle::Necessary);
            }
            cells => {
                cells.iter().for_each(|cell| self.cell(cell.as_ref()));
                self.end();
            }
        }
    }

    /// A line without cells, where rows are to keep their numbers.
    pub(crate) fn blank_line(&mut self) {
        let mut bytes = self.take_bytes();
        bytes.push(b'\n');
        self.0 = after(bytes, QuoteStyle::Necessary);
    }

    fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(self).0.into_inner().unwrap_or_default()
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> String {
        String::from_utf8(self.take_bytes()).unwrap_or_default()
    }
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
