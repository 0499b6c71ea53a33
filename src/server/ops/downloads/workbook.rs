//! "Download Data" as a spreadsheet: rows become a part of the archive while they are read, and go out at once.

use super::{Rows, zip::Zip};
use crate::{
    db::batches::TaskRow,
    domain::money::Currency,
    formats::{
        results::Cells,
        workbook::{SHEET, SheetRows, parts},
    },
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::io;

/// Appends the row of a task.
pub(super) type Put = Box<dyn Fn(&mut dyn Cells, &TaskRow) + Send>;

/// What is kept between two chunks: what the compressor looks back at, and nothing of the rows that are gone.
struct Writing {
    zip: Zip,
    sheet: SheetRows,
    put: Put,
}

impl Writing {
    fn begin(sheet: &str, header: &str, currency: Currency, put: Put) -> io::Result<Self> {
        let mut zip = Zip::default();
        for (name, content) in parts(sheet, currency) {
            zip.part(name, &content)?;
        }
        zip.begin(SHEET)?;
        Ok(Self { zip, sheet: SheetRows::new(header), put })
    }

    fn rows(&mut self, rows: &[TaskRow]) -> io::Result<Bytes> {
        for task in rows {
            (self.put)(&mut self.sheet, task);
        }
        self.zip.write(&self.sheet.take())?;
        Ok(self.zip.take())
    }

    fn end(mut self) -> io::Result<Bytes> {
        self.zip.write(&self.sheet.finish())?;
        self.zip.end()?;
        self.zip.finish()?;
        Ok(self.zip.take())
    }
}

/// The file, a chunk of rows at a time. Nothing is read before it is asked for, and no chunk before the one before it
/// is gone.
pub(super) fn workbook(
    rows: Rows,
    sheet: &'static str,
    header: &'static str,
    currency: Currency,
    put: Put,
) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
    let writing = Writing::begin(sheet, header, currency, put)?;
    let written = stream::try_unfold(Some((writing, rows)), |state| async move {
        let Some((mut writing, mut rows)) = state else { return Ok(None) };
        let chunk = rows.next().await.transpose()?;
        // To compress takes milliseconds, which other requests of this thread must not wait for.
        tokio::task::spawn_blocking(move || match chunk {
            Some(chunk) => Ok(Some((writing.rows(&chunk)?, Some((writing, rows))))),
            None => Ok(Some((writing.end()?, None))),
        })
        .await
        .map_err(io::Error::other)?
    });
    Ok(written.boxed())
}

#[cfg(test)]
mod tests;
