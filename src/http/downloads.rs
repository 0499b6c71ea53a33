//! Files that leave: streamed, as attachments, never sniffed, never kept by a cache.

use super::{Web, address::PathId, render, request_context::SignedIn};
use crate::{
    domain::{ids::BatchId, operation::Operation},
    server::{
        error::OpError,
        ops::downloads::{self, Download, ResultFile},
    },
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

/// Which file of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// "Download Data".
    Data,
    /// The same as a spreadsheet.
    Workbook,
    /// As it was uploaded.
    Original,
    /// Ready to be corrected and uploaded again.
    FailedRows,
}

/// `GET /batch/batch-refunds/{id}/batch_refund.csv` and its neighbours.
pub(super) async fn download(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    PathId(id): PathId,
    operation: Operation,
    which: Which,
) -> Response {
    let found = match (id.parse::<BatchId>(), which) {
        (Err(_), _) => Err(OpError::not_found("batch")),
        (Ok(batch), Which::Data) => downloads::data(&web, &caller, operation, batch, ResultFile::Csv).await,
        (Ok(batch), Which::Workbook) => downloads::data(&web, &caller, operation, batch, ResultFile::Workbook).await,
        (Ok(batch), Which::Original) => downloads::original(&web, &caller, operation, batch).await,
        (Ok(batch), Which::FailedRows) => downloads::failed_rows(&web, &caller, operation, batch).await,
    };
    match found {
        Ok(Download { file_name, content_type, body }) => attachment(&file_name, content_type, Body::from_stream(body)),
        Err(error) => render::error_response(&web, &visit, &error).await,
    }
}

/// A file to be saved, whatever a browser would like to do with it.
pub(super) fn attachment(file_name: &str, content_type: &'static str, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_DISPOSITION, disposition(file_name));
    response
}

/// `attachment` with a name (RFC 6266): plain ASCII for all, and the exact name for those who read `filename*`.
fn disposition(file_name: &str) -> HeaderValue {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let plain = if plain.trim_matches(['.', ' ']).is_empty() { "download.csv".to_owned() } else { plain };
    let value = if plain == name {
        format!("attachment; filename=\"{plain}\"")
    } else {
        let exact: String = name.chars().filter(|c| !c.is_control()).collect();
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", crate::domain::page::encode(&exact))
    };
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_break_out_of_its_header_or_folder() {
        let cases = [
            ("batch_refund.csv", "attachment; filename=\"batch_refund.csv\""),
            ("my refunds.csv", "attachment; filename=\"my refunds.csv\""),
            ("../../etc/passwd", "attachment; filename=\"passwd\""),
            (
                "a\"; filename=\"evil.exe",
                "attachment; filename=\"a_; filename=_evil.exe\"; filename*=UTF-8''a%22%3B%20filename%3D%22evil.exe",
            ),
            (
                "a\r\nSet-Cookie: x=1.csv",
                "attachment; filename=\"a__Set-Cookie: x=1.csv\"; filename*=UTF-8''aSet-Cookie%3A%20x%3D1.csv",
            ),
            ("rückzahlung.csv", "attachment; filename=\"r_ckzahlung.csv\"; filename*=UTF-8''r%C3%BCckzahlung.csv"),
            ("..", "attachment; filename=\"download.csv\"; filename*=UTF-8''.."),
        ];
        for (name, expected) in cases {
            assert_eq!(disposition(name).to_str().unwrap(), expected, "{name:?}");
        }
    }
}
