//! The browser's side of a stream: one `EventSource` while the tab is visible and updates are not paused.

use super::Connection;
use crate::domain::view::BatchSnapshot;
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use std::time::Duration;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventSource, MessageEvent, VisibilityState};

/// Waits before a stream that the server ended for good is asked for again; after the last one updates are off.
const AGAIN_AFTER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(60)];

/// An open stream with its listeners; closed when dropped.
struct Stream {
    source: EventSource,
    _open: Closure<dyn FnMut(Event)>,
    _error: Closure<dyn FnMut(Event)>,
    _progress: Closure<dyn FnMut(MessageEvent)>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.set_onopen(None);
        self.source.set_onerror(None);
        self.source.close();
    }
}

/// Keeps a stream open at `address` while the tab is visible and updates are not paused.
pub(super) fn open_while_visible(
    address: Signal<Option<String>>,
    paused: RwSignal<bool>,
    connection: RwSignal<Connection>,
    on_event: impl Fn(BatchSnapshot) + Copy + Send + Sync + 'static,
) {
    let visible = RwSignal::new(true);
    let stream = StoredValue::new_local(None::<Stream>);
    let retry = StoredValue::new_local(None::<TimeoutHandle>);
    // How often in a row the server ended the stream for good, and a signal that asks for one more try.
    let refusals = StoredValue::new(0usize);
    let again = RwSignal::new(0u32);

    let is_visible = || document().visibility_state() == VisibilityState::Visible;
    let listener = window_event_listener_untyped("visibilitychange", move |_| {
        visible.try_set(is_visible());
    });
    let close = move || {
        stream.try_update_value(|stream| stream.take());
        retry.try_update_value(|retry| retry.take().inspect(TimeoutHandle::clear));
    };
    on_cleanup(move || {
        listener.remove();
        close();
    });

    Effect::new(move |before: Option<(Option<String>, bool, bool)>| {
        let wanted = (address.get(), paused.get(), visible.get());
        again.track();
        close();
        // A new address, the end of a pause or a tab shown again starts afresh; only a retry counts on.
        if before.as_ref() != Some(&wanted) {
            refusals.set_value(0);
        }
        let (Some(address), false, true) = &wanted else {
            connection.set(Connection::Off);
            return wanted;
        };
        // A tab that is opened in the background is told nothing when it becomes hidden: it was never shown.
        if !is_visible() {
            visible.set(false);
            return wanted;
        }
        connection.set(if refusals.get_value() == 0 { Connection::Connecting } else { Connection::Reconnecting });
        let ended = move || {
            let refused = refusals.get_value();
            refusals.set_value(refused + 1);
            stream.try_update_value(|stream| stream.take());
            let Some(wait) = AGAIN_AFTER.get(refused) else {
                connection.try_set(Connection::Off);
                return;
            };
            connection.try_set(Connection::Reconnecting);
            let handle = set_timeout_with_handle(
                move || {
                    again.try_update(|count| *count = count.wrapping_add(1));
                },
                *wait,
            );
            retry.try_set_value(handle.ok());
        };
        match connect(address, connection, refusals, on_event, ended) {
            Some(open) => stream.set_value(Some(open)),
            None => connection.set(Connection::Off),
        }
        wanted
    });
}

fn connect(
    address: &str,
    connection: RwSignal<Connection>,
    refusals: StoredValue<usize>,
    on_event: impl Fn(BatchSnapshot) + 'static,
    ended: impl Fn() + Copy + 'static,
) -> Option<Stream> {
    let source = EventSource::new(address).ok()?;
    let open = Closure::<dyn FnMut(Event)>::new(move |_| {
        refusals.try_set_value(0);
        connection.try_set(Connection::Live);
    });
    let error = Closure::<dyn FnMut(Event)>::new({
        let source = source.clone();
        move |_| {
            // The browser tries again by itself unless the answer was not a stream (signed out, not found, 503).
            if source.ready_state() == EventSource::CLOSED {
                // This listener must not be dropped while it runs.
                set_timeout(ended, Duration::ZERO);
            } else {
                connection.try_set(Connection::Reconnecting);
            }
        }
    });
    let progress = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = event.data().as_string();
        if let Some(snapshot) = data.as_deref().and_then(|text| serde_json::from_str::<BatchSnapshot>(text).ok()) {
            connection.try_set(Connection::Live);
            on_event(snapshot);
        }
    });
    let stream = Stream { source, _open: open, _error: error, _progress: progress };
    let Stream { source, _open: open, _error: error, _progress: progress } = &stream;
    source.set_onopen(Some(open.as_ref().unchecked_ref()));
    source.set_onerror(Some(error.as_ref().unchecked_ref()));
    source.add_event_listener_with_callback("progress", progress.as_ref().unchecked_ref()).ok()?;
    Some(stream)
}
