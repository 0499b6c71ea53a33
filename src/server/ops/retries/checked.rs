//! Failed rows as a sheet: what was sent, what was typed over it, and what the validator of uploads says to that.

use super::{Typed, is_error, records};
use crate::{
    db::{
        batches::{BatchRow, TaskRow},
        retries::Draft,
    },
    domain::{
        finding::Finding,
        limits::Limits,
        money::Currency,
        operation::Operation,
        page::PAGE_SIZE,
        text::Field,
        view::retries::{RetryCell, RetryRow},
    },
    error::{OpError, OpResult},
    formats::{
        header::Template,
        registry::{self, Overview},
        sheet::{Sheet, SheetRow},
        stored_record::StoredRecord,
    },
    gateway::fails_again,
    operations::Outcome,
};
use std::collections::HashMap;

/// A cell that is typed over.
const CELL: Field = Field::lines("A cell", 1_000);

/// One failed row.
#[derive(Clone, Debug)]
struct Line {
    number: i32,
    record: StoredRecord,
    why: String,
    fails_again: Option<&'static str>,
    key: String,
    was: Vec<String>,
    now: Vec<String>,
    take: bool,
}

impl Line {
    fn is_changed(&self) -> bool {
        self.was.iter().zip(&self.now).any(|(was, now)| was.trim() != now.trim())
    }
}

/// All failed rows of a batch, in file order.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    template: Option<&'static Template>,
    operation: Option<Operation>,
    lines: Vec<Line>,
    /// Whether the caller typed or chose anything.
    pub(super) typed: bool,
}

/// What the validator says to the rows that are taken.
#[derive(Debug, Default)]
pub(super) struct Checked {
    found: Overview,
    /// The clean rows, under the numbers that they have in the batch.
    pub(super) records: Vec<StoredRecord>,
}

impl Checked {
    pub(super) const fn is_clean(&self) -> bool {
        self.found.errors == 0
    }

    pub(super) const fn errors(&self) -> u64 {
        self.found.errors
    }

    /// Names the warnings that must be confirmed.
    pub(super) fn asked(&self) -> &str {
        &self.found.seal
    }

    /// Warnings that must be confirmed.
    pub(super) fn to_confirm(&self) -> u64 {
        self.found.findings.iter().filter(|finding| finding.must_be_confirmed()).count() as u64
    }

    pub(super) const fn total(&self) -> i64 {
        self.found.total_minor
    }
}

impl Lines {
    pub(super) fn new(batch: &BatchRow, connector: &str, failed: Vec<TaskRow>, drafts: Vec<Draft>) -> OpResult<Self> {
        let template = records::template(batch)?;
        let typed = !drafts.is_empty();
        let mut drafts: HashMap<i32, Draft> = drafts.into_iter().map(|draft| (draft.row_no, draft)).collect();
        let lines = failed.into_iter().map(|task| {
            let record = records::record(&task);
            let was: Vec<String> = records::cells(batch, template, &record).map(|(_, cell)| cell).collect();
            let draft = drafts.remove(&task.row_no);
            let now = draft
                .as_ref()
                .and_then(|draft| serde_json::from_str::<Vec<String>>(draft.cells.as_deref()?).ok())
                .filter(|cells| cells.len() == was.len())
                .unwrap_or_else(|| was.clone());
            Line {
                number: task.row_no,
                why: Outcome::of(&task, batch.unit()).message,
                fails_again: fails_again(connector, task.code.as_deref()),
                take: draft.is_none_or(|draft| draft.take),
                key: task.gateway_key,
                record,
                was,
                now,
            }
        });
        Ok(Self { template: Some(template), operation: Some(batch.operation), lines: lines.collect(), typed })
    }

    pub(super) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Sum of all failed rows.
    pub(super) fn sum(&self) -> i64 {
        self.lines.iter().map(|line| line.record.amount_minor).sum()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = i32> {
        self.lines.iter().map(|line| line.number)
    }

    fn chosen(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.take)
    }

    /// How many rows are taken, and their sum before.
    pub(super) fn taken(&self) -> (u64, i64) {
        self.chosen().fold((0, 0), |(rows, minor), line| (rows + 1, minor + line.record.amount_minor))
    }

    /// Taken rows that were typed over.
    pub(super) fn changed(&self) -> u64 {
        self.chosen().filter(|line| line.is_changed()).count() as u64
    }

    /// Taken rows that were not, and would fail again.
    pub(super) fn fails_again(&self) -> u64 {
        self.chosen().filter(|line| line.fails_again.is_some() && !line.is_changed()).count() as u64
    }

    /// What was typed, as it is kept; none for a row that is not failed.
    pub(super) fn draft(&self, typed: &Typed) -> OpResult<Option<Draft>> {
        let row_no = i32::try_from(typed.number).unwrap_or(0);
        let line = self.lines.iter().find(|line| line.number == row_no);
        let (Some(line), Some(template)) = (line, self.template) else { return Ok(None) };
        let columns = template.columns;
        let cells: Vec<&String> =
            columns.iter().zip(&line.now).map(|(column, now)| typed.cells.get(*column).unwrap_or(now)).collect();
        // What the file held may stand; blanks around a cell are the validator's to judge.
        for (cell, _) in cells.iter().zip(&line.was).filter(|(cell, was)| *cell != was) {
            CELL.read(cell)?;
        }
        let cells = (cells.iter().zip(&line.was).any(|(cell, was)| *cell != was))
            .then(|| serde_json::to_string(&cells).unwrap_or_default());
        Ok(Some(Draft { row_no, take: typed.take, cells }))
    }

    /// The rows that are taken, through the validator of uploads, off the threads that answer requests.
    pub(super) async fn check(self, currency: Currency) -> OpResult<Checked> {
        if self.chosen().next().is_none() {
            return Ok(Checked::default());
        }
        tokio::task::spawn_blocking(move || self.check_now(currency)).await.map_err(OpError::failed)
    }

    fn check_now(&self, currency: Currency) -> Checked {
        let (Some(template), Some(operation)) = (self.template, self.operation) else { return Checked::default() };
        let rows: Vec<SheetRow> = self
            .chosen()
            .map(|line| SheetRow { row: line.record.row, cells: line.now.clone(), complete: true })
            .collect();
        let header = template.columns.iter().map(|column| (*column).to_owned()).collect();
        // As many rows as the batch was accepted with, however the limit stands now.
        let limits = Limits { rows: u32::MAX, bytes: u64::MAX };
        let numbers: HashMap<u32, u32> = self.lines.iter().map(|line| (line.record.row, line.record.number)).collect();
        let mut records = Vec::new();
        let found = registry::of(operation).read_sheet(&Sheet { header, rows }, currency, limits, &mut |mut record| {
            record.number = numbers.get(&record.row).copied().unwrap_or(record.number);
            records.push(record);
        });
        Checked { found, records }
    }

    /// Findings with the page that each is on: errors first.
    pub(super) fn placed(&self, checked: &Checked) -> Vec<(u32, Finding)> {
        let place = |finding: &Finding| {
            let index = self.lines.iter().position(|line| Some(line.record.row) == finding.row).unwrap_or(0);
            u32::try_from(index).unwrap_or(0) / PAGE_SIZE + 1
        };
        let (errors, warnings): (Vec<_>, Vec<_>) = checked.found.findings.iter().cloned().partition(is_error);
        errors.into_iter().chain(warnings).map(|finding| (place(&finding), finding)).collect()
    }

    /// The rows of a page, from 1.
    pub(super) fn page(&self, page: u32, checked: &Checked) -> Vec<RetryRow> {
        let Some(template) = self.template else { return Vec::new() };
        let from = (page.saturating_sub(1) * PAGE_SIZE) as usize;
        let shown = self.lines.iter().skip(from).take(PAGE_SIZE as usize);
        shown
            .map(|line| {
                let errors = |name: &str| {
                    let about = |finding: &&Finding| {
                        is_error(finding)
                            && finding.row == Some(line.record.row)
                            && finding.column.as_deref().unwrap_or("order_id") == name
                    };
                    checked.found.findings.iter().filter(about).map(|finding| finding.message.clone()).collect()
                };
                let cells = template.columns.iter().zip(line.was.iter().zip(&line.now));
                RetryRow {
                    number: line.record.number,
                    row: line.record.row,
                    why: line.why.clone(),
                    fails_again: line.fails_again.map(str::to_owned),
                    take: line.take,
                    key: line.key.clone(),
                    cells: cells
                        .map(|(name, (was, now))| RetryCell {
                            name,
                            was: was.clone(),
                            now: now.clone(),
                            errors: errors(name),
                        })
                        .collect(),
                }
            })
            .collect()
    }
}
