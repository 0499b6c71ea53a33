//! A file a run of rows at a time, from a place on.

use super::{Cell, Records, Sheet, SheetRow};

/// Some rows of a file, with its header: a sheet to be checked by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The rows.
    pub sheet: Sheet,
    /// Data rows of the file before them.
    pub before: u32,
    /// Where the next run begins, in bytes of the text.
    pub next: usize,
}

/// Reads them one after the other.
#[derive(Debug)]
pub struct Runs<'a> {
    records: Records<'a>,
    header: Vec<String>,
    before: u32,
    rows: usize,
}

impl<'a> Runs<'a> {
    /// Runs of at most so many rows, from this place on: a run begins there, or it is the beginning of the file.
    pub fn new(text: &'a str, from: usize, rows: usize) -> Self {
        let (mut records, mut cells) = (Records::new(text), Vec::new());
        records.next_filled(&mut cells);
        let header = cells.iter().map(|name| name.trim().to_owned()).collect();
        let mut before = 0;
        while records.place() < from && records.next_filled(&mut cells).is_some() {
            before += 1;
        }
        Self { records, header, before, rows }
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let mut rows = Vec::new();
        let mut cells: Vec<Cell<'_>> = Vec::new();
        while rows.len() < self.rows
            && let Some(record) = self.records.next_filled(&mut cells)
        {
            let complete = record.flaws.is_empty() && record.width == self.header.len();
            rows.push(SheetRow {
                row: record.row,
                cells: cells.iter().map(|cell| cell.as_ref().to_owned()).collect(),
                complete,
            });
        }
        if rows.is_empty() {
            return None;
        }
        let before = self.before;
        self.before = before.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        Some(Run { sheet: Sheet { header: self.header.clone(), rows }, before, next: self.records.place() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_from_any_place_are_the_file() {
        let text = "id,note\n\n1,a\n2,\"two\nlines\"\n , \n3,c\n\n4,d\n5,e";
        let whole: Vec<Run> = Runs::new(text, 0, 100).collect();
        let rows = |runs: &[Run]| runs.iter().flat_map(|run| run.sheet.rows.clone()).collect::<Vec<_>>();
        assert_eq!(rows(&whole).iter().map(|row| row.row).collect::<Vec<_>>(), [3, 4, 5, 6, 8, 9]);
        let runs: Vec<Run> = Runs::new(text, 0, 2).collect();
        assert_eq!(rows(&runs), rows(&whole));
        assert_eq!(runs.iter().map(|run| run.before).collect::<Vec<_>>(), [0, 2, 4]);
        for (done, run) in runs.iter().enumerate() {
            let rest: Vec<Run> = Runs::new(text, run.next, 2).collect();
            assert_eq!(rest, runs[done + 1..], "after run {done}");
        }
        assert_eq!(Runs::new("", 0, 2).next(), None);
        assert_eq!(Runs::new("id\n", 0, 2).next(), None);
    }
}
