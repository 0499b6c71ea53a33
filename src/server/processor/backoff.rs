//! How long to wait before a task is looked at again.

use std::time::Duration;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const NOT_FOUND: [Duration; 6] =
    [seconds(30), seconds(120), seconds(600), seconds(3_600), seconds(21_600), seconds(86_400)];
const PENDING: [Duration; 9] = [
    seconds(1),
    seconds(2),
    seconds(5),
    seconds(15),
    seconds(60),
    seconds(300),
    seconds(900),
    seconds(3_600),
    seconds(21_600),
];

/// After a query that did not answer. It is never a conclusion, so it never ends.
pub(super) const NO_ANSWER: Duration = seconds(15);
/// Before something that was proved not carried out is sent again, when the gateway names no time.
pub(super) const NOT_SENT: Duration = seconds(2);
/// A task of a batch that is paused, or of a connection that is stopped.
pub(super) const HELD: Duration = seconds(10);
/// A row in the gateway's review is asked after like the last step of a pending one.
pub(super) const IN_REVIEW: Duration = seconds(3_600);

/// The wait before the next query after `answered` ones that found no refund under our key; none: people must look.
pub(super) fn not_found(answered: i16) -> Option<Duration> {
    usize::try_from(answered).ok().and_then(|step| NOT_FOUND.get(step)).copied()
}

/// The wait before the next query about a pending refund after `answered` ones.
pub(super) fn pending(answered: i16) -> Duration {
    let step = usize::try_from(answered).unwrap_or(0);
    PENDING.get(step).or(PENDING.last()).copied().unwrap_or(NO_ANSWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_that_is_never_found_goes_to_people_after_the_last_step() {
        assert_eq!(not_found(0), Some(seconds(30)));
        assert_eq!(not_found(5), Some(seconds(86_400)));
        assert_eq!(not_found(6), None);
    }

    #[test]
    fn a_pending_refund_is_asked_after_for_ever() {
        assert_eq!(pending(0), seconds(1));
        assert_eq!(pending(8), seconds(21_600));
        assert_eq!(pending(500), seconds(21_600));
    }
}
