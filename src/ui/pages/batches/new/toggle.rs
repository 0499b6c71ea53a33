//! "Sync With Gateway": whether the gateway is asked while the file is processed.

use super::bench::Bench;
use leptos::{html, prelude::*};

/// The switch, as a field of the form. Which words stand beside it is told by its own state, so it needs no JavaScript.
#[component]
pub fn GatewayToggle(bench: Bench) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    // It may have been moved before the page was taken over, and a browser keeps what it held.
    Effect::new(move || {
        if let Some(field) = field.get() {
            bench.toggle.set(field.checked());
        }
    });
    view! {
        <div class="switch-box">
            <label class="switch">
                <input
                    type="checkbox"
                    role="switch"
                    name="sync_with_gateway"
                    value="on"
                    id="sync-with-gateway"
                    aria-describedby="sync-with-gateway-hint"
                    checked=bench.toggle.get_untracked()
                    node_ref=field
                    on:change=move |event| bench.toggle.set(event_target_checked(&event))
                />
                <span class="switch-track" aria-hidden="true"></span>
                <b>"Sync With Gateway"</b>
                <span class="when-on" aria-hidden="true">"On"</span>
                <span class="when-off" aria-hidden="true">"Off"</span>
            </label>
            <p class="hint" id="sync-with-gateway-hint">
                <span class="when-on">
                    "The system will automatically sync the uploaded data with connected payment gateways in real-time, ensuring immediate data consistency across all integrated systems."
                </span>
                <span class="when-off">
                    "Standard processing without immediate gateway sync: what Batchdesk stored when an order was last read is used."
                </span>
            </p>
        </div>
    }
    .into_any()
}
