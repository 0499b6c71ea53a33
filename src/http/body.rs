//! Small bodies: forms, and the inputs of server functions. Kind, length and time are looked at before anything is
//! decoded.

use crate::{
    domain::error::RefusalKind,
    server::error::{OpError, OpResult},
};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use std::time::Duration;

/// Bytes of a form or of a server function's input.
pub(super) const SMALL_BYTES: usize = 64 * 1024;
/// A small body is here within this time: less than an answer may take, so that a slow client is told what is wrong.
const ARRIVES: Duration = Duration::from_secs(20);

/// Reads a body of the kind `media_type`. No kind is needed where there is no body.
pub(super) async fn small(request: Request, media_type: &'static str) -> OpResult<Bytes> {
    let is_of = is_of(request.headers(), media_type);
    match tokio::time::timeout(ARRIVES, Bytes::from_request(request, &())).await {
        // Read first: whether there is a body cannot be told from the layers around it.
        Ok(Ok(bytes)) if !is_of && !bytes.is_empty() => Err(OpError::refuse(
            RefusalKind::Unsupported,
            format!("This address reads {media_type} only. Send that, and name it in Content-Type."),
        )),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(OpError::refuse(
            RefusalKind::TooLarge,
            format!("What was sent is too large: at most {} KB are taken. Shorten it.", SMALL_BYTES / 1024),
        )),
        Ok(Err(_)) => Err(malformed("The request broke off before it was complete.")),
        Err(_) => Err(malformed("The request did not arrive in time.")),
    }
}

/// A request that cannot be read.
pub(super) fn malformed(what: &str) -> OpError {
    OpError::refuse(RefusalKind::Malformed, format!("{what} Nothing was changed. Load the page again and try again."))
}

fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    named.and_then(|value| value.split(';').next()).is_some_and(|kind| kind.trim().eq_ignore_ascii_case(media_type))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_kind_may_have_parameters_and_no_other_is_taken_for_it() {
        let is_json = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            is_of(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)]), "application/json")
        };
        assert!(is_json(b"application/json") && is_json(b"Application/JSON ; charset=utf-8"));
        for other in [b"application/jsonp".as_slice(), b"text/plain", b"", b"\xff", b"text/plain;application/json"] {
            assert!(!is_json(other), "{other:?}");
        }
        assert!(!is_of(&HeaderMap::new(), "application/json"));
    }
}
