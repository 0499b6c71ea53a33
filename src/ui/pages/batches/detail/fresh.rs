//! When the page's rows are read again: at once when the status changes, at most once a second while counters move.

use crate::domain::view::BatchSnapshot;
use leptos::prelude::*;
use std::time::Duration;

/// How long counters may move before the rows are read again.
const MOVING: Duration = Duration::from_secs(1);

/// How long after the event `new` the rows are to be read again, when the page last saw `seen`.
fn refetch_after(new: &BatchSnapshot, seen: &BatchSnapshot) -> Option<Duration> {
    if new.id != seen.id {
        None
    } else if (new.status, &new.decision) != (seen.status, &seen.decision) {
        Some(Duration::ZERO)
    } else if (new.counts, &new.updated_at) != (seen.counts, &seen.updated_at) {
        Some(MOVING)
    } else {
        None
    }
}

/// Reads the rows again as live events ask for it. Whoever loads them says so in the value that is returned.
pub(crate) fn refetch_while_moving(
    live: ReadSignal<Option<BatchSnapshot>>,
    refetch: impl Fn() + Copy + Send + Sync + 'static,
) -> StoredValue<Option<BatchSnapshot>> {
    let seen = StoredValue::new(None::<BatchSnapshot>);
    let waiting = StoredValue::new(false);
    let gone = StoredValue::new(false);
    on_cleanup(move || {
        gone.try_set_value(true);
    });
    Effect::new(move |_| {
        let Some(new) = live.get() else { return };
        let after = seen.with_value(|seen| seen.as_ref().and_then(|seen| refetch_after(&new, seen)));
        match after {
            None => return,
            Some(Duration::ZERO) => refetch(),
            Some(_) if waiting.get_value() => {}
            Some(wait) => {
                waiting.set_value(true);
                set_timeout(
                    move || {
                        // The page may have been left in the meantime: its values are gone with it.
                        if gone.try_get_value() == Some(false) {
                            waiting.set_value(false);
                            refetch();
                        }
                    },
                    wait,
                );
            }
        }
        seen.set_value(Some(new));
    });
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        batch::{BatchStatus, Operation},
        ids::BatchId,
        money::Currency,
        view::{Amounts, Counts},
    };

    fn snapshot(status: BatchStatus, accepted: u64) -> BatchSnapshot {
        BatchSnapshot {
            id: BatchId(uuid::Uuid::nil()),
            operation: Operation::Refund,
            status,
            status_text: status.text().to_owned(),
            file_name: "r.csv".to_owned(),
            content_sha256: String::new(),
            records: 4,
            counts: Counts { queued: 4 - accepted, accepted, ..Counts::default() },
            amounts: Amounts { currency: Currency::Inr, total: 0, queued: 0, accepted: 0, failed: 0 },
            created_at: String::new(),
            updated_at: "2026-11-20T12:43:00Z".to_owned(),
            decision: None,
            updated_text: String::new(),
            notice: None,
        }
    }

    #[test]
    fn rows_are_read_again_only_when_something_moved() {
        let seen = snapshot(BatchStatus::Processing, 1);
        assert_eq!(refetch_after(&seen, &seen), None);
        assert_eq!(refetch_after(&snapshot(BatchStatus::Processing, 2), &seen), Some(MOVING));
        assert_eq!(refetch_after(&snapshot(BatchStatus::Completed, 4), &seen), Some(Duration::ZERO));
        let mut other = snapshot(BatchStatus::Completed, 4);
        other.id = BatchId(uuid::Uuid::from_u128(7));
        assert_eq!(refetch_after(&other, &seen), None, "another batch's event is not ours");
    }
}
