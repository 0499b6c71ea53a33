//! Files on their way into the database: records as they are stored, and the source of an import in runs of rows that
//! are checked.

use crate::{
    db::{batches::NewRecord, imports::RefusedRow},
    domain::{
        finding::Severity,
        limits::{Limits, MAX_ID_CHARS},
        money::Currency,
        operation::Operation,
        text::storable,
    },
    formats::{
        registry,
        sheet::{Run, Runs},
        stored_record::StoredRecord,
        text::Encoding,
    },
    spool::Spool,
};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, io};
use tokio::sync::mpsc;

/// What was let in by its upload is not measured again.
const ANY: Limits = Limits { rows: u32::MAX, bytes: u64::MAX };

/// A record as it is stored under this key, with the hash of its canonical form.
pub fn stored(record: StoredRecord, key: String, hash: Vec<u8>) -> NewRecord {
    NewRecord {
        number: record.number,
        sheet_row: record.row,
        order_id: record.order_id,
        amount_minor: record.amount_minor,
        key,
        unique_id: record.unique_id,
        txn_id: record.txn_id,
        hash,
        extra: record.extra.map(|extra| *extra).unwrap_or_default(),
    }
}

/// The hash of the canonical form.
pub fn hash(operation: Operation, record: &StoredRecord, currency: Currency) -> Vec<u8> {
    Sha256::digest(registry::of(operation).canonical(record, currency)).to_vec()
}

/// A source of an import.
#[derive(Debug)]
pub struct Source {
    operation: Operation,
    spool: Spool,
    encoding: Encoding,
    /// Data rows.
    pub rows: i32,
}

/// Rows of a source, ready to be stored.
#[derive(Debug)]
pub struct SourceRun {
    /// All of them, also those that did not pass: as they were read.
    pub records: Vec<NewRecord>,
    /// Those that did not pass.
    pub refused: Vec<RefusedRow>,
    /// Where the next run begins, in bytes of the text.
    pub next: usize,
}

impl Source {
    /// Reads it. What is wrong with the file as a whole is a sentence.
    pub fn read(operation: Operation, spool: Spool) -> io::Result<Result<Self, String>> {
        let mut input = spool.input();
        let overview = registry::of(operation).read(&mut input, Currency::UNUSED, ANY, &mut |_| {})?;
        if let Some(finding) = overview.of_file() {
            return Ok(Err(finding.message.clone()));
        }
        let encoding = match Encoding::of(&mut input)? {
            Ok(encoding) => encoding,
            Err(finding) => return Ok(Err(finding.message)),
        };
        let Ok(rows) = i32::try_from(overview.rows) else { return Ok(Err("The file has too many rows.".to_owned())) };
        Ok(Ok(Self { operation, spool, encoding, rows }))
    }

    /// Its rows from this place on, so many at a time, each run when there is room for it. A row that did not pass
    /// keeps none of the others out.
    pub fn runs(&self, from: usize, rows: usize) -> mpsc::Receiver<io::Result<SourceRun>> {
        let (sender, receiver) = mpsc::channel(1);
        let (operation, spool, encoding) = (self.operation, self.spool.clone(), self.encoding);
        tokio::task::spawn_blocking(move || {
            let mut input = spool.input();
            let runs = encoding.text(&mut input).and_then(|text| Runs::new(text, from, rows));
            match runs {
                Ok(runs) => {
                    for run in runs {
                        // An error: nobody stores any more.
                        if sender.blocking_send(run.map(|run| checked(operation, &run))).is_err() {
                            return;
                        }
                    }
                }
                Err(error) => drop(sender.blocking_send(Err(error))),
            }
        });
        receiver
    }
}

fn checked(operation: Operation, run: &Run) -> SourceRun {
    let mut passed = HashMap::new();
    let overview = registry::of(operation).read_sheet(&run.sheet, Currency::UNUSED, ANY, &mut |record| {
        passed.insert(record.row, record);
    });
    let errors = overview.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    // The first finding of a row is the one that is told.
    let mut why: HashMap<u32, String> = HashMap::new();
    for finding in errors {
        if let Some(row) = finding.row {
            why.entry(row).or_insert(finding.message);
        }
    }
    let mut checked = SourceRun { records: Vec::new(), refused: Vec::new(), next: run.next };
    for (number, row) in (run.before.saturating_add(1)..).zip(&run.sheet.rows) {
        let record = match passed.remove(&row.row) {
            Some(record) => StoredRecord { number, ..record },
            None => {
                let message = why.remove(&row.row).unwrap_or_else(|| "This row did not pass its checks.".to_owned());
                let row_no = i32::try_from(number).unwrap_or(i32::MAX);
                checked.refused.push(RefusedRow { row_no, code: "INVALID".to_owned(), message });
                let first = row.cells.first().map(String::as_str).unwrap_or_default();
                let order_id = storable(&first.trim().chars().take(MAX_ID_CHARS).collect::<String>());
                StoredRecord { number, row: row.row, order_id, ..StoredRecord::default() }
            }
        };
        let hash = hash(operation, &record, Currency::UNUSED);
        checked.records.push(stored(record, String::new(), hash));
    }
    checked
}
