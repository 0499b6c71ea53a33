//! Files that go out: results, the file as uploaded, failed rows. Rows are read and sent a chunk at a time, however
//! many there are.

mod workbook;
mod zip;

use super::{
    access::{Caller, authorise},
    audit,
    batches::found,
    records, time_format,
};
use crate::{
    db::{
        self,
        batches::{BatchRow, TaskRow},
    },
    domain::{access::Right, error::RefusalKind, ids::BatchId, operation::Operation},
    error::{OpError, OpResult},
    files,
    formats::{csv_lines::CsvLines, registry, results::Cells, workbook::CONTENT_TYPE},
    operations::{self, Outcome, Times},
    state::AppState,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::json;
use std::collections::HashSet;

/// Rows read from the database at a time.
const CHUNK: i64 = 1_000;

/// A file to be sent.
pub struct Download {
    /// Name for `Content-Disposition`.
    pub file_name: String,
    /// `text/csv; charset=utf-8` or what the file is.
    pub content_type: &'static str,
    /// The bytes, a chunk of rows at a time.
    pub body: BoxStream<'static, Result<Bytes, std::io::Error>>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("file_name", &self.file_name).finish_non_exhaustive()
    }
}

/// What kind of file the result comes as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultFile {
    /// Comma-separated values.
    Csv,
    /// A spreadsheet.
    Workbook,
}

/// Tasks in file order, a chunk at a time.
type Rows = BoxStream<'static, Result<Vec<TaskRow>, std::io::Error>>;

/// "Download Data": every record in file order. Needs Read; audited.
pub async fn data(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    file: ResultFile,
) -> OpResult<Download> {
    authorise(caller, operation.module(), Right::Read)?;
    let labels = operation.labels();
    let name = match file {
        ResultFile::Csv => operation.files().download,
        ResultFile::Workbook => operation.files().workbook,
    };
    let batch_row = open(state, caller, operation, batch, name).await?;
    let rows = chunks(state.clone(), caller.clone(), operation, batch, false);
    let zone = time_format::zone(&caller.organisation.zone);
    let created = time_format::with_offset(batch_row.created_at, &zone);
    let currency = batch_row.unit();
    let header = registry::of(operation).results_header();
    let put = move |cells: &mut dyn Cells, task: &TaskRow| {
        let updated = time_format::with_offset(task.updated_at.unwrap_or(batch_row.created_at), &zone);
        let times = Times { created: &created, updated: &updated };
        operations::of(operation).put_result(cells, &Outcome::of(task, currency), times);
    };
    let (content_type, body) = match file {
        ResultFile::Csv => ("text/csv; charset=utf-8", lines(header, rows, move |lines, task| put(lines, task))),
        ResultFile::Workbook => {
            let body = workbook::workbook(rows, labels.tab, header, currency, Box::new(put));
            (CONTENT_TYPE, body.map_err(OpError::failed)?)
        }
    };
    Ok(Download { file_name: name.to_owned(), content_type, body })
}

/// The header, and a piece of text for each chunk of rows.
fn lines(
    header: impl Into<Bytes>,
    rows: Rows,
    put: impl Fn(&mut CsvLines, &TaskRow) + Send + 'static,
) -> BoxStream<'static, Result<Bytes, std::io::Error>> {
    let head = stream::iter([Ok(header.into())]);
    let lines = rows.map(move |rows| {
        let mut out = CsvLines::default();
        for task in &rows? {
            put(&mut out, task);
        }
        Ok(Bytes::from(out.take()))
    });
    head.chain(lines).boxed()
}

/// The file as it was uploaded. Needs Read; audited.
pub async fn original(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<Download> {
    authorise(caller, operation.module(), Right::Read)?;
    let row = open(state, caller, operation, batch, "the file as uploaded").await?;
    if let Some(at) = row.file_deleted_at {
        let at = time_format::display_time(at, &time_format::zone(&caller.organisation.zone)).text;
        let sentence = format!("{} was deleted on {at}, as old files are. What was read from it stays.", row.file_name);
        return Err(OpError::refuse(RefusalKind::NotFound, sentence));
    }
    let tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let spool = files::load(state, tx, &row.file_sha256).await?.whole(&row.file_name)?;
    let body = stream::try_unfold(spool.input(), |input| async {
        let (input, block) = input.block().await?;
        Ok((!block.is_empty()).then(|| (Bytes::from(block), input)))
    });
    let body = body.boxed();
    Ok(Download { file_name: row.file_name, content_type: "text/csv", body })
}

/// The failed rows as a file that can be uploaded again as it is. Needs Read; audited. A unique_id that reached the
/// gateway is left out: FAILED is final there under that id, so the row gets a key of its own when it is uploaded
/// again.
pub async fn failed_rows(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
) -> OpResult<Download> {
    authorise(caller, operation.module(), Right::Read)?;
    let row = open(state, caller, operation, batch, "the failed rows").await?;
    let rows = chunks(state.clone(), caller.clone(), operation, batch, true);
    let stem = row.file_name.strip_suffix(".csv").unwrap_or(&row.file_name);
    let file_name = format!("{stem}_failed.csv");
    let template = records::template(&row)?;
    let mut taken = HashSet::new();
    if operation.has_amounts() {
        let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
        taken.extend(db::batches::unique_ids(&mut tx, batch).await?);
        tx.commit().await?;
    }
    let put = move |out: &mut CsvLines, task: &TaskRow| {
        let mut record = records::record(task);
        record.unique_id = record.unique_id.filter(|id| !taken.contains(id));
        registry::of(operation).put_line(out, template, &record, row.unit());
    };
    let head = CsvLines::with_header(template.columns).take();
    Ok(Download { file_name, content_type: "text/csv; charset=utf-8", body: lines(head, rows, put) })
}

/// Finds the batch and writes down that a file of it goes out.
async fn open(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    file: &str,
) -> OpResult<BatchRow> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, operation, batch).await?;
    audit::record(state, &mut tx, caller, "batch.downloaded", Some(batch.0), json!({ "file": file })).await?;
    tx.commit().await?;
    Ok(row)
}

/// The batch's tasks in file order, a chunk at a time, each chunk in a transaction of its own.
fn chunks(state: AppState, caller: Caller, operation: Operation, batch: BatchId, failed_only: bool) -> Rows {
    let read = move |after: i32| {
        let (state, caller) = (state.clone(), caller.clone());
        async move {
            let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
            let rows = db::batches::tasks_after(&mut tx, operation, batch, after, CHUNK, failed_only).await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>(rows)
        }
    };
    stream::try_unfold(0, move |after| {
        let rows = read(after);
        async move {
            let rows = rows.await.map_err(std::io::Error::other)?;
            Ok(rows.last().map(|task| task.row_no).map(|last| (rows, last)))
        }
    })
    .boxed()
}
