//! A file that was read, ready to be stored.

use crate::{
    domain::{finding::Finding, ids::BatchId, limits::Limits, money::Currency, operation::Operation},
    formats::{
        findings::fit,
        refunds::gateway_key,
        registry::{self, StoredRecord},
    },
    server::{db::batches::NewRecord, ops::records},
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What the validator found out, with the records as they will be stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Intake {
    /// Code of the layout.
    pub(super) template: &'static str,
    pub(super) rows: u64,
    pub(super) total_minor: i64,
    pub(super) records: Vec<Prepared>,
    pub(super) findings: Vec<Finding>,
    pub(super) errors: u64,
    /// Names the warnings that must be confirmed; empty where there is none.
    pub(super) seal: String,
}

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) record: StoredRecord,
    /// Of its canonical form.
    hash: [u8; 32],
}

impl Intake {
    /// Checks a file of this operation. Of one that is kept out nothing is stored. An import, which has no currency, is kept out by
    /// what is wrong with the whole file alone: its rows are checked one by one when they are stored.
    pub(super) fn read(operation: Operation, bytes: &[u8], currency: Option<Currency>, limits: Limits) -> Self {
        let (imports, currency) = (currency.is_none(), currency.unwrap_or(Currency::UNUSED));
        let mut records = Vec::new();
        let checked = registry::of(operation).read(bytes, currency, limits, &mut |record, canonical| {
            if !imports {
                records.push(Prepared { record, hash: Sha256::digest(canonical).into() });
            }
        });
        if imports && checked.of_file().is_none() {
            let template = checked.template.map_or("", |template| template.code);
            return Self { template, rows: checked.rows, ..Self::default() };
        }
        Self {
            template: checked.template.map_or("", |template| template.code),
            rows: checked.rows,
            total_minor: checked.total_minor,
            records: if checked.errors > 0 { Vec::new() } else { records },
            findings: fit(checked.findings, checked.errors, checked.warnings),
            errors: checked.errors,
            seal: checked.seal,
        }
    }

    /// The records of the batch with this id, one by one: all of them at once would be the file once more.
    pub(super) fn new_records(self: Arc<Self>, batch: BatchId) -> impl Iterator<Item = NewRecord> + Send + 'static {
        (0..self.records.len()).filter_map(move |at| {
            let Prepared { record, hash } = self.records.get(at)?;
            let key = match record.amount_minor {
                // Nothing is moved, so nothing needs a key.
                0 => String::new(),
                _ => gateway_key(record.unique_id.as_deref(), batch.0.as_bytes(), record.number, 1),
            };
            Some(records::stored(record, key, hash.to_vec()))
        })
    }

    /// What a decision is about: the head of the batch, then every record in order.
    pub(super) fn content_sha256(&self, head: &str) -> Vec<u8> {
        let mut content = Sha256::new();
        content.update(head);
        for record in &self.records {
            content.update(record.hash);
        }
        content.finalize().to_vec()
    }
}
