//! Text to rows and cells and back, as a spreadsheet would show them.

mod reader;

use super::results::put_cell;
pub use reader::{Cell, Flaw, MAX_CELLS, Record, Records};

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
    let mut out = String::new();
    put_line(&mut out, &sheet.header);
    for row in &sheet.rows {
        put_line(&mut out, &row.cells);
    }
    out
}

fn put_line(out: &mut String, cells: &[String]) {
    // A line of one blank cell would be read as no line at all.
    if let [only] = cells
        && only.trim().is_empty()
    {
        out.push('"');
        out.push_str(only);
        out.push('"');
    } else {
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            put_cell(out, cell);
        }
    }
    out.push('\n');
}
