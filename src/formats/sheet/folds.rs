//! Quoted cells with line ends inside: a text of several lines, or rows that a lost quotation mark has swallowed.

/// A quoted cell with line ends inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Which cell of its row, from 0.
    pub column: usize,
    /// Line of the file in which its quotation mark opens, from 1.
    pub opens: u32,
    /// Line of the file in which it closes.
    pub closes: u32,
    /// What stands between the marks, as it is in the file.
    pub inside: String,
    /// What separates cells.
    pub delimiter: u8,
}

impl Fold {
    /// Whether a line after the first is a row of its own: as many delimiters as a row of `width` cells has, or, where
    /// a row begins with id and amount (`money`), such a beginning. A text of several lines has neither. `cells` are
    /// those of the row that it stands in.
    pub(crate) fn has_rows(&self, width: usize, cells: usize, money: bool) -> bool {
        let whole = width.saturating_sub(1);
        let behind = cells.saturating_sub(self.column + 1);
        let mut lines = lines(&self.inside);
        let first = lines.next().unwrap_or("");
        let mut last = None;
        for line in lines {
            if last.replace(line).is_some_and(|line| self.is_row(line, 0, whole, money)) {
                return true;
            }
        }
        let Some(last) = last else { return false };
        if self.delimiters(last) == 0 {
            // It closes in the first cell of a row: only its own row tells that it was open before.
            return whole > 0 && self.column == 0 && self.delimiters(first) >= whole && behind >= whole;
        }
        self.is_row(last, behind, whole, money)
    }

    /// Whether this fold of a header has swallowed rows: only the header's own first line tells how many cells they
    /// have.
    pub(crate) fn has_rows_below_header(&self, cells: usize) -> bool {
        let first = lines(&self.inside).next().unwrap_or("");
        let whole = self.column + self.delimiters(first);
        whole >= 2 && self.has_rows(whole + 1, cells, false)
    }

    fn is_row(&self, line: &str, behind: usize, whole: usize, money: bool) -> bool {
        let delimiters = self.delimiters(line);
        (whole > 0 && delimiters > 0 && delimiters + behind >= whole) || (money && self.begins_row(line))
    }

    /// `ORD_1,250.00`: rows that lost the commas of blank cells at their end begin like all others.
    fn begins_row(&self, line: &str) -> bool {
        let mut cells = line.split(char::from(self.delimiter));
        let (Some(id), Some(amount)) = (cells.next(), cells.next()) else { return false };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (units, decimals) = amount.split_once('.').unwrap_or((amount, ""));
        !id.is_empty() && !id.contains(char::is_whitespace) && !units.is_empty() && digits(units) && digits(decimals)
    }

    fn delimiters(&self, text: &str) -> usize {
        text.bytes().filter(|byte| *byte == self.delimiter).count()
    }
}

/// The lines of a text, whatever ends them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).flat_map(|line| line.split('\r'))
}
