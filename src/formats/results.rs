//! Result files, written row by row, so that a download can stream.

use super::csv_cell::put_text;
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

/// Lines of comma-separated values.
#[derive(Debug, Default)]
pub struct CsvLines {
    out: String,
    begun: bool,
}

impl CsvLines {
    /// What was written since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    fn comma(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(',');
        }
    }
}

impl Cells for CsvLines {
    fn number(&mut self, number: u32) {
        self.comma();
        self.out.push_str(&number.to_string());
    }

    fn amount(&mut self, amount: Money) {
        self.comma();
        self.out.push_str(&amount.bare());
    }

    fn text(&mut self, text: &str) {
        self.comma();
        put_text(&mut self.out, text);
    }

    fn end(&mut self) {
        self.out.push('\n');
        self.begun = false;
    }
}
