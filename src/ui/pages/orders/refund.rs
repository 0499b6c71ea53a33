//! `/orders/refund`: refunds that are made from orders. A plain form; every button keeps what was typed, and only one
//! sends.

use crate::{
    api::orders::load_refund,
    domain::{
        operation::Operation,
        view::orders::{RefundLine, RefundOrders, RefundSelection, order_path},
    },
    ui::{
        components::{Banner, EmptyState, Glyph, Icon, LoadFailed, MoneyView, TextArea, Title, count},
        hooks::{page::flash, url::here},
        parts::{
            order_badge::badge,
            repeats::{repeats, warnings},
        },
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The page.
#[component]
pub fn RefundOrdersPage() -> impl IntoView {
    let flash = flash();
    let typed = flash.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut chosen = RefundSelection::from_pairs(typed);
    if flash.values.is_empty() {
        chosen = use_query_map().with_untracked(|map| {
            RefundSelection::from_pairs(map.into_iter().map(|(name, value)| (name.as_ref(), value)))
        });
    }
    let wrong = flash.error.filter(|_| flash.field.as_deref() == Some("description"));
    let address = here().get_untracked();
    view! {
        <Title text="Refund orders" />
        <div class="head">
            <h1>"Refund orders"</h1>
            <p>"Each order becomes one refund of a new batch, which goes the way of every batch: checked, decided on, \
                sent once."</p>
        </div>
        <Suspense fallback=|| ()>
            {Suspend::new(async move {
                match load_refund(chosen).await {
                    Ok(page) => view! { <Loaded page=page wrong=wrong /> }.into_any(),
                    Err(error) => view! { <LoadFailed what="This page" refusal=error.refusal address=address /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Loaded(page: RefundOrders, wrong: Option<String>) -> impl IntoView {
    let left_out = left_out(page.left_out.clone());
    if page.lines.is_empty() {
        return view! {
            <div class="stack" data-gap="24">
                {left_out}
                <section class="card" aria-label="Refunds">
                    <EmptyState icon="orders" title="No order is chosen" text="Tick the orders to refund in the list, \
                                                                               or open one of them.">
                        <a class="button" href="/orders">"Choose orders"</a>
                    </EmptyState>
                </section>
            </div>
        }
        .into_any();
    }
    let whole = page
        .findings
        .iter()
        .cloned()
        .map(|sentence| view! { <Banner tone="failed">{sentence}</Banner> })
        .collect_view();
    let lines = page.lines.clone().into_iter().map(line).collect_view();
    let (total, many) = (page.total, page.lines.len());
    view! {
        <form class="split again" data-side="end" id="refund" method="post" action="/orders/refund" novalidate autocomplete="off">
            // Enter in a field looks at what was typed; it never sends.
            <button class="vh" type="submit" name="do" value="check" tabindex="-1" aria-hidden="true"></button>
            <div class="stack" data-gap="24">
                {left_out}
                {whole}
                {repeats(Operation::Refund, page.repeats.clone(), page.seal.clone(), "Refund them again anyway")}
                {warnings(page.warnings.clone(), page.seal.clone(), "Refund them anyway")}
                <section class="card" aria-labelledby="lines">
                    <div class="card-head">
                        <h2 id="lines">"Refunds"</h2>
                        <small>{orders(page.lines.len())}</small>
                    </div>
                    <ol class="again-rows">{lines}</ol>
                </section>
            </div>
            <Side page=page wrong=wrong />
        </form>
        <div class="dock only-menu no-print">
            <p>
                {match total {
                    Some(total) => view! { <b>{total.to_string()}</b> }.into_any(),
                    None => view! { <b class="bad">"cannot be read yet"</b> }.into_any(),
                }}
                <small>{orders(many)}</small>
            </p>
            <a class="button" href="#send">"Go to the sum"</a>
        </div>
    }
    .into_any()
}

fn orders(number: usize) -> String {
    match number {
        1 => "1 order".to_owned(),
        number => format!("{} orders", count(number as u64)),
    }
}

/// Chosen orders that cannot be refunded.
fn left_out(orders: Vec<(String, String)>) -> Option<AnyView> {
    let title = match orders.len() {
        0 => return None,
        1 => "1 order cannot be refunded and is left out".to_owned(),
        some => format!("{} orders cannot be refunded and are left out", count(some as u64)),
    };
    let lines = orders
        .into_iter()
        .map(|(id, why)| view! { <li data-left-out=id.clone()><a class="id" href=order_path(&id)>{id.clone()}</a>" "{why}</li> })
        .collect_view();
    Some(
        view! {
            <section class="card" aria-labelledby="left-out">
                <div class="finding" data-tone="waiting">
                    <Glyph name="partial" />
                    <h2 id="left-out">{title}</h2>
                    <ul class="lines">{lines}</ul>
                </div>
            </section>
        }
        .into_any(),
    )
}

/// One refund.
fn line(line: RefundLine) -> impl IntoView {
    let [amount_errors, unique_errors, order_errors] = ["amount", "unique_id", "order_id"].map(|column| {
        let of: Vec<&str> =
            line.errors.iter().filter(|(at, _)| at == column).map(|(_, error)| error.as_str()).collect();
        of.join(" ")
    });
    let RefundLine { row, order, left, amount, unique_id, .. } = line;
    let id = order.order_id.clone();
    let wrong = (!order_errors.is_empty()).then(|| {
        view! {
            <p class="again-why" data-tone="failed" data-finding="" data-row=row.to_string() data-column="order_id">
                <Glyph name="failed" /><span>{order_errors}</span>
            </p>
        }
    });
    let on_way = (order.on_way.minor > 0).then(|| view! { ", " <MoneyView amount=order.on_way /> " on its way" });
    view! {
        <li id=format!("row-{row}") data-order=id.clone()>
            <input type="hidden" name="order" value=id.clone() />
            <div class="again-head">
                <b class="id"><a href=order_path(&id)>{id.clone()}</a></b>
                {badge(&order)}
                <button class="button push" data-kind="quiet" data-size="sm" type="submit" name="do" value=format!("drop:{id}")>
                    "Leave out"<span class="vh">" "{id.clone()}</span>
                </button>
            </div>
            <p class="small soft">
                <MoneyView amount=left /> " can be refunded of " <MoneyView amount=order.amount />{on_way}
            </p>
            {wrong}
            <div class="again-cells">
                {cell(row, &id, "amount", "Amount", amount, amount_errors)}
                {cell(row, &id, "unique_id", "Unique ID, may be empty", unique_id, unique_errors)}
            </div>
        </li>
    }
}

fn cell(
    row: u32,
    order: &str,
    name: &'static str,
    label: &'static str,
    value: String,
    error: String,
) -> impl IntoView + use<> {
    let id = format!("c-{row}-{name}");
    let described = format!("{id}-error");
    let wrong = !error.is_empty();
    let order = order.to_owned();
    view! {
        <div class="again-cell">
            <label for=id.clone()>{label}<span class="vh">" of "{order}</span></label>
            <input
                class="cell"
                id=id
                name=name
                value=value
                inputmode=(name == "amount").then_some("decimal")
                spellcheck="false"
                aria-invalid=if wrong { "true" } else { "false" }
                aria-describedby=wrong.then(|| described.clone())
            />
            {wrong.then(|| view! {
                <p class="error" id=described.clone() data-tone="failed" data-finding="" data-row=row.to_string() data-column=name>
                    <Glyph name="failed" /><span>{error}</span>
                </p>
            })}
        </div>
    }
}

/// The sum, the description, who decides, and the buttons.
#[component]
fn Side(page: RefundOrders, wrong: Option<String>) -> impl IntoView {
    let many = page.lines.len();
    let total = match page.total {
        Some(total) => view! { <span class="sum"><b><MoneyView amount=total /></b></span> }.into_any(),
        None => view! { <span class="bad">"cannot be read yet"</span> }.into_any(),
    };
    let decides = match (page.maker_checker, page.approvers.as_slice()) {
        (false, _) => "No decision is needed: they are sent at once.".to_owned(),
        (true, []) => "Another person must decide; nobody else here has Approve yet.".to_owned(),
        (true, approvers) => format!("Another person decides: {}.", approvers.join(", ")),
    };
    let refunds = if many == 1 { "1 refund".to_owned() } else { format!("{} refunds", count(many as u64)) };
    let send = match page.maker_checker {
        true => format!("Ask for {refunds}"),
        false => format!("Send {refunds}"),
    };
    let description = page.maker_checker.then(|| {
        view! {
            <TextArea
                name="description"
                label="Description"
                value=page.description.clone()
                error=Signal::stored(wrong)
            />
        }
    });
    view! {
        <section class="card stick" id="send" aria-labelledby="sum">
            <div class="card-body stack">
                <h2 id="sum" class="tile-label">"To be refunded"</h2>
                <dl class="facts" data-money="">
                    <dt>"Orders"</dt>
                    <dd data-total="orders">{count(many as u64)}</dd>
                    <dt>"Total"</dt>
                    <dd data-total="amount">{total}</dd>
                </dl>
            </div>
            <div class="card-body stack">
                {description}
                <p class="small">{decides}" The gateway is asked once more before anything is sent."</p>
                <div class="acts">
                    <button class="button grow" data-kind="primary" type="submit" name="do" value="send">{send}</button>
                    <button class="button" type="submit" name="do" value="check"><Icon name="check" />"Check"</button>
                </div>
                <p class="small dim">"Check adds up what was typed and looks for errors. Nothing is sent by it."</p>
            </div>
        </section>
    }
    .into_any()
}
