//! The rows that a page shows, and the files that a person can keep.

use super::{
    groups::short,
    messages::{CellView, Note, Output, PAGE_ROWS, RowView, RowsPage, RowsQuery},
};
use crate::{
    domain::{
        finding::{Finding, Severity},
        limits::MAX_CELL_BYTES,
    },
    formats::{
        csv_lines::CsvLines,
        sheet::{Sheet, SheetRow, write},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Findings by row.
type ByRow<'a> = BTreeMap<u32, Vec<&'a Finding>>;

/// Cells that were changed, by row and column name, with what they held.
pub(super) type Edits = BTreeMap<(u32, String), String>;

pub(super) fn by_row(findings: &[Finding]) -> ByRow<'_> {
    let mut rows = ByRow::new();
    for finding in findings {
        if let Some(row) = finding.row {
            rows.entry(row).or_default().push(finding);
        }
    }
    rows
}

/// The page of rows that was asked for. `seen` are the rows that had a finding or were changed since the file was
/// opened: a row that was put right stays where the person put it right.
pub(super) fn page(
    sheet: &Sheet,
    findings: &[Finding],
    seen: &BTreeSet<u32>,
    edits: &Edits,
    query: RowsQuery,
) -> RowsPage {
    let found = by_row(findings);
    let wanted = query.error_after.and_then(|row| next_error(sheet, &found, row)).or(query.show);
    let matches: Vec<&SheetRow> = sheet.rows.iter().filter(|row| !query.only || seen.contains(&row.row)).collect();
    let pages = matches.len().div_ceil(PAGE_ROWS).max(1);
    let place = wanted.and_then(|wanted| matches.iter().position(|row| row.row == wanted));
    let asked = usize::try_from(query.page).unwrap_or(0);
    let page = place.map_or(asked, |place| place / PAGE_ROWS).min(pages - 1);
    let rows = matches.iter().skip(page * PAGE_ROWS).take(PAGE_ROWS);
    RowsPage {
        columns: sheet.header.clone(),
        rows: rows.map(|row| view(sheet, row, found.get(&row.row).map_or(&[], Vec::as_slice), edits)).collect(),
        matching: matches.len() as u64,
        page: u32::try_from(page).unwrap_or(0),
        pages: u32::try_from(pages).unwrap_or(u32::MAX),
        focus: place.and(wanted).map(|row| (row, column_of(sheet, found.get(&row)))),
        layout: 0,
    }
}

/// The first row with an error below `row`, from the top again when there is none.
fn next_error(sheet: &Sheet, found: &ByRow<'_>, row: u32) -> Option<u32> {
    let bad =
        |candidate: &&SheetRow| found.get(&candidate.row).is_some_and(|list| list.iter().any(|one| is_error(one)));
    let below = sheet.rows.iter().filter(|candidate| candidate.row > row).find(bad);
    below.or_else(|| sheet.rows.iter().find(bad)).map(|row| row.row)
}

const fn is_error(finding: &Finding) -> bool {
    matches!(finding.severity, Severity::Error)
}

/// The column that a person should look at first.
fn column_of(sheet: &Sheet, findings: Option<&Vec<&Finding>>) -> u32 {
    let first = findings.and_then(|list| list.iter().find(|one| is_error(one)).or_else(|| list.first()));
    let name = first.and_then(|finding| finding.column.as_ref());
    let place = name.and_then(|name| sheet.header.iter().position(|column| column == name));
    place.and_then(|place| u32::try_from(place).ok()).unwrap_or(0)
}

fn view(sheet: &Sheet, row: &SheetRow, findings: &[&Finding], edits: &Edits) -> RowView {
    // A short row has all its cells to be filled, a long one shows what is too much.
    let width = sheet.header.len().max(row.cells.len());
    let note = |column: Option<&str>| {
        let mut of = findings.iter().filter(|finding| finding.column.as_deref() == column);
        let first = of.clone().find(|finding| is_error(finding)).or_else(|| of.next())?;
        Some(Note { severity: first.severity, text: short(first) })
    };
    let cells = (0..width).map(|index| {
        let column = sheet.header.get(index);
        CellView {
            text: row.cells.get(index).map(|cell| whole(cell)).unwrap_or_default(),
            note: column.and_then(|column| note(Some(column))),
            was: column.and_then(|column| edits.get(&(row.row, column.clone())).cloned()),
        }
    });
    RowView { row: row.row, cells: cells.collect(), note: note(None) }
}

/// A cell as far as one may be long: what is longer is not sent, so nothing is lost where it is typed over.
fn whole(cell: &str) -> String {
    let mut end = cell.len().min(MAX_CELL_BYTES);
    while !cell.is_char_boundary(end) {
        end -= 1;
    }
    cell.get(..end).unwrap_or("").to_owned()
}

/// The sheet, or its rows with errors, as a file.
pub(super) fn file(sheet: &Sheet, findings: &[Finding], output: Output) -> String {
    let found = by_row(findings);
    let is_bad = |row: &SheetRow| found.get(&row.row).is_some_and(|list| list.iter().any(|finding| is_error(finding)));
    match output {
        Output::Upload => write(sheet),
        Output::Whole => guarded(sheet, |_| true),
        Output::Bad => guarded(sheet, is_bad),
    }
}

/// For a spreadsheet: text that it would run gets an apostrophe, which the validator takes away again.
fn guarded(sheet: &Sheet, keep: impl Fn(&SheetRow) -> bool) -> String {
    let mut out = CsvLines::with_header(&sheet.header);
    for row in sheet.rows.iter().filter(|row| keep(row)) {
        for (index, cell) in row.cells.iter().enumerate() {
            let is_amount = sheet.header.get(index).is_some_and(|name| name.ends_with("amount"));
            if is_amount { out.cell(cell) } else { out.text(cell) }
        }
        out.end();
    }
    out.take()
}
