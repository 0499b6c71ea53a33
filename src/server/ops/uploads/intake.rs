//! A file that was read, ready to be stored: what is different between operations ends here.

use crate::{
    domain::{
        finding::Finding, ids::BatchId, limits::Limits, money::Currency, operation::Operation, task::RecordExtra,
    },
    formats::{
        file::Checked,
        findings::fit,
        header::Layout,
        refunds::{RefundRecord, check_refunds_each, gateway_key},
        sync::{SyncRecord, check_orders_each},
    },
    server::db::batches::NewRecord,
    server::ops::records,
};
use sha2::{Digest, Sha256};

/// What the validator found out, with the records as they will be stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Intake {
    /// Name of the layout.
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
    number: u32,
    pub(super) row: u32,
    pub(super) order_id: String,
    /// Zero where nothing is moved.
    pub(super) amount_minor: i64,
    txn_id: Option<String>,
    unique_id: Option<String>,
    /// Few have any.
    extra: Option<Box<RecordExtra>>,
    /// Of its canonical form.
    hash: [u8; 32],
}

impl Intake {
    /// Checks a file of this operation.
    pub(super) fn read(operation: Operation, bytes: &[u8], currency: Currency, limits: Limits) -> Self {
        match operation {
            Operation::Refund => {
                let mut records = Vec::new();
                let keep = &mut |record| records.push(refund(record, currency));
                Self::of(check_refunds_each(bytes, currency, limits, keep)).with(records)
            }
            Operation::OrderSync => {
                let mut records = Vec::new();
                Self::of(check_orders_each(bytes, limits, &mut |record| records.push(order(record)))).with(records)
            }
        }
    }

    fn of<L: Layout, R>(checked: Checked<L, R>) -> Self {
        Self {
            template: checked.template.map_or("", Layout::title),
            rows: checked.rows,
            total_minor: checked.total_minor,
            records: Vec::new(),
            findings: fit(checked.findings, checked.errors, checked.warnings),
            errors: checked.errors,
            seal: checked.seal,
        }
    }

    /// Of a file that is kept out nothing is stored.
    fn with(self, records: Vec<Prepared>) -> Self {
        if self.errors > 0 { self } else { Self { records, ..self } }
    }

    /// The records of the batch with this id, one by one: all of them at once would be the file once more.
    pub(super) fn new_records(&self, batch: BatchId) -> impl Iterator<Item = NewRecord> + Send {
        self.records.iter().map(move |record| NewRecord {
            number: record.number,
            sheet_row: record.row,
            order_id: record.order_id.clone(),
            amount_minor: record.amount_minor,
            key: match record.amount_minor {
                // Nothing is moved, so nothing needs a key.
                0 => String::new(),
                _ => gateway_key(record.unique_id.as_deref(), batch.0.as_bytes(), record.number, 1),
            },
            unique_id: record.unique_id.clone(),
            txn_id: record.txn_id.clone(),
            hash: record.hash.to_vec(),
            extra: record.extra.as_deref().cloned().unwrap_or_default(),
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

fn refund(record: RefundRecord, currency: Currency) -> Prepared {
    Prepared {
        number: record.number,
        row: record.row,
        hash: Sha256::digest(record.canonical(currency)).into(),
        extra: some(records::extra(&record)),
        order_id: record.order_id,
        amount_minor: record.amount_minor,
        txn_id: record.txn_id,
        unique_id: record.unique_id,
    }
}

/// The request's own id only tracks it: it may come again in another batch, so it is not taken as a refund's is.
fn order(record: SyncRecord) -> Prepared {
    let hash = Sha256::digest(record.canonical()).into();
    Prepared {
        number: record.number,
        row: record.row,
        order_id: record.order_id,
        amount_minor: 0,
        txn_id: record.txn_id,
        unique_id: None,
        extra: some(RecordExtra { unique_request_id: record.unique_request_id, ..RecordExtra::default() }),
        hash,
    }
}

fn some(extra: RecordExtra) -> Option<Box<RecordExtra>> {
    (extra != RecordExtra::default()).then(|| Box::new(extra))
}
