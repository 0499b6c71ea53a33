//! Plain forms: `application/x-www-form-urlencoded`, small, decoded by name.

use super::{
    Web,
    body::{malformed, small},
    error, render,
    request_context::RequestContext,
};
use crate::server::{error::OpResult, ops::uploads::Ticks};
use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode;

/// The fields of a form, in the order they came. A field that is there twice counts once, the first time.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The value of `name`; empty when it was not sent.
    pub(super) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The boxes "anyway".
    pub(super) fn ticks(&self) -> Ticks<'_> {
        Ticks { repeats: self.get("confirm_repeat"), warnings: self.get("confirm_warnings") }
    }

    /// All fields.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every value of `name`: boxes that are ticked share one.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of `name`, if it was sent.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Web> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Self::Rejection> {
        let visit = request.extensions().get::<RequestContext>().cloned();
        match read(request).await {
            Ok(form) => Ok(form),
            Err(error) => Err(match visit {
                Some(visit) => render::error_response(web, &visit, &error).await,
                None => error::problem_details(&error).into_response(),
            }),
        }
    }
}

async fn read(request: Request) -> OpResult<Form> {
    let bytes = small(request, "application/x-www-form-urlencoded").await?;
    match decode(&bytes) {
        Some(fields) => Ok(Form(fields)),
        None => Err(malformed("The form holds bytes that are no text (UTF-8).")),
    }
}

/// The pairs of a form (as the URL standard reads them); none when they are not UTF-8.
fn decode(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let text = |part: &[u8]| {
        let spaced: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        String::from_utf8(percent_decode(&spaced).collect()).ok()
    };
    let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            Some((text(parts.next()?)?, text(parts.next().unwrap_or_default())?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_the_standard_says_and_no_byte_of_it_is_guessed() {
        let form = b"a=1&a=2&b+c=%C3%A9+x%3D&&d&e=f=g&h=%zz%4&%=%&i=";
        let standard: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
        assert_eq!(decode(form), Some(standard));
        for broken in [b"a=%FF".as_slice(), b"%C3=1", b"a=\xe9", b"a=1&b=%ED%A0%80"] {
            assert_eq!(decode(broken), None, "{broken:?}");
        }
    }
}
