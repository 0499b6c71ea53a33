//! The top bar: where this page stands, whether money is real, and what holds for every page.

use crate::{
    domain::{
        access::Right,
        operation::Operation,
        view::{PageContext, Theme},
    },
    ui::{
        components::{Button, Icon, Kind, Mark, Menu, MenuPlace, Size},
        hooks::url::here,
    },
};
use leptos::{children::ViewFn, prelude::*};
use leptos_router::hooks::use_location;

/// The way to a page: words, and an address for all but the last.
fn trail(path: &str) -> Vec<(String, Option<String>)> {
    let link = |text: &str, href: &str| (text.to_owned(), Some(href.to_owned()));
    let last = |text: &str| (text.to_owned(), None);
    let tail = |id: &str| id.get(id.len().saturating_sub(8)..).unwrap_or(id).to_owned();
    if let Some(operation) = Operation::at(path) {
        let (root, name) = (operation.path(), operation.labels().tab);
        let rest = path.strip_prefix(root).unwrap_or_default();
        let area = || [last("Payments"), last("Bulk Operations")];
        let way = |end| area().into_iter().chain([link(name, root), end]).collect();
        return match rest.trim_matches('/') {
            "" => area().into_iter().chain([last(name)]).collect(),
            "new" | "new/description" => way(last("New batch")),
            rest => match rest.split_once('/') {
                None => way((format!("…{}", tail(rest)), None)),
                Some((id, below)) => {
                    let end = match below.strip_prefix("tasks/") {
                        Some(number) => format!("Task {number}"),
                        None if below == "activity" => "Activity log".to_owned(),
                        None => "Failed rows".to_owned(),
                    };
                    let batch = (format!("…{}", tail(id)), Some(format!("{root}/{id}")));
                    area().into_iter().chain([link(name, root), batch, (end, None)]).collect()
                }
            },
        };
    }
    // No page below it is in the browser's part.
    #[cfg(feature = "ssr")]
    if let Some(rest) = path.strip_prefix("/settings") {
        let settings = link("Settings", "/settings");
        let connections = link("Connections", "/settings/connections");
        return match rest.trim_matches('/') {
            "" => vec![last("Settings")],
            "connections" => vec![settings, last("Connections")],
            "connections/new" => vec![settings, connections, last("Add connection")],
            id => vec![settings, connections, (format!("…{}", tail(id)), None)],
        };
    }
    #[cfg(feature = "ssr")]
    if let Some(rest) = path.strip_prefix("/orders") {
        let orders = link("Orders", "/orders");
        return match rest.trim_matches('/') {
            "" => vec![last("Payments"), last("Orders")],
            "refund" => vec![last("Payments"), orders, last("Refund")],
            id => vec![last("Payments"), orders, (leptos_router::location::Url::unescape(id), None)],
        };
    }
    match path.strip_prefix("/approvals").map(|rest| rest.trim_matches('/')) {
        Some("") => vec![last("Approvals")],
        Some(id) => vec![link("Approvals", "/approvals"), (format!("…{}", tail(id)), None)],
        None if path == "/notices" => vec![last("Notices")],
        None if path == "/" => vec![last("Home")],
        None if path == "/search" => vec![last("Search")],
        None if path == "/settings" => vec![last("Organisation"), last("Settings")],
        None => Vec::new(),
    }
}

/// The top bar.
#[component]
pub fn Bar(
    /// What the page knows.
    context: PageContext,
    /// What the page shows in it.
    extra: RwSignal<Option<ViewFn>>,
) -> impl IntoView {
    let path = use_location().pathname;
    let signed_in = context.viewer.is_some();
    let searches = context
        .viewer
        .as_ref()
        .is_some_and(|viewer| Operation::ALL.iter().any(|operation| viewer.may(operation.module(), Right::Read)));
    let test_data = context.viewer.as_ref().is_some_and(|viewer| viewer.test_data);
    let unread = context.viewer.as_ref().map(|viewer| viewer.unread);
    let crumbs = move || {
        let trail = trail(&path.get());
        let end = trail.len();
        trail
            .into_iter()
            .enumerate()
            .map(|(position, (text, href))| {
                let current = (position + 1 == end).then_some("page");
                match href {
                    Some(href) => view! { <li><a href=href>{text}</a></li> }.into_any(),
                    None => view! { <li><span aria-current=current>{text}</span></li> }.into_any(),
                }
            })
            .collect_view()
    };
    view! {
        <header class="bar">
            {signed_in
                .then(|| {
                    view! {
                        <button
                            class="button only-menu"
                            data-kind="quiet"
                            data-only="icon"
                            type="button"
                            popovertarget="nav"
                            aria-label="Menu"
                        >
                            <Icon name="menu" />
                        </button>
                    }
                })}
            <a class=if signed_in { "mark only-menu" } else { "mark" } href="/" aria-label="Batchdesk, home">
                <Mark />
            </a>
            <nav aria-label="Breadcrumb">
                <ol class="crumbs">{crumbs}</ol>
            </nav>
            <div class="bar-end">
                {searches.then(|| view! { <Search /> })}
                {test_data
                    .then(|| {
                        view! {
                            <span
                                class="badge"
                                data-tone="waiting"
                                data-code=""
                                title="The gateway is a simulator or a sandbox: no money moves"
                            >
                                "TEST DATA"
                            </span>
                        }
                    })} {move || extra.get().map(|view| view.run())} {unread.map(|unread| view! { <Bell unread=unread /> })}
                <ThemeSwitch theme=context.theme />
            </div>
        </header>
    }
    .into_any()
}

/// Search over all batches: a field where there is room, else a link to the page that has one. The page is a server
/// page.
#[component]
fn Search() -> impl IntoView {
    view! {
        <form class="bar-search" role="search" aria-label="All batches" method="get" action="/search">
            <Icon name="search" />
            <input
                class="input"
                type="search"
                name="q"
                maxlength="128"
                autocomplete="off"
                spellcheck="false"
                aria-label="Search orders and batches"
                placeholder="Search orders, batches…"
            />
        </form>
        <a class="button bar-search-link" data-kind="quiet" data-only="icon" data-size="sm" href="/search" rel="external" aria-label="Search orders and batches">
            <Icon name="search" />
        </a>
    }
    .into_any()
}

/// The way to the notices, with the number of those that were not read when the page was loaded.
#[component]
fn Bell(
    /// How many.
    unread: u32,
) -> impl IntoView {
    let label = if unread == 0 { "Notices".to_owned() } else { format!("Notices, {unread} not read") };
    view! {
        <a
            class="button bell"
            data-kind="quiet"
            data-size="sm"
            data-only="icon"
            href="/notices"
            rel="external"
            title=label.clone()
            aria-label=label
        >
            <Icon name="bell" />
            {(unread > 0).then(|| view! { <span class="count">{unread.min(99)}</span> })}
        </a>
    }
    .into_any()
}

/// Day, night, or as the device has it. A plain form: the server keeps the choice in a cookie, so that no page
/// flickers.
#[component]
fn ThemeSwitch(
    /// What is chosen now.
    theme: Theme,
) -> impl IntoView {
    let next = here();
    let choices =
        [(Theme::System, "system", "As the device"), (Theme::Light, "light", "Light"), (Theme::Dark, "dark", "Dark")];
    view! {
        <Button kind=Kind::Quiet size=Size::Small icon="theme" label="Theme" opens="theme-menu" />
        <Menu id="theme-menu" label="Theme" place=MenuPlace::Bar>
            <form method="post" action="/theme">
                <input type="hidden" name="next" value=move || next.get() />
                {choices
                    .into_iter()
                    .map(|(choice, code, text)| {
                        let pressed = if choice == theme { "true" } else { "false" };
                        view! {
                            <button type="submit" name="theme" value=code aria-pressed=pressed>
                                <Icon name="check" />
                                {text}
                            </button>
                        }
                    })
                    .collect_view()}
            </form>
        </Menu>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::trail;

    fn placeholder(path: &str) -> String {
        trail(path)
            .into_iter()
            .map(|(text, href)| href.map_or(text.clone(), |href| format!("{text}({href})")))
            .collect::<Vec<_>>()
            .join(" / ")
    }

    #[test]
    fn every_page_says_where_it_stands() {
        assert_eq!(placeholder("/"), "Home");
        assert_eq!(placeholder("/batch/batch-refunds"), "Payments / Bulk Operations / Refunds");
        assert_eq!(
            placeholder("/batch/batch-refunds/new"),
            "Payments / Bulk Operations / Refunds(/batch/batch-refunds) / New batch"
        );
        assert_eq!(
            placeholder("/batch/batch-refunds/019aa064-3421-72cf-98ed-3238f9fbe3c9"),
            "Payments / Bulk Operations / Refunds(/batch/batch-refunds) / …f9fbe3c9"
        );
        assert_eq!(placeholder("/approvals/019aa064-3421-72cf-98ed-3238f9fbe3c9"), "Approvals(/approvals) / …f9fbe3c9");
        assert_eq!(placeholder("/nowhere"), "");
    }
}
