//! What of an address is somebody's writing: the id in its path, and its query string.

use crate::{domain::text::PARAMETER, server::error::OpResult};
use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{Uri, request::Parts},
};
use std::convert::Infallible;

/// The first parameter of a route's path: an id as it stands in the address. Empty where it is no text at all, which no
/// id is.
pub(super) struct PathId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let read = RawPathParams::from_request_parts(parts, state).await;
        let first = read.ok().and_then(|params| params.iter().next().map(|(_, id)| id.to_owned()));
        Ok(Self(first.unwrap_or_default()))
    }
}

/// Refuses a query string that holds what no field takes. What each value means, and its own limit, is the page's to
/// say.
pub(super) fn check_query(uri: &Uri) -> OpResult<()> {
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        PARAMETER.read(&name)?;
        PARAMETER.read(&value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_text_of_a_bounded_length() {
        let check =
            |query: &str| check_query(&format!("/?{query}").parse().unwrap()).map_err(|error| error.refusal.message);
        for good in ["", "q=caf%C3%A9&page=2", "order=a&order=b", "q=%FF", "q=%zz", "q"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = format!("q={}", "a".repeat(2_001));
        for bad in ["q=%00", "q=a%1Bb", "%00=1", "q=%E2%80%AE", &long] {
            assert!(check(bad).is_err_and(|sentence| sentence.starts_with("A part of the address ")), "{bad}");
        }
    }
}
