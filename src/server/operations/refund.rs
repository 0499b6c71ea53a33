//! Batch Refunds.

use super::{BatchOperation, Outcome, Times};
use crate::{
    domain::{task::TaskState, view::CellPart},
    formats::{
        refunds::{RefundResult, put_refund_result},
        results::Cells,
    },
};

pub(super) struct Refund;

impl BatchOperation for Refund {
    fn put_result(&self, cells: &mut dyn Cells, outcome: &Outcome<'_>, times: Times<'_>) {
        let task = outcome.task;
        let result = RefundResult {
            number: outcome.number(),
            order_id: &task.order_id,
            amount: outcome.amount,
            refund_status: status(outcome),
            unique_id: &self.row_id(outcome),
            gateway_reference: task.gw_ref.as_deref().unwrap_or(""),
            udf: &outcome.extra.udf,
            task_status: outcome.state.status(),
            refund_type: task.gateway_kind.as_deref().unwrap_or(""),
            error_message: &outcome.message,
            created_at: times.created,
            updated_at: times.updated,
        };
        put_refund_result(cells, &result);
    }

    fn cells(&self, outcome: &Outcome<'_>) -> Vec<Vec<CellPart>> {
        let task = outcome.task;
        let small = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let status = Some(status(outcome)).filter(|status| !status.is_empty());
        let mut result: Vec<CellPart> = status.map(|status| CellPart::Flag(status.to_owned())).into_iter().collect();
        result.extend(small(&task.gateway_kind).map(CellPart::Small));
        let id = self.row_id(outcome);
        // The key differs from the unique id when that did not fit the gateway.
        let key = (task.gateway_key != id && !task.gateway_key.is_empty()).then(|| format!("key {}", task.gateway_key));
        let mut ids = vec![CellPart::Id(id)];
        ids.extend(key.into_iter().chain(small(&task.gw_ref)).map(CellPart::SmallId));
        vec![result, ids]
    }

    /// As uploaded, else the key that was derived.
    fn row_id(&self, outcome: &Outcome<'_>) -> String {
        outcome.task.unique_id.clone().unwrap_or_else(|| outcome.task.gateway_key.clone())
    }
}

/// The gateway's word for a refund; blank while it has said none.
fn status<'a>(outcome: &Outcome<'a>) -> &'a str {
    match outcome.state {
        TaskState::Succeeded | TaskState::Failed | TaskState::Pending | TaskState::Review => {
            outcome.task.gateway_status.as_deref().unwrap_or_default()
        }
        _ => "",
    }
}
