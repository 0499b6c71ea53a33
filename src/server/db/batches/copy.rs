//! Records on their way into the database: rows of PostgreSQL's binary COPY, a frame at a time.

use super::{super::Tx, NewRecord};
use crate::domain::ids::{BatchId, OrganisationId};
use tokio_util::sync::CancellationToken;

/// Bytes that are gathered before they are sent: more gains nothing, and this much is all that is held of the rows.
const FRAME: usize = 256 * 1024;

/// COPY is refused on a table with row-level security, so rows go into the leaf; a trigger there refuses what the policies would.
const COPY: &str = "COPY record_leaf (organisation_id, batch_id, row_no, sheet_row, amount_minor, gateway_key, order_id, unique_id, txn_id, \
                    request_sha256, extra) FROM STDIN (FORMAT binary)";
const COLUMNS: i16 = 11;

/// Signature, flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In the place of a row's number of columns: there are no more rows.
const END: i16 = -1;
/// In the place of a value's length: there is none.
const NULL: i32 = -1;

/// Adds records to the batch that this transaction is reading in; they are taken one by one, as fast as the database takes them.
/// Returns how many. The database refuses another organisation's (`BD403`) and any other batch than that one (`BD409`).
///
/// The transaction is given away until the last reply was read: a COPY whose end nobody reads leaves that reply on the connection,
/// where the next statement of somebody else would take it for its own. So it goes on when the caller is dropped (a browser that
/// went away), and ends in a rollback.
pub async fn insert_records(
    tx: Tx,
    id: BatchId,
    records: impl Iterator<Item = NewRecord> + Send + 'static,
) -> sqlx::Result<(Tx, u64)> {
    let given_up = CancellationToken::new();
    let copying = tokio::spawn(copied(tx, id, records, given_up.clone()));
    let _given_up = given_up.drop_guard();
    copying.await.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?
}

async fn copied(
    mut tx: Tx,
    id: BatchId,
    records: impl Iterator<Item = NewRecord> + Send,
    given_up: CancellationToken,
) -> sqlx::Result<(Tx, u64)> {
    let organisation = tx.organisation();
    let mut copy = tx.conn().copy_in_raw(COPY).await?;
    let mut frame = Frame::default();
    for record in records {
        frame.row(organisation, id, &record)?;
        if frame.0.len() >= FRAME {
            copy.send(frame.0.as_slice()).await?;
            frame.0.clear();
            if given_up.is_cancelled() {
                copy.abort("given up").await?;
                return Err(sqlx::Error::Io(std::io::ErrorKind::Interrupted.into()));
            }
        }
    }
    frame.0.extend_from_slice(&END.to_be_bytes());
    copy.send(frame.0.as_slice()).await?;
    let rows = copy.finish().await?;
    Ok((tx, rows))
}

/// Bytes that were not sent yet.
struct Frame(Vec<u8>);

impl Default for Frame {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(FRAME + 16 * 1024);
        bytes.extend_from_slice(HEAD);
        Self(bytes)
    }
}

impl Frame {
    /// A record, in the order of the columns in `COPY`.
    fn row(&mut self, organisation: OrganisationId, batch: BatchId, record: &NewRecord) -> sqlx::Result<()> {
        self.0.extend_from_slice(&COLUMNS.to_be_bytes());
        self.value(organisation.0.as_bytes())?;
        self.value(batch.0.as_bytes())?;
        self.value(&i32::try_from(record.number).unwrap_or(i32::MAX).to_be_bytes())?;
        self.value(&i32::try_from(record.sheet_row).unwrap_or(i32::MAX).to_be_bytes())?;
        self.value(&record.amount_minor.to_be_bytes())?;
        self.value(record.key.as_bytes())?;
        self.value(record.order_id.as_bytes())?;
        self.text(record.unique_id.as_deref())?;
        self.text(record.txn_id.as_deref())?;
        self.value(&record.hash)?;
        self.text(record.extra_text().as_deref())
    }

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
