//! A file that came in: checked as it is read, and read again for its records, so that they are never all in memory.

use crate::{
    domain::{finding::Finding, ids::BatchId, limits::Limits, money::Currency, operation::Operation},
    formats::{
        findings::fit,
        refunds::gateway_key,
        registry::{self, StoredRecord},
    },
    server::{
        db::batches::RecordSink,
        error::{OpError, OpResult},
        ingest,
        spool::Spool,
    },
};
use sha2::{Digest, Sha256};
use std::io;
use tokio::sync::mpsc;

/// What the validator found out.
#[derive(Clone, Debug, Default)]
pub(super) struct Intake {
    /// Code of the layout.
    pub(super) template: &'static str,
    pub(super) rows: u64,
    pub(super) total_minor: i64,
    pub(super) findings: Vec<Finding>,
    pub(super) errors: u64,
    /// Names the warnings that must be confirmed; empty where there is none.
    pub(super) seal: String,
}

/// A file, and what it is read as.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) operation: Operation,
    pub(super) spool: Spool,
    /// None: an import.
    pub(super) currency: Option<Currency>,
    pub(super) limits: Limits,
}

impl Source {
    /// Checks the file. An import, which has no currency, is kept out by what is wrong with the whole file alone: its
    /// rows are checked one by one when they are stored.
    pub(super) async fn check(self) -> OpResult<Intake> {
        let check = move || {
            let imports = self.currency.is_none();
            let checked = self.read(&mut |_| {})?;
            let template = checked.template.map_or("", |template| template.code);
            if imports && checked.of_file().is_none() {
                return Ok(Intake { template, rows: checked.rows, ..Intake::default() });
            }
            Ok(Intake {
                template,
                rows: checked.rows,
                total_minor: checked.total_minor,
                findings: fit(checked.findings, checked.errors, checked.warnings),
                errors: checked.errors,
                seal: checked.seal,
            })
        };
        let checked: io::Result<Intake> = tokio::task::spawn_blocking(check).await.map_err(OpError::internal)?;
        checked.map_err(OpError::internal)
    }

    /// Hands the records over, as they are stored in this batch. Returns what a decision is about: the hash of the head
    /// of the batch and then of every record in order. What is not what was `checked` before is an error, and nothing
    /// may come of it.
    pub(super) fn put_records(
        &self,
        batch: BatchId,
        head: &str,
        checked: &Intake,
        sink: &mut RecordSink,
    ) -> sqlx::Result<Vec<u8>> {
        let mut content = Sha256::new();
        content.update(head);
        let mut added = Ok(());
        let currency = self.currency.unwrap_or(Currency::UNUSED);
        let mut input = self.spool.input();
        let again =
            registry::of(self.operation).read_canonical(&mut input, currency, self.limits, &mut |record, canonical| {
                if added.is_ok() {
                    let hash = Sha256::digest(canonical);
                    content.update(hash);
                    let key = match record.amount_minor {
                        // Nothing is moved, so nothing needs a key.
                        0 => String::new(),
                        _ => gateway_key(record.unique_id.as_deref(), batch.0.as_bytes(), record.number, 1),
                    };
                    added = sink.add(&ingest::stored(record, key, hash.to_vec()));
                }
            });
        added?;
        let again = again.map_err(sqlx::Error::Io)?;
        if (again.errors, again.rows, again.total_minor) != (0, checked.rows, checked.total_minor) {
            return Err(sqlx::Error::Io(io::Error::other("the file is not what was checked")));
        }
        Ok(content.finalize().to_vec())
    }

    /// Row of the spreadsheet, order and minor units of each record, so many at a time.
    pub(super) fn sent(self, at_a_time: usize) -> mpsc::Receiver<io::Result<Vec<(u32, String, i64)>>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || {
            let mut some = Vec::new();
            let read = self.read(&mut |StoredRecord { row, order_id, amount_minor, .. }| {
                some.push((row, order_id, amount_minor));
                if some.len() >= at_a_time {
                    // An error: nobody asks any more.
                    let _ = sender.blocking_send(Ok(std::mem::take(&mut some)));
                }
            });
            let _ = sender.blocking_send(read.map(|_| some));
        });
        receiver
    }

    fn read(&self, sink: &mut dyn FnMut(StoredRecord)) -> io::Result<registry::Overview> {
        let currency = self.currency.unwrap_or(Currency::UNUSED);
        registry::of(self.operation).read(&mut self.spool.input(), currency, self.limits, sink)
    }
}
