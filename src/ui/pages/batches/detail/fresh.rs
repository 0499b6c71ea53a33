//! When the page's rows are read again: at once when the status changes, at most once a second while counters move.

use crate::{domain::view::BatchSnapshot, ui::hooks::live::is_newer};
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

/// Whether `new` is of a later moment. Times may be equal: then what has more answers is later.
fn came_later(new: &BatchSnapshot, seen: &BatchSnapshot) -> bool {
    let answered = |snapshot: &BatchSnapshot| snapshot.counts.accepted + snapshot.counts.failed;
    is_newer(new, seen) && (!is_newer(seen, new) || answered(new) > answered(seen))
}

/// Reads the rows again as live events ask for it. Whoever loads them tells it what came.
#[derive(Clone, Copy)]
pub(crate) struct Fresh {
    live: ReadSignal<Option<BatchSnapshot>>,
    refetch: Callback<()>,
    /// What the rows on the page belong to, or the newest event since.
    seen: StoredValue<Option<BatchSnapshot>>,
    /// From the moment that rows are to be read until they are there. Asking again meanwhile would put off their
    /// showing, on a slow line until the batch ends.
    waiting: StoredValue<bool>,
    gone: StoredValue<bool>,
}

/// Reads the rows again by `refetch` as `live` asks for it.
pub(crate) fn refetch_while_moving(
    live: ReadSignal<Option<BatchSnapshot>>,
    refetch: impl Fn() + Copy + Send + Sync + 'static,
) -> Fresh {
    let fresh = Fresh {
        live,
        refetch: Callback::new(move |()| refetch()),
        seen: StoredValue::new(None),
        waiting: StoredValue::new(false),
        gone: StoredValue::new(false),
    };
    on_cleanup(move || {
        fresh.gone.try_set_value(true);
    });
    Effect::new(move |_| {
        if let Some(new) = live.get() {
            fresh.compare(new);
        }
    });
    fresh
}

impl Fresh {
    /// The rows of this snapshot are there.
    pub(crate) fn loaded(self, snapshot: BatchSnapshot) {
        self.seen.set_value(Some(snapshot));
        self.waiting.set_value(false);
        // What came while they were on their way.
        if let Some(new) = self.live.get_untracked()
            && self.seen.with_value(|seen| seen.as_ref().is_some_and(|seen| came_later(&new, seen)))
        {
            self.compare(new);
        }
    }

    /// The rows could not be read; the next event asks for them once more.
    pub(crate) fn failed(self) {
        self.waiting.set_value(false);
    }

    fn compare(self, new: BatchSnapshot) {
        match self.seen.with_value(|seen| seen.as_ref().and_then(|seen| refetch_after(&new, seen))) {
            None => return,
            Some(Duration::ZERO) => self.refetch.run(()),
            Some(_) if self.waiting.get_value() => {}
            Some(wait) => {
                self.waiting.set_value(true);
                set_timeout(
                    move || {
                        // The page may have been left in the meantime: its values are gone with it.
                        if self.gone.try_get_value() == Some(false) {
                            self.refetch.run(());
                        }
                    },
                    wait,
                );
            }
        }
        self.seen.set_value(Some(new));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{batch::BatchStatus, ids::BatchId, operation::Operation, view::Counts};

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
            amounts: None,
            created_at: String::new(),
            updated_at: "2026-11-20T12:43:00Z".to_owned(),
            decision: None,
            updated_text: String::new(),
            notice: None,
            pace: String::new(),
            files: Vec::new(),
            import: None,
        }
    }

    #[test]
    fn rows_are_read_again_only_when_something_moved() {
        let seen = snapshot(BatchStatus::Processing, 1);
        assert_eq!(refetch_after(&seen, &seen), None);
        assert_eq!(refetch_after(&snapshot(BatchStatus::Processing, 2), &seen), Some(MOVING));
        assert_eq!(refetch_after(&snapshot(BatchStatus::Completed, 4), &seen), Some(Duration::ZERO));
        let mut later = snapshot(BatchStatus::Processing, 1);
        later.updated_at = "2026-11-20T12:43:01Z".to_owned();
        assert!(came_later(&later, &seen) && !came_later(&seen, &later) && !came_later(&seen, &seen));
        assert!(came_later(&snapshot(BatchStatus::Processing, 2), &seen), "in the same second");
        let mut other = snapshot(BatchStatus::Completed, 4);
        other.id = BatchId(uuid::Uuid::from_u128(7));
        assert_eq!(refetch_after(&other, &seen), None, "another batch's event is not ours");
    }
}
