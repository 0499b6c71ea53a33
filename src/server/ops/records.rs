//! Records of refunds as the database keeps them, as the validator made them, and back.

use crate::{
    domain::{ids::BatchId, money::Currency, task::RecordExtra},
    formats::refunds::{RefundRecord, Template, UDFS, cell},
    server::db::{
        batches::{BatchRow, NewRecord, TaskRow},
        retries::Change,
        tasks::TaskRecord,
    },
};
use sha2::{Digest, Sha256};

/// The template that a batch came in.
pub(super) fn template(batch: &BatchRow) -> Template {
    Template::ALL.into_iter().find(|template| template.title() == batch.template).unwrap_or(Template::Standard)
}

/// A task's latest record.
pub(super) fn refund(task: &TaskRow) -> RefundRecord {
    let number = u32::try_from(task.row_no).unwrap_or(0);
    let extra = task.extra.clone().unwrap_or_default();
    refund_of(number, task.sheet_row, &task.order_id, task.amount_minor, &task.txn_id, &task.unique_id, extra)
}

/// A record from its columns.
pub(super) fn refund_of(
    number: u32,
    sheet_row: i32,
    order_id: &str,
    amount_minor: i64,
    txn_id: &Option<String>,
    unique_id: &Option<String>,
    extra: RecordExtra,
) -> RefundRecord {
    let RecordExtra { split, udf, .. } = extra;
    RefundRecord {
        number,
        row: u32::try_from(sheet_row).unwrap_or(0),
        order_id: order_id.to_owned(),
        amount_minor,
        txn_id: txn_id.clone(),
        unique_id: unique_id.clone(),
        split,
        udf: udfs(udf),
    }
}

/// A row of a retry: as it was before, and as it is to be sent.
pub(super) fn before_and_now(c: &Change) -> (RefundRecord, RefundRecord) {
    let number = u32::try_from(c.row_no).unwrap_or(0);
    let (was_extra, extra) = (c.was_extra.clone().unwrap_or_default(), c.extra.clone().unwrap_or_default());
    (
        refund_of(number, c.sheet_row, &c.was_order_id, c.was_amount_minor, &c.was_txn_id, &c.was_unique_id, was_extra),
        refund_of(number, c.sheet_row, &c.order_id, c.amount_minor, &c.txn_id, &c.unique_id, extra),
    )
}

fn udfs(udf: Vec<String>) -> [String; UDFS] {
    let mut all: [String; UDFS] = std::array::from_fn(|_| String::new());
    for (place, text) in all.iter_mut().zip(udf) {
        *place = text;
    }
    all
}

/// What differs between two records of a row: column, before, now.
pub(super) fn differences(
    template: Template,
    was: &RefundRecord,
    now: &RefundRecord,
    currency: Currency,
) -> Vec<(String, String, String)> {
    template
        .columns()
        .iter()
        .map(|column| ((*column).to_owned(), cell(column, was, currency), cell(column, now, currency)))
        .filter(|(_, was, now)| was != now)
        .collect()
}

/// The hash of the canonical request.
pub(super) fn request_hash(record: &RefundRecord, currency: Currency) -> Vec<u8> {
    Sha256::digest(record.canonical(currency)).to_vec()
}

/// What a refund has beside its columns; blank fields at the end are left out.
pub(super) fn extra(record: &RefundRecord) -> RecordExtra {
    let filled = record.udf.iter().rposition(|text| !text.is_empty()).map_or(0, |last| last + 1);
    let udf = record.udf.get(..filled).map(<[String]>::to_vec).unwrap_or_default();
    RecordExtra { split: record.split.clone(), udf, ..RecordExtra::default() }
}

/// A record as it is stored under this key.
pub(super) fn stored(record: &RefundRecord, key: String, currency: Currency) -> NewRecord {
    NewRecord {
        number: record.number,
        sheet_row: record.row,
        order_id: record.order_id.clone(),
        amount_minor: record.amount_minor,
        key,
        unique_id: record.unique_id.clone(),
        txn_id: record.txn_id.clone(),
        hash: request_hash(record, currency),
        extra: extra(record),
    }
}

/// The seed of a batch's derived keys.
pub(super) const fn seed(batch: &BatchId) -> &[u8; 16] {
    batch.0.as_bytes()
}

/// Whether a stored record is still what was checked and decided on. One that was changed behind our back is never sent.
pub(in crate::server) fn is_as_checked(stored: &TaskRecord) -> bool {
    let Ok(currency) = stored.currency.trim().parse::<Currency>() else { return false };
    let Ok(number) = u32::try_from(stored.row_no) else { return false };
    let TaskRecord { order_id, amount_minor, txn_id, unique_id, extra, .. } = stored;
    let Ok(extra) = extra.as_deref().map_or(Ok(RecordExtra::default()), serde_json::from_str) else { return false };
    let record = refund_of(number, 0, order_id, *amount_minor, txn_id, unique_id, extra);
    request_hash(&record, currency) == stored.request_sha256
}
