//! Buttons. Ink is the act: one primary button a page. A button is never disabled to show that input is missing.

use super::Icon;
use leptos::{ev::MouseEvent, prelude::*};

/// What a button stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// One of several acts.
    #[default]
    Plain,
    /// The act of the page.
    Primary,
    /// Without a frame, in rows.
    Quiet,
    /// Takes something away.
    Danger,
}

impl Kind {
    const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Primary => Some("primary"),
            Self::Quiet => Some("quiet"),
            Self::Danger => Some("danger"),
        }
    }
}

/// How large a button is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// In rows and bars.
    Small,
    /// The usual.
    #[default]
    Normal,
    /// The only act of a form.
    Large,
}

impl Size {
    const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Small => Some("sm"),
            Self::Normal => None,
            Self::Large => Some("lg"),
        }
    }
}

/// A button that submits its form, or does something in the browser.
#[component]
pub fn Button(
    /// What it stands for.
    #[prop(optional)]
    kind: Kind,
    /// How large.
    #[prop(optional)]
    size: Size,
    /// Name of an icon before the words.
    #[prop(optional)]
    icon: Option<&'static str>,
    /// Icon only: then `label` is what it is called.
    #[prop(optional, into)]
    label: Option<String>,
    /// As wide as what it stands in.
    #[prop(optional)]
    wide: bool,
    /// Does not submit a form.
    #[prop(optional)]
    plain: bool,
    /// Name of the field it sends.
    #[prop(optional, into)]
    name: Option<String>,
    /// Value of the field it sends.
    #[prop(optional, into)]
    value: Option<String>,
    /// Id of the form it belongs to, when it stands outside.
    #[prop(optional, into)]
    form: Option<String>,
    /// Id of the popover it opens.
    #[prop(optional, into)]
    opens: Option<String>,
    /// The act is under way.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// What happens in the browser when it is pressed.
    #[prop(optional, into)]
    on_press: Option<Callback<MouseEvent>>,
    /// The words.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let only_icon = label.is_some() && children.is_none();
    let kind_of = if plain || opens.is_some() { "button" } else { "submit" };
    view! {
        <button
            class="button"
            type=kind_of
            data-kind=kind.attribute()
            data-size=size.attribute()
            data-only=only_icon.then_some("icon")
            data-wide=wide.then_some("")
            title=if only_icon { label.clone() } else { None }
            aria-label=label
            name=name
            value=value
            form=form
            popovertarget=opens
            aria-busy=move || busy.get().then_some("true")
            on:click=move |event| {
                if let Some(press) = on_press {
                    press.run(event);
                }
            }
        >
            {move || {
                if busy.get() {
                    view! {
                        <svg class="spin" viewBox="0 0 16 16" aria-hidden="true">
                            <circle cx="8" cy="8" r="6.25" />
                        </svg>
                    }
                        .into_any()
                } else {
                    icon.map(|name| view! { <Icon name=name /> }).into_any()
                }
            }}
            {children.map(|children| children())}
        </button>
    }
    .into_any()
}

/// A link that looks like a button, because it leads to an act.
#[component]
pub fn LinkButton(
    /// Where it leads.
    #[prop(into)]
    href: Signal<String>,
    /// What it stands for.
    #[prop(optional)]
    kind: Kind,
    /// How large.
    #[prop(optional)]
    size: Size,
    /// Name of an icon before the words.
    #[prop(optional)]
    icon: Option<&'static str>,
    /// A file to keep: the browser saves it and the router leaves it alone.
    #[prop(optional)]
    download: bool,
    /// A page that the browser has no part of: it is loaded, not routed to.
    #[prop(optional)]
    on_server: bool,
    /// The words.
    children: Children,
) -> impl IntoView {
    view! {
        <a
            class="button"
            href=move || href.get()
            data-kind=kind.attribute()
            data-size=size.attribute()
            download=download.then_some("")
            rel=on_server.then_some("external")
        >
            {icon.map(|name| view! { <Icon name=name /> })}
            {children()}
        </a>
    }
    .into_any()
}
