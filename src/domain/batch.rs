//! Where a batch stands.

use serde::{Deserialize, Serialize};

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

    /// Whether failed rows can be sent again. Only here is nothing queued and something failed: one retry waits or runs
    /// at a time. The whole life cycle is kept by the database.
    pub const fn can_retry(self) -> bool {
        matches!(self, Self::CompletedWithFailures)
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

    /// The code in the database, in `data-status` and in API responses.
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

#[cfg(test)]
mod tests {
    use super::*;
    use BatchStatus as S;

    #[test]
    fn ranks_follow_the_life_cycle_and_codes_are_their_own() {
        let ranks: Vec<i16> = S::ALL.iter().map(|status| status.rank()).collect();
        assert_eq!(ranks, (1..=11).collect::<Vec<_>>());
        for status in S::ALL {
            assert_eq!(S::from_code(status.code()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.code());
        }
    }

    #[test]
    fn the_gateway_is_asked_only_about_what_may_have_reached_it() {
        let sent: Vec<S> = S::ALL.into_iter().filter(|status| status.has_been_sent()).collect();
        assert_eq!(sent, [S::Processing, S::Paused, S::Completed, S::CompletedWithFailures, S::Cancelled]);
    }
}
