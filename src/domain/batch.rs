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
    /// People send failed rows again, in place.
    Retry {
        /// Whether maker-checker is on for the operation.
        needs_decision: bool,
    },
    /// Failed rows that were to be sent again are not: refused, taken back, or nobody decided in time.
    DropRetry,
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
            // Only here is nothing queued and something failed: one retry waits or runs at a time.
            (Self::CompletedWithFailures, E::Retry { needs_decision: true }) => Self::AwaitingApproval,
            (Self::CompletedWithFailures, E::Retry { needs_decision: false }) => Self::Processing,
            (Self::AwaitingApproval, E::DropRetry) => Self::CompletedWithFailures,
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

#[cfg(test)]
mod tests {
    use super::*;
    use BatchEvent as E;
    use BatchStatus as S;

    const EVENTS: [BatchEvent; 15] = [
        E::Submit { needs_decision: true },
        E::Submit { needs_decision: false },
        E::FindErrors,
        E::Approve,
        E::Reject,
        E::Withdraw,
        E::Expire,
        E::Pause,
        E::Resume,
        E::Cancel,
        E::Finish { failures: false },
        E::Finish { failures: true },
        E::Retry { needs_decision: true },
        E::Retry { needs_decision: false },
        E::DropRetry,
    ];

    /// Every pair of status and event: one line a status, one place an event in the order above; `-` is refused.
    #[test]
    fn the_whole_table_of_the_life_cycle() {
        let table = [
            (S::Validating, "awaiting_approval processing invalid - - - - - - - - - - - -"),
            (S::Invalid, "- - - - - - - - - - - - - - -"),
            (S::AwaitingApproval, "- - - processing rejected withdrawn expired - - - - - - - completed_with_failures"),
            (S::Rejected, "- - - - - - - - - - - - - - -"),
            (S::Withdrawn, "- - - - - - - - - - - - - - -"),
            (S::Expired, "- - - - - - - - - - - - - - -"),
            (S::Processing, "- - - - - - - paused - cancelled completed completed_with_failures - - -"),
            (S::Paused, "- - - - - - - - processing cancelled completed completed_with_failures - - -"),
            (S::Completed, "- - - - - - - - - - completed completed_with_failures - - -"),
            (
                S::CompletedWithFailures,
                "- - - - - - - - - - completed completed_with_failures awaiting_approval processing -",
            ),
            (S::Cancelled, "- - - - - - - - - - - - - - -"),
        ];
        assert_eq!(table.map(|(status, _)| status), S::ALL);
        for (status, line) in table {
            let expected: Vec<Option<S>> = line.split(' ').map(S::from_code).collect();
            assert_eq!(expected.len(), EVENTS.len());
            for (event, expected) in EVENTS.into_iter().zip(expected) {
                assert_eq!(status.next(event).ok(), expected, "{status:?} {event:?}");
            }
        }
    }

    #[test]
    fn a_refusal_says_what_was_asked_of_what() {
        let refusal = S::Rejected.next(E::Approve).unwrap_err();
        assert_eq!(refusal.to_string(), "a batch that is Rejected cannot take Approve");
    }

    #[test]
    fn nothing_is_processed_again_once_it_was_decided_or_done() {
        for status in
            [S::Rejected, S::Withdrawn, S::Expired, S::Invalid, S::Completed, S::CompletedWithFailures, S::Cancelled]
        {
            let by_itself = EVENTS.into_iter().filter(|event| !matches!(event, E::Retry { .. }));
            assert!(by_itself.clone().all(|event| status.next(event) != Ok(S::Processing)), "{status:?}");
            assert_eq!(
                status.next(E::Retry { needs_decision: false }).is_ok(),
                status == S::CompletedWithFailures,
                "people send failed rows again, and only then: {status:?}"
            );
        }
    }

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
