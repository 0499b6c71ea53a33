//! Records as the database keeps them, as the validator made them, and back.

use crate::{
    db::{
        batches::{BatchRow, TaskRow},
        retries::Change,
        tasks::TaskRecord,
    },
    domain::{ids::BatchId, money::Currency, operation::Operation, task::RecordExtra},
    error::{OpError, OpResult},
    formats::{header::Template, registry, stored_record::StoredRecord},
};

pub(super) use crate::ingest::{hash, stored};

/// The template that a batch came in. One that is not known is never taken for another.
pub(super) fn template(batch: &BatchRow) -> OpResult<&'static Template> {
    registry::of(batch.operation).template(&batch.template).ok_or_else(|| {
        OpError::internal(format!(
            "batch {}: no template of {} is {:?}",
            batch.id,
            batch.operation.code(),
            batch.template
        ))
    })
}

/// A task's latest record.
pub(super) fn record(task: &TaskRow) -> StoredRecord {
    let number = u32::try_from(task.row_no).unwrap_or(0);
    let extra = task.extra.clone().unwrap_or_default();
    record_of(number, task.sheet_row, &task.order_id, task.amount_minor, &task.txn_id, &task.unique_id, extra)
}

/// A record from its columns.
pub(super) fn record_of(
    number: u32,
    sheet_row: i32,
    order_id: &str,
    amount_minor: i64,
    txn_id: &Option<String>,
    unique_id: &Option<String>,
    extra: RecordExtra,
) -> StoredRecord {
    StoredRecord {
        number,
        row: u32::try_from(sheet_row).unwrap_or(0),
        order_id: order_id.to_owned(),
        amount_minor,
        txn_id: txn_id.clone(),
        unique_id: unique_id.clone(),
        extra: extra.boxed(),
    }
}

/// A row of a retry: as it was before, and as it is to be sent.
pub(super) fn before_and_now(c: &Change) -> (StoredRecord, StoredRecord) {
    let number = u32::try_from(c.row_no).unwrap_or(0);
    let (was_extra, extra) = (c.was_extra.clone().unwrap_or_default(), c.extra.clone().unwrap_or_default());
    (
        record_of(number, c.sheet_row, &c.was_order_id, c.was_amount_minor, &c.was_txn_id, &c.was_unique_id, was_extra),
        record_of(number, c.sheet_row, &c.order_id, c.amount_minor, &c.txn_id, &c.unique_id, extra),
    )
}

/// The cells of a record in the columns of a template.
pub(super) fn cells<'a>(
    batch: &'a BatchRow,
    template: &'static Template,
    record: &'a StoredRecord,
) -> impl Iterator<Item = (&'static str, String)> + 'a {
    let format = registry::of(batch.operation);
    template.columns.iter().map(move |column| (*column, format.cell(column, record, batch.unit())))
}

/// What differs between two records of a row: column, before, now.
pub(super) fn differences(
    batch: &BatchRow,
    template: &'static Template,
    was: &StoredRecord,
    now: &StoredRecord,
) -> Vec<(String, String, String)> {
    cells(batch, template, was)
        .zip(cells(batch, template, now))
        .map(|((column, was), (_, now))| (column.to_owned(), was, now))
        .filter(|(_, was, now)| was != now)
        .collect()
}

/// The seed of a batch's derived keys.
pub(super) const fn seed(batch: &BatchId) -> &[u8; 16] {
    batch.0.as_bytes()
}

/// Whether a stored record is still what was checked and decided on. One that was changed behind our back is never
/// sent.
pub(crate) fn is_as_checked(stored: &TaskRecord) -> bool {
    let Some(operation) = Operation::from_code(&stored.operation) else { return false };
    let Ok(currency) = stored.currency.trim().parse::<Currency>() else { return false };
    let Ok(number) = u32::try_from(stored.row_no) else { return false };
    let TaskRecord { order_id, amount_minor, txn_id, unique_id, extra, .. } = stored;
    let Ok(extra) = extra.as_deref().map_or(Ok(RecordExtra::default()), serde_json::from_str) else { return false };
    let record = record_of(number, 0, order_id, *amount_minor, txn_id, unique_id, extra);
    hash(operation, &record, currency) == stored.request_sha256
}
