//! Menus: popovers that open, close and take Escape without JavaScript.

use leptos::prelude::*;

/// Where a menu opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MenuPlace {
    /// Below the button that opens it.
    #[default]
    Button,
    /// Below the end of the top bar.
    Bar,
    /// Above the person in the navigation.
    Person,
}

/// A menu. Open it with `<Button opens=id …>` or any button with `popovertarget`.
#[component]
pub fn Menu(
    /// Its id.
    id: &'static str,
    /// What it is called.
    label: &'static str,
    /// Where it opens.
    #[prop(optional)]
    place: MenuPlace,
    /// Links, buttons and `<hr>` between groups.
    children: Children,
) -> impl IntoView {
    let at = match place {
        MenuPlace::Button => "anchor",
        MenuPlace::Bar => "bar",
        MenuPlace::Person => "person",
    };
    view! {
        <div
            class="menu"
            id=id
            popover="auto"
            role="group"
            aria-label=label
            data-at=at
            on:click=move |event| close_after_link(id, &event)
        >
            {children()}
        </div>
    }
    .into_any()
}

/// A link that changes the page in place would leave its menu open over it.
fn close_after_link(id: &str, event: &leptos::ev::MouseEvent) {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let pressed = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let link = pressed.and_then(|element| element.closest("a").ok().flatten());
        let menu = document().get_element_by_id(id).and_then(|menu| menu.dyn_into::<web_sys::HtmlElement>().ok());
        if let (Some(_), Some(menu)) = (link, menu) {
            let _ = menu.hide_popover();
        }
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (id, event);
}
