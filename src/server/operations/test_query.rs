//! `test_query`, for tests, in debug builds only.

use super::{BatchOperation, Outcome, Times};
use crate::{domain::view::CellPart, formats::results::Cells};

pub(super) struct TestQuery;

impl BatchOperation for TestQuery {
    fn put_result(&self, cells: &mut dyn Cells, outcome: &Outcome<'_>, _: Times<'_>) {
        let task = outcome.task;
        cells.number(outcome.number());
        cells.text(&task.order_id);
        cells.text(outcome.extra.unique_request_id.as_deref().unwrap_or(""));
        cells.text(task.gateway_status.as_deref().unwrap_or(""));
        cells.text(outcome.state.status().code());
        cells.text(&outcome.message);
        cells.end();
    }

    fn cells(&self, outcome: &Outcome<'_>) -> Vec<Vec<CellPart>> {
        vec![outcome.task.gateway_status.clone().map(CellPart::Flag).into_iter().collect()]
    }

    fn row_id(&self, outcome: &Outcome<'_>) -> String {
        outcome.task.order_id.clone()
    }
}
