//! What the maker turns on or off for the whole batch, such as "Sync With Gateway".

use super::upload_form::UploadForm;
use crate::domain::operation::Switch;
use leptos::{html, prelude::*};

/// The switch, as a field of the form. Which words stand beside it is told by its own state, so it needs no JavaScript.
#[component]
pub fn SwitchField(upload: UploadForm, switch: Switch) -> impl IntoView {
    let id = switch.name.replace('_', "-");
    let hint = format!("{id}-hint");
    let [on, off] = switch.hints;
    let field = NodeRef::<html::Input>::new();
    // It may have been moved before the page was taken over, and a browser keeps what it held.
    Effect::new(move || {
        if let Some(field) = field.get() {
            upload.toggle.set(field.checked());
        }
    });
    view! {
        <div class="switch-box">
            <label class="switch">
                <input
                    type="checkbox"
                    role="switch"
                    name=switch.name
                    value="on"
                    id=id
                    aria-describedby=hint.clone()
                    checked=upload.toggle.get_untracked()
                    node_ref=field
                    on:change=move |event| upload.toggle.set(event_target_checked(&event))
                />
                <span class="switch-track" aria-hidden="true"></span>
                <b>{switch.label}</b>
                <span class="when-on" aria-hidden="true">"On"</span>
                <span class="when-off" aria-hidden="true">"Off"</span>
            </label>
            <p class="hint" id=hint>
                <span class="when-on">{on}</span>
                <span class="when-off">{off}</span>
            </p>
        </div>
    }
    .into_any()
}
