//! The navigation: a column on a wide page, a popover on a phone, without JavaScript. A person sees what they may open.

use crate::{
    domain::{
        access::{Module, Right},
        operation::Operation,
        view::Viewer,
    },
    ui::components::{Icon, Mark, Menu, MenuPlace},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// One entry.
#[component]
fn Entry(
    /// Where it leads.
    href: &'static str,
    /// Name of its icon.
    icon: &'static str,
    /// What it is called.
    text: &'static str,
    /// How many things wait there.
    #[prop(default = 0)]
    waiting: u32,
    /// A page that the browser has no part of: it is loaded, not routed to.
    #[prop(optional)]
    on_server: bool,
    /// What waits, for those who hear it.
    #[prop(default = "waiting for you")]
    of: &'static str,
) -> impl IntoView {
    let path = use_location().pathname;
    // `/batch` covers all bulk operations; home is only home.
    let area = if href.starts_with("/batch/") { "/batch/" } else { href };
    let current = move || {
        let path = path.get();
        path == href || (href != "/" && path.starts_with(area))
    };
    view! {
        <li>
            <a href=href rel=on_server.then_some("external") aria-current=move || current().then_some("page")>
                <Icon name=icon />
                {text}
                {(waiting > 0)
                    .then(|| {
                        view! {
                            <span class="count">
                                {waiting} <span class="vh">" " {of}</span>
                            </span>
                        }
                    })}
            </a>
        </li>
    }
    .into_any()
}

/// Two letters that stand for a name: of its first two words, or its first two.
fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let letters: String = match words.as_slice() {
        [first, second, ..] => first.chars().take(1).chain(second.chars().take(1)).collect(),
        [only] => only.chars().take(2).collect(),
        [] => String::new(),
    };
    letters.to_uppercase()
}

/// The navigation.
#[component]
pub fn Nav(
    /// Who is signed in.
    viewer: Viewer,
) -> impl IntoView {
    // The first of the bulk operations that the person may see; its page has the tabs of the others.
    let bulk = Operation::ALL.into_iter().find(|operation| viewer.may(operation.module(), Right::Read));
    let approvals = bulk.is_some();
    let orders = viewer.may(Module::Orders, Right::Read);
    let settings = viewer.may(Module::Settings, Right::Read);
    let (waiting, review) = (viewer.waiting, viewer.review);
    let organisation = viewer.organisation;
    let email = viewer.person.email;
    let local = email.split('@').next().unwrap_or_default().to_owned();
    view! {
        <nav class="nav" id="nav" popover="auto" aria-label="Main">
            <div class="nav-in">
                <div class="stack" data-gap="8">
                    <a class="mark" href="/">
                        <Mark />
                        "Batchdesk"
                    </a>
                    <div class="who">
                        <span class="initials" aria-hidden="true">
                            {initials(&organisation.name)}
                        </span>
                        <span class="who-name">
                            {organisation.name} <small>{organisation.currency.code()} " · " {organisation.zone}</small>
                        </span>
                    </div>
                </div>
                <ul>
                    <Entry href="/" icon="home" text="Home" />
                    {approvals
                        .then(|| {
                            view! {
                                <Entry href="/approvals" icon="approve" text="Approvals" waiting=waiting />
                                <Entry
                                    href="/review"
                                    icon="eye"
                                    text="Review"
                                    waiting=review
                                    of="in review"
                                    on_server=true
                                />
                            }
                        })}
                </ul>
                {bulk
                    .map(|operation| {
                        view! {
                            <div>
                                <h2 id="nav-payments">"Payments"</h2>
                                <ul aria-labelledby="nav-payments">
                                    <Entry href=operation.path() icon="stack" text="Bulk Operations" />
                                    {orders
                                        .then(|| {
                                            view! {
                                                <Entry href="/orders" icon="orders" text="Orders" on_server=true />
                                            }
                                        })}
                                </ul>
                            </div>
                        }
                    })}
                {settings
                    .then(|| {
                        view! {
                            <div>
                                <h2 id="nav-organisation">"Organisation"</h2>
                                <ul aria-labelledby="nav-organisation">
                                    <Entry href="/settings" icon="sliders" text="Settings" on_server=true />
                                </ul>
                            </div>
                        }
                    })} <div class="nav-foot">
                    <button class="who" type="button" popovertarget="person-menu">
                        <span class="initials" aria-hidden="true">
                            {initials(&local)}
                        </span>
                        <span class="who-name">{local} <small>{email.clone()}</small></span>
                        <Icon name="updown" />
                    </button>
                    <Menu id="person-menu" label="You" place=MenuPlace::Person>
                        <p class="menu-head">
                            "Signed in as "
                            {email}
                        </p>
                        <hr />
                        <form method="post" action="/logout">
                            <button type="submit">
                                <Icon name="out" />
                                "Sign out"
                            </button>
                        </form>
                    </Menu>
                </div>
            </div>
        </nav>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn initials_are_two_letters() {
        assert_eq!(initials("Acme Stores"), "AS");
        assert_eq!(initials("maker"), "MA");
        assert_eq!(initials("asha.rao"), "AR");
        assert_eq!(initials("é"), "É");
        assert_eq!(initials(""), "");
    }
}
