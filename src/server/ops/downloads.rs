//! Files that go out: results, the file as uploaded, failed rows.

use super::access::Caller;
use crate::{
    domain::{batch::Operation, ids::BatchId},
    server::{error::OpResult, state::AppState},
};
use bytes::Bytes;
use futures::stream::BoxStream;

/// A file to be sent.
pub struct Download {
    /// Name for `Content-Disposition`.
    pub file_name: String,
    /// `text/csv; charset=utf-8` or what the file is.
    pub content_type: &'static str,
    /// The bytes, a chunk of rows at a time.
    pub body: BoxStream<'static, Result<Bytes, std::io::Error>>,
}

/// "Download Data": every record in file order. Needs Read; audited.
pub async fn data(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<Download> {
    let _ = (state, caller, operation, batch);
    todo!()
}

/// The file as it was uploaded. Needs Read; audited.
pub async fn original(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<Download> {
    let _ = (state, caller, operation, batch);
    todo!()
}

/// The failed rows as a file that can be uploaded again as it is. Needs Read; audited.
pub async fn failed_rows(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
) -> OpResult<Download> {
    let _ = (state, caller, operation, batch);
    todo!()
}
