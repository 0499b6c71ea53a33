//! What the checker looks at: what will happen, the largest rows, what is repeated, how the money is spread.

use crate::{
    domain::{
        batch::BatchStatus,
        money::Money,
        operation::{Operation, Work},
        view::{ApprovalDetail, BatchSnapshot, EarlierRefund, LargeRow, RepeatedOrder, TaskRow},
    },
    ui::{
        components::{Glyph, MoneyView, count},
        pages::batches::detail::{
            labels::{bar_width, per_mille, things},
            tasks::parts as split_parts,
        },
    },
};
use leptos::prelude::*;

/// In plain sentences: what an approval sets in motion.
#[component]
pub fn WillHappen(detail: ApprovalDetail) -> impl IntoView {
    let snapshot = &detail.snapshot;
    let number = things(snapshot.operation, snapshot.records);
    let gateway = if detail.gateway.is_empty() { "the gateway".to_owned() } else { detail.gateway.clone() };
    let title = match snapshot.status {
        BatchStatus::AwaitingApproval if detail.can_decide => "What will happen if you approve",
        BatchStatus::AwaitingApproval => "What will happen if it is approved",
        _ => "What was asked for",
    };
    let steps = match snapshot.operation.work() {
        Work::Send(_) => {
            let total = Money::new(snapshot.sums().total, snapshot.sums().currency);
            let again = match detail.retry {
                Some(_) => " again, each once and under a new key. For none of them money moved before.",
                None => ", each once.",
            };
            view! {
                <li><span><b>{format!("{number} of {total}")}</b>" are sent to "{gateway}{again}</span></li>
                <li>
                    <span>
                        {snapshot.operation.labels().consequence}" "
                        <b>"What was sent cannot be called back"</b>
                        "; what is still queued can be stopped."
                    </span>
                </li>
                <li><span>"If a reply gets lost, Batchdesk asks the gateway and does not send again."</span></li>
            }
            .into_any()
        }
        Work::Query => {
            let on = detail.switch == Some(true);
            let first = match on {
                true => view! { <li><span>"Sync With Gateway is "<b>"On"</b>": "<b>{number}</b>" are looked up at "{gateway}"."</span></li> }.into_any(),
                false => view! {
                    <li><span>"Sync With Gateway is "<b>"Off"</b>": "{gateway}" is not asked; of "<b>{number}</b>" what was stored before is used."</span></li>
                }
                .into_any(),
            };
            view! {
                {first}
                <li><span>"Each order is told to your external system, or kept in Batchdesk where there is none. "<b>"No money moves."</b></span></li>
            }
            .into_any()
        }
        Work::Import => {
            view! { <li><span><b>{number}</b>" are stored in Batchdesk. "<b>"No money moves."</b></span></li> }
                .into_any()
        }
    };
    let (description, maker) = (detail.description, detail.maker);
    view! {
        <section class="card" aria-labelledby="will">
            <div class="card-body stack">
                <h2 id="will">{title}</h2>
                <ol class="will" data-size="md">{steps}</ol>
                {(!description.is_empty()).then(|| view! {
                    <blockquote class="quote">
                        <p>{description}</p>
                        <footer>"Description by "{maker}</footer>
                    </blockquote>
                })}
            </div>
        </section>
    }
    .into_any()
}

/// The largest rows and their share.
#[component]
pub fn Largest(snapshot: BatchSnapshot, rows: Vec<LargeRow>) -> impl IntoView {
    if rows.is_empty() {
        return ().into_any();
    }
    let currency = snapshot.sums().currency;
    let sum = rows.iter().map(|row| row.amount.minor).sum::<i64>();
    // From the sums, not from the rounded shares of the rows.
    let tenths = i128::from(sum) * 1000 / i128::from(snapshot.sums().total.max(1));
    let share = per_mille(u32::try_from(tenths).unwrap_or(0));
    let title = match rows.len() {
        5 => "Largest five".to_owned(),
        1 => "The only row".to_owned(),
        number => format!("Largest {number}"),
    };
    let these = match rows.len() {
        5 => "These five",
        1 => "This one",
        _ => "These rows",
    };
    let body = rows
        .into_iter()
        .map(|row| {
            view! {
                <tr role="row">
                    <td role="cell" class="num dim" data-label="Row" data-cell="mark">{count(u64::from(row.row))}</td>
                    <th role="rowheader" scope="row" data-cell="lead"><span class="name id">{row.order_id}</span></th>
                    <td role="cell" class="cash" data-cell="end"><MoneyView amount=row.amount/></td>
                    <td role="cell" class="num" data-cell="end2">{per_mille(row.per_mille)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="largest">
            <div class="card-head">
                <h2 id="largest">{title}</h2>
                <small>{share.clone()}" of the total"</small>
            </div>
            <div class="table-box">
                <table role="table" class="table" data-slips="" data-density="compact">
                    <caption class="vh">"The largest rows of the file"</caption>
                    <thead role="rowgroup">
                        <tr role="row">
                            <th role="columnheader" scope="col" class="num">"Row"</th>
                            <th role="columnheader" scope="col">"Order ID"</th>
                            <th role="columnheader" scope="col" class="cash">"Amount"</th>
                            <th role="columnheader" scope="col" class="num">"Share"</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{body}</tbody>
                    <tfoot role="rowgroup">
                        <tr role="row">
                            <td role="cell" data-cell="drop"></td>
                            <th role="rowheader" scope="row" data-cell="lead">{these}</th>
                            <td role="cell" class="cash" data-cell="end">
                                <span class="sum"><MoneyView amount=Money::new(sum, currency)/></span>
                            </td>
                            <td role="cell" class="num" data-cell="end2">{share}</td>
                        </tr>
                    </tfoot>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// Orders that come again: in this file, or from the last 30 days. Says so when there are none, for it was looked for.
#[component]
pub fn Again(operation: Operation, repeated: Vec<RepeatedOrder>, earlier: Vec<EarlierRefund>) -> impl IntoView {
    if repeated.is_empty() && earlier.is_empty() {
        return view! {
            <section class="card" aria-labelledby="again">
                <div class="card-head"><h2 id="again">"Repeated orders"</h2></div>
                <div class="card-body">
                    <p class="soft">
                        "None: no order stands in this file twice, and none with the same amount was in a batch of the \
                         last 30 days."
                    </p>
                </div>
            </section>
        }
        .into_any();
    }
    let heading = format!("{} in this file, {} from the last 30 days", repeated.len(), earlier.len());
    let repeated = repeated
        .into_iter()
        .map(|order| {
            let rows = order.rows.iter().map(|(row, amount)| format!("{row} ({amount})")).collect::<Vec<_>>();
            let rows = match rows.split_last() {
                Some((last, [])) => format!("Row {last}."),
                Some((last, rest)) => format!("Rows {} and {last}.", rest.join(", ")),
                None => String::new(),
            };
            finding(order.order_id, format!("{} together", order.total), rows.into_any())
        })
        .collect_view();
    let earlier = earlier
        .into_iter()
        .map(|order| {
            let sentence = view! {
                {format!("Row {}. The same order and amount stood on {} in ", order.row, order.at.date)}
                <a href=format!("{}/{}", operation.path(), order.batch)>{order.file_name}</a>
                ". The maker confirmed that it is meant."
            };
            finding(order.order_id, order.amount.to_string(), sentence.into_any())
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="again">
            <div class="card-head"><h2 id="again">"Repeated orders"</h2><small>{heading}</small></div>
            <div class="findings">{repeated}{earlier}</div>
        </section>
    }
    .into_any()
}

fn finding(order: String, amount: String, sentence: AnyView) -> impl IntoView {
    view! {
        <article class="finding" data-tone="waiting">
            <Glyph name="partial"/>
            <h3><span class="id">{order}</span><span>{amount}</span></h3>
            <p>{sentence}</p>
        </article>
    }
}

/// How many rows in each class of amounts.
#[component]
pub fn Classes(operation: Operation, records: u64, classes: Vec<(String, u64)>) -> impl IntoView {
    if classes.is_empty() {
        return ().into_any();
    }
    let most = classes.iter().map(|(_, rows)| *rows).max().unwrap_or(1);
    let bars = classes
        .into_iter()
        .map(|(label, rows)| {
            view! {
                <span>{label}</span>
                <b>{count(rows)}</b>
                <svg height="6" aria-hidden="true">
                    <rect class="chart-track" width="100%" height="6"></rect>
                    <rect class="chart-bar" width=bar_width(rows, most) height="6"></rect>
                </svg>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="spread">
            <div class="card-head"><h2 id="spread">"Amounts"</h2><small>{things(operation, records)}</small></div>
            <div class="card-body"><div class="bars" data-tone="neutral">{bars}</div></div>
        </section>
    }
    .into_any()
}

/// Who gives back how much, when refunds are split.
#[component]
pub fn Parts(total: Money, parts: Vec<(String, i64)>) -> impl IntoView {
    if parts.is_empty() {
        return ().into_any();
    }
    let heading = format!("{} part{}", parts.len(), if parts.len() == 1 { "" } else { "s" });
    let sum = parts.iter().map(|(_, minor)| *minor).sum::<i64>();
    let rows = parts
        .into_iter()
        .map(|(label, minor)| {
            view! { <dt>{label}</dt><dd><MoneyView amount=Money::new(minor, total.currency)/></dd> }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="parts">
            <div class="card-head"><h2 id="parts">"Split settlement"</h2><small>{heading}</small></div>
            <div class="card-body">
                <dl class="facts" data-money="">
                    {rows}
                    <dt>"Together"</dt>
                    <dd><span class="sum"><b><MoneyView amount=Money::new(sum, total.currency)/></b></span></dd>
                </dl>
            </div>
        </section>
    }
    .into_any()
}

/// The first rows of the file, and the way to all of them.
#[component]
pub fn Preview(snapshot: BatchSnapshot, rows: Vec<TaskRow>) -> impl IntoView {
    if rows.is_empty() {
        return ().into_any();
    }
    let base = format!("{}/{}", snapshot.operation.path(), snapshot.id);
    let shown = u64::try_from(rows.len()).unwrap_or(0);
    let amounts = snapshot.operation.has_amounts();
    let title = if shown < snapshot.records {
        format!("First {}", things(snapshot.operation, shown))
    } else {
        "All rows".to_owned()
    };
    let body = rows
        .into_iter()
        .map(|row| {
            let split = row.split.map(|split| split_parts(&split, row.amount));
            view! {
                <tr role="row">
                    <td role="cell" class="num dim" data-label="Row" data-cell="mark">{row.row}</td>
                    <th role="rowheader" scope="row" data-cell="lead"><span class="name id">{row.order_id}</span></th>
                    <td role="cell" data-cell="drop"><span class="id">{row.txn_id}</span></td>
                    {amounts.then(|| view! {
                        <td role="cell" class="cash" data-cell="end"><MoneyView amount=row.amount/>{split}</td>
                    })}
                    <td role="cell" data-cell="end2"><span class="id">{row.row_id}</span></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="preview">
            <div class="card-head">
                <h2 id="preview">{title}</h2>
                <p class="no-print">
                    <a href=base.clone()>{format!("All {}", things(snapshot.operation, snapshot.records))}</a>
                    " · "
                    <a href=format!("{base}/original") download rel="external">"File as uploaded"</a>
                </p>
            </div>
            <div class="table-box" tabindex="0" role="region" aria-label="First rows, scrolls sideways">
                <table role="table" class="table" data-slips="" data-density="compact">
                    <caption class="vh">"First rows of the file"</caption>
                    <thead role="rowgroup">
                        <tr role="row">
                            <th role="columnheader" scope="col" class="num">"Row"</th>
                            <th role="columnheader" scope="col">"Order ID"</th>
                            <th role="columnheader" scope="col">"Transaction ID"</th>
                            {amounts.then(|| view! { <th role="columnheader" scope="col" class="cash">"Amount"</th> })}
                            <th role="columnheader" scope="col">{snapshot.operation.labels().row_id}</th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">{body}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
