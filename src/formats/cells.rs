//! What holds for the cells of every kind of file.

use super::csv_lines::{starts_formula, without_guard};
use super::findings::{At, Findings, is_invisible, quoted};
use super::spoilt::{doubtful, is_odd, spoilt};
use super::totals::is_total_word;
use domain::finding::FindingCode as Code;
use domain::limits::{MAX_CELL_BYTES, MAX_ID_CHARS};

/// Whether a row has as many cells as the header, none of them too long; says so where it has not. `cut`: columns and
/// bytes of the cells of which not all is there.
pub(super) fn is_whole(
    columns: &[&str],
    row: u32,
    cells: &[&str],
    width: usize,
    cut: &[(usize, usize)],
    findings: &mut Findings,
) -> bool {
    let expected = columns.len();
    if width != expected {
        let cells = if width == 1 { "cell" } else { "cells" };
        let message = format!(
            "Invalid file format: row {row} has {width} {cells}, the header has {expected}; empty cells keep their \
             commas."
        );
        findings.error(At::row(row), Code::InvalidFileFormat, message);
        return false;
    }
    let before = findings.errors();
    for (place, (column, cell)) in columns.iter().zip(cells).enumerate() {
        let bytes = cut.iter().find(|(cut, _)| *cut == place).map_or(cell.len(), |(_, bytes)| *bytes);
        if bytes > MAX_CELL_BYTES {
            let message = format!("Too long: {column} has {bytes} bytes; a cell may have {MAX_CELL_BYTES}.");
            findings.error(At::cell(row, column, cell), Code::TooLong, message);
        }
    }
    findings.errors() == before
}

/// The cell without outer blanks, which are worth a warning where there is something between them.
pub(super) fn trimmed<'a>(cell: &'a str, row: u32, column: &str, findings: &mut Findings) -> &'a str {
    let kept = trim(cell);
    if !kept.is_empty() && kept.len() < cell.len() {
        let message = format!("Blanks around a value: {column} was read as {}.", quoted(kept));
        findings.warning(At::cell(row, column, cell), Code::OuterBlanks, message);
    }
    kept
}

/// An id as it is to be sent, with everything said that could be wrong with it.
pub(super) fn id<'a>(cell: &'a str, row: u32, column: &str, findings: &mut Findings) -> &'a str {
    let id = without_guard(trimmed(cell, row, column, findings));
    // Most ids: nothing but these characters, so nothing to say.
    if id.len() <= MAX_ID_CHARS && !id.starts_with('-') && id.chars().all(is_plain) && !is_odd(id) {
        return id;
    }
    let at = At::cell(row, column, id);
    if let Some(what) = spoilt(id) {
        let message = format!("ID spoilt by a spreadsheet: {column} {} {what}.", quoted(id));
        findings.error(at, Code::MangledId, message);
        return id;
    }
    doubt(row, column, id, findings);
    too_long(id, row, column, findings);
    if let Some(bad) = id.chars().find(|character| is_invisible(*character)) {
        let message = format!(
            "Invalid ID: {column} {} has the invisible character U+{:04X}; type the ID again.",
            quoted(id),
            u32::from(bad)
        );
        findings.error(at, Code::InvalidId, message);
    }
    formula(row, column, id, findings);
    id
}

/// Warns of an id that is hardly one.
pub(super) fn doubt(row: u32, column: &str, id: &str, findings: &mut Findings) {
    if let Some(what) = doubtful(id) {
        let message = format!("ID that may not be one: {column} {} {what}.", quoted(id));
        findings.warning(At::cell(row, column, id), Code::DoubtfulId, message);
    }
}

/// Warns of an order that is named as sums are.
pub(super) fn total_word(row: u32, order_id: &str, findings: &mut Findings) -> bool {
    let is = is_total_word(order_id);
    if is {
        let message = format!(
            "Row that may be a total: order_id {} is a word for a sum; take the row out, or confirm that it is an \
             order.",
            quoted(order_id)
        );
        findings.warning(At::cell(row, "order_id", order_id), Code::TotalLine, message);
    }
    is
}

/// Says so where an id has too many characters.
pub(super) fn too_long(id: &str, row: u32, column: &str, findings: &mut Findings) {
    let length = id.chars().count();
    if length > MAX_ID_CHARS {
        let message = format!("Too long: {column} has {length} characters; an ID may have {MAX_ID_CHARS}.");
        findings.error(At::cell(row, column, id), Code::TooLong, message);
    }
}

/// Warns of a text that a spreadsheet would run.
pub(super) fn formula(row: u32, column: &str, text: &str, findings: &mut Findings) {
    if text.starts_with(starts_formula) {
        let message = format!(
            "Text that a spreadsheet would run: {column} {} is kept as text and gets an apostrophe in downloads.",
            quoted(text)
        );
        findings.warning(At::cell(row, column, text), Code::FormulaText, message);
    }
}

/// Letters, digits, underscore and hyphen.
pub(super) const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// The outer blanks that are ignored: those that `parse_amount` ignores.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// An optional id.
pub(super) fn some(id: &str) -> Option<String> {
    (!id.is_empty()).then(|| id.to_owned())
}
