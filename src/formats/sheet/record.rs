//! A record of a file, and what is wrong with it.

use super::folds::Fold;

/// Cells that are kept of one record; more are counted only.
pub const MAX_CELLS: usize = 256;

/// Flaws that are kept of one record: more would say nothing new.
const FLAWS_KEPT: usize = 16;

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
    /// A quotation mark that opens and never closes (or only so far away that whole rows would lie in the cell).
    /// Nothing after it can be read.
    Unclosed {
        /// Which cell.
        column: usize,
    },
}

/// One record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Row of the spreadsheet, from 1; a line end inside a quoted cell begins no row.
    pub row: u32,
    /// Whether the line is wholly blank.
    pub blank: bool,
    /// How many cells it has.
    pub width: usize,
    /// Why they are not sure; empty for a good record.
    pub flaws: Vec<Flaw>,
    /// Its quoted cells with line ends inside, at most `MAX_CELLS` of them.
    pub folds: Vec<Fold>,
    /// Columns and bytes of the cells of which not all is kept.
    pub cut: Vec<(usize, usize)>,
    /// The cells that are kept, one after the other.
    pub(super) text: String,
    /// Where each of them ends.
    pub(super) ends: Vec<usize>,
}

impl Record {
    /// Its cells without their quotation marks, at most `MAX_CELLS`; of one that is longer than a cell may be the
    /// beginning.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let cell = self.text.get(start..*end).unwrap_or("");
            start = *end;
            cell
        })
    }

    pub(super) fn note(&mut self, flaw: Flaw) {
        if self.flaws.len() < FLAWS_KEPT {
            self.flaws.push(flaw);
        }
    }

    pub(super) fn begin(&mut self, row: u32) {
        (self.row, self.blank, self.width) = (row, false, 0);
        self.flaws.clear();
        self.folds.clear();
        self.cut.clear();
        self.ends.clear();
    }
}
