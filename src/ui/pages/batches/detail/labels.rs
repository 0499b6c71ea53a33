//! Small words and figures that the parts of the page share.

use crate::{
    domain::{batch::BatchStatus, operation::Operation, task::TaskState},
    ui::components::count,
};

/// `1 refund`, `1,000 refunds`.
pub(crate) fn things(operation: Operation, number: u64) -> String {
    format!("{} {}", count(number), operation.thing(number))
}

/// What a task that is not final waits for, and what happens next.
pub(crate) fn next_step(state: TaskState, batch: BatchStatus, stopped: bool) -> Option<&'static str> {
    Some(match (state, batch) {
        (TaskState::Ready, BatchStatus::AwaitingApproval) => "Not sent: waits for a decision.",
        (TaskState::Ready, BatchStatus::Paused) => "Not sent: the batch is paused.",
        (TaskState::Ready, BatchStatus::Processing) if stopped => "Not sent: waits as said above.",
        (TaskState::Ready, BatchStatus::Processing) => "Waits for its turn.",
        (TaskState::Sending, _) => "On its way to the gateway.",
        (TaskState::Retry, BatchStatus::Paused) => "Not carried out. Sent again once the batch is resumed.",
        (TaskState::Retry, _) => "Not carried out. Sent again by itself.",
        (TaskState::Unknown, _) => "Perhaps carried out: not sent again, the gateway is asked.",
        (TaskState::Pending, _) => "The gateway took it and is asked until it has finished.",
        (TaskState::Review, _) => "Two people say in Review what became of it.",
        (TaskState::Ready | TaskState::Succeeded | TaskState::Failed, _) => return None,
    })
}

/// `72.8 %`: the share of `part` in `whole` with one decimal, rounded down so that only all is 100 %.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    per_mille(u32::try_from(tenths).unwrap_or(u32::MAX))
}

/// `8.8 %` from 88 thousandths; a whole number of percent has no decimal.
pub(crate) fn per_mille(tenths: u32) -> String {
    match tenths % 10 {
        0 => format!("{} %", tenths / 10),
        rest => format!("{}.{rest} %", tenths / 10),
    }
}

/// The width of a bar for `part` when `most` fills it: `55.6%`.
pub(crate) fn bar_width(part: u64, most: u64) -> String {
    let tenths = part.saturating_mul(1000) / most.max(1);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// `92 KB`, in units of 1,000 bytes.
pub(crate) fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} bytes"),
        1_000..1_000_000 => format!("{} KB", number.div_ceil(1_000)),
        _ => format!("{}.{} MB", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_everything_is_a_hundred_percent() {
        assert_eq!(share(999_999, 1_000_000), "99.9 %");
        assert_eq!(share(1_000, 1_000), "100 %");
        assert_eq!(share(728, 1_000), "72.8 %");
        assert_eq!(share(0, 0), "0 %");
        assert_eq!(bar_width(5, 9), "55.5%");
        assert_eq!(bar_width(0, 0), "0.0%");
    }

    #[test]
    fn whatever_is_not_final_says_what_comes_next() {
        for state in [
            TaskState::Ready,
            TaskState::Sending,
            TaskState::Retry,
            TaskState::Unknown,
            TaskState::Pending,
            TaskState::Review,
        ] {
            for batch in [BatchStatus::Processing, BatchStatus::Paused] {
                for stopped in [false, true] {
                    assert!(
                        next_step(state, batch, stopped).is_some_and(|next| next.ends_with('.')),
                        "{state:?} {batch:?}"
                    );
                }
            }
        }
        assert_eq!(next_step(TaskState::Succeeded, BatchStatus::Processing, true), None);
        assert_eq!(next_step(TaskState::Ready, BatchStatus::Rejected, false), None, "nothing will happen to it");
    }

    #[test]
    fn one_is_not_plural() {
        assert_eq!(things(Operation::Refund, 1), "1 refund");
        assert_eq!(things(Operation::OrderSync, 1_204), "1,204 orders");
    }

    #[test]
    fn sizes_keep_their_unit() {
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(91_500), "92 KB");
        assert_eq!(bytes(5_242_880), "5.2 MB");
    }
}
