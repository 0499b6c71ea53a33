//! Where a task stands: three words for people, a finer state below them.

use serde::{Deserialize, Serialize};

/// The specifications' word for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// The gateway took it (green).
    Accepted,
    /// Definitely not done (red).
    Failed,
    /// Everything else (blue).
    Queued,
}

impl TaskStatus {
    /// All three, in the order of the tiles.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Failed, Self::Queued];

    /// The literal word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Failed => "FAILED",
            Self::Queued => "QUEUED",
        }
    }

    /// The status with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// The state of a task in the money protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskState {
    /// Never sent.
    Ready,
    /// The intent is written; a reply is not yet.
    Sending,
    /// Proved not carried out; waits to be sent again.
    Retry,
    /// It may have been carried out; the gateway is asked.
    Unknown,
    /// The gateway took it and has not finished.
    Pending,
    /// People must look.
    Review,
    /// Carried out.
    Succeeded,
    /// Definitely not carried out.
    Failed,
}

impl TaskState {
    /// The word people see.
    pub const fn status(self) -> TaskStatus {
        match self {
            Self::Succeeded | Self::Pending => TaskStatus::Accepted,
            Self::Failed => TaskStatus::Failed,
            Self::Ready | Self::Sending | Self::Retry | Self::Unknown | Self::Review => TaskStatus::Queued,
        }
    }

    /// The sub-label below the stamp, where there is one.
    pub const fn note(self) -> Option<&'static str> {
        match self {
            Self::Sending => Some("sending"),
            Self::Retry => Some("waits to be sent again"),
            Self::Unknown => Some("checking with gateway"),
            Self::Review => Some("needs review"),
            Self::Ready | Self::Pending | Self::Succeeded | Self::Failed => None,
        }
    }

    /// The code in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Sending => "SENDING",
            Self::Retry => "RETRY",
            Self::Unknown => "UNKNOWN",
            Self::Pending => "PENDING",
            Self::Review => "REVIEW",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }

    /// The state with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        [
            Self::Ready,
            Self::Sending,
            Self::Retry,
            Self::Unknown,
            Self::Pending,
            Self::Review,
            Self::Succeeded,
            Self::Failed,
        ]
        .into_iter()
        .find(|state| state.code() == code)
    }
}

/// What a record has beside its columns in the database: JSON text there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordExtra {
    /// Parts of a split settlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<super::view::Split>,
    /// User defined fields; trailing blank ones are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub udf: Vec<String>,
    /// The maker's own id of a sync request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_request_id: Option<String>,
}

impl RecordExtra {
    /// None where it holds nothing.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}
