//! A button that copies an id.

use super::Icon;
use leptos::prelude::*;

/// Copies `text`. Appears when there is JavaScript; the text itself always stands beside it.
#[component]
pub fn CopyButton(
    /// What is copied.
    #[prop(into)]
    text: String,
    /// `Copy batch ID`.
    label: &'static str,
) -> impl IntoView {
    let ready = RwSignal::new(false);
    let copied = RwSignal::new(false);
    Effect::new(move || ready.set(true));
    let press = move |_| {
        #[cfg(feature = "hydrate")]
        {
            let text = text.clone();
            wasm_bindgen_futures::spawn_local(async move {
                let clipboard = window().navigator().clipboard();
                if wasm_bindgen_futures::JsFuture::from(clipboard.write_text(&text)).await.is_ok() {
                    let _ = copied.try_set(true);
                    set_timeout(
                        move || {
                            let _ = copied.try_set(false);
                        },
                        std::time::Duration::from_secs(3),
                    );
                }
            });
        }
        #[cfg(not(feature = "hydrate"))]
        let _ = &text;
    };
    view! {
        <button
            class="button"
            data-kind="quiet"
            data-size="sm"
            data-only="icon"
            type="button"
            hidden=move || !ready.get()
            title=label
            aria-label=label
            on:click=press
        >
            {move || if copied.get() { view! { <Icon name="check" /> } } else { view! { <Icon name="copy" /> } }}
        </button>
        <span class="vh" role="status">
            {move || copied.get().then_some("Copied")}
        </span>
    }
    .into_any()
}
