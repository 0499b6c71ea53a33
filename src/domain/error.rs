//! What a person is told when something cannot be done.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A refusal in public words: what happened, where, what to do next. The context for the log stays on the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of refusal it is; decides the HTTP status.
    pub kind: RefusalKind,
    /// One plain sentence for the person.
    pub message: String,
}

/// Kinds of refusal, each with its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// 400: the request is not what this address reads.
    Malformed,
    /// 401: nobody is signed in.
    SignedOut,
    /// 403: the person may not do this.
    Forbidden,
    /// 404: there is no such thing in this organisation.
    NotFound,
    /// 409: the state of the thing does not allow it (any more).
    Conflict,
    /// 412: what was shown is not what is there now.
    Changed,
    /// 413: too many bytes.
    TooLarge,
    /// 415: the body is of a kind that this address does not read.
    Unsupported,
    /// 422: the input does not make sense.
    Invalid,
    /// 429: too often; the message says when to try again.
    TooMany,
    /// 503: a part that is needed does not answer.
    Unavailable,
    /// 500: our fault.
    Internal,
}

impl RefusalKind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::SignedOut => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Changed => 412,
            Self::TooLarge => 413,
            Self::Unsupported => 415,
            Self::Invalid => 422,
            Self::TooMany => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }

    /// The code in API responses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::SignedOut => "signed_out",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Changed => "changed",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::TooMany => "too_many",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl Refusal {
    /// A refusal of `kind` with a sentence for the person.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
