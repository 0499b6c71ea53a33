//! Live updates of batches: counters arrive as server-sent events and move the page without a reload.
//!
//! All tabs of a browser share one stream (HTTP/1.1 allows six connections to a host), and none is open while no tab is
//! visible: see `public/live.js`. On the server and until hydration is over there is no stream at all: the
//! page shows what the server rendered, and the first event replaces it.

#[cfg(feature = "hydrate")]
mod stream;

use crate::{
    domain::{
        ids::BatchId,
        operation::Operation,
        view::{BatchSnapshot, Counts},
    },
    ui::{
        components::{Icon, count},
        layout::BarSlot,
    },
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// How the stream of this page stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// The first connection is being made.
    Connecting,
    /// Events arrive.
    Live,
    /// The connection was lost and is being made again.
    Reconnecting,
    /// No stream: there is nothing to follow, or the server would not have it.
    #[default]
    Off,
}

/// Live numbers of one batch.
#[derive(Clone, Copy, Debug)]
pub struct LiveState {
    /// The newest numbers; none before the first event.
    pub snapshot: ReadSignal<Option<BatchSnapshot>>,
    /// How the stream stands.
    pub connection: ReadSignal<Connection>,
    /// Whether the person stopped updates.
    pub paused: RwSignal<bool>,
}

/// Live numbers of all batches of one operation.
#[derive(Clone, Copy, Debug)]
pub struct LiveList {
    /// The newest numbers of each batch that has changed since the page was opened.
    pub snapshots: ReadSignal<BTreeMap<BatchId, BatchSnapshot>>,
    /// How the stream stands.
    pub connection: ReadSignal<Connection>,
    /// Whether the person stopped updates.
    pub paused: RwSignal<bool>,
}

/// Follows one batch. Opens after hydration, closes with the page, while the tab is hidden and while paused.
pub fn use_live_batch(id: Signal<Option<BatchId>>) -> LiveState {
    let (snapshot, set_snapshot) = signal(None::<BatchSnapshot>);
    let watch = Signal::derive(move || id.get().map(|id| id.to_string()));
    let (connection, paused) = follow(watch, move |new| {
        if id.get_untracked() == Some(new.id) {
            set_snapshot.set(Some(new));
        }
    });
    LiveState { snapshot, connection, paused }
}

/// Follows all batches of `operation` in the caller's organisation.
pub fn use_live_list(operation: Operation) -> LiveList {
    let (snapshots, set_snapshots) = signal(BTreeMap::new());
    let watch = Signal::stored(Some(operation.code().to_owned()));
    let (connection, paused) = follow(watch, move |new| {
        set_snapshots.update(|all| {
            all.insert(new.id, new);
        });
    });
    LiveList { snapshots, connection, paused }
}

/// Follows `watch` (the id of a batch, or the code of an operation), hands over each event, and shows in the top bar
/// how that goes.
fn follow(
    watch: Signal<Option<String>>,
    on_event: impl Fn(BatchSnapshot) + Copy + Send + Sync + 'static,
) -> (ReadSignal<Connection>, RwSignal<bool>) {
    let connection = RwSignal::new(Connection::Off);
    let paused = RwSignal::new(false);
    let updated = RwSignal::new(String::new());
    let on_event = move |new: BatchSnapshot| {
        updated.set(new.updated_text.clone());
        on_event(new);
    };
    // Set by an effect, so only in the browser and after hydration: until then the bar is as the server rendered it.
    BarSlot::show(move || view! { <LiveBadge connection=connection.read_only() paused updated=updated.read_only()/> });
    #[cfg(feature = "hydrate")]
    stream::follow(watch, paused, connection, on_event);
    #[cfg(not(feature = "hydrate"))]
    let _ = (watch, on_event);
    (connection.read_only(), paused)
}

/// Whether `new` is at least as new as `old`. Times are RFC 3339 in UTC, so they sort as text once the zeros that end a
/// fraction are gone.
pub fn is_newer(new: &BatchSnapshot, old: &BatchSnapshot) -> bool {
    fn key(time: &str) -> &str {
        let time = time.trim_end_matches('Z');
        if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.') } else { time }
    }
    key(&new.updated_at) >= key(&old.updated_at)
}

/// How much of a batch has an answer, in whole percent, rounded down: 100 means every task.
pub fn percent(counts: &Counts) -> u64 {
    let done = counts.accepted.saturating_add(counts.failed);
    let all = done.saturating_add(counts.queued);
    done.saturating_mul(100).checked_div(all).unwrap_or(0)
}

/// "Live", "Paused", "Reconnecting…" or "Updates off", with the button that pauses.
#[component]
pub fn LiveBadge(
    /// How the stream stands.
    connection: ReadSignal<Connection>,
    /// Whether the person stopped updates.
    paused: RwSignal<bool>,
    /// Time of the last update, ready to be shown.
    updated: ReadSignal<String>,
) -> impl IntoView {
    let state = move || match (paused.get(), connection.get()) {
        (true, _) => ("paused", "neutral", "Paused"),
        (false, Connection::Live) => ("live", "accepted", "Live"),
        (false, Connection::Connecting) => ("again", "waiting", "Connecting…"),
        (false, Connection::Reconnecting) => ("again", "waiting", "Reconnecting…"),
        (false, Connection::Off) => ("off", "neutral", "Updates off"),
    };
    let stands_still = move || paused.get() || connection.get() == Connection::Off;
    let since = move || {
        stands_still().then(|| {
            let updated = updated.get();
            view! {
                {(!updated.is_empty()).then(|| view! { <span class="only-wide">{format!("since {updated}")}</span> })}
                <a href="" rel="external">"Refresh"</a>
            }
        })
    };
    let label = move || if paused.get() { "Resume updates" } else { "Pause updates" };
    view! {
        <span class="live" data-tone=move || state().1 data-state=move || state().0>
            <i></i>
            {move || state().2}
            {since}
            <button
                class="button"
                data-kind="quiet"
                data-only="icon"
                data-size="sm"
                type="button"
                aria-label=label
                title=label
                on:click=move |_| paused.update(|paused| *paused = !*paused)
            >
                {move || if paused.get() { view! { <Icon name="play"/> } } else { view! { <Icon name="pause"/> } }}
            </button>
        </span>
    }
    .into_any()
}

/// Tells a screen reader how far the batch is: at 25, 50, 75 and 100 %, at most every ten seconds.
#[component]
pub fn LiveAnnouncer(
    /// The numbers shown on the page.
    #[prop(into)]
    snapshot: Signal<Option<BatchSnapshot>>,
) -> impl IntoView {
    let message = RwSignal::new(String::new());
    let quarter_said = StoredValue::new(None::<u64>);
    let quiet = RwSignal::new(false);
    Effect::new(move |_| {
        let Some(now) = snapshot.get() else { return };
        let quarter = percent(&now.counts) / 25;
        let silent = quiet.get();
        match quarter_said.get_value() {
            // What stands on the page when it opens is read with the page.
            None => quarter_said.set_value(Some(quarter)),
            Some(said) if said != quarter && !silent => {
                quarter_said.set_value(Some(quarter));
                message.set(progress_sentence(&now));
                quiet.set(true);
                set_timeout(
                    move || {
                        quiet.try_set(false);
                    },
                    std::time::Duration::from_secs(10),
                );
            }
            Some(_) => {}
        }
    });
    view! { <p class="vh" role="status">{message}</p> }
}

fn progress_sentence(now: &BatchSnapshot) -> String {
    let Counts { accepted, failed, .. } = now.counts;
    let (answered, all, failed) = (count(accepted + failed), count(now.records), count(failed));
    format!("{answered} of {all} tasks have an answer, {failed} failed. {}.", now.status_text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{batch::BatchStatus, view::BatchSnapshot};

    fn snapshot(updated_at: &str) -> BatchSnapshot {
        BatchSnapshot {
            id: BatchId(uuid::Uuid::nil()),
            operation: Operation::Refund,
            status: BatchStatus::Processing,
            status_text: "Processing".to_owned(),
            file_name: "r.csv".to_owned(),
            content_sha256: String::new(),
            records: 4,
            counts: Counts::default(),
            amounts: None,
            created_at: String::new(),
            updated_at: updated_at.to_owned(),
            decision: None,
            updated_text: String::new(),
            notice: None,
            pace: String::new(),
            files: Vec::new(),
            import: None,
        }
    }

    #[test]
    fn an_older_event_does_not_replace_what_the_page_loaded() {
        let newer = |new, old| is_newer(&snapshot(new), &snapshot(old));
        assert!(newer("2026-11-20T12:43:01Z", "2026-11-20T12:43:00Z"));
        assert!(newer("2026-11-20T12:43:00Z", "2026-11-20T12:43:00Z"), "equal times: the event wins");
        assert!(newer("2026-11-20T12:43:00.5Z", "2026-11-20T12:43:00Z"));
        assert!(newer("2026-11-20T12:43:00.120Z", "2026-11-20T12:43:00.12Z"));
        assert!(newer("2026-11-20T12:43:00.12Z", "2026-11-20T12:43:00.120Z"));
        assert!(!newer("2026-11-20T12:43:00.119Z", "2026-11-20T12:43:00.12Z"));
        assert!(!newer("2026-11-20T12:43:00Z", "2026-11-20T12:43:00.1Z"));
        assert!(!newer("2026-11-20T12:42:59.999Z", "2026-11-20T12:43:00Z"));
    }

    #[test]
    fn percent_is_100_only_when_nothing_is_queued() {
        let counts = |queued, accepted, failed| Counts { queued, accepted, failed, ..Counts::default() };
        assert_eq!(percent(&counts(0, 0, 0)), 0);
        assert_eq!(percent(&counts(1, 998, 1)), 99);
        assert_eq!(percent(&counts(0, 998, 2)), 100);
        assert_eq!(percent(&counts(258, 728, 14)), 74);
    }
}
