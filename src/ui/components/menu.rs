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
        <div class="menu" id=id popover="auto" role="group" aria-label=label data-at=at>
            {children()}
        </div>
    }
    .into_any()
}
