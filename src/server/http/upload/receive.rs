//! Reads a multipart form field by field, within limits of size, number and time, and no further than needed.

use crate::{
    domain::error::RefusalKind,
    server::{error::OpError, ops::uploads::Upload},
};
use axum::{
    body::Body,
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::{HeaderMap, StatusCode, header},
};
use bytes::BytesMut;
use futures::StreamExt;
use std::time::Duration;

/// Bytes of everything in the form that is not the file.
const FORM_AROUND: usize = 64 * 1024;
/// Bytes of one field that is not the file.
const FIELD_BYTES: usize = 8 * 1024;
/// Fields of a form, at most.
const FIELDS: usize = 20;
/// What a browser still sends of a file that is too large is read and dropped, up to this much and this long: a connection that
/// is cut while it sends shows the person an error of the network instead of our answer.
const DROPPED_BYTES: u64 = 16 * 1024 * 1024;
const DROPPED_TIME: Duration = Duration::from_secs(10);

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

/// Reads the form of a request whose file may have `limit` bytes.
pub(super) async fn upload(mut request: Request, limit: u64) -> Result<Upload, Refused> {
    if announced(request.headers()).is_some_and(|bytes| bytes > limit.saturating_add(FORM_AROUND as u64)) {
        // A client that waits to be told to go on has sent nothing yet, and need not.
        if !request.headers().contains_key(header::EXPECT) {
            drop_rest(request.into_body());
        }
        return Err(too_large(limit).into());
    }
    // Bytes that are only dropped count, too: whoever goes on beyond them is cut off.
    let all = limit.saturating_add(FORM_AROUND as u64).saturating_add(DROPPED_BYTES);
    DefaultBodyLimit::max(usize::try_from(all).unwrap_or(usize::MAX)).apply(&mut request);
    let mut multipart = Multipart::from_request(request, &()).await.map_err(|rejection| {
        OpError::refuse(RefusalKind::Invalid, format!("The form could not be read: {}", rejection.body_text()))
    })?;
    let mut upload = Upload::default();
    let mut draft = None;
    match fields(&mut multipart, &mut upload, &mut draft, limit).await {
        Ok(()) => Ok(upload),
        Err(error) => {
            tokio::spawn(tokio::time::timeout(DROPPED_TIME, drop_fields(multipart)));
            Err(Refused { error, description: upload.description, draft })
        }
    }
}

async fn fields(
    multipart: &mut Multipart,
    upload: &mut Upload,
    draft: &mut Option<String>,
    limit: u64,
) -> Result<(), OpError> {
    let mut count = 0;
    let mut has_file = false;
    while let Some(field) = multipart.next_field().await.map_err(|error| unreadable(error, limit))? {
        count += 1;
        if count > FIELDS {
            return Err(OpError::refuse(RefusalKind::Invalid, "The form has too many fields."));
        }
        match field.name().unwrap_or_default() {
            "file" => {
                let name = field.file_name().unwrap_or_default().to_owned();
                let bytes = file(field, limit).await?;
                // A browser sends an empty file without name when none was chosen.
                if name.is_empty() && bytes.is_empty() {
                    continue;
                }
                if has_file {
                    return Err(OpError::refuse(RefusalKind::Invalid, "Choose one file: two were sent."));
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
            "sync_with_gateway" => upload.sync_with_gateway = is_on(&text(field, limit).await?),
            _ => drop(text(field, limit).await?),
        }
    }
    if !has_file && upload.kept.is_none() {
        return Err(OpError::refuse(RefusalKind::Invalid, "Choose a CSV file first."));
    }
    Ok(())
}

fn is_on(value: &str) -> bool {
    matches!(value, "1" | "on" | "true")
}

async fn file(mut field: Field<'_>, limit: u64) -> Result<bytes::Bytes, OpError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| unreadable(error, limit))? {
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
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

fn drop_rest(body: Body) {
    tokio::spawn(tokio::time::timeout(DROPPED_TIME, async move {
        let mut stream = body.into_data_stream();
        let mut dropped = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            dropped += chunk.len() as u64;
            if dropped > DROPPED_BYTES {
                return;
            }
        }
    }));
}

/// Reads on until the form ends or its limit is reached.
async fn drop_fields(mut multipart: Multipart) {
    while let Ok(Some(_)) = multipart.next_field().await {}
}
