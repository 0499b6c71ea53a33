//! Errors of the server: a public sentence for the person, and the context for the log.

use crate::{
    db::codes::Inconsistency,
    domain::error::{Refusal, RefusalKind},
};
use std::fmt;

/// Why an operation was not done. The refusal may be shown; the context never leaves the log.
#[derive(Debug)]
pub struct OpError {
    /// What the person is told.
    pub refusal: Refusal,
    /// What the log is told; none when the refusal says it all.
    pub context: Option<String>,
    /// Seconds after which it is worth trying again, where they are known.
    pub retry_after: Option<u32>,
}

/// The result of an operation.
pub type OpResult<T> = Result<T, OpError>;

impl OpError {
    /// A refusal that needs no line in the log.
    pub fn refuse(kind: RefusalKind, message: impl Into<String>) -> Self {
        Refusal::new(kind, message).into()
    }

    /// Our fault: the person gets a general sentence, the log gets `context`.
    pub fn internal(context: impl fmt::Display) -> Self {
        Self {
            refusal: Refusal::new(
                RefusalKind::Internal,
                "Something went wrong on our side. Nothing was changed. Try again; if it stays, tell your \
                 administrator.",
            ),
            context: Some(context.to_string()),
            retry_after: None,
        }
    }

    /// The same, with the seconds after which it is worth trying again.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// There is no such thing in this organisation (also when another organisation has it).
    pub fn not_found(what: &str) -> Self {
        Self::refuse(RefusalKind::NotFound, format!("There is no such {what} in this organisation."))
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.context {
            Some(context) => write!(f, "{}: {context}", self.refusal.kind.code()),
            None => write!(f, "{}: {}", self.refusal.kind.code(), self.refusal.message),
        }
    }
}

impl std::error::Error for OpError {}

impl From<Refusal> for OpError {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, context: None, retry_after: None }
    }
}

impl From<Inconsistency> for OpError {
    fn from(error: Inconsistency) -> Self {
        Self::internal(format!("database: {error}"))
    }
}

/// Whether the database refused a value for what it is: text that is no text, numbers and times out of range, a key too
/// long for an index.
fn cannot_be_stored(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "22001" | "22003" | "22007" | "22008" | "22021" | "22P05" | "54000"))
}

impl From<sqlx::Error> for OpError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => Self {
                refusal: Refusal::new(
                    RefusalKind::Unavailable,
                    "The database does not answer. Nothing was changed. Try again in a moment.",
                ),
                context: Some(format!("database: {error}")),
                retry_after: None,
            },
            error if cannot_be_stored(&error) => {
                // Whoever took this in should have refused it by name.
                tracing::warn!(%error, "db.input_refused");
                let sentence = "Something that was sent is too long, too large, or holds characters that cannot be \
                                stored. Nothing was changed. Correct it and try again.";
                Self::refuse(RefusalKind::Invalid, sentence)
            }
            error => Self::internal(format!("database: {error}")),
        }
    }
}
