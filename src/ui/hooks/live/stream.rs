//! The browser's side of live events: the script `public/live.js` shares one stream among all tabs, this follows it.

use super::Connection;
use crate::domain::view::BatchSnapshot;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The script's `follow`, which the document puts into place. Returns what ends the following.
    #[wasm_bindgen(js_name = batchdeskLive, catch)]
    fn script(watch: &str, tell: &Closure<dyn FnMut(String, String)>) -> Result<js_sys::Function, JsValue>;
}

/// What is followed; no longer when dropped.
struct Follow {
    end: js_sys::Function,
    _tell: Closure<dyn FnMut(String, String)>,
}

impl Drop for Follow {
    fn drop(&mut self) {
        // It cannot fail: the script takes this follower off its list.
        let _ = self.end.call0(&JsValue::NULL);
    }
}

/// Follows `watch` while updates are not paused.
pub(super) fn follow(
    watch: Signal<Option<String>>,
    paused: RwSignal<bool>,
    connection: RwSignal<Connection>,
    on_event: impl Fn(BatchSnapshot) + Copy + Send + Sync + 'static,
) {
    let following = StoredValue::new_local(None::<Follow>);
    let end = move || following.try_update_value(|following| following.take());
    on_cleanup(move || drop(end()));
    Effect::new(move || {
        drop(end());
        let (Some(watch), false) = (watch.get(), paused.get()) else {
            connection.set(Connection::Off);
            return;
        };
        let tell = Closure::<dyn FnMut(String, String)>::new(move |what: String, text: String| {
            let now = match what.as_str() {
                "event" => {
                    if let Ok(snapshot) = serde_json::from_str(&text) {
                        on_event(snapshot);
                    }
                    return;
                }
                "connecting" => Connection::Connecting,
                "live" => Connection::Live,
                "again" => Connection::Reconnecting,
                _ => Connection::Off,
            };
            connection.try_set(now);
        });
        let follow = script(&watch, &tell).ok().map(|end| Follow { end, _tell: tell });
        if follow.is_none() {
            connection.set(Connection::Off);
        }
        following.set_value(follow);
    });
}
