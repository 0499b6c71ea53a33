//! Text to rows and cells and back, as a spreadsheet would show them.

mod folds;
mod reader;
mod record;
mod runs;

use super::csv_lines::CsvLines;
pub use folds::Fold;
pub use reader::Reader;
#[cfg(test)]
pub(crate) use reader::count;
pub use record::{Flaw, MAX_CELLS, Record};
pub use runs::{Run, Runs};

/// A file as rows of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Column names, without outer blanks.
    pub header: Vec<String>,
    /// Data rows.
    pub rows: Vec<SheetRow>,
}

/// One data row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetRow {
    /// Row of the spreadsheet; the header is 1.
    pub row: u32,
    /// Cells as they are in the file.
    pub cells: Vec<String>,
    /// Whether the row could be read without doubt: as many cells as the header, quotation marks in order.
    pub complete: bool,
}

impl Sheet {
    /// A sheet of rows that nobody has to read: they have as many cells as there are columns.
    pub fn of(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Self {
        let header = columns.iter().map(|column| (*column).to_owned()).collect();
        let rows = (2..).zip(rows).map(|(row, cells)| SheetRow { row, cells, complete: true }).collect();
        Self { header, rows }
    }

    /// Writes a cell and takes the row as read without doubt once it has as many cells as the header.
    pub fn set_cell(&mut self, row: u32, column: usize, text: impl Into<String>) {
        let width = self.header.len();
        let Some(found) = self.rows.iter_mut().find(|candidate| candidate.row == row) else { return };
        if found.cells.len() <= column {
            found.cells.resize(column + 1, String::new());
        }
        if let Some(cell) = found.cells.get_mut(column) {
            *cell = text.into();
        }
        found.complete = found.cells.len() == width;
    }
}

/// The sheet as a file: commas, `\n`, quoted only when needed. Reading it gives the same cells.
pub fn write(sheet: &Sheet) -> String {
    let mut out = CsvLines::with_header(&sheet.header);
    sheet.rows.iter().for_each(|row| out.line(&row.cells));
    out.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::limits::MAX_CELL_BYTES;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(Record, Vec<String>)> {
        all(Reader::new(text.as_bytes()))
    }

    fn all(mut reader: Reader<&[u8]>) -> Vec<(Record, Vec<String>)> {
        let mut all = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            all.push((record.clone(), record.cells().map(str::to_owned).collect()));
        }
        all
    }

    #[test]
    fn line_ends_blank_lines_and_rows() {
        let all = read("a,b\r\n\n  \rc,\"d\n\nd\"\ne,");
        let rows: Vec<_> = all.iter().map(|(record, cells)| (record.row, record.blank, cells.join("|"))).collect();
        let expected = [(1, false, "a|b"), (2, true, ""), (3, true, "  "), (4, false, "c|d\n\nd"), (5, false, "e|")];
        assert_eq!(rows, expected.map(|(row, blank, cells)| (row, blank, cells.to_owned())));
        assert!(!read("\"\"\n")[0].0.blank, "a quoted blank is a cell");
        assert_eq!(read(""), []);
    }

    #[test]
    fn the_last_row_is_where_the_text_ends() {
        for (text, row) in
            [("", 1), ("a", 1), ("a\n", 2), ("a\nb", 2), ("a\r\n\r\n", 3), ("\"a\nb\"\nc", 2), ("a\n\"b\nc", 2)]
        {
            assert_eq!(Reader::new(text.as_bytes()).last_row().unwrap(), row, "{text:?}");
        }
    }

    #[test]
    fn a_record_of_many_cells_is_counted_and_not_kept() {
        let text = ",".repeat(1_000_000);
        let (record, cells) = read(&text).remove(0);
        assert_eq!((record.width, cells.len()), (1_000_001, MAX_CELLS));
    }

    #[test]
    fn a_cell_that_is_too_long_is_measured_and_cut() {
        let blanks = " ".repeat(100_000);
        for (text, length, begins) in [
            (format!("a,{}é,b", "x".repeat(100_000)), 100_002, "xxx"),
            (format!("a,\"{}\",b", "\"\"".repeat(50_000)), 50_000, "\"\"\""),
            (format!("a,{blanks}=\"1\",b"), 100_004, "   "),
            (format!("a,{blanks}\u{3000}{blanks},b"), 200_003, "   "),
        ] {
            for block in [7, 4_096, 65_536] {
                let mut reader = Reader::new(text.as_bytes()).with_block(block);
                let record = reader.next_record().unwrap().unwrap();
                let cells: Vec<&str> = record.cells().collect();
                assert_eq!((record.width, &record.flaws[..], &record.cut[..]), (3, &[][..], &[(1, length)][..]));
                assert!(cells[1].starts_with(begins) && cells[1].len() <= 2 * MAX_CELL_BYTES, "{}", cells[1].len());
                assert_eq!((cells[0], cells[2]), ("a", "b"));
                let mut whole = Reader::new(text.as_bytes()).with_whole_cells();
                let record = whole.next_record().unwrap().unwrap();
                assert_eq!((record.cells().nth(1).map(str::len), &record.cut[..]), (Some(length), &[][..]));
            }
        }
        let line = |text: &str| {
            let mut reader = Reader::new(text.as_bytes()).with_block(7);
            reader.next_record().unwrap().map(|record| record.blank)
        };
        assert_eq!(line(&blanks), Some(true));
        assert_eq!(line(&format!("{blanks}\u{3000}{blanks}")), Some(true));
        assert_eq!(line(&format!("{blanks}x")), Some(false));
        assert_eq!(line(&format!("{blanks}\u{3000}{blanks}é")), Some(false));
    }

    proptest! {
        /// The csv crate as a second opinion on everything that is well formed.
        #[test]
        fn agrees_with_another_reader(rows in proptest::collection::vec(proptest::collection::vec("[ab,\"\n\r é]{0,5}", 2..5), 0..5)) {
            let mut out = CsvLines::default();
            rows.iter().for_each(|row| out.line(row));
            let out = out.take();
            let ours: Vec<Vec<String>> = read(&out).into_iter().map(|(record, cells)| {
                assert_eq!(record.flaws, []);
                cells
            }).collect();
            prop_assert_eq!(&ours, &rows);
            let mut other = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(out.as_bytes());
            let theirs: Vec<Vec<String>> = other.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(&theirs, &rows);
        }

        /// Wherever a block ends, the records are those of the whole.
        #[test]
        fn blocks_leave_no_trace(text in "[ab,=\"\n\r é]{0,60}", bytes in 1_usize..20) {
            prop_assert_eq!(all(Reader::new(text.as_bytes()).with_block(bytes)), read(&text));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ab,\"\n\r é]{0,40}") {
            let rows = read(&text);
            prop_assert!(rows.windows(2).all(|pair| pair[0].0.row + 1 == pair[1].0.row));
            prop_assert!(rows.iter().all(|(record, cells)| record.width == cells.len()));
        }
    }
}
