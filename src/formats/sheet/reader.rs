//! Splits text into records and cells (RFC 4180, any line end), and says where it is not sure.

use super::folds::{Fold, lines};
use domain::limits::MAX_CELL_BYTES;
use std::borrow::Cow;

/// Cells that are kept of one record; more are counted only.
pub const MAX_CELLS: usize = 256;

/// Flaws that are kept of one record: more would say nothing new.
const FLAWS_KEPT: usize = 16;

/// One cell, without its quotation marks.
pub type Cell<'a> = Cow<'a, str>;

/// Why the cells of a record are not sure. Columns count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A quotation mark in a cell that does not begin with one.
    StrayQuote {
        /// Which cell.
        column: usize,
    },
    /// Something between a closing quotation mark and the next comma.
    AfterQuote {
        /// Which cell.
        column: usize,
    },
    /// A quotation mark that opens and never closes (or only so far away that whole rows would lie in the cell). Nothing
    /// after it can be read.
    Unclosed {
        /// Which cell.
        column: usize,
    },
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Row of the spreadsheet, from 1; a line end inside a quoted cell begins no row.
    pub row: u32,
    /// Whether the line is wholly blank.
    pub blank: bool,
    /// How many cells it has.
    pub width: usize,
    /// Why they are not sure; empty for a good record.
    pub flaws: Vec<Flaw>,
    /// Its quoted cells with line ends inside, at most `MAX_CELLS` of them.
    pub folds: Vec<Fold<'a>>,
}

impl Record<'_> {
    fn note(&mut self, flaw: Flaw) {
        if self.flaws.len() < FLAWS_KEPT {
            self.flaws.push(flaw);
        }
    }
}

/// Reads records one after the other; cells borrow from the text wherever they can.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    text: &'a str,
    at: usize,
    row: u32,
    /// Line ends inside quoted cells so far: lines of the file that are no rows of the spreadsheet.
    folded: u32,
    delimiter: u8,
}

enum End {
    Cell,
    Record,
}

impl<'a> Records<'a> {
    /// Cells between commas.
    pub const fn new(text: &'a str) -> Self {
        Self::separated(text, b',')
    }

    /// Cells between another ASCII character: for repairs and explanations.
    pub const fn separated(text: &'a str, delimiter: u8) -> Self {
        Self { text, at: 0, row: 0, folded: 0, delimiter }
    }

    /// The next record; its cells (at most `MAX_CELLS`) replace what is in `cells`.
    pub fn next(&mut self, cells: &mut Vec<Cell<'a>>) -> Option<Record<'a>> {
        cells.clear();
        let first = self.byte()?;
        self.row = self.row.saturating_add(1);
        let mut record = Record { row: self.row, blank: false, width: 0, flaws: Vec::new(), folds: Vec::new() };
        loop {
            let (cell, end) = match self.byte() {
                Some(b'"') => self.quoted(&mut record),
                _ => self.plain(&mut record),
            };
            record.width += 1;
            if cells.len() < MAX_CELLS {
                cells.push(cell);
            }
            if matches!(end, End::Record) {
                break;
            }
        }
        record.blank = first != b'"' && record.width == 1 && cells.first().is_some_and(|cell| cell.trim().is_empty());
        Some(record)
    }

    /// The next record that is not wholly blank.
    pub fn next_filled(&mut self, cells: &mut Vec<Cell<'a>>) -> Option<Record<'a>> {
        loop {
            let record = self.next(cells)?;
            if !record.blank {
                return Some(record);
            }
        }
    }

    /// Where the next record begins, in bytes of the text.
    pub const fn place(&self) -> usize {
        self.at
    }

    /// The row that the end of the text lies in.
    pub(crate) fn last_row(text: &str) -> u32 {
        let mut records = Records::new(text);
        let mut cells = Vec::new();
        while records.next(&mut cells).is_some() {}
        records.row + u32::from(text.is_empty() || text.ends_with(['\n', '\r']))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or("")
    }

    /// The distance to the next delimiter or line end (or quotation mark, where `quotes` is set), or to the end of the text.
    fn reach(&self, from: usize, quotes: bool) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or(&[]);
        let delimiter = self.delimiter;
        let stop = |byte: &u8| *byte == delimiter || matches!(*byte, b'\n' | b'\r') || (quotes && *byte == b'"');
        let distance = rest.iter().position(stop).unwrap_or(rest.len());
        #[cfg(test)]
        count::add(distance + 1);
        distance
    }

    /// Steps over the delimiter or line end that stands here.
    fn step(&mut self) -> End {
        match self.byte() {
            Some(byte) if byte == self.delimiter => {
                self.at += 1;
                End::Cell
            }
            Some(b'\r') if self.text.as_bytes().get(self.at + 1) == Some(&b'\n') => {
                self.at += 2;
                End::Record
            }
            Some(_) => {
                self.at += 1;
                End::Record
            }
            None => End::Record,
        }
    }

    fn plain(&mut self, record: &mut Record<'a>) -> (Cell<'a>, End) {
        let start = self.at;
        self.at += self.reach(start, true);
        if self.byte() == Some(b'"') && self.slice(start, self.at).trim_start_matches([' ', '\t']) == "=" {
            self.at += self.guarded();
        }
        if self.byte() == Some(b'"') {
            record.note(Flaw::StrayQuote { column: record.width });
            self.at += self.reach(self.at, false);
        }
        let cell = self.slice(start, self.at);
        (Cow::Borrowed(cell), self.step())
    }

    /// The length of what stands in quotation marks here, where nothing follows it: `="0012345"`, as spreadsheets are told to
    /// keep the digits of an id together. Otherwise nothing.
    fn guarded(&self) -> usize {
        let inside = self.at + 1;
        let end = inside + self.reach(inside, true);
        let closes = self.text.as_bytes().get(end) == Some(&b'"') && self.reach(end + 1, false) == 0;
        if closes { end + 1 - self.at } else { 0 }
    }

    fn quoted(&mut self, record: &mut Record<'a>) -> (Cell<'a>, End) {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut from = start;
        let mut doubled = false;
        let close = loop {
            let rest = bytes.get(from..).unwrap_or(&[]);
            #[cfg(test)]
            count::add(rest.iter().position(|byte| *byte == b'"').unwrap_or(rest.len()));
            let Some(distance) = rest.iter().position(|byte| *byte == b'"') else { break None };
            let quote = from + distance;
            if bytes.get(quote + 1) != Some(&b'"') {
                break Some(quote);
            }
            doubled = true;
            from = quote + 2;
        };
        // A cell that is too long and has line ends is an open quotation mark that met another one far below.
        let close =
            close.filter(|close| close - start <= MAX_CELL_BYTES || !self.slice(start, *close).contains(['\n', '\r']));
        let Some(close) = close else {
            record.flaws.push(Flaw::Unclosed { column: record.width });
            let line = start + self.slice(start, bytes.len()).find(['\n', '\r']).unwrap_or(bytes.len() - start);
            self.at = bytes.len();
            return (Cow::Borrowed(self.slice(start, line)), End::Record);
        };
        let inside = self.slice(start, close);
        let mut cell = if doubled { Cow::Owned(inside.replace("\"\"", "\"")) } else { Cow::Borrowed(inside) };
        self.at = close + 1;
        if inside.contains(['\n', '\r']) {
            self.fold(record, inside);
        }
        let more = self.reach(self.at, false);
        if more > 0 {
            record.note(Flaw::AfterQuote { column: record.width });
            cell.to_mut().push_str(self.slice(self.at, self.at + more));
            self.at += more;
        }
        (cell, self.step())
    }

    /// Notes the quoted cell that ends here.
    fn fold(&mut self, record: &mut Record<'a>, inside: &'a str) {
        let opens = self.row.saturating_add(self.folded);
        let ends = u32::try_from(lines(inside).count()).unwrap_or(u32::MAX).saturating_sub(1);
        self.folded = self.folded.saturating_add(ends);
        let closes = opens.saturating_add(ends);
        if record.folds.len() < MAX_CELLS {
            record.folds.push(Fold { column: record.width, opens, closes, inside, delimiter: self.delimiter });
        }
    }
}

/// Bytes that were looked at: that the time a file takes grows as the file does is shown by counting, not by a clock.
#[cfg(test)]
pub(crate) mod count {
    use std::cell::Cell;

    thread_local! {
        static LOOKED: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn add(bytes: usize) {
        LOOKED.set(LOOKED.get() + bytes);
    }

    /// How many since the last time.
    pub(crate) fn take() -> usize {
        LOOKED.take()
    }
}
