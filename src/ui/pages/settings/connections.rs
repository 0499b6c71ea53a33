//! `/settings/connections`: every gateway connection of the organisation. Rendered on the server only.

pub mod detail;
pub mod form;
pub mod promise;

use super::{
    changes::WaitingChanges,
    sending::{SendingMark, WhoAndWhy},
};
use crate::{
    api::settings::load_connections,
    domain::view::connections::{ConnectionRow, Connections, Sending},
    ui::{
        components::{Banner, EmptyState, Kind, LinkButton, LoadFailed, Title},
        hooks::page::flash,
    },
};
use leptos::prelude::*;

/// The page.
#[component]
pub fn ConnectionsPage() -> impl IntoView {
    view! {
        <Title text="Connections – Settings" />
        <Suspense fallback=|| ()>
            {Suspend::new(async {
                match load_connections().await {
                    Ok(connections) => view! { <Loaded connections=connections /> }.into_any(),
                    Err(error) => {
                        view! {
                            <LoadFailed what="This page" refusal=error.refusal address="/settings/connections" />
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
fn Loaded(connections: Connections) -> impl IntoView {
    let Connections { rows, organisation, may_change, changes } = connections;
    let stopped = (organisation != Sending::On).then(|| {
        let by = organisation.clone();
        let to = view! { <a class="button" data-size="sm" href="/settings#sending" rel="external">"Open Settings"</a> };
        let to = to.into_any();
        view! {
            <Banner tone="waiting" title="Nothing is sent for the whole organisation." actions=Box::new(move || to)>
                "Stopped "
                <WhoAndWhy sending=by />
            </Banner>
        }
    });
    view! {
        <div class="head">
            <h1>"Connections"</h1>
            <p>"The gateway accounts that carry out your batches. New batches use one of them; a batch keeps the one \
                it began with."</p>
            <div class="head-actions">
                {if may_change {
                    view! {
                        <LinkButton href="/settings/connections/new".to_owned() kind=Kind::Primary icon="plus">
                            "Add connection"
                        </LinkButton>
                    }
                        .into_any()
                } else {
                    view! { <p class="small dim">"You have read access"</p> }.into_any()
                }}
            </div>
        </div>
        <div class="stack">
            {stopped}
            <WaitingChanges changes=changes flash=flash() />
            <section class="card" aria-label="Connections">
                {if rows.is_empty() {
                    view! {
                        <EmptyState
                            icon="key"
                            title="No gateway is connected yet"
                            text="Without one nothing can be carried out."
                        />
                    }
                        .into_any()
                } else {
                    view! {
                        <div class="table-box" tabindex="0" role="region" aria-label="Connections, scrolls sideways">
                            <table role="table" class="table" data-slips="">
                                <caption class="vh">"Gateway connections"</caption>
                                <thead role="rowgroup">
                                    <tr role="row">
                                        <th role="columnheader" scope="col">"Connection"</th>
                                        <th role="columnheader" scope="col">"State"</th>
                                        <th role="columnheader" scope="col">"Class"</th>
                                        <th role="columnheader" scope="col">"Limits"</th>
                                        <th role="columnheader" scope="col">"New batches"</th>
                                    </tr>
                                </thead>
                                <tbody role="rowgroup">
                                    {rows.into_iter().map(|row| view! { <Row row=row /> }).collect_view()}
                                </tbody>
                            </table>
                        </div>
                    }
                        .into_any()
                }}
            </section>
        </div>
    }
    .into_any()
}

/// `20 at once`, `no rate limit`.
pub(super) fn limits(row: &ConnectionRow) -> (String, String) {
    let at_once = row.concurrency.map_or_else(|| "As the operator set it".to_owned(), |most| format!("{most} at once"));
    let rate = row.rate_limit.map_or_else(|| "no rate limit".to_owned(), |rate| format!("{rate} a second at most"));
    (at_once, rate)
}

/// `SANDBOX`, in the colour of what waits, because no money moves.
#[component]
pub fn SandboxMark(sandbox: bool) -> impl IntoView {
    sandbox.then(|| {
        view! {
            <span class="badge" data-tone="waiting" data-code="" title="It moves no real money">
                "SANDBOX"
            </span>
        }
    })
}

#[component]
fn Row(row: ConnectionRow) -> impl IntoView {
    let (at_once, rate) = limits(&row);
    let window = (!row.key_window.is_empty()).then(|| format!("keys kept {}", row.key_window));
    view! {
        <tr role="row" data-connection=row.id.to_string()>
            <th role="rowheader" scope="row" data-cell="lead">
                <a class="name" href=format!("/settings/connections/{}", row.id) rel="external">
                    {row.name}
                </a>
                " "
                <SandboxMark sandbox=row.sandbox />
                <small>{row.base_url}</small>
            </th>
            <td role="cell" data-cell="mark">
                <SendingMark sending=row.sending.clone() />
                <small>
                    <WhoAndWhy sending=row.sending />
                </small>
            </td>
            <td role="cell" data-label="Class">
                <b>{row.class}</b>
                <small>{row.class_ground}</small>
                {window.map(|window| view! { <small>{window}</small> })}
            </td>
            <td role="cell" data-label="Limits:">
                {at_once}
                <small>{rate}</small>
            </td>
            <td role="cell" data-label="New batches:">
                {row.chosen.then_some("Use it")}
            </td>
        </tr>
    }
    .into_any()
}
