//! Batch Sync.

use super::{BatchOperation, Outcome, Times};
use crate::{
    domain::{task::TaskStatus, view::CellPart},
    formats::{
        results::Cells,
        sync::{SyncResult, put_sync_result},
    },
};

pub(super) struct OrderSync;

impl BatchOperation for OrderSync {
    fn put_result(&self, cells: &mut dyn Cells, outcome: &Outcome<'_>, times: Times<'_>) {
        let task = outcome.task;
        let result = SyncResult {
            number: outcome.number(),
            order_id: &task.order_id,
            txn_id: task.txn_id.as_deref().unwrap_or(""),
            unique_request_id: outcome.extra.unique_request_id.as_deref().unwrap_or(""),
            sync_status: status(outcome),
            external_response: task.response.as_deref().unwrap_or(""),
            gateway_status: task.gateway_status.as_deref().unwrap_or(""),
            task_status: outcome.state.status(),
            error_message: &outcome.message,
            created_at: times.created,
            updated_at: times.updated,
        };
        put_sync_result(cells, &result);
    }

    fn cells(&self, outcome: &Outcome<'_>) -> Vec<Vec<CellPart>> {
        let task = outcome.task;
        let part = |text: &str, part: fn(String) -> CellPart| {
            if text.is_empty() { Vec::new() } else { vec![part(text.to_owned())] }
        };
        vec![
            part(status(outcome), CellPart::Flag),
            part(task.response.as_deref().unwrap_or(""), CellPart::Response),
            part(task.gateway_status.as_deref().unwrap_or(""), CellPart::Flag),
            vec![CellPart::Id(self.row_id(outcome))],
        ]
    }

    fn row_id(&self, outcome: &Outcome<'_>) -> String {
        outcome.extra.unique_request_id.clone().unwrap_or_default()
    }
}

/// SYNCED when the external system took the order, blank while that is open.
fn status(outcome: &Outcome<'_>) -> &'static str {
    match outcome.state.status() {
        TaskStatus::Accepted => "SYNCED",
        TaskStatus::Failed => "NOT SYNCED",
        TaskStatus::Queued => "",
    }
}
