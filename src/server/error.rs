//! Errors of the server: a public sentence for the person, and the context for the log.

use crate::{
    db::codes::Inconsistency,
    domain::error::{Refusal, RefusalKind},
};
use std::{error::Error, fmt};

/// Why an operation was not done. The refusal may be shown; the context and the source never leave the log.
#[derive(Debug)]
pub struct OpError {
    /// What the person is told.
    pub refusal: Refusal,
    /// What the log is told; none when the refusal says it all.
    pub context: Option<String>,
    /// The error that was the reason, where there was one.
    source: Option<Box<dyn Error + Send + Sync>>,
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
            source: None,
            retry_after: None,
        }
    }

    /// Our fault, because of an error: the log gets what it and its sources say.
    pub fn failed(error: impl Error + Send + Sync + 'static) -> Self {
        Self::internal(causes(&error)).with_source(error)
    }

    /// The same, with `context` before what the error says.
    pub fn caused(context: impl fmt::Display, error: impl Error + Send + Sync + 'static) -> Self {
        Self::internal(format_args!("{context}: {}", causes(&error))).with_source(error)
    }

    /// Something that we need does not answer: the person gets this sentence, the log what [`Self::caused`] tells it.
    pub fn unavailable(
        sentence: &'static str,
        context: impl fmt::Display,
        error: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            context: Some(format!("{context}: {}", causes(&error))),
            ..Self::refuse(RefusalKind::Unavailable, sentence).with_source(error)
        }
    }

    fn with_source(self, error: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(error)), ..self }
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

impl Error for OpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}

/// What an error says, and after it each of its sources that it does not repeat itself.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        next = source.source();
    }
    text
}

impl From<Refusal> for OpError {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, context: None, source: None, retry_after: None }
    }
}

impl From<Inconsistency> for OpError {
    fn from(error: Inconsistency) -> Self {
        Self::caused("database", error)
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
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => Self::unavailable(
                "The database does not answer. Nothing was changed. Try again in a moment.",
                "database",
                error,
            ),
            error if cannot_be_stored(&error) => {
                // Whoever took this in should have refused it by name.
                tracing::warn!(%error, "db.input_refused");
                let sentence = "Something that was sent is too long, too large, or holds characters that cannot be \
                                stored. Nothing was changed. Correct it and try again.";
                Self::refuse(RefusalKind::Invalid, sentence)
            }
            error => Self::caused("database", error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Unreadable(#[source] io::Error);

    #[test]
    fn an_error_keeps_its_source_and_tells_the_log_of_it_once() {
        let error = OpError::caused("import", Unreadable(io::Error::other("disk gone")));
        assert_eq!(error.to_string(), "internal: import: the file cannot be read: disk gone");
        let source = error.source().unwrap().downcast_ref::<Unreadable>().unwrap();
        assert_eq!(source.0.to_string(), "disk gone");
        let error = OpError::from(sqlx::Error::Io(io::Error::other("reset")));
        assert_eq!(error.refusal.kind, RefusalKind::Unavailable);
        assert!(error.source().is_some_and(|source| source.is::<sqlx::Error>()));
        assert_eq!(error.context.unwrap().matches("reset").count(), 1);
    }
}
