//! A file a run of rows at a time, from a place on.

use super::{Reader, Sheet, SheetRow};
use std::io::{self, Read};

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
pub struct Runs<R> {
    records: Reader<R>,
    header: Vec<String>,
    before: u32,
    rows: usize,
}

impl<R: Read> Runs<R> {
    /// Runs of at most so many rows of a text, from this place on: a run begins there, or it is the beginning of the
    /// file.
    pub fn new(text: R, from: usize, rows: usize) -> io::Result<Self> {
        let mut records = Reader::new(text);
        let mut header = Vec::new();
        if let Some(first) = records.next_filled()? {
            header = first.cells().map(|name| name.trim().to_owned()).collect();
        }
        let mut before = 0;
        while records.place() < from && records.next_filled()?.is_some() {
            before += 1;
        }
        Ok(Self { records, header, before, rows })
    }

    fn run(&mut self) -> io::Result<Option<Run>> {
        let mut rows = Vec::new();
        while rows.len() < self.rows
            && let Some(record) = self.records.next_filled()?
        {
            let complete = record.flaws.is_empty() && record.width == self.header.len();
            rows.push(SheetRow { row: record.row, cells: record.cells().map(str::to_owned).collect(), complete });
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let before = self.before;
        self.before = before.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        Ok(Some(Run { sheet: Sheet { header: self.header.clone(), rows }, before, next: self.records.place() }))
    }
}

impl<R: Read> Iterator for Runs<R> {
    type Item = io::Result<Run>;

    fn next(&mut self) -> Option<io::Result<Run>> {
        self.run().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(text: &str, from: usize, rows: usize) -> Vec<Run> {
        Runs::new(text.as_bytes(), from, rows).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn runs_from_any_place_are_the_file() {
        let text = "id,note\n\n1,a\n2,\"two\nlines\"\n , \n3,c\n\n4,d\n5,e";
        let whole = runs(text, 0, 100);
        let rows = |runs: &[Run]| runs.iter().flat_map(|run| run.sheet.rows.clone()).collect::<Vec<_>>();
        assert_eq!(rows(&whole).iter().map(|row| row.row).collect::<Vec<_>>(), [3, 4, 5, 6, 8, 9]);
        let by_two = runs(text, 0, 2);
        assert_eq!(rows(&by_two), rows(&whole));
        assert_eq!(by_two.iter().map(|run| run.before).collect::<Vec<_>>(), [0, 2, 4]);
        for (done, run) in by_two.iter().enumerate() {
            assert_eq!(runs(text, run.next, 2), by_two[done + 1..], "after run {done}");
        }
        assert_eq!(runs("", 0, 2), []);
        assert_eq!(runs("id\n", 0, 2), []);
    }
}
