//! One file under a person's hands: checked, corrected, checked again.

use super::{
    cells::{self, Edits},
    groups::{Fix, FixKind, group},
    messages::{EditorRequest, Options, Output, Repair, RepairKind, Report, RowsPage, RowsQuery, ServerFinding},
    repairs::{with_columns, with_commas},
};
use crate::{
    domain::finding::{Finding, FindingCode, Severity},
    formats::{
        printable::{printable, quoted},
        registry::{self, Overview},
        repair::{plain_amount, remove_rows},
        sheet::{Sheet, SheetRow},
        spoilt::repaired_id,
    },
};
use std::collections::{BTreeSet, HashMap};

/// Rounds of taking rows with errors out: more errors than are listed need more than one.
const ROUNDS: usize = 64;

/// A change, as it is taken back.
#[derive(Debug)]
enum Change {
    /// Row, column and what the cell held.
    Cells(Vec<(u32, usize, String)>),
    /// Where rows stood.
    Removed(Vec<(usize, SheetRow)>),
    /// The sheet before its columns were arranged, and what had been changed in it.
    Sheet(Option<Sheet>, Edits),
}

/// What was found in the file as it stands.
#[derive(Debug, Default)]
struct Found {
    checked: Overview,
    ready: u64,
    largest: Option<(u32, i64)>,
}

/// The file that lies on the editor.
#[derive(Debug, Default)]
pub struct SheetEditor {
    options: Option<Options>,
    bytes: Vec<u8>,
    sheet: Option<Sheet>,
    found: Found,
    /// What only the server could know.
    answered: Vec<Finding>,
    edits: Edits,
    seen: BTreeSet<u32>,
    undo: Vec<Change>,
    layout: u32,
}

impl SheetEditor {
    /// Puts a file on the editor, in place of what lay there.
    pub fn open(&mut self, bytes: Vec<u8>, options: Options) -> Report {
        *self = Self { options: Some(options), bytes, layout: self.layout + 1, ..Self::default() };
        self.check();
        self.report()
    }

    /// Does what the person asks for.
    pub fn act(&mut self, act: EditorRequest) -> Report {
        match act {
            EditorRequest::Edit { row, column, text } => self.edit(row, column as usize, text),
            EditorRequest::Fix(kind) => self.fix(kind),
            EditorRequest::Repair(kind) => self.repair(kind),
            EditorRequest::RemoveBad => self.remove_bad(),
            EditorRequest::Undo => self.take_back(),
            EditorRequest::ServerFindings(findings) => self.take_findings(findings),
        }
        self.report()
    }

    /// The rows that the page shows.
    pub fn rows(&self, query: RowsQuery) -> RowsPage {
        let Some(sheet) = self.sheet.as_ref().filter(|_| self.is_examined()) else {
            return RowsPage { layout: self.layout, ..RowsPage::default() };
        };
        RowsPage { layout: self.layout, ..cells::page(sheet, &self.findings(), &self.seen, &self.edits, query) }
    }

    /// The sheet as a file; empty when the file could not be read as a sheet.
    pub fn file(&self, output: Output) -> String {
        self.sheet.as_ref().map(|sheet| cells::file(sheet, &self.findings(), output)).unwrap_or_default()
    }

    fn is_examined(&self) -> bool {
        let limit = self.options.map_or(0, |options| u64::from(options.limits.rows));
        self.found.checked.template.is_some() && self.found.checked.rows <= limit && self.sheet.is_some()
    }

    /// Checks what lies on the editor: the file as it came, or the sheet that was made of it.
    fn check(&mut self) {
        let Some(Options { operation, currency, limits }) = self.options else { return };
        let mut checked = match &self.sheet {
            Some(sheet) if !self.undo.is_empty() => registry::of(operation).check_sheet(sheet, currency, limits),
            _ => registry::of(operation).check(&self.bytes, currency, limits),
        };
        if self.undo.is_empty() {
            self.sheet = checked.sheet.take();
        }
        let ready = std::mem::take(&mut checked.ready);
        let largest = ready.iter().max_by_key(|(row, minor)| (*minor, std::cmp::Reverse(*row)));
        let spoiled: BTreeSet<u32> = self.answered.iter().filter_map(|finding| finding.row).collect();
        self.found = Found {
            ready: ready.iter().filter(|(row, _)| !spoiled.contains(row)).count() as u64,
            largest: largest.copied().filter(|(_, minor)| *minor > 0),
            checked,
        };
        let rows = self.found.checked.findings.iter().chain(&self.answered).filter_map(|finding| finding.row);
        self.seen.extend(rows);
    }

    fn findings(&self) -> Vec<Finding> {
        self.answered.iter().chain(&self.found.checked.findings).cloned().collect()
    }

    fn report(&self) -> Report {
        let Found { checked, ready, largest } = &self.found;
        let findings = self.findings();
        let mut groups = group(&findings);
        let examined = self.is_examined();
        if examined {
            for group in &mut groups {
                group.fix = self.offer(group.code);
            }
        }
        let mut repairs = Vec::new();
        if !examined {
            repairs.extend(self.undo.is_empty().then(|| with_commas(&self.bytes)).flatten().map(|(_, repair)| repair));
            if repairs.is_empty() {
                repairs.extend(self.arranged().map(|(_, repair)| repair));
            }
        }
        let removed =
            self.undo.iter().map(|change| if let Change::Removed(rows) = change { rows.len() as u64 } else { 0 });
        Report {
            template: checked.template.map(|template| template.title.to_owned()),
            rows: checked.rows,
            examined,
            ready: if examined { *ready } else { 0 },
            errors: checked.errors + self.answered.len() as u64,
            warnings: checked.warnings,
            seal: checked.seal.clone(),
            total_minor: if examined { checked.total_minor } else { 0 },
            largest: largest.filter(|_| examined),
            groups,
            repairs,
            edited: self.edits.len() as u64,
            removed: removed.sum(),
            changed: !self.undo.is_empty(),
            layout: self.layout,
        }
    }

    fn edit(&mut self, row: u32, column: usize, text: String) {
        let Some(before) = self.put(row, column, text) else { return };
        self.undo.push(Change::Cells(vec![(row, column, before)]));
        self.seen.insert(row);
        self.check();
    }

    /// Writes one cell; gives back what it held, or nothing where there is nothing to change.
    fn put(&mut self, row: u32, column: usize, text: String) -> Option<String> {
        let sheet = self.sheet.as_mut()?;
        let width = sheet.header.len();
        let cells = &sheet.rows.iter().find(|candidate| candidate.row == row)?.cells;
        let before = cells.get(column).cloned().unwrap_or_default();
        if before == text || column >= width.max(cells.len()) {
            return None;
        }
        if let Some(name) = sheet.header.get(column).cloned() {
            let place = (row, name);
            let came = self.edits.get(&place).cloned().unwrap_or_else(|| before.clone());
            if came == text {
                self.edits.remove(&place);
            } else {
                self.edits.insert(place, came);
            }
        }
        sheet.set_cell(row, column, text);
        self.answered.retain(|finding| finding.row != Some(row));
        Some(before)
    }

    /// The cells that a repair would change: row, column, before, after.
    fn mendable(&self, kind: FixKind) -> Vec<(u32, usize, String, String)> {
        let (Some(sheet), Some(options)) = (&self.sheet, self.options) else { return Vec::new() };
        let rows: HashMap<u32, &SheetRow> = sheet.rows.iter().map(|row| (row.row, row)).collect();
        let found = self.found.checked.findings.iter().filter(|finding| mends(finding.code) == Some(kind));
        let cells = found.filter_map(|finding| {
            let (row, name) = (finding.row?, finding.column.as_ref()?);
            let column = sheet.header.iter().position(|column| column == name)?;
            let before = rows.get(&row)?.cells.get(column)?;
            let after = match kind {
                FixKind::PlainAmounts => plain_amount(before, options.currency)?,
                FixKind::OuterBlanks => before.trim_matches([' ', '\t']).to_owned(),
                FixKind::GuardedIds => repaired_id(before)?,
            };
            (after != *before).then(|| (row, column, before.clone(), after))
        });
        cells.collect()
    }

    fn offer(&self, code: FindingCode) -> Option<Fix> {
        let kind = mends(code)?;
        let cells = self.mendable(kind);
        let (_, _, before, after) = cells.first()?;
        // Blanks would not be seen.
        let look = |text: &str| if kind == FixKind::OuterBlanks { quoted(text) } else { printable(text).into_owned() };
        let (before, after) = (look(before), look(after));
        Some(Fix { kind, cells: cells.len() as u64, before, after })
    }

    fn fix(&mut self, kind: FixKind) {
        let cells = self.mendable(kind);
        self.write_all(cells.into_iter().map(|(row, column, _, after)| (row, column, after)).collect());
    }

    /// Writes many cells as one change.
    fn write_all(&mut self, cells: Vec<(u32, usize, String)>) {
        let before = self.swap(cells);
        if !before.is_empty() {
            self.undo.push(Change::Cells(before));
            self.check();
        }
    }

    /// Writes many cells and gives back what they held. One walk through the sheet, however many they are.
    fn swap(&mut self, cells: Vec<(u32, usize, String)>) -> Vec<(u32, usize, String)> {
        let Some(sheet) = self.sheet.as_mut() else { return Vec::new() };
        let mut wanted: HashMap<u32, Vec<(usize, String)>> = HashMap::new();
        for (row, column, text) in cells {
            wanted.entry(row).or_default().push((column, text));
        }
        let mut before = Vec::new();
        for row in &mut sheet.rows {
            for (column, text) in wanted.remove(&row.row).unwrap_or_default() {
                let (Some(cell), Some(name)) = (row.cells.get_mut(column), sheet.header.get(column)) else { continue };
                let place = (row.row, name.clone());
                let came = self.edits.get(&place).cloned().unwrap_or_else(|| cell.clone());
                if came == text {
                    self.edits.remove(&place);
                } else {
                    self.edits.insert(place, came);
                }
                before.push((row.row, column, std::mem::replace(cell, text)));
            }
        }
        before
    }

    /// The sheet with its columns arranged, and what that would do.
    fn arranged(&self) -> Option<(Sheet, Repair)> {
        with_columns(self.options?.operation, self.sheet.as_ref()?)
    }

    fn repair(&mut self, kind: RepairKind) {
        let Some(Options { operation, currency, limits }) = self.options else { return };
        let repaired = match kind {
            RepairKind::Delimiter if self.undo.is_empty() => with_commas(&self.bytes)
                .and_then(|(bytes, _)| registry::of(operation).check(&bytes, currency, limits).sheet),
            RepairKind::Delimiter => None,
            RepairKind::Columns => self.arranged().map(|(sheet, _)| sheet),
        };
        let Some(repaired) = repaired else { return };
        let before = self.sheet.replace(repaired);
        self.undo.push(Change::Sheet(before, self.edits.clone()));
        self.layout += 1;
        self.check();
    }

    fn remove_bad(&mut self) {
        for _ in 0..ROUNDS {
            let findings = self.findings();
            let bad: Vec<u32> =
                findings.iter().filter(|one| one.severity == Severity::Error).filter_map(|one| one.row).collect();
            let Some(sheet) = self.sheet.as_mut().filter(|_| !bad.is_empty()) else { break };
            let chosen: BTreeSet<u32> = bad.iter().copied().collect();
            let gone = sheet.rows.iter().enumerate().filter(|(_, row)| chosen.contains(&row.row));
            let gone: Vec<(usize, SheetRow)> = gone.map(|(index, row)| (index, row.clone())).collect();
            if gone.is_empty() {
                break;
            }
            remove_rows(sheet, &bad);
            self.answered.retain(|finding| finding.row.is_none_or(|row| !chosen.contains(&row)));
            self.undo.push(Change::Removed(gone));
            self.layout += 1;
            self.check();
        }
    }

    fn take_back(&mut self) {
        match self.undo.pop() {
            None => return,
            Some(Change::Cells(cells)) => match cells.as_slice() {
                [(row, column, text)] => {
                    self.put(*row, *column, text.clone());
                }
                _ => {
                    self.swap(cells);
                }
            },
            Some(Change::Removed(rows)) => {
                if let Some(sheet) = self.sheet.as_mut() {
                    // In the order in which they were taken, so each place is right when its row comes.
                    for (index, row) in rows {
                        sheet.rows.insert(index.min(sheet.rows.len()), row);
                    }
                }
                self.layout += 1;
            }
            Some(Change::Sheet(sheet, edits)) => {
                self.sheet = sheet;
                self.edits = edits;
                self.layout += 1;
            }
        }
        self.check();
    }

    /// Takes what the server found, at the rows of the sheet as it stands here.
    fn take_findings(&mut self, findings: Vec<ServerFinding>) {
        let changed = !self.undo.is_empty();
        // A changed sheet was sent without blank lines and without the rows that were taken out.
        let here = |row: u32| {
            let index = usize::try_from(row).ok()?.checked_sub(2)?;
            self.sheet.as_ref()?.rows.get(index).map(|row| row.row)
        };
        let taken = findings.into_iter().filter_map(|finding| {
            let code: FindingCode = serde_json::from_value(serde_json::Value::String(finding.code)).ok()?;
            let row = if changed { finding.row.and_then(here) } else { finding.row };
            let (column, message) = (finding.column, finding.message);
            Some(Finding { row, column, code, severity: Severity::Error, message, value: String::new() })
        });
        let known = &self.found.checked.findings;
        let same = |one: &Finding| known.iter().any(|other| (other.row, other.code) == (one.row, one.code));
        self.answered = taken.filter(|finding| !same(finding)).collect();
        self.check();
    }
}

/// The repair of cells with findings of this kind, where there is one.
const fn mends(code: FindingCode) -> Option<FixKind> {
    match code {
        FindingCode::InvalidDataType => Some(FixKind::PlainAmounts),
        FindingCode::OuterBlanks => Some(FixKind::OuterBlanks),
        FindingCode::MangledId | FindingCode::InvalidOrderId => Some(FixKind::GuardedIds),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
