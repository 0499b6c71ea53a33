//! Result files, written row by row, so that a download can stream.

use super::csv_lines::CsvLines;
use domain::money::Money;

/// Where the cells of a result go: rows from top to bottom, each with the cells of the header from left to right. One
/// list of cells an operation, whatever kind of file they go to, so that no two files of a batch can say different
/// things.
pub trait Cells {
    /// A number of ours: S.No.
    fn number(&mut self, number: u32);
    /// Money.
    fn amount(&mut self, amount: Money);
    /// Everything else; it may be other people's text.
    fn text(&mut self, text: &str);
    /// The row is whole.
    fn end(&mut self);
}

impl Cells for CsvLines {
    fn number(&mut self, number: u32) {
        self.cell(&number.to_string());
    }

    fn amount(&mut self, amount: Money) {
        self.cell(&amount.bare());
    }

    fn text(&mut self, text: &str) {
        self.text(text);
    }

    fn end(&mut self) {
        self.end();
    }
}
