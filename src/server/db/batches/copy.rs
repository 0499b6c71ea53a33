//! Records on their way into the database: rows of PostgreSQL's binary COPY, a frame at a time. They are made while a
//! file is checked and wait in a spool until it is known to be clean; what is sent then are bytes.

use super::{super::Tx, NewRecord};
use crate::{
    domain::ids::{BatchId, OrganisationId},
    spool::{Spool, SpoolWriter},
};
use sha2::{Digest, Sha256};
use std::{
    io::{self, Read},
    path::Path,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Bytes that are gathered before they are sent: more gains nothing, and this much is all that is held of the rows.
const FRAME: usize = 256 * 1024;
/// Room in a frame for the row that fills it.
const SPARE: usize = 16 * 1024;

/// COPY is refused on a table with row-level security, so rows go into the leaf; a trigger there refuses what the
/// policies would.
const COPY: &str =
    "COPY record_leaf (organisation_id, batch_id, row_no, sheet_row, amount_minor, gateway_key, order_id, unique_id,
                       txn_id, request_sha256, extra) FROM STDIN (FORMAT binary)";

/// Signature, flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In the place of a row's number of columns: there are no more rows.
const END: i16 = -1;
/// In the place of a value's length: there is none.
const NULL: i32 = -1;

/// Frames that wait to be sent: then whoever makes them waits.
const FRAMES_WAITING: usize = 2;

/// A row of a COPY.
trait Row {
    /// How many columns it has.
    const COLUMNS: i16;

    /// Its values, in the order of the columns.
    fn put(&self, values: &mut Values) -> sqlx::Result<()>;
}

/// Records of one batch that wait to be copied, as the database will be given them.
#[derive(Clone, Debug)]
pub struct PreparedRecords(Spool);

/// Adds records that were prepared to the batch that this transaction is reading in. Returns how many. What was changed
/// since is not added: its hash tells. The database refuses as below.
pub async fn copy_prepared(tx: Tx, records: PreparedRecords) -> sqlx::Result<(Tx, u64)> {
    let send_all = move |frames: mpsc::Sender<Vec<u8>>| {
        let (mut input, mut hash) = (records.0.input(), Sha256::new());
        loop {
            let mut frame = Vec::with_capacity(FRAME);
            input.by_ref().take(FRAME as u64).read_to_end(&mut frame)?;
            hash.update(&frame);
            if frame.is_empty() {
                break;
            }
            frames.blocking_send(frame).map_err(|_| given_up_error())?;
        }
        match hash.finalize()[..] == records.0.sha256()[..] {
            true => Ok(()),
            false => Err(sqlx::Error::Io(io::Error::other("the records are not what was checked"))),
        }
    };
    let (tx, rows, ()) = copy(tx, send_all).await?;
    Ok((tx, rows))
}

/// Adds records to the batch that this transaction is reading in. Returns how many. The database refuses another
/// organisation's (`BD403`) and any other batch than that one (`BD409`).
pub async fn insert_records(
    tx: Tx,
    id: BatchId,
    records: impl Iterator<Item = NewRecord> + Send + 'static,
) -> sqlx::Result<(Tx, u64)> {
    let add_all = |sink: &mut RecordSink| {
        for record in records {
            sink.add(&record)?;
        }
        Ok(())
    };
    let (tx, rows, ()) = copy_records(tx, id, add_all).await?;
    Ok((tx, rows))
}

/// The same of records that are made one by one, on a thread of their own, and taken as fast as the database takes
/// them: `fill` hands them over. Where it fails nothing was added. Returns how many there were, and what `fill`
/// returned.
///
/// The transaction is given away until the last reply was read: a COPY whose end nobody reads leaves that reply on the
/// connection, where the next statement of somebody else would take it for its own. So it goes on when the caller is
/// dropped (a browser that went away), and ends in a rollback.
pub async fn copy_records<T: Send + 'static>(
    tx: Tx,
    id: BatchId,
    fill: impl FnOnce(&mut RecordSink) -> sqlx::Result<T> + Send + 'static,
) -> sqlx::Result<(Tx, u64, T)> {
    let organisation = tx.organisation();
    let fill = move |frames| {
        let mut sink = RecordSink { writer: CopyWriter::new(Destination::Database(frames)), organisation, batch: id };
        let filled = fill(&mut sink)?;
        sink.writer.end()?;
        Ok(filled)
    };
    copy(tx, fill).await
}

async fn copy<T: Send + 'static>(
    tx: Tx,
    fill: impl FnOnce(mpsc::Sender<Vec<u8>>) -> sqlx::Result<T> + Send + 'static,
) -> sqlx::Result<(Tx, u64, T)> {
    let given_up = CancellationToken::new();
    let copying = tokio::spawn(copied(tx, COPY, fill, given_up.clone()));
    let _given_up = given_up.drop_guard();
    copying.await.map_err(|error| sqlx::Error::Io(io::Error::other(error)))?
}

async fn copied<T: Send + 'static>(
    mut tx: Tx,
    statement: &'static str,
    fill: impl FnOnce(mpsc::Sender<Vec<u8>>) -> sqlx::Result<T> + Send + 'static,
    given_up: CancellationToken,
) -> sqlx::Result<(Tx, u64, T)> {
    let mut copy = tx.conn().copy_in_raw(statement).await?;
    let (sender, mut frames) = mpsc::channel(FRAMES_WAITING);
    let filling = tokio::task::spawn_blocking(move || fill(sender));
    while let Some(frame) = frames.recv().await {
        copy.send(frame).await?;
        if given_up.is_cancelled() {
            break;
        }
    }
    drop(frames);
    let filled = match filling.await {
        _ if given_up.is_cancelled() => Err(given_up_error()),
        Ok(filled) => filled,
        Err(error) => Err(sqlx::Error::Io(io::Error::other(error))),
    };
    match filled {
        Ok(filled) => {
            let rows = copy.finish().await?;
            Ok((tx, rows, filled))
        }
        Err(error) => {
            copy.abort("given up").await?;
            Err(error)
        }
    }
}

fn given_up_error() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::Interrupted.into())
}

/// Takes the records of one batch.
pub struct RecordSink {
    writer: CopyWriter,
    organisation: OrganisationId,
    batch: BatchId,
}

impl RecordSink {
    /// Takes the records of a batch that there may be, and keeps what is too large for the memory in this folder. For a
    /// thread that may block.
    pub fn prepare(folder: &Path, organisation: OrganisationId, batch: BatchId) -> Self {
        let writer = CopyWriter::new(Destination::Spool(SpoolWriter::new(folder)));
        Self { writer, organisation, batch }
    }

    /// All are there.
    pub fn prepared(mut self) -> sqlx::Result<PreparedRecords> {
        self.writer.end()?;
        match self.writer.to {
            Destination::Spool(spool) => Ok(PreparedRecords(spool.finish_blocking()?)),
            Destination::Database(_) => Err(given_up_error()),
        }
    }

    /// Adds a record. An error: nobody waits for more.
    pub fn add(&mut self, record: &NewRecord) -> sqlx::Result<()> {
        let Self { writer, organisation, batch } = self;
        writer.row(&RecordOf { organisation: *organisation, batch: *batch, record })
    }
}

struct RecordOf<'a> {
    organisation: OrganisationId,
    batch: BatchId,
    record: &'a NewRecord,
}

impl Row for RecordOf<'_> {
    const COLUMNS: i16 = 11;

    fn put(&self, values: &mut Values) -> sqlx::Result<()> {
        let record = self.record;
        values.value(self.organisation.0.as_bytes())?;
        values.value(self.batch.0.as_bytes())?;
        values.value(&i32::try_from(record.number).unwrap_or(i32::MAX).to_be_bytes())?;
        values.value(&i32::try_from(record.sheet_row).unwrap_or(i32::MAX).to_be_bytes())?;
        values.value(&record.amount_minor.to_be_bytes())?;
        values.value(record.key.as_bytes())?;
        values.value(record.order_id.as_bytes())?;
        values.text(record.unique_id.as_deref())?;
        values.text(record.txn_id.as_deref())?;
        values.value(&record.hash)?;
        values.text(record.extra_text().as_deref())
    }
}

/// Writes rows of a binary COPY into frames.
struct CopyWriter {
    values: Values,
    to: Destination,
}

/// Where frames go.
enum Destination {
    /// To whoever hands them to the database, as fast as it takes them.
    Database(mpsc::Sender<Vec<u8>>),
    /// Where they wait.
    Spool(SpoolWriter),
}

impl CopyWriter {
    fn new(to: Destination) -> Self {
        let mut values = Values(Vec::with_capacity(FRAME + SPARE));
        values.0.extend_from_slice(HEAD);
        Self { values, to }
    }

    fn row<R: Row>(&mut self, row: &R) -> sqlx::Result<()> {
        self.values.0.extend_from_slice(&R::COLUMNS.to_be_bytes());
        row.put(&mut self.values)?;
        if self.values.0.len() >= FRAME { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> sqlx::Result<()> {
        match &mut self.to {
            Destination::Database(frames) => {
                let frame = std::mem::replace(&mut self.values.0, Vec::with_capacity(FRAME + SPARE));
                frames.blocking_send(frame).map_err(|_| given_up_error())
            }
            Destination::Spool(spool) => {
                spool.write_blocking(&self.values.0)?;
                self.values.0.clear();
                Ok(())
            }
        }
    }

    /// All rows were written. Without this the database takes none of them.
    fn end(&mut self) -> sqlx::Result<()> {
        self.values.0.extend_from_slice(&END.to_be_bytes());
        self.send()
    }
}

/// Values of a row, as bytes of a binary COPY.
struct Values(Vec<u8>);

impl Values {
    fn value(&mut self, bytes: &[u8]) -> sqlx::Result<()> {
        let length = i32::try_from(bytes.len()).map_err(|error| sqlx::Error::Encode(error.into()))?;
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn text(&mut self, text: Option<&str>) -> sqlx::Result<()> {
        match text {
            Some(text) => self.value(text.as_bytes()),
            None => {
                self.0.extend_from_slice(&NULL.to_be_bytes());
                Ok(())
            }
        }
    }
}
