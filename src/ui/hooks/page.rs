//! What a page knows before any data is loaded.

use crate::domain::view::{Flash, PageContext};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// The page on which the answer to a form is shown. Going elsewhere ends it.
#[derive(Clone, Copy)]
struct FlashPage {
    path: StoredValue<String>,
    left: StoredValue<bool>,
}

/// Remembers which page the server answered for. Called once, inside the router.
pub fn provide_flash_page() {
    let path = use_location().pathname;
    let page = FlashPage { path: StoredValue::new(path.get_untracked()), left: StoredValue::new(false) };
    provide_context(page);
    Effect::new(move || {
        if path.get() != page.path.get_value() {
            page.left.set_value(true);
        }
    });
}

/// The context of this page.
pub fn page_context() -> PageContext {
    use_context().unwrap_or_default()
}

/// What a form left to say on this page; empty on every page that is reached from it.
pub fn flash() -> Flash {
    let Some(page) = use_context::<FlashPage>() else { return page_context().flash };
    if page.left.get_value() || use_location().pathname.get_untracked() != page.path.get_value() {
        return Flash::default();
    }
    page_context().flash
}
