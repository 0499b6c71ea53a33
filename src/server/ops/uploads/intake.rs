//! A file that came in, or rows that were typed: checked as they are read, and in the same pass made ready for the
//! database, so that they are never all in memory.

use crate::{
    db::batches::{PreparedRecords, RecordSink},
    domain::{
        finding::Finding,
        ids::{BatchId, OrganisationId},
        limits::Limits,
        money::Currency,
        operation::Operation,
    },
    error::{OpError, OpResult},
    formats::{findings::fit, refunds::gateway_key, registry, sheet::Sheet, stored_record::StoredRecord},
    ingest,
    spool::Spool,
};
use sha2::{Digest, Sha256};
use std::{io, path::PathBuf, sync::Arc};
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
    /// Its records; none of an import.
    pub(super) prepared: Option<Prepared>,
}

/// The records of a batch, as they will be stored if it is made.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) records: PreparedRecords,
    /// What a decision is about: the hash of the head of the batch and then of every record in order.
    pub(super) content_sha256: Vec<u8>,
}

/// The batch that a file may become.
#[derive(Clone, Debug)]
pub(super) struct Prospect {
    pub(super) organisation: OrganisationId,
    pub(super) batch: BatchId,
    /// The first bytes of its content.
    pub(super) head: String,
    /// Where records wait that are too large for the memory.
    pub(super) folder: PathBuf,
    /// Told meanwhile what its records are about, some at a time.
    pub(super) instructed: mpsc::Sender<Vec<Instructed>>,
}

/// Row of the spreadsheet, order and minor units of a record.
pub(super) type Instructed = (u32, String, i64);

/// Records that are published at once.
const PUBLISHED: usize = 10_000;

/// A file, and what it is read as.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) operation: Operation,
    pub(super) spool: Spool,
    /// Its rows, where they were typed: they are not read out of the file again.
    pub(super) rows: Option<Arc<Sheet>>,
    /// None: an import.
    pub(super) currency: Option<Currency>,
    pub(super) limits: Limits,
}

impl Source {
    /// Checks the file, and prepares its records for a batch. An import, which has no currency, has no records yet and is
    /// kept out by what is wrong with the whole file alone: its rows are checked one by one when they are stored.
    pub(super) async fn check(self, prospect: Option<Prospect>) -> OpResult<Intake> {
        let check = move || -> sqlx::Result<Intake> {
            let mut preparing = prospect.map(Preparing::new);
            let checked = self.read(&mut preparing)?;
            let prepared = preparing.map(Preparing::finish).transpose()?;
            let template = checked.template.map_or("", |template| template.code);
            if self.currency.is_none() && checked.of_file().is_none() {
                return Ok(Intake { template, rows: checked.rows, ..Intake::default() });
            }
            Ok(Intake {
                template,
                rows: checked.rows,
                total_minor: checked.total_minor,
                findings: fit(checked.findings, checked.errors, checked.warnings),
                errors: checked.errors,
                seal: checked.seal,
                prepared,
            })
        };
        Ok(tokio::task::spawn_blocking(check).await.map_err(OpError::failed)??)
    }

    fn read(&self, preparing: &mut Option<Preparing>) -> io::Result<registry::Overview> {
        let currency = self.currency.unwrap_or(Currency::UNUSED);
        let format = registry::of(self.operation);
        let mut input = self.spool.input();
        let Some(preparing) = preparing else {
            return format.read(&mut input, currency, self.limits, &mut |_| {});
        };
        match &self.rows {
            Some(rows) => Ok(format.read_sheet(rows, currency, self.limits, &mut |record| {
                let hash = ingest::hash(self.operation, &record, currency);
                preparing.add(record, hash);
            })),
            None => {
                let sink = &mut |record, canonical: Vec<u8>| preparing.add(record, Sha256::digest(canonical).to_vec());
                format.read_canonical(&mut input, currency, self.limits, sink)
            }
        }
    }
}

/// Records that are being prepared.
struct Preparing {
    batch: BatchId,
    content: Sha256,
    sink: RecordSink,
    added: sqlx::Result<()>,
    instructed: mpsc::Sender<Vec<Instructed>>,
    unpublished: Vec<Instructed>,
}

impl Preparing {
    fn new(Prospect { organisation, batch, head, folder, instructed }: Prospect) -> Self {
        let (content, sink) = (Sha256::new_with_prefix(head), RecordSink::prepare(&folder, organisation, batch));
        Self { batch, content, sink, added: Ok(()), instructed, unpublished: Vec::new() }
    }

    fn add(&mut self, record: StoredRecord, hash: Vec<u8>) {
        if self.added.is_ok() {
            self.content.update(&hash);
            let key = match record.amount_minor {
                // Nothing is moved, so nothing needs a key.
                0 => String::new(),
                _ => gateway_key(record.unique_id.as_deref(), self.batch.0.as_bytes(), record.number, 1),
            };
            self.unpublished.push((record.row, record.order_id.clone(), record.amount_minor));
            if self.unpublished.len() >= PUBLISHED {
                self.publish();
            }
            self.added = self.sink.add(&ingest::stored(record, key, hash));
        }
    }

    fn publish(&mut self) {
        // An error: nobody listens any more.
        let _ = self.instructed.blocking_send(std::mem::take(&mut self.unpublished));
    }

    fn finish(mut self) -> sqlx::Result<Prepared> {
        std::mem::replace(&mut self.added, Ok(()))?;
        self.publish();
        Ok(Prepared { records: self.sink.prepared()?, content_sha256: self.content.finalize().to_vec() })
    }
}
