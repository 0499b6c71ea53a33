//! What live events mean for the list as a whole. Counters move in their rows by themselves. A new status also changes
//! what may be done and where the row stands, so the list is read again. A new batch never shifts what a person is
//! reading: a button offers it.

use super::{ListResult, Live};
use crate::domain::{
    batch::BatchStatus,
    ids::BatchId,
    page::{BatchQuery, Paged},
    view::BatchRow,
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// What the shown list knows.
#[derive(Clone, Debug, Default)]
struct DisplayedList {
    statuses: BTreeMap<BatchId, BatchStatus>,
    /// When the newest batch was made, where the list begins with it.
    newest: Option<String>,
}

/// Compares what comes with what is shown.
#[derive(Clone, Copy)]
pub struct ListUpdates {
    live: Signal<Live>,
    shown: RwSignal<DisplayedList>,
    list: Resource<ListResult>,
}

impl ListUpdates {
    /// Has the list read again when a shown batch gets another status.
    pub fn watch(live: Signal<Live>, list: Resource<ListResult>) -> Self {
        let shown = RwSignal::new(DisplayedList::default());
        // Once for each status of each batch, whatever the answer says: never in a circle.
        let asked = StoredValue::new(BTreeMap::<BatchId, BatchStatus>::new());
        Effect::new(move || {
            let changed: Vec<(BatchId, BatchStatus)> = live.with(|live| {
                shown.with_untracked(|shown| {
                    let event = |(id, status): (&BatchId, &BatchStatus)| {
                        live.get(id).filter(|event| event.status != *status).map(|event| (event.id, event.status))
                    };
                    shown.statuses.iter().filter_map(event).collect()
                })
            });
            let mut fresh = false;
            for (id, status) in changed {
                asked.update_value(|asked| fresh |= asked.insert(id, status) != Some(status));
            }
            if fresh {
                list.refetch();
            }
        });
        Self { live, shown, list }
    }

    /// Remembers what is shown now.
    pub fn show(self, query: &BatchQuery, page: &Paged<BatchRow>) {
        let plain = *query == BatchQuery::default();
        self.shown.set(DisplayedList {
            statuses: page.rows.iter().map(|row| (row.id, row.status)).collect(),
            newest: page.rows.first().filter(|_| plain).map(|row| row.created.utc.clone()),
        });
    }

    fn new_batches(self) -> usize {
        self.shown.with(|shown| {
            let Some(newest) = &shown.newest else { return 0 };
            self.live.with(|live| {
                live.values()
                    .filter(|event| !shown.statuses.contains_key(&event.id))
                    .filter(|event| instant(&event.created_at) > instant(newest))
                    .count()
            })
        })
    }
}

/// Offers batches that were made since the list was read.
#[component]
pub fn NewBatches(
    /// What comes, and what is shown.
    news: ListUpdates,
) -> impl IntoView {
    let count = Memo::new(move |_| news.new_batches());
    move || {
        (count.get() > 0).then(|| {
            let words = if count.get() == 1 {
                "1 new batch – show".to_owned()
            } else {
                format!("{} new batches – show", count.get())
            };
            view! {
                <div>
                    <button class="pill" type="button" on:click=move |_| news.list.refetch()>
                        {words}
                    </button>
                </div>
            }
        })
    }
}

/// An RFC 3339 time in UTC as text that sorts: without the zeros that end a fraction.
pub(super) fn instant(time: &str) -> &str {
    let time = time.trim_end_matches('Z');
    if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.') } else { time }
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn times_are_compared_without_the_zeros_of_their_fractions() {
        assert!(instant("2026-11-20T12:43:00.5Z") > instant("2026-11-20T12:43:00Z"));
        assert_eq!(instant("2026-11-20T12:43:00.500Z"), instant("2026-11-20T12:43:00.5Z"));
        assert_eq!(instant("2026-11-20T12:43:00.000Z"), instant("2026-11-20T12:43:00Z"));
        assert_eq!(instant("2026-11-20T12:43:00Z"), "2026-11-20T12:43:00");
    }
}
