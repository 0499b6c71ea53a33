//! The one table of routes: address, method, handler, and what is needed to use it.

use super::{
    Web, approvals,
    batches::{self, Act},
    connections,
    downloads::{self, Which},
    events, health, machine, notices, orders, pages, retries, review, settings, settings_changes, sign_in, site,
    upload,
};
use crate::{
    app::App,
    domain::{
        access::{Module, Right},
        operation::Operation,
    },
    server::{
        error::OpResult,
        ops::access::{Caller, authorise, authorise_some},
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

/// What a caller needs before a route looks at anything else. Operations check again what they need themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Anyone,
    /// A session.
    SignedIn,
    /// A session, and a right on a module.
    Right(Module, Right),
    /// A session, and Read on a module whose batches can wait for approval.
    ReadSome,
    /// A session, and ReadWrite or Approve on a module.
    Work(Module),
    /// An API key.
    Key,
}

impl Need {
    /// Refuses a signed-in caller who has not what is needed.
    pub(super) fn check(self, caller: &Caller) -> OpResult<()> {
        match self {
            Self::Anyone | Self::SignedIn | Self::Key => Ok(()),
            Self::Right(module, right) => authorise(caller, module, right),
            Self::Work(module) => authorise(caller, module, Right::ReadWrite)
                .or_else(|refused| authorise(caller, module, Right::Approve).map_err(|_| refused)),
            Self::ReadSome => authorise_some(caller).map(|_| ()),
        }
    }
}

/// What kind of thing a route serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
    /// The machine interface.
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
    pub need: Need,
    /// What it serves.
    pub kind: Kind,
}

/// The routes, by whether they know of sessions.
pub(super) struct Desk {
    /// With session and caller.
    pub inside: Router<Web>,
    /// Without.
    pub outside: Router<Web>,
}

/// Where every address of the machine interface begins, and no other.
pub(super) const API: &str = "/api/v1/";

struct Table {
    desk: Desk,
    list: Vec<Route>,
}

impl Table {
    fn add(&mut self, method: Method, path: &str, kind: Kind, need: Need, handler: MethodRouter<Web>) {
        // A page and a form at one address must call the parameter the same: the first is always the batch.
        let mut named = false;
        let name = |part: &str| match part.starts_with('{') && !std::mem::replace(&mut named, true) {
            true => "{id}".to_owned(),
            false => part.to_owned(),
        };
        let path = &path.split('/').map(name).collect::<Vec<_>>().join("/");
        let inside = !matches!(kind, Kind::Machine | Kind::Health);
        let router = if inside { &mut self.desk.inside } else { &mut self.desk.outside };
        *router = std::mem::take(router).route(path, handler);
        self.list.push(Route { method, path: path.to_owned(), need, kind });
    }

    fn get(&mut self, path: &str, kind: Kind, need: Need, handler: MethodRouter<Web>) {
        self.add(Method::GET, path, kind, need, handler);
    }

    fn form(&mut self, path: &str, need: Need, handler: MethodRouter<Web>) {
        self.add(Method::POST, path, Kind::Form, need, handler);
    }
}

/// The pages that the application has. Walked once, before anything is rendered: Leptos suspends loading in the whole process
/// meanwhile.
pub(super) static PAGES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| leptos_axum::generate_route_list(App));

/// All routes.
pub(super) fn table() -> (Desk, Vec<Route>) {
    let desk = Desk { inside: Router::new(), outside: site::routes() };
    let mut table = Table { desk, list: Vec::new() };
    pages(&mut table);
    functions(&mut table);
    for operation in Operation::ALL {
        work(&mut table, operation);
    }
    table.form("/login", Need::Anyone, post(sign_in::sign_in));
    table.form("/logout", Need::Anyone, post(sign_in::sign_out));
    table.form("/theme", Need::Anyone, post(sign_in::set_theme));
    table.form("/approvals/{id}", Need::ReadSome, post(approvals::decide));
    for act in review::Act::ALL {
        let path = format!("/review/{{id}}/{}", act.path());
        let handler = move |state, signed_in, path, form| review::act(state, signed_in, path, act, form);
        table.form(&path, Need::ReadSome, post(handler));
    }
    for act in settings::Act::ALL {
        table.form(
            act.path(),
            Need::Right(Module::Settings, Right::ReadWrite),
            post(move |state, signed_in, form| settings::change(state, signed_in, act, form)),
        );
    }
    let change_settings = Need::Right(Module::Settings, Right::ReadWrite);
    for act in settings_changes::Act::ALL {
        let path = format!("/settings/changes/{{id}}/{}", act.path());
        let handler = move |state, signed_in, path, form| settings_changes::act(state, signed_in, path, act, form);
        table.form(&path, change_settings, post(handler));
    }
    table.form("/settings/connections", change_settings, post(connections::add));
    for act in connections::Act::ALL {
        table.form(
            &format!("/settings/connections/{{id}}/{}", act.path()),
            change_settings,
            post(move |state, signed_in, path, form| connections::act(state, signed_in, path, act, form)),
        );
    }
    table.form("/notices/read", Need::SignedIn, post(notices::mark_read));
    table.form("/orders/refund", Need::Right(Module::Refunds, Right::ReadWrite), post(orders::refund));
    table.form("/orders/{id}/sync", Need::Right(Module::Orders, Right::ReadWrite), post(orders::synchronise));
    table.get("/events", Kind::Stream, Need::ReadSome, get(events::events));
    for (name, text) in upload::samples() {
        let handler = get(move |signed_in| upload::sample(signed_in, name, text));
        table.get(&format!("/samples/{name}"), Kind::File, Need::SignedIn, handler);
    }
    table.get("/api/v1/batches/{id}", Kind::Machine, Need::Key, get(machine::batch));
    table.get("/healthz", Kind::Health, Need::Anyone, get(health::live));
    table.get("/readyz", Kind::Health, Need::Anyone, get(health::ready));
    table.desk.inside = std::mem::take(&mut table.desk.inside).fallback(pages::missing);
    (table.desk, table.list)
}

fn pages(table: &mut Table) {
    for page in PAGES.iter() {
        let Some(rule) = pages::rule(page.path()) else {
            tracing::error!(path = page.path(), "http.page_without_rule");
            continue;
        };
        if table.list.iter().any(|route| route.path == page.path()) {
            continue;
        }
        let handler =
            get(move |state, visit, params, request: Request| pages::show(state, visit, params, rule, request));
        table.get(page.path(), Kind::Page, rule.need, handler);
    }
}

/// What the page at `path` needs. A page that is not named here is not served.
pub(super) fn page_rule(path: &str) -> Option<pages::Rule> {
    let plain = |need| Some(pages::Rule { need, batch: None, hydrate: true });
    let batch = |need, operation| Some(pages::Rule { need, batch: Some(operation), hydrate: true });
    let batch_on_server = |need, operation| Some(pages::Rule { need, batch: Some(Some(operation)), hydrate: false });
    let on_server = |need| Some(pages::Rule { need, batch: None, hydrate: false });
    let shape: Vec<&str> =
        path.split('/').skip(1).map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
    match shape.as_slice() {
        [""] => plain(Need::SignedIn),
        ["login"] => plain(Need::Anyone),
        ["notices"] => on_server(Need::SignedIn),
        ["orders", "refund"] => on_server(Need::Right(Module::Refunds, Right::ReadWrite)),
        ["orders"] | ["orders", "{}"] => on_server(Need::Right(Module::Orders, Right::Read)),
        ["review"] => on_server(Need::ReadSome),
        ["search"] => on_server(Need::ReadSome),
        ["settings"] | ["settings", "connections"] | ["settings", "connections", "{}"] => {
            on_server(Need::Right(Module::Settings, Right::Read))
        }
        ["settings", "connections", "new"] => on_server(Need::Right(Module::Settings, Right::ReadWrite)),
        ["approvals"] => plain(Need::ReadSome),
        ["approvals", "{}"] => batch(Need::ReadSome, None),
        ["batch", list, rest @ ..] => {
            let operation =
                Operation::ALL.into_iter().find(|operation| operation.path() == format!("/batch/{list}"))?;
            let read = Need::Right(operation.module(), Right::Read);
            let write = Need::Right(operation.module(), Right::ReadWrite);
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
fn function_need(path: &str) -> Option<Need> {
    match path {
        "/api/home" => Some(Need::SignedIn),
        "/api/approvals/inbox" | "/api/approvals/detail" => Some(Need::ReadSome),
        // These take the operation as input and authorise for its module.
        "/api/batches/list" | "/api/batches/detail" | "/api/batches/new" | "/api/batches/sync" => Some(Need::ReadSome),
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
        table.add(Method::POST, path, Kind::Function, need, handler);
    }
}

/// Forms and files of one operation's batches.
fn work(table: &mut Table, operation: Operation) {
    let list = operation.path();
    let module = operation.module();
    let write = Need::Right(module, Right::ReadWrite);
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
    for act in Act::ALL {
        let need = if act == Act::Pause { Need::Work(module) } else { write };
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
            Kind::File,
            Need::Right(module, Right::Read),
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
