//! A row of a batch as it is stored.

use crate::domain::operation::{Effect, Operation, Work};

/// All that an instruction to a gateway is made of, and the hash that was made of it when it was checked.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TaskRecord {
    /// Row of the batch.
    pub row_no: i32,
    /// Its revision.
    pub revision: i16,
    /// Operation of the batch.
    pub operation: String,
    /// Currency of the batch.
    pub currency: String,
    /// Order.
    pub order_id: String,
    /// Minor units.
    pub amount_minor: i64,
    /// Key at the gateway.
    pub gateway_key: String,
    /// Transaction.
    pub txn_id: Option<String>,
    /// As uploaded.
    pub unique_id: Option<String>,
    /// Further fields, JSON text.
    pub extra: Option<String>,
    /// Hash of the canonical request.
    pub request_sha256: Vec<u8>,
}

impl TaskRecord {
    /// What it does at its gateway; none for an operation that sends nothing.
    pub fn effect(&self) -> Option<Effect> {
        effect(&self.operation)
    }
}

/// What the tasks of an operation with this code do at their gateway; none where nothing is sent.
pub(super) fn effect(operation: &str) -> Option<Effect> {
    match Operation::from_code(operation)?.work() {
        Work::Send(effect) => Some(effect),
        Work::Query | Work::Import => None,
    }
}

/// The columns of a [`TaskRecord`], of `record r` and its `batch b`.
macro_rules! record_columns {
    () => {
        "r.row_no, r.revision, b.operation, b.currency::text AS currency, r.order_id, r.amount_minor, r.gateway_key, \
         r.txn_id, r.unique_id, r.extra, r.request_sha256"
    };
}
pub(super) use record_columns;
