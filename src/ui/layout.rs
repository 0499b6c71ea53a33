//! The frame of every signed-in page: navigation, top bar, main column.

pub mod bar;
pub mod nav;

use crate::ui::{
    components::Banner,
    hooks::page::{flash, page_context},
};
use bar::Bar;
use leptos::{children::ViewFn, prelude::*};
use leptos_router::hooks::use_location;
use nav::Nav;

/// A place in the top bar that the page fills, with its live indicator. Set it in an effect; it is emptied when the
/// page goes.
#[derive(Clone, Copy)]
pub struct BarSlot(RwSignal<Option<ViewFn>>);

impl BarSlot {
    /// Shows `view` in the top bar until the calling page goes.
    pub fn show(view: impl Into<ViewFn> + Clone + Send + Sync + 'static) {
        let Some(Self(slot)) = use_context::<Self>() else { return };
        Effect::new(move || slot.set(Some(view.clone().into())));
        on_cleanup(move || {
            let _ = slot.try_set(None);
        });
    }
}

/// The frame. Shows what a form left to say (a notice, or an error that belongs to no field) above the page.
#[component]
pub fn Frame(
    /// The page.
    children: Children,
) -> impl IntoView {
    let context = page_context();
    let slot = BarSlot(RwSignal::new(None));
    provide_context(slot);
    let path = use_location().pathname;
    // A navigation inside the page leaves the popover of a phone open over the new page.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now) {
            close_nav();
        }
        now
    });
    view! {
        <a class="skip" href="#main" rel="external">
            "Skip to content"
        </a>
        <div class="shell">
            {context.viewer.clone().map(|viewer| view! { <Nav viewer=viewer /> })}
            <Bar context=context extra=slot.0 />
            <main class="main" id="main" tabindex="-1">
                {move || {
                    path.track();
                    view! { <Flashes /> }
                }}
                {children()}
            </main>
        </div>
    }
    .into_any()
}

/// What a form left to say to the page as a whole.
#[component]
fn Flashes() -> impl IntoView {
    let flash = flash();
    let error = flash.error.filter(|_| flash.field.is_none());
    (error.is_some() || flash.notice.is_some()).then(|| {
        view! {
            <div class="flashes stack" data-gap="8">
                {error.map(|error| view! { <Banner tone="failed">{error}</Banner> })}
                {flash.notice.map(|notice| view! { <Banner tone="accepted">{notice}</Banner> })}
            </div>
        }
    })
}

fn close_nav() {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let nav = document().get_element_by_id("nav").and_then(|nav| nav.dyn_into::<web_sys::HtmlElement>().ok());
        if let Some(nav) = nav {
            // Fails when it is not open, as on a wide page.
            let _ = nav.hide_popover();
        }
    }
}
