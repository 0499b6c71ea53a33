//! The result of a sync batch as a file, `batch_sync.csv` or `batch_sync.xlsx`: written row by row, so that a download
//! can stream.

use crate::results::Cells;
use domain::task::TaskStatus;

/// The header line, with its line end.
pub const SYNC_RESULTS_HEADER: &str = "S.No,Order ID,Transaction ID,Unique Request ID,Sync Status,\
External System Response,Gateway Sync Status,Task Status,Error Message,Created At,Updated At\n";

/// One record and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncResult<'a> {
    /// S.No, from 1.
    pub number: u32,
    /// order_id as uploaded.
    pub order_id: &'a str,
    /// txn_id as uploaded, or blank.
    pub txn_id: &'a str,
    /// unique_request_id as uploaded, or blank.
    pub unique_request_id: &'a str,
    /// SYNCED, NOT SYNCED, or blank while queued.
    pub sync_status: &'a str,
    /// What the external system said, `Stored in Batchdesk`, or blank.
    pub external_response: &'a str,
    /// SYNCED, FAILED, NOT REQUESTED, or blank while queued.
    pub gateway_status: &'a str,
    /// ACCEPTED, FAILED or QUEUED.
    pub task_status: TaskStatus,
    /// Why it failed or waits, or blank.
    pub error_message: &'a str,
    /// RFC 3339 with the organisation's offset, `2026-11-20T18:13:00+05:30`.
    pub created_at: &'a str,
    /// RFC 3339 with the organisation's offset.
    pub updated_at: &'a str,
}

/// Appends one row.
pub fn put_sync_result(cells: &mut dyn Cells, result: &SyncResult<'_>) {
    cells.number(result.number);
    for text in [
        result.order_id,
        result.txn_id,
        result.unique_request_id,
        result.sync_status,
        result.external_response,
        result.gateway_status,
        result.task_status.code(),
        result.error_message,
        result.created_at,
        result.updated_at,
    ] {
        cells.text(text);
    }
    cells.end();
}
