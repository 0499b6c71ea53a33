//! Plain forms: `application/x-www-form-urlencoded`, small, decoded leniently and by name.

use super::answer;
use crate::{
    domain::error::RefusalKind,
    server::{error::OpError, ops::uploads::Ticks},
};
use axum::{
    extract::{FromRequest, RawForm, Request},
    http::header,
    response::{IntoResponse, Response},
};

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

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        if request.method().is_safe() {
            return Err(answer::problem(&OpError::refuse(RefusalKind::Invalid, "This address takes forms only.")));
        }
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            // A script that posts to an address without fields has nothing to encode, and so no encoding to name.
            let body = axum::body::to_bytes(request.into_body(), 1).await;
            return match body {
                Ok(bytes) if bytes.is_empty() => Ok(Self(Vec::new())),
                _ => Err(answer::problem(&OpError::refuse(
                    RefusalKind::Invalid,
                    "Send the fields as application/x-www-form-urlencoded and name it in Content-Type.",
                ))),
            };
        }
        let RawForm(bytes) = RawForm::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}
