//! Refusals of forms: each may be about one field.

use crate::{domain::error::RefusalKind, error::OpError};

/// A refusal with the field that it is about, if it is about one.
pub type Refused = (OpError, Option<&'static str>);

pub(super) fn plain(error: impl Into<OpError>) -> Refused {
    (error.into(), None)
}

pub(super) fn about(field: &'static str, sentence: impl Into<String>) -> Refused {
    (OpError::refuse(RefusalKind::Invalid, sentence), Some(field))
}
