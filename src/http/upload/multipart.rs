//! Reads a multipart form field by field, within limits of size and number, and no further than needed.

use super::{
    budget::Share,
    parts::{self, HEAD_BYTES, Heads},
};
use crate::{
    domain::{error::RefusalKind, operation::Operation},
    server::{
        error::OpError,
        ops::uploads::Upload,
        spool::{Spool, SpoolWriter},
    },
};
use axum::{
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::{HeaderMap, StatusCode, header},
};
use std::path::Path;

/// Bytes of everything in the form that is not the file.
const FORM_AROUND: usize = 64 * 1024;
/// Bytes of one field that is not the file.
const FIELD_BYTES: usize = 8 * 1024;
/// Fields of a form, at most.
const FIELDS: usize = 20;
/// Why a form was not taken, with what of it should not be lost.
pub(super) struct Refused {
    pub error: OpError,
    pub description: String,
    pub draft: Option<String>,
}

impl From<OpError> for Refused {
    fn from(error: OpError) -> Self {
        Self { error, description: String::new(), draft: None }
    }
}

/// Reads the form of a request for this operation whose file may have `limit` bytes, within a share of what all files
/// may have; a large one goes into the folder. What nobody reads of it is dropped by the layer around all routes.
pub(super) async fn upload(
    mut request: Request,
    operation: Operation,
    limit: u64,
    share: &mut Share,
    folder: &Path,
) -> Result<Upload, Refused> {
    let announced = announced(request.headers());
    let most = limit.saturating_add(FORM_AROUND as u64);
    if announced.is_some_and(|bytes| bytes > most) {
        return Err(too_large(limit).into());
    }
    share.holds(announced.unwrap_or(0))?;
    // One byte more is enough to know that it is too large.
    DefaultBodyLimit::max(usize::try_from(most.saturating_add(1)).unwrap_or(usize::MAX)).apply(&mut request);
    let heads = Heads::default();
    let request = request.map(|body| heads.watch(body));
    let multipart = Multipart::from_request(request, &()).await.map_err(|rejection| {
        OpError::refuse(RefusalKind::Invalid, format!("The form could not be read: {}", rejection.body_text()))
    })?;
    let switch = operation.descriptor().switch.map(|switch| switch.name);
    let mut form = Form { multipart, heads, limit, switch, share, folder };
    let mut upload = Upload::default();
    let mut draft = None;
    match form.fields(&mut upload, &mut draft).await {
        Ok(()) => Ok(upload),
        Err(error) => Err(Refused { error, description: upload.description, draft }),
    }
}

/// A form that is being read.
struct Form<'a> {
    multipart: Multipart,
    heads: Heads,
    limit: u64,
    /// The field of the operation's switch.
    switch: Option<&'static str>,
    share: &'a mut Share,
    folder: &'a Path,
}

impl Form<'_> {
    async fn fields(&mut self, upload: &mut Upload, draft: &mut Option<String>) -> Result<(), OpError> {
        let limit = self.limit;
        let mut count = 0;
        let mut has_file = false;
        loop {
            self.heads.head_begins();
            let field = self.multipart.next_field().await;
            if self.heads.too_long() {
                return Err(head_too_long());
            }
            let Some(field) = field.map_err(|error| unreadable(error, limit))? else { break };
            self.heads.head_ended();
            if parts::is_too_long(&field) {
                return Err(head_too_long());
            }
            count += 1;
            if count > FIELDS {
                return Err(OpError::refuse(RefusalKind::Invalid, "The form has too many fields."));
            }
            match field.name().unwrap_or_default() {
                "file" => {
                    let name = field.file_name().unwrap_or_default().to_owned();
                    if has_file {
                        return Err(OpError::refuse(RefusalKind::Invalid, "Choose one file: two were sent."));
                    }
                    let bytes = file(field, limit, self.share, SpoolWriter::new(self.folder)).await?;
                    // A browser sends an empty file without name when none was chosen.
                    if name.is_empty() && bytes.is_empty() {
                        continue;
                    }
                    has_file = true;
                    upload.file_name = if name.is_empty() { "upload.csv".to_owned() } else { name };
                    upload.bytes = bytes;
                }
                "description" => upload.description = text(field, limit).await?,
                "draft" => {
                    let id = text(field, limit).await?;
                    upload.draft = id.parse().ok();
                    *draft = upload.draft.map(|draft| draft.to_string());
                }
                "upload" => upload.kept = text(field, limit).await?.parse().ok(),
                "confirm_repeat" => upload.confirm_repeat = is_on(&text(field, limit).await?),
                "confirm_warnings" => upload.confirm_warnings = text(field, limit).await?,
                name if self.switch == Some(name) => upload.switch = is_on(&text(field, limit).await?),
                _ => drop(text(field, limit).await?),
            }
        }
        if !has_file && upload.kept.is_none() {
            return Err(OpError::refuse(RefusalKind::Invalid, "Choose a CSV file first."));
        }
        Ok(())
    }
}

fn is_on(value: &str) -> bool {
    matches!(value, "1" | "on" | "true")
}

async fn file(mut field: Field<'_>, limit: u64, share: &mut Share, mut spool: SpoolWriter) -> Result<Spool, OpError> {
    let mut length = 0;
    while let Some(chunk) = field.chunk().await.map_err(|error| unreadable(error, limit))? {
        length += chunk.len() as u64;
        if length > limit {
            return Err(too_large(limit));
        }
        share.holds(length)?;
        spool.write(&chunk).await.map_err(OpError::failed)?;
    }
    spool.finish().await.map_err(OpError::failed)
}

async fn text(mut field: Field<'_>, limit: u64) -> Result<String, OpError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| unreadable(error, limit))? {
        if bytes.len() + chunk.len() > FIELD_BYTES {
            return Err(OpError::refuse(RefusalKind::Invalid, "A field of the form is too long."));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes)
        .map_err(|_| OpError::refuse(RefusalKind::Invalid, "A field of the form is not UTF-8 text."))
}

fn head_too_long() -> OpError {
    OpError::refuse(
        RefusalKind::Invalid,
        format!("A part of the form begins with more than {} KB of headers. Nothing was kept.", HEAD_BYTES / 1024),
    )
}

fn unreadable(error: MultipartError, limit: u64) -> OpError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(limit);
    }
    OpError::refuse(
        RefusalKind::Invalid,
        "The upload ended before the file was complete, or the form is broken. Nothing was kept. Try again.",
    )
}

fn too_large(limit: u64) -> OpError {
    const MIB: u64 = 1024 * 1024;
    let most = if limit.is_multiple_of(MIB) { format!("{} MiB", limit / MIB) } else { format!("{limit} bytes") };
    OpError::refuse(
        RefusalKind::TooLarge,
        format!("File too large: at most {most}. Nothing was kept. Split it into several files."),
    )
}

/// The length that the client announced.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
