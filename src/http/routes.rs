//! The one table of routes: address, method, handler, and what is needed to use it.

use super::{
    Web,
    access::Access,
    api, approvals,
    batches::{self, BatchAction},
    connections,
    downloads::{self, Which},
    events, health, notices, orders, pages, retries, review, settings, settings_changes, sign_in, site, upload,
};
use crate::{
    app::App,
    domain::{
        access::{Module, Right},
        operation::Operation,
    },
};
use axum::{
    Router,
    extract::Request,
    http::Method,
    routing::{MethodRouter, get, post},
};
use leptos_axum::AxumRouteListing;
use std::sync::LazyLock;

/// What kind of thing a route serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// A page for people.
    Page,
    /// A plain form.
    Form,
    /// A file.
    File,
    /// Live events.
    Stream,
    /// A server function of hydrated pages.
    Function,
    /// The HTTP API.
    Machine,
    /// Health of the process.
    Health,
}

/// One route, for the access matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// GET or POST.
    pub method: Method,
    /// As axum writes it, parameters in braces.
    pub path: String,
    /// What it needs.
    pub need: Access,
    /// What it serves.
    pub kind: RouteKind,
}

/// The routes, by whether they know of sessions.
pub(super) struct Routers {
    /// With session and caller.
    pub inside: Router<Web>,
    /// Without.
    pub outside: Router<Web>,
}

struct Table {
    routers: Routers,
    list: Vec<Route>,
}

impl Table {
    fn add(&mut self, method: Method, path: &str, kind: RouteKind, need: Access, handler: MethodRouter<Web>) {
        // A page and a form at one address must call the parameter the same: the first is always the batch.
        let mut named = false;
        let name = |part: &str| match part.starts_with('{') && !std::mem::replace(&mut named, true) {
            true => "{id}".to_owned(),
            false => part.to_owned(),
        };
        let path = &path.split('/').map(name).collect::<Vec<_>>().join("/");
        let inside = !matches!(kind, RouteKind::Machine | RouteKind::Health);
        let router = if inside { &mut self.routers.inside } else { &mut self.routers.outside };
        *router = std::mem::take(router).route(path, handler);
        self.list.push(Route { method, path: path.to_owned(), need, kind });
    }

    fn get(&mut self, path: &str, kind: RouteKind, need: Access, handler: MethodRouter<Web>) {
        self.add(Method::GET, path, kind, need, handler);
    }

    fn form(&mut self, path: &str, need: Access, handler: MethodRouter<Web>) {
        self.add(Method::POST, path, RouteKind::Form, need, handler);
    }
}

/// The pages that the application has. Walked once, before anything is rendered: Leptos suspends loading in the whole
/// process meanwhile.
pub(super) static PAGES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| leptos_axum::generate_route_list(App));

/// All routes.
pub(super) fn table() -> (Routers, Vec<Route>) {
    let routers = Routers { inside: Router::new(), outside: site::routes() };
    let mut table = Table { routers, list: Vec::new() };
    pages(&mut table);
    functions(&mut table);
    for operation in Operation::ALL {
        work(&mut table, operation);
    }
    table.form("/login", Access::Anyone, post(sign_in::sign_in));
    table.form("/logout", Access::Anyone, post(sign_in::sign_out));
    table.form("/theme", Access::Anyone, post(sign_in::set_theme));
    table.form("/approvals/{id}", Access::ReadSome, post(approvals::decide));
    for act in review::ReviewAction::ALL {
        let path = format!("/review/{{id}}/{}", act.path());
        let handler = move |state, signed_in, path, form| review::act(state, signed_in, path, act, form);
        table.form(&path, Access::ReadSome, post(handler));
    }
    for act in settings::SettingsAction::ALL {
        table.form(
            act.path(),
            Access::Right(Module::Settings, Right::ReadWrite),
            post(move |state, signed_in, form| settings::change(state, signed_in, act, form)),
        );
    }
    let change_settings = Access::Right(Module::Settings, Right::ReadWrite);
    for act in settings_changes::SettingsChangeAction::ALL {
        let path = format!("/settings/changes/{{id}}/{}", act.path());
        let handler = move |state, signed_in, path, form| settings_changes::act(state, signed_in, path, act, form);
        table.form(&path, change_settings, post(handler));
    }
    table.form("/settings/connections", change_settings, post(connections::add));
    for act in connections::ConnectionAction::ALL {
        table.form(
            &format!("/settings/connections/{{id}}/{}", act.path()),
            change_settings,
            post(move |state, signed_in, path, form| connections::act(state, signed_in, path, act, form)),
        );
    }
    table.form("/notices/read", Access::SignedIn, post(notices::mark_read));
    table.form("/orders/refund", Access::Right(Module::Refunds, Right::ReadWrite), post(orders::refund));
    table.form("/orders/{id}/sync", Access::Right(Module::Orders, Right::ReadWrite), post(orders::synchronise));
    table.get("/events", RouteKind::Stream, Access::ReadSome, get(events::events));
    for (name, text) in upload::samples() {
        let handler = get(move |signed_in| upload::sample(signed_in, name, text));
        table.get(&format!("/samples/{name}"), RouteKind::File, Access::SignedIn, handler);
    }
    table.get("/api/v1/batches/{id}", RouteKind::Machine, Access::Key, get(api::v1::batch));
    table.get("/healthz", RouteKind::Health, Access::Anyone, get(health::live));
    table.get("/readyz", RouteKind::Health, Access::Anyone, get(health::ready));
    table.routers.inside = std::mem::take(&mut table.routers.inside).fallback(pages::missing);
    (table.routers, table.list)
}

fn pages(table: &mut Table) {
    for page in PAGES.iter() {
        let Some(rule) = page_rule(page.path()) else {
            tracing::error!(path = page.path(), "http.page_without_rule");
            continue;
        };
        if table.list.iter().any(|route| route.path == page.path()) {
            continue;
        }
        let handler =
            get(move |state, visit, params, request: Request| pages::show(state, visit, params, rule, request));
        table.get(page.path(), RouteKind::Page, rule.need, handler);
    }
}

/// What the page at `path` needs. A page that is not named here is not served.
fn page_rule(path: &str) -> Option<pages::Rule> {
    let plain = |need| Some(pages::Rule { need, batch: None, hydrate: true });
    let batch = |need, operation| Some(pages::Rule { need, batch: Some(operation), hydrate: true });
    let batch_on_server = |need, operation| Some(pages::Rule { need, batch: Some(Some(operation)), hydrate: false });
    let on_server = |need| Some(pages::Rule { need, batch: None, hydrate: false });
    let shape: Vec<&str> =
        path.split('/').skip(1).map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
    match shape.as_slice() {
        [""] => plain(Access::SignedIn),
        ["login"] => plain(Access::Anyone),
        ["notices"] => on_server(Access::SignedIn),
        ["orders", "refund"] => on_server(Access::Right(Module::Refunds, Right::ReadWrite)),
        ["orders"] | ["orders", "{}"] => on_server(Access::Right(Module::Orders, Right::Read)),
        ["review"] => on_server(Access::ReadSome),
        ["search"] => on_server(Access::ReadSome),
        ["settings"] | ["settings", "connections"] | ["settings", "connections", "{}"] => {
            on_server(Access::Right(Module::Settings, Right::Read))
        }
        ["settings", "connections", "new"] => on_server(Access::Right(Module::Settings, Right::ReadWrite)),
        ["approvals"] => plain(Access::ReadSome),
        ["approvals", "{}"] => batch(Access::ReadSome, None),
        ["batch", list, rest @ ..] => {
            let operation =
                Operation::ALL.into_iter().find(|operation| operation.path() == format!("/batch/{list}"))?;
            let read = Access::Right(operation.module(), Right::Read);
            let write = Access::Right(operation.module(), Right::ReadWrite);
            match rest {
                [] => plain(read),
                ["new"] | ["new", "description"] => plain(write),
                ["{}"] => batch(read, Some(operation)),
                ["{}", "retry"] => batch_on_server(write, operation),
                ["{}", "tasks", "{}"] | ["{}", "activity"] => batch_on_server(read, operation),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What a server function needs. One that is not named here is not served.
fn function_need(path: &str) -> Option<Access> {
    match path {
        "/api/home" => Some(Access::SignedIn),
        "/api/approvals/inbox" | "/api/approvals/detail" => Some(Access::ReadSome),
        // These take the operation as input and authorise for its module.
        "/api/batches/list" | "/api/batches/detail" | "/api/batches/new" | "/api/batches/sync" => {
            Some(Access::ReadSome)
        }
        _ => None,
    }
}

fn functions(table: &mut Table) {
    for (path, method) in leptos::server_fn::axum::server_fn_paths() {
        let Some(need) = function_need(path) else {
            tracing::error!(path, "http.function_without_rule");
            continue;
        };
        // A function that could be called by GET could be called by a link.
        if method != Method::POST {
            tracing::error!(path, %method, "http.function_not_by_post");
            continue;
        }
        let handler = post(move |state, visit, request: Request| pages::server_function(state, visit, need, request));
        table.add(Method::POST, path, RouteKind::Function, need, handler);
    }
}

/// Forms and files of one operation's batches.
fn work(table: &mut Table, operation: Operation) {
    let list = operation.path();
    let module = operation.module();
    let write = Access::Right(module, Right::ReadWrite);
    table.form(
        &format!("{list}/new/description"),
        write,
        post(move |state, signed_in, form| upload::describe(state, signed_in, operation, form)),
    );
    table.form(
        list,
        write,
        post(move |state, signed_in, request: Request| upload::submit(state, signed_in, operation, request)),
    );
    for act in BatchAction::ALL {
        let need = if act == BatchAction::Pause { Access::Work(module) } else { write };
        table.form(
            &format!("{list}/{{id}}/{}", act.path()),
            need,
            post(move |state, signed_in, path, form| batches::act(state, signed_in, path, operation, act, form)),
        );
    }
    if operation.retries() {
        table.form(
            &format!("{list}/{{id}}/retry"),
            write,
            post(move |state, signed_in, path, form| retries::act(state, signed_in, path, operation, form)),
        );
    }
    for (name, which) in [
        (operation.files().download, Which::Data),
        (operation.files().workbook, Which::Workbook),
        ("original", Which::Original),
        ("failed_rows.csv", Which::FailedRows),
    ] {
        table.get(
            &format!("{list}/{{id}}/{name}"),
            RouteKind::File,
            Access::Right(module, Right::Read),
            get(move |state, signed_in, path| downloads::download(state, signed_in, path, operation, which)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_application_has_a_rule() {
        let without: Vec<&str> =
            PAGES.iter().map(|page| page.path()).filter(|path| page_rule(path).is_none()).collect();
        assert!(PAGES.len() > 10 && without.is_empty(), "{without:?}");
    }
}
