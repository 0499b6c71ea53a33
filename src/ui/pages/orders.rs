//! `/orders`: the orders of the organisation as last seen at the gateway. Rendered on the server only.

pub mod detail;
pub mod refund;

use crate::{
    api::orders::load_orders,
    domain::view::orders::{OrderList, OrderQuery, Refunded, StoredOrder, order_path},
    ui::{
        components::{Button, EmptyState, Icon, Kind, LinkButton, LoadFailed, MoneyView, TimeView, Title, count},
        hooks::url::here,
        parts::order_badge::badge,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The page.
#[component]
pub fn OrdersPage() -> impl IntoView {
    let query = use_query_map()
        .with_untracked(|map| OrderQuery::from_pairs(map.into_iter().map(|(name, value)| (name.as_ref(), value))));
    let address = here().get_untracked();
    view! {
        <Title text="Orders" />
        <div class="head">
            <h1>"Orders"</h1>
            <p>
                "Every order that was synchronised, with its transactions and refunds as the gateway had them when it \
                 was last asked."
            </p>
        </div>
        <Suspense fallback=|| ()>
            {Suspend::new(async move {
                match load_orders(query).await {
                    Ok(list) => view! { <Loaded list=list /> }.into_any(),
                    Err(error) => view! { <LoadFailed what="The list" refusal=error.refusal address=address /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Loaded(list: OrderList) -> impl IntoView {
    if !list.any {
        return view! {
            <section class="card" aria-label="Orders">
                <EmptyState
                    icon="orders"
                    title="No orders yet"
                    text="An order appears here once the gateway was asked about it. Upload a file of orders to Batch \
                          Sync."
                >
                    {list
                        .may_sync
                        .then(|| {
                            view! {
                                <LinkButton href="/batch/batch-sync/new" kind=Kind::Primary>
                                    "Create Batch Sync"
                                </LinkButton>
                            }
                        })}
                </EmptyState>
            </section>
        }
        .into_any();
    }
    let OrderList { query, orders, statuses, newer, older, may_refund, .. } = list;
    let found = match orders.is_empty() {
        true => nothing(&query),
        false => table(&query, orders, (newer, older), may_refund),
    };
    view! {
        <div class="stack" data-gap="16">
            <Narrow query=query statuses=statuses />
            {found}
        </div>
    }
    .into_any()
}

/// Search and filters: one form, whose state is the address.
#[component]
fn Narrow(query: OrderQuery, statuses: Vec<String>) -> impl IntoView {
    let narrowed = query.is_narrowed();
    let status = query.status.clone();
    // A word that is only in the address is kept there.
    let unknown = (!status.is_empty() && !statuses.contains(&status)).then(|| status.clone());
    let statuses = statuses
        .into_iter()
        .chain(unknown)
        .map(|word| {
            let chosen = word == status;
            view! { <option value=word.clone() selected=chosen>{word.clone()}</option> }
        })
        .collect_view();
    let refunded = Refunded::ALL
        .into_iter()
        .map(|refunded| {
            let chosen = query.refunded == Some(refunded);
            view! { <option value=refunded.code() selected=chosen>{refunded.text()}</option> }
        })
        .collect_view();
    view! {
        <form class="order-search" role="search" aria-label="Orders" method="get" action="/orders">
            <div class="field">
                <label class="label" for="order-q">"Order or transaction"</label>
                <div class="input-box">
                    <Icon name="search" />
                    <input
                        class="input"
                        type="search"
                        id="order-q"
                        name="q"
                        maxlength="128"
                        autocomplete="off"
                        spellcheck="false"
                        placeholder="Begins with"
                        value=query.search.clone()
                    />
                </div>
            </div>
            <div class="field">
                <label class="label" for="order-status">"Status at the gateway"</label>
                <select class="input" id="order-status" name="status">
                    <option value="">"Any status"</option>
                    {statuses}
                </select>
            </div>
            <div class="field">
                <label class="label" for="order-refunded">"Refunded"</label>
                <select class="input" id="order-refunded" name="refunded">
                    <option value="">"Any"</option>
                    {refunded}
                </select>
            </div>
            <div class="field">
                <label class="label" for="order-since">"Seen since"</label>
                <input class="input" type="date" id="order-since" name="since" value=query.since.as_ref().map(|day| day.text().to_owned()) />
            </div>
            <div class="row">
                <Button>"Show"</Button>
                {narrowed.then(|| view! { <a class="button" data-kind="quiet" href="/orders">"Clear"</a> })}
            </div>
        </form>
    }
    .into_any()
}

/// Nothing fits what was asked for.
fn nothing(query: &OrderQuery) -> AnyView {
    let title = match query.search.is_empty() {
        true => "No order fits these filters".to_owned(),
        false => format!("No stored order or transaction begins with {}", query.search),
    };
    let everywhere =
        (!query.search.is_empty()).then(|| format!("/search?q={}", crate::domain::page::encode(&query.search)));
    let only = OrderQuery { search: query.search.clone(), ..OrderQuery::default() };
    let filtered = only != *query && !query.search.is_empty();
    view! {
        <section class="card" aria-label="Orders">
            <EmptyState
                icon="search"
                title=title
                text="Upper and lower case are told apart. An order that was never synchronised is found in the \
                      batches that name it."
            >
                {filtered.then(|| view! { <a class="button" href=only.to_path()>"Without filters"</a> })}
                {everywhere.map(|href| view! { <a class="button" href=href>"Search all batches"</a> })}
                <a class="button" href="/orders">"All orders"</a>
            </EmptyState>
        </section>
    }
    .into_any()
}

fn table(
    query: &OrderQuery,
    orders: Vec<StoredOrder>,
    (newer, older): (Option<String>, Option<String>),
    may_refund: bool,
) -> AnyView {
    let shown = orders.len() as u64;
    let searched = !query.search.is_empty();
    let [back, on] = if searched { ["Previous", "Next"] } else { ["Newer", "Older"] };
    let pages = (newer.is_some() || older.is_some()).then(|| {
        view! {
            <nav class="pages" aria-label="Pages">
                <span>{count(shown)} " orders on this page"</span>
                <ol>
                    {newer.map(|href| view! { <li><a href=href rel="prev">{back}</a></li> })}
                    {older.map(|href| view! { <li><a href=href rel="next">{on}</a></li> })}
                </ol>
            </nav>
        }
    });
    let some = orders.iter().any(|order| order.left.is_ok());
    let search = query.search.clone();
    let rows = orders.into_iter().map(|order| row(order, &search, may_refund)).collect_view();
    let sorted = if searched { "in the order of the alphabet" } else { "newest seen first" };
    let act = (may_refund && some).then(|| {
        view! {
            <Button size=crate::ui::components::Size::Small icon="undo">
                "Refund selected orders"
            </Button>
        }
    });
    let body = view! {
        <div class="card-head">
            <h2>"Orders"</h2>
            <small>{sorted}</small>
            {act}
        </div>
        <div class="table-box">
            <table role="table" class="table orders" data-slips="" aria-label="Orders">
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader" scope="col">"Order"</th>
                        <th role="columnheader" scope="col">"Status"</th>
                        <th role="columnheader" scope="col" class="num">"Amount"</th>
                        <th role="columnheader" scope="col" class="num">"Refunded"</th>
                        <th role="columnheader" scope="col" class="num">"Refundable"</th>
                        <th role="columnheader" scope="col">"Last seen"</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
        {pages}
    };
    // Choosing changes nothing, so it is a question like any other: the address of the next page says what was chosen.
    match may_refund {
        true => view! {
            <form class="card choose" method="get" action="/orders/refund" aria-label="Orders">{body}</form>
        }
        .into_any(),
        false => view! { <section class="card" aria-label="Orders">{body}</section> }.into_any(),
    }
}

fn row(order: StoredOrder, search: &str, may_refund: bool) -> AnyView {
    let id = order.order_id.clone();
    let can = order.left.is_ok();
    let choose = may_refund.then(|| {
        let why = order.left.clone().err();
        let label = match can {
            true => format!("Choose {id} to refund it"),
            false => format!("{id} cannot be refunded: {}", why.clone().unwrap_or_default()),
        };
        view! {
            <label class="pick" title=why>
                <input type="checkbox" name="order" value=id.clone() disabled=!can aria-label=label />
            </label>
        }
    });
    let mark = |value: &str| match value.strip_prefix(search).filter(|_| !search.is_empty()) {
        Some(rest) => view! { <mark>{search.to_owned()}</mark>{rest.to_owned()} }.into_any(),
        None => value.to_owned().into_any(),
    };
    let by = order
        .transaction
        .as_deref()
        .map(|id| view! { <small>"Transaction " <span class="id">{mark(id)}</span></small> });
    let refunds = (order.refunds > 0).then(|| {
        let words = if order.refunds == 1 { "refund" } else { "refunds" };
        view! { <small>{count(order.refunds)} " " {words}</small> }
    });
    let left = match order.left.clone() {
        Ok(left) => {
            let on_way =
                (order.on_way.minor > 0).then(|| view! { <small>{order.on_way.to_string()} " on its way"</small> });
            view! { <MoneyView amount=left />{on_way} }.into_any()
        }
        Err(why) => view! { <span class="why dim small">{why}</span> }.into_any(),
    };
    view! {
        <tr role="row" data-order=id.clone()>
            <th role="rowheader" scope="row" data-cell="lead">
                <span class="picked">
                    {choose}
                    <span>
                        <a class="name id" href=order_path(&id)>{mark(&id)}</a>
                        {by}
                    </span>
                </span>
            </th>
            <td role="cell" class="tight" data-cell="mark">{badge(&order)}</td>
            <td role="cell" class="cash" data-cell="end"><MoneyView amount=order.amount /></td>
            <td role="cell" class="cash" data-label="Refunded">{(order.refunded.minor > 0).then(|| view! { <MoneyView amount=order.refunded /> })}{refunds}</td>
            <td role="cell" class="cash" data-label="Refundable">{left}</td>
            <td role="cell" class="seen">
                <TimeView moment=order.seen />
                <small>{order.asked_by} ", " <a href=order.batch_path>{order.batch.1}</a></small>
            </td>
        </tr>
    }
    .into_any()
}
