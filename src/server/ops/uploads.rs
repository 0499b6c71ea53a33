//! From a dropped file to a batch, or to findings.

use super::access::Caller;
use crate::{
    domain::{
        batch::Operation,
        ids::{BatchId, DraftId},
        view::{DraftView, NewBatch},
    },
    server::{error::OpResult, state::AppState},
};
use bytes::Bytes;

/// A file as it was sent.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// Name as the browser gave it; cleaned before it is stored.
    pub file_name: String,
    /// The bytes as they came. Empty when no file was chosen and `kept` names one.
    pub bytes: Bytes,
    /// Description typed beside the file; the draft's is used when empty.
    pub description: String,
    /// The draft that holds the description.
    pub draft: Option<DraftId>,
    /// The draft that holds the file of an earlier try, when no new file was chosen.
    pub kept: Option<DraftId>,
    /// "Upload it again anyway".
    pub confirm_repeat: bool,
    /// Order sync: ask the gateway while the file is processed.
    pub sync_with_gateway: bool,
}

/// What became of a file.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// It was clean: the batch is made.
    Batch(BatchId),
    /// Nothing was made but a draft of the uploader's own: findings, or repeats to confirm.
    Draft(Box<DraftView>),
}

/// The page that takes a file, with the draft if it is the caller's own. Needs ReadWrite.
pub async fn new_batch(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    draft: Option<DraftId>,
) -> OpResult<NewBatch> {
    let _ = (state, caller, operation, draft);
    todo!()
}

/// Keeps the description of a request (5 to 500 characters) before its file. Needs ReadWrite.
pub async fn describe(state: &AppState, caller: &Caller, operation: Operation, text: &str) -> OpResult<DraftId> {
    let _ = (state, caller, operation, text);
    todo!()
}

/// Checks a file and makes the batch when it is clean. Needs ReadWrite.
pub async fn submit(state: &AppState, caller: &Caller, operation: Operation, upload: Upload) -> OpResult<Submitted> {
    let _ = (state, caller, operation, upload);
    todo!()
}
