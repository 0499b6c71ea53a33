//! The document around the pages, and the table of routes.

mod document;

#[cfg(feature = "ssr")]
use crate::ui::pages::{
    batches::{activity::ActivityPage, history::TaskHistoryPage, retry::RetryPage},
    notices::NoticesPage,
    orders::{OrdersPage, detail::OrderPage, refund::RefundOrdersPage},
    review::ReviewPage,
    search::SearchPage,
    settings::{
        SettingsPage,
        connections::{ConnectionsPage, detail::ConnectionDetailPage, form::NewConnectionPage},
    },
};
use crate::{
    domain::{operation::Operation, view::PageContext},
    ui::{
        components::{Sprite, TitleFormat},
        context::ErrorPage,
        hooks::page::provide_flash_page,
        layout::Frame,
        pages::{
            approvals::{ApprovalPage, ApprovalsPage},
            batches::{
                detail::BatchDetailPage,
                list::BatchListPage,
                new::{DescriptionPage, NewBatchPage},
            },
            errors::{ErrorContent, NotFound},
            home::HomePage,
            sign_in::SignInPage,
        },
    },
};
use leptos::{prelude::*, tachys::view::iterators::StaticVec};
use leptos_meta::provide_meta_context;
use leptos_router::{
    MatchNestedRoutes, SsrMode, StaticSegment,
    any_nested_route::IntoAnyNestedRoute,
    components::{Outlet, ParentRoute, Route, Router, Routes},
    path,
};

/// The whole document.
pub fn shell() -> impl IntoView + 'static {
    document::document()
}

/// The application.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let context = SharedValue::new(|| use_context::<PageContext>().unwrap_or_default()).into_inner();
    provide_context(context);
    let error = use_context::<ErrorPage>();
    let (is_routing, set_is_routing) = signal(false);
    Effect::new(document::mark_hydrated);
    view! {
        <Sprite />
        <TitleFormat />
        <Router set_is_routing=set_is_routing>
            {provide_flash_page()}
            {move || is_routing.get().then(|| view! { <div class="loading"></div> })}
            {match error {
                Some(error) => {
                    view! {
                        <Frame>
                            <ErrorContent error=error />
                        </Frame>
                    }
                        .into_any()
                }
                None => view! { <Pages /> }.into_any(),
            }}
        </Router>
    }
}

/// Every page and its address.
#[component]
fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=|| {
            view! {
                <Frame>
                    <NotFound />
                </Frame>
            }
        }>
            <Route path=path!("/login") view=SignInPage ssr=SsrMode::Async />
            <ParentRoute path=path!("") view=Signed ssr=SsrMode::Async>
                <Route path=path!("/") view=HomePage ssr=SsrMode::Async />
                <AllBatchPages />
                <Route path=path!("/approvals") view=ApprovalsPage ssr=SsrMode::Async />
                <Route path=path!("/approvals/:id") view=ApprovalPage ssr=SsrMode::Async />
                <ServerPages />
            </ParentRoute>
        </Routes>
    }
    .into_any()
}

/// The pages of every operation.
#[component(transparent)]
fn AllBatchPages() -> impl MatchNestedRoutes + Clone {
    of_each(|operation| BatchPages(BatchPagesProps { operation })).into_any_nested_route()
}

/// Routes of each operation that has pages.
fn of_each<R: MatchNestedRoutes>(routes: impl FnMut(Operation) -> R) -> StaticVec<R> {
    StaticVec::from(Operation::ALL.into_iter().map(routes).collect::<Vec<_>>())
}

/// Where the pages of an operation lie, below `/batch`.
fn list(operation: Operation) -> &'static str {
    operation.path().rsplit('/').next().unwrap_or_default()
}

/// The pages of one operation: the same for each.
#[component(transparent)]
fn BatchPages(operation: Operation) -> impl MatchNestedRoutes + Clone {
    let list = list(operation);
    view! {
        <ParentRoute path=(StaticSegment("batch"), StaticSegment(list)) view=Outlet ssr=SsrMode::Async>
            <Route path=path!("") view=move || view! { <BatchListPage operation /> } ssr=SsrMode::Async />
            <Route path=path!("/new") view=move || view! { <NewBatchPage operation /> } ssr=SsrMode::Async />
            <Route
                path=path!("/new/description")
                view=move || view! { <DescriptionPage operation /> }
                ssr=SsrMode::Async
            />
            <Route path=path!("/:id") view=move || view! { <BatchDetailPage operation /> } ssr=SsrMode::Async />
        </ParentRoute>
    }
    .into_inner()
}

/// Pages that are rendered on the server only: nothing on them moves by itself, so the browser's part does not hold
/// them. Every link to one is `rel="external"`.
#[cfg(feature = "ssr")]
#[component(transparent)]
fn ServerPages() -> impl MatchNestedRoutes + Clone {
    view! {
        <ParentRoute path=path!("") view=Outlet ssr=SsrMode::Async>
            <Route path=path!("/notices") view=NoticesPage ssr=SsrMode::Async />
            <Route path=path!("/orders") view=OrdersPage ssr=SsrMode::Async />
            <Route path=path!("/orders/refund") view=RefundOrdersPage ssr=SsrMode::Async />
            <Route path=path!("/orders/:id") view=OrderPage ssr=SsrMode::Async />
            <Route path=path!("/review") view=ReviewPage ssr=SsrMode::Async />
            <ServerBatchPages />
            <Route path=path!("/search") view=SearchPage ssr=SsrMode::Async />
            <Route path=path!("/settings") view=SettingsPage ssr=SsrMode::Async />
            <Route path=path!("/settings/connections") view=ConnectionsPage ssr=SsrMode::Async />
            <Route path=path!("/settings/connections/new") view=NewConnectionPage ssr=SsrMode::Async />
            <Route path=path!("/settings/connections/:id") view=ConnectionDetailPage ssr=SsrMode::Async />
        </ParentRoute>
    }
    .into_inner()
}

/// Those of every operation. Failed rows are sent again where that can be done.
#[cfg(feature = "ssr")]
#[component(transparent)]
fn ServerBatchPages() -> impl MatchNestedRoutes + Clone {
    let batch = |operation| (StaticSegment("batch"), StaticSegment(list(operation)), leptos_router::ParamSegment("id"));
    let of_task = move |operation| (batch(operation), StaticSegment("tasks"), leptos_router::ParamSegment("row"));
    let below = move |operation, page| (batch(operation), StaticSegment(page));
    let retried = Operation::ALL.into_iter().filter(|operation| operation.retries());
    let retries = retried.map(|operation| {
        view! { <Route path=below(operation, "retry") view=RetryPage ssr=SsrMode::Async /> }.into_inner()
    });
    (
        StaticVec::from(retries.collect::<Vec<_>>()),
        of_each(move |operation| {
            view! { <Route path=of_task(operation) view=TaskHistoryPage ssr=SsrMode::Async /> }.into_inner()
        }),
        of_each(move |operation| {
            view! { <Route path=below(operation, "activity") view=ActivityPage ssr=SsrMode::Async /> }.into_inner()
        }),
    )
        .into_any_nested_route()
}

/// The browser knows none of them; a route that matches nothing stands in their place.
#[cfg(not(feature = "ssr"))]
#[component(transparent)]
fn ServerPages() -> impl MatchNestedRoutes + Clone {
    view! { <Route path=path!("/server-page") view=NotFound /> }.into_inner()
}

/// The pages inside the frame; it stays while they change.
#[component]
fn Signed() -> impl IntoView {
    view! {
        <Frame>
            <Outlet />
        </Frame>
    }
    .into_any()
}
