//! `/orders/{order_id}`: one order as last seen at the gateway, and everything that happened to it.

use crate::{
    api::orders::load_order,
    domain::view::orders::{GatewayRefund, OrderPage as Order, RefundSelection, StoredOrder, order_path},
    ui::{
        components::{Banner, Icon, LoadFailed, MoneyView, Tile, TimeView, Title, count},
        hooks::url::here,
        parts::{order_badge::badge, timeline::step},
    },
};
use leptos::prelude::*;
use leptos_router::{hooks::use_location, location::Url};

/// The page.
#[component]
pub fn OrderPage() -> impl IntoView {
    // Not from the router's parameters: those are decoded twice, and a percent sign may stand in an order id.
    let path = use_location().pathname.get_untracked();
    let order_id = Url::unescape(path.strip_prefix("/orders/").unwrap_or_default());
    let address = here().get_untracked();
    view! {
        <Suspense fallback=|| ()>
            {Suspend::new(async move {
                match load_order(order_id).await {
                    Ok(order) => view! { <Loaded order=order /> }.into_any(),
                    Err(error) => {
                        view! {
                            <Title text="No such order" />
                            <div class="head">
                                <h1>"No such order"</h1>
                            </div>
                            <LoadFailed what="The order" refusal=error.refusal address=address />
                        }
                        .into_any()
                    }
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Loaded(order: Order) -> impl IntoView {
    let id = order.order_id.clone();
    let refund = order.seen.as_ref().filter(|seen| order.may_refund && seen.left.is_ok()).map(|_| {
        view! {
            <a class="button" data-kind="primary" href=RefundSelection::path([id.as_str()])>
                <Icon name="undo" />
                "Refund this order"
            </a>
        }
    });
    let sync = order.may_sync.then(|| {
        view! {
            <form method="post" action=format!("{}/sync", order_path(&id))>
                <button class="button" type="submit">
                    <Icon name="sync" />
                    "Synchronise this order"
                </button>
            </form>
        }
    });
    let meta = order.seen.as_ref().map(|seen| {
        view! {
            <div class="meta">
                <span>"Last seen " <TimeView moment=seen.seen.clone() /></span>
                <span>
                    {seen.asked_by.clone()} ", in " <a href=seen.batch_path.clone()>{seen.batch.1.clone()}</a>
                </span>
            </div>
        }
    });
    let never = order.seen.is_none().then(|| {
        let what = match order.may_sync {
            true => "This order is known from batches only. Synchronise it to see what the gateway says.",
            false => "This order is known from batches only. Somebody who may write orders can synchronise it.",
        };
        view! { <Banner tone="neutral" title="Never synchronised.">{what}</Banner> }
    });
    let state = order.seen.clone().map(|seen| view! { <State seen=seen /> });
    let known = order.seen.is_some();
    let steps = order
        .history
        .into_iter()
        .map(|told| {
            let links = told.links.into_iter().map(|(href, words)| view! { <a href=href>{words}</a> }).collect_view();
            step(told.step, links.into_any())
        })
        .collect_view();
    let more = order.more.then(|| {
        let all = format!("/search?q={}", crate::domain::page::encode(&id));
        view! {
            <div class="card-foot">
                <span>"The newest rows are told of. " <a href=all>"Search all batches for this order"</a></span>
            </div>
        }
    });
    let raw = (!order.raw.is_empty()).then(|| {
        view! {
            <details class="card fold">
                <summary>
                    <Icon name="right" />
                    "Answer as it came"
                    <small>"secrets taken out"</small>
                </summary>
                <div class="card-body">
                    <pre class="code" tabindex="0">{order.raw}</pre>
                </div>
            </details>
        }
    });
    view! {
        <Title text=format!("Order {id}") />
        <div class="head">
            <div class="head-title">
                <h1>{id.clone()}</h1>
                {order.seen.as_ref().map(badge)}
            </div>
            {meta}
            <div class="head-actions no-print">{sync}{refund}</div>
        </div>
        <div class="stack" data-gap="24">
            {never}
            {state}
            {known.then(|| view! { <AtGateway transactions=order.transactions refunds=order.refunds /> })}
            <section class="card" aria-labelledby="history">
                <div class="card-head">
                    <h2 id="history">"History"</h2>
                    <small>"newest first"</small>
                </div>
                <ol class="timeline history card-body">{steps}</ol>
                {more}
            </section>
            {raw}
        </div>
    }
    .into_any()
}

/// The four figures.
#[component]
fn State(seen: StoredOrder) -> impl IntoView {
    let StoredOrder { amount, refunded, on_way, left, refunds, .. } = seen;
    let left = match left {
        Ok(left) => view! { <Tile label="Refundable" number=move || view! { <MoneyView amount=left /> }>"more than that is not taken"</Tile> }.into_any(),
        Err(why) => view! { <Tile label="Refundable" number=|| "–">{why}</Tile> }.into_any(),
    };
    let known = if refunds == 1 {
        "1 refund at the gateway".to_owned()
    } else {
        format!("{} refunds at the gateway", count(refunds))
    };
    view! {
        <section class="card" aria-label="Amounts">
            <div class="tiles">
                <Tile label="Amount" number=move || view! { <MoneyView amount=amount /> }>"of the order"</Tile>
                <Tile label="Refunded" number=move || view! { <MoneyView amount=refunded /> }>{known}</Tile>
                <Tile label="On its way" number=move || view! { <MoneyView amount=on_way /> }>"asked for here, not in \
                                                                                               this reading yet"</Tile>
                {left}
            </div>
        </section>
    }
    .into_any()
}

/// Transactions and refunds, as the gateway lists them.
#[component]
fn AtGateway(transactions: Vec<String>, refunds: Vec<GatewayRefund>) -> impl IntoView {
    let none = transactions.is_empty();
    let transactions = transactions.into_iter().map(|id| view! { <li class="id">{id}</li> }).collect_view();
    let rows = refunds
        .iter()
        .cloned()
        .map(|refund| {
            let name = match refund.history {
                Some(href) => view! { <a class="name id" href=href>{refund.key}</a> }.into_any(),
                None => view! { <span class="id">{refund.key}</span> }.into_any(),
            };
            let tone = match refund.status.as_str() {
                "SUCCESS" => "accepted",
                "FAILURE" => "failed",
                _ => "waiting",
            };
            view! {
                <tr role="row">
                    <th role="rowheader" scope="row" data-cell="lead">{name}</th>
                    <td role="cell" class="tight" data-cell="mark">
                        <span class="flag" data-tone=tone>{refund.status}</span>
                    </td>
                    <td role="cell" class="cash" data-cell="end">{refund.amount.map(|amount| view! { <MoneyView amount=amount /> })}</td>
                    <td role="cell" data-label="Reference"><span class="id">{refund.reference}</span></td>
                    <td role="cell" data-cell="drop">{refund.kind}</td>
                </tr>
            }
        })
        .collect_view();
    let table = match refunds.is_empty() {
        true => view! { <p class="card-body small dim">"The gateway shows no refund of this order."</p> }.into_any(),
        false => view! {
            <div class="table-box">
                <table role="table" class="table" data-slips="" aria-label="Refunds at the gateway">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th role="columnheader" scope="col">"Key"</th>
                            <th role="columnheader" scope="col">"Refund Status"</th>
                            <th role="columnheader" scope="col" class="num">"Amount"</th>
                            <th role="columnheader" scope="col">"Reference"</th>
                            <th role="columnheader" scope="col">"Refund Type"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{rows}</tbody>
                </table>
            </div>
        }
        .into_any(),
    };
    view! {
        <div class="split" data-side="end">
            <section class="card" aria-labelledby="refunds">
                <div class="card-head">
                    <h2 id="refunds">"Refunds at the gateway"</h2>
                    <small>"as last seen"</small>
                </div>
                {table}
            </section>
            <section class="card" aria-labelledby="transactions">
                <div class="card-head">
                    <h2 id="transactions">"Transactions"</h2>
                </div>
                <div class="card-body">
                    {match none {
                        true => view! { <p class="small dim">"The gateway named none."</p> }.into_any(),
                        false => view! { <ul class="ids">{transactions}</ul> }.into_any(),
                    }}
                </div>
            </section>
        </div>
    }
    .into_any()
}
