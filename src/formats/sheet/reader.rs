//! Splits text into records and cells (RFC 4180, any line end) as it is read, and says where it is not sure. One record
//! is in memory at a time, and of that no more than can be shown.

use super::folds::{Fold, lines};
use super::record::{Flaw, MAX_CELLS, Record};
use domain::limits::MAX_CELL_BYTES;
use std::io::{self, Read};

/// Bytes that are read at once.
const BLOCK: usize = 64 * 1024;

/// Bytes of a cell that are kept as they stand in the file: the longest that is allowed, every character a doubled
/// quotation mark.
const KEPT: usize = 2 * MAX_CELL_BYTES;

/// Blanks that are kept of a longer cell that has had nothing else so far.
const BLANKS_KEPT: usize = 1024;

/// Reads records one after the other from UTF-8 text.
#[derive(Debug)]
pub struct Reader<R> {
    text: R,
    block: Vec<u8>,
    /// How far the block is filled, and how far it was read.
    filled: usize,
    at: usize,
    /// Bytes of the text before the block.
    before: usize,
    /// The last byte of the blocks so far.
    last: Option<u8>,
    /// A quotation mark that does not close has hidden what is left.
    over: bool,
    row: u32,
    /// Line ends inside quoted cells so far: lines of the file that are no rows of the spreadsheet.
    folded: u32,
    delimiter: u8,
    /// Bytes of a cell that are kept.
    most: usize,
    record: Record,
    /// The bytes of its cells while it is read.
    bytes: Vec<u8>,
    /// The cell that is read: where it begins in `bytes`, and how long it is in the file.
    start: usize,
    length: usize,
}

enum End {
    Cell,
    Record,
}

impl<R: Read> Reader<R> {
    /// Cells between commas.
    pub fn new(text: R) -> Self {
        Self::separated(text, b',')
    }

    /// Cells between another ASCII character: for repairs and explanations.
    pub fn separated(text: R, delimiter: u8) -> Self {
        Self {
            text,
            block: vec![0; BLOCK],
            filled: 0,
            at: 0,
            before: 0,
            last: None,
            over: false,
            row: 0,
            folded: 0,
            delimiter,
            most: KEPT,
            record: Record::default(),
            bytes: Vec::new(),
            start: 0,
            length: 0,
        }
    }

    /// Keeps every cell as long as it is: where all of the file is in memory anyway.
    pub fn with_whole_cells(mut self) -> Self {
        self.most = usize::MAX;
        self
    }

    #[cfg(test)]
    pub(crate) fn with_block(mut self, bytes: usize) -> Self {
        self.block = vec![0; bytes];
        self
    }

    /// The next record.
    pub fn next_record(&mut self) -> io::Result<Option<&Record>> {
        Ok(self.advance()?.then_some(&self.record))
    }

    /// The next record that is not wholly blank.
    pub fn next_filled(&mut self) -> io::Result<Option<&Record>> {
        while self.advance()? {
            if !self.record.blank {
                return Ok(Some(&self.record));
            }
        }
        Ok(None)
    }

    /// Where the next record begins, in bytes of the text.
    pub const fn place(&self) -> usize {
        self.before + self.at
    }

    /// The row that the end of the text lies in.
    pub(crate) fn last_row(mut self) -> io::Result<u32> {
        while self.advance()? {}
        while self.fill()? {}
        Ok(self.row + u32::from(matches!(self.last, None | Some(b'\n' | b'\r'))))
    }

    fn advance(&mut self) -> io::Result<bool> {
        if self.over {
            return Ok(false);
        }
        let Some(first) = self.byte()? else { return Ok(false) };
        self.row = self.row.saturating_add(1);
        self.record.begin(self.row);
        self.bytes = std::mem::take(&mut self.record.text).into_bytes();
        self.bytes.clear();
        loop {
            (self.start, self.length) = (self.bytes.len(), 0);
            let end = match self.byte()? {
                Some(b'"') => self.quoted()?,
                _ => self.plain()?,
            };
            self.end_cell();
            if matches!(end, End::Record) {
                break;
            }
        }
        let text = std::mem::take(&mut self.bytes);
        self.record.text =
            String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.record.blank = first != b'"' && self.record.width == 1 && self.record.text.trim().is_empty();
        Ok(true)
    }

    /// Reads on; false at the end of the text.
    fn fill(&mut self) -> io::Result<bool> {
        self.before += self.filled;
        (self.at, self.filled) = (0, 0);
        self.filled = loop {
            match self.text.read(&mut self.block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.last = self.rest().last().copied().or(self.last);
        Ok(self.filled > 0)
    }

    fn rest(&self) -> &[u8] {
        self.block.get(self.at..self.filled).unwrap_or(&[])
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.at == self.filled && !self.fill()? {
            return Ok(None);
        }
        Ok(self.block.get(self.at).copied())
    }

    /// Adds so many bytes to the cell.
    fn take(&mut self, count: usize) {
        let (from, to) = (self.at, self.at + count);
        self.at = to;
        self.length += count;
        let room = self.most - (self.bytes.len() - self.start).min(self.most);
        if count <= room {
            self.bytes.extend_from_slice(self.block.get(from..to).unwrap_or(&[]));
        } else {
            self.take_of_long(from, to, room);
        }
    }

    /// The same of a cell that is too long. Whether it is blank, and with what it begins after its blanks, is to be
    /// seen all the same.
    #[cold]
    fn take_of_long(&mut self, from: usize, to: usize, room: usize) {
        let more = self.block.get(from..to).unwrap_or(&[]);
        let (now, later) = more.split_at_checked(room).unwrap_or((more, &[]));
        self.bytes.extend_from_slice(now);
        let kept = self.bytes.split_off(self.start);
        let whole = whole_characters(&kept);
        let blank = whole.trim().is_empty() && kept.len() - whole.len() < 4;
        if !blank || whole.len() <= BLANKS_KEPT {
            self.bytes.extend_from_slice(&kept);
            return;
        }
        let end = whole.floor_char_boundary(BLANKS_KEPT);
        let (first, others) = whole.split_at_checked(end).unwrap_or((whole, ""));
        self.bytes.extend_from_slice(first.as_bytes());
        // A blank that is neither space nor tab tells the cell from one that is guarded.
        if let Some(other) = others.chars().find(|character| !matches!(character, ' ' | '\t')) {
            self.bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.bytes.extend_from_slice(kept.get(whole.len()..).unwrap_or(&[]));
        let (later, room) = (later.len(), self.most - (self.bytes.len() - self.start));
        let from = to - later;
        match later <= room {
            true => self.bytes.extend_from_slice(self.block.get(from..to).unwrap_or(&[])),
            false => self.take_of_long(from, to, room),
        }
    }

    /// Adds all up to the next delimiter or line end (or quotation mark, where `quotes` is set), or to the end of the
    /// text.
    fn take_until(&mut self, quotes: bool) -> io::Result<()> {
        let delimiter = self.delimiter;
        let stop = |byte: &u8| *byte == delimiter || matches!(*byte, b'\n' | b'\r') || (quotes && *byte == b'"');
        loop {
            let rest = self.rest();
            let found = rest.iter().position(stop);
            let count = found.unwrap_or(rest.len());
            #[cfg(test)]
            count::add(count + 1);
            self.take(count);
            if found.is_some() || !self.fill()? {
                return Ok(());
            }
        }
    }

    /// Steps over the delimiter or line end that stands here.
    fn step(&mut self) -> io::Result<End> {
        match self.byte()? {
            Some(byte) if byte == self.delimiter => {
                self.at += 1;
                return Ok(End::Cell);
            }
            Some(b'\r') => {
                self.at += 1;
                if self.byte()? == Some(b'\n') {
                    self.at += 1;
                }
            }
            Some(_) => self.at += 1,
            None => {}
        }
        Ok(End::Record)
    }

    fn plain(&mut self) -> io::Result<End> {
        self.take_until(true)?;
        if self.byte()? == Some(b'"') && !self.guarded()? {
            self.record.note(Flaw::StrayQuote { column: self.record.width });
            self.take_until(false)?;
        }
        self.step()
    }

    /// Whether this is `="0012345"` and nothing more, as spreadsheets are told to keep the digits of an id together.
    fn guarded(&mut self) -> io::Result<bool> {
        let begins = self.cell().iter().position(|byte| !matches!(byte, b' ' | b'\t'));
        if begins.and_then(|begins| self.cell().get(begins..)) != Some(b"=") {
            return Ok(false);
        }
        self.take(1);
        self.take_until(true)?;
        if self.byte()? != Some(b'"') {
            return Ok(false);
        }
        self.take(1);
        let delimiter = self.delimiter;
        Ok(self.byte()?.is_none_or(|byte| byte == delimiter || matches!(byte, b'\n' | b'\r')))
    }

    fn cell(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or(&[])
    }

    fn quoted(&mut self) -> io::Result<End> {
        self.at += 1;
        let mut doubled = 0;
        // Where the first line in it ends.
        let mut line = None;
        loop {
            let rest = self.rest();
            let found = rest.iter().position(|byte| *byte == b'"');
            let reach = found.unwrap_or(rest.len());
            // Not beyond the longest that may have line ends: its first line is kept as it is.
            let count = if self.length <= MAX_CELL_BYTES { reach.min(MAX_CELL_BYTES + 1 - self.length) } else { reach };
            #[cfg(test)]
            count::add(reach);
            if line.is_none() {
                let inside = rest.get(..count).unwrap_or(&[]);
                line = inside.iter().position(|byte| matches!(byte, b'\n' | b'\r')).map(|end| self.length + end);
            }
            self.take(count);
            // A cell that is too long and has line ends is an open quotation mark that met another one far below.
            if line.is_some() && self.length > MAX_CELL_BYTES {
                return Ok(self.unclosed(line));
            }
            if count < reach {
                continue;
            }
            if found.is_none() {
                if !self.fill()? {
                    return Ok(self.unclosed(line));
                }
                continue;
            }
            self.at += 1;
            if self.byte()? != Some(b'"') {
                break;
            }
            // Both marks, as they stand in the file; the first one may be in the block before.
            self.at += 1;
            self.put_mark();
            self.put_mark();
            doubled += 1;
        }
        if line.is_some() {
            self.fold();
        }
        if doubled > 0 {
            self.undouble(doubled);
        }
        let before = self.length;
        self.take_until(false)?;
        if self.length > before {
            self.record.note(Flaw::AfterQuote { column: self.record.width });
        }
        self.step()
    }

    fn put_mark(&mut self) {
        self.length += 1;
        if self.bytes.len() - self.start < self.most {
            self.bytes.push(b'"');
        }
    }

    /// Nothing after a quotation mark that does not close can be read. Of the cell there is what stands in its first
    /// line.
    fn unclosed(&mut self, line: Option<usize>) -> End {
        self.record.flaws.push(Flaw::Unclosed { column: self.record.width });
        if let Some(line) = line {
            self.length = line;
            self.bytes.truncate(self.start + line);
        }
        self.over = true;
        End::Record
    }

    /// Writes doubled quotation marks once.
    fn undouble(&mut self, doubled: usize) {
        self.length -= doubled;
        let mut open = false;
        let mut kept = self.bytes.split_off(self.start);
        kept.retain(|byte| {
            open = *byte == b'"' && !open;
            *byte != b'"' || open
        });
        self.bytes.append(&mut kept);
    }

    /// Notes the quoted cell that ends here.
    fn fold(&mut self) {
        let inside = String::from_utf8_lossy(self.cell()).into_owned();
        let opens = self.row.saturating_add(self.folded);
        let ends = u32::try_from(lines(&inside).count()).unwrap_or(u32::MAX).saturating_sub(1);
        self.folded = self.folded.saturating_add(ends);
        let closes = opens.saturating_add(ends);
        if self.record.folds.len() < MAX_CELLS {
            let (column, delimiter) = (self.record.width, self.delimiter);
            self.record.folds.push(Fold { column, opens, closes, inside, delimiter });
        }
    }

    /// The cell that was read is one of the record's.
    fn end_cell(&mut self) {
        if self.record.width >= MAX_CELLS {
            self.bytes.truncate(self.start);
        } else {
            if self.bytes.len() - self.start < self.length {
                let whole = whole_characters(self.cell()).len();
                self.bytes.truncate(self.start + whole);
                self.record.cut.push((self.record.width, self.length));
            }
            self.record.ends.push(self.bytes.len());
        }
        self.record.width += 1;
    }
}

/// The bytes without a character that is not there to its end.
fn whole_characters(bytes: &[u8]) -> &str {
    let whole = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), |text| text.len());
    bytes.get(..whole).and_then(|whole| std::str::from_utf8(whole).ok()).unwrap_or("")
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
