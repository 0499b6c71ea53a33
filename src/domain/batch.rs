//! What a batch does and where it stands.

use super::access::Module;
use serde::{Deserialize, Serialize};

/// What a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Refunds from a CSV file.
    Refund,
    /// Orders brought up to date from the gateway.
    OrderSync,
}

impl Operation {
    /// All operations that have pages.
    pub const ALL: [Self; 2] = [Self::Refund, Self::OrderSync];

    /// The name in the database and in machine answers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::OrderSync => "order_sync",
        }
    }

    /// The operation with this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.code() == code)
    }

    /// The module whose rights it needs.
    pub const fn module(self) -> Module {
        match self {
            Self::Refund => Module::Refunds,
            Self::OrderSync => Module::Orders,
        }
    }

    /// The address of its list page.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Refund => "/batch/batch-refunds",
            Self::OrderSync => "/batch/batch-sync",
        }
    }
}

/// Where a batch stands. The order is the life cycle, by which lists sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// Rows are being read in.
    Validating,
    /// The file had findings.
    Invalid,
    /// Waits for a checker.
    AwaitingApproval,
    /// A checker said no.
    Rejected,
    /// The maker took it back.
    Withdrawn,
    /// Nobody decided in time.
    Expired,
    /// Tasks are being carried out.
    Processing,
    /// Nothing new is sent for now.
    Paused,
    /// Every task was accepted.
    Completed,
    /// Every task has an answer, some failed.
    CompletedWithFailures,
    /// What had not been sent was called off.
    Cancelled,
}

/// Something that happens to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchEvent {
    /// The file was clean; a checker is needed or not.
    Submit {
        /// Whether maker-checker is on for the operation.
        needs_decision: bool,
    },
    /// The file had findings.
    FindErrors,
    /// A checker approved.
    Approve,
    /// A checker rejected.
    Reject,
    /// The maker took it back.
    Withdraw,
    /// Nobody decided in time.
    Expire,
    /// Nothing new is to be sent.
    Pause,
    /// Go on.
    Resume,
    /// Call off what has not been sent.
    Cancel,
    /// Nothing is queued any more.
    Finish {
        /// Whether any task failed.
        failures: bool,
    },
}

/// The event is not possible in this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a batch that is {from:?} cannot take {event:?}")]
pub struct IllegalBatchEvent {
    /// Where the batch stood.
    pub from: BatchStatus,
    /// What was asked of it.
    pub event: BatchEvent,
}

impl BatchStatus {
    /// All statuses in life cycle order.
    pub const ALL: [Self; 11] = [
        Self::Validating,
        Self::Invalid,
        Self::AwaitingApproval,
        Self::Rejected,
        Self::Withdrawn,
        Self::Expired,
        Self::Processing,
        Self::Paused,
        Self::Completed,
        Self::CompletedWithFailures,
        Self::Cancelled,
    ];

    /// The status after `event`, or why there is none.
    pub fn next(self, event: BatchEvent) -> Result<Self, IllegalBatchEvent> {
        use BatchEvent as E;
        Ok(match (self, event) {
            (Self::Validating, E::Submit { needs_decision: true }) => Self::AwaitingApproval,
            (Self::Validating, E::Submit { needs_decision: false }) => Self::Processing,
            (Self::Validating, E::FindErrors) => Self::Invalid,
            (Self::AwaitingApproval, E::Approve) => Self::Processing,
            (Self::AwaitingApproval, E::Reject) => Self::Rejected,
            (Self::AwaitingApproval, E::Withdraw) => Self::Withdrawn,
            (Self::AwaitingApproval, E::Expire) => Self::Expired,
            (Self::Processing, E::Pause) => Self::Paused,
            (Self::Paused, E::Resume) => Self::Processing,
            (Self::Processing | Self::Paused, E::Cancel) => Self::Cancelled,
            (
                Self::Processing | Self::Paused | Self::Completed | Self::CompletedWithFailures,
                E::Finish { failures: false },
            ) => Self::Completed,
            (
                Self::Processing | Self::Paused | Self::Completed | Self::CompletedWithFailures,
                E::Finish { failures: true },
            ) => Self::CompletedWithFailures,
            (from, event) => return Err(IllegalBatchEvent { from, event }),
        })
    }

    /// The words people see.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Validating => "Validating",
            Self::Invalid => "Invalid",
            Self::AwaitingApproval => "Awaiting approval",
            Self::Rejected => "Rejected",
            Self::Withdrawn => "Withdrawn",
            Self::Expired => "Expired",
            Self::Processing => "Processing",
            Self::Paused => "Paused",
            Self::Completed => "Completed",
            Self::CompletedWithFailures => "Completed with failures",
            Self::Cancelled => "Cancelled",
        }
    }

    /// The code in the database, in `data-status` and in machine answers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::Invalid => "invalid",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Processing => "processing",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::CompletedWithFailures => "completed_with_failures",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The place in the life cycle, from 1; what the database sorts by.
    pub fn rank(self) -> i16 {
        let position = Self::ALL.iter().position(|status| *status == self).unwrap_or(0);
        i16::try_from(position).unwrap_or(0) + 1
    }

    /// Whether work of it may still have reached the gateway, so that asking there makes sense.
    pub const fn has_been_sent(self) -> bool {
        matches!(
            self,
            Self::Processing | Self::Paused | Self::Completed | Self::CompletedWithFailures | Self::Cancelled
        )
    }
}
