//! `/settings/connections/{id}`: one connection, and what can be done with it.

use super::{SandboxMark, form::Account, limits, promise::Promise};
use crate::{
    api::settings::load_connection,
    domain::{
        error::{Refusal, RefusalKind},
        ids::GatewayId,
        settings_change::{ACCOUNT_CHANGED, ACCOUNT_CHOSEN, RATE_RAISED},
        view::connections::{ConnectionPage, ConnectionRow},
    },
    ui::{
        components::{Button, Card, Icon, LoadFailed, TimeView, Title},
        hooks::page::flash,
        pages::{
            errors::NotFound,
            settings::{
                fields::{Line, Tried, Weakens},
                sending::Switch,
            },
        },
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn ConnectionDetailPage() -> impl IntoView {
    let id = use_params_map().read_untracked().get("id").and_then(|id| id.parse::<GatewayId>().ok());
    view! {
        <Suspense fallback=|| ()>
            {Suspend::new(async move {
                let loaded = match id {
                    Some(id) => load_connection(Some(id)).await.map_err(|error| error.refusal),
                    None => Err(Refusal::new(RefusalKind::NotFound, "There is no such connection.")),
                };
                match loaded {
                    Ok(ConnectionPage { row: None, .. }) => view! { <NotFound /> }.into_any(),
                    Ok(page) => view! { <Loaded page=page /> }.into_any(),
                    Err(refusal) if refusal.kind == RefusalKind::NotFound => view! { <NotFound /> }.into_any(),
                    Err(refusal) => {
                        view! { <LoadFailed what="This page" refusal=refusal address="/settings/connections" /> }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Loaded(page: ConnectionPage) -> impl IntoView {
    let Some(row) = page.row.clone() else { return ().into_any() };
    let flash = flash();
    let base = format!("/settings/connections/{}", row.id);
    let test = page.may_change.then(|| {
        view! {
            <form method="post" action=format!("{base}/test")>
                <Button icon="sync">"Test"</Button>
            </form>
        }
    });
    view! {
        <Title text=format!("{} – Connections", row.name) />
        <div class="head">
            <div class="head-title">
                <h1>{row.name.clone()}</h1>
                <SandboxMark sandbox=row.sandbox />
            </div>
            <div class="meta">
                <span>{row.base_url.clone()}</span>
                <span>"added " <TimeView moment=row.added.clone() /></span>
            </div>
            <div class="head-actions">{test}</div>
        </div>
        <div class="stack" data-gap="24">
            <Switch
                sending=row.sending.clone()
                what="this connection"
                base=base.clone()
                flash=flash.clone()
                may_change=page.may_change
            />
            <Choice row=row.clone() page=page.clone() tried=Tried::of("choose", &flash) />
            <AccountCard row=row.clone() page=page.clone() tried=Tried::of("change", &flash) />
            <LimitsCard row=row.clone() page=page.clone() tried=Tried::of("limits", &flash) />
            <Promise row=row page=page tried=Tried::of("measure", &flash) />
        </div>
    }
    .into_any()
}

/// Which connection new batches use.
#[component]
fn Choice(row: ConnectionRow, page: ConnectionPage, tried: Tried) -> impl IntoView {
    let open = match page.open_batches {
        0 => "No batch on it runs or waits.".to_owned(),
        1 => "1 batch on it runs or waits.".to_owned(),
        n => format!("{n} batches on it run or wait."),
    };
    view! {
        <Card title="New batches" note=open>
            <div class="card-body stack narrow">
                {if row.chosen {
                    view! {
                        <p class="row" data-chosen="">
                            <Icon name="check" />
                            "New batches use this connection."
                        </p>
                    }
                        .into_any()
                } else if page.may_change {
                    view! {
                        <form class="stack" method="post" action=format!("/settings/connections/{}/choose", row.id)>
                            <p class="small soft">
                                "New batches use another connection. If you choose this one, batches that exist keep \
                                 theirs."
                            </p>
                            <Weakens tried=tried says=ACCOUNT_CHOSEN changes=page.changes />
                            <div class="row">
                                <Button>"Use for new batches"</Button>
                            </div>
                        </form>
                    }
                        .into_any()
                } else {
                    view! { <p>"New batches use another connection."</p> }.into_any()
                }}
            </div>
        </Card>
    }
    .into_any()
}

/// Address, merchant and key, and the form that changes them.
#[component]
fn AccountCard(row: ConnectionRow, page: ConnectionPage, tried: Tried) -> impl IntoView {
    let open = tried.is_wrong();
    let held = (page.open_batches > 0).then_some(
        "While batches on it run or wait, only the key can be changed. Add another account as a connection of its own.",
    );
    view! {
        <Card title="Account">
            <div class="card-body">
                <dl class="facts">
                    <dt>"Gateway"</dt>
                    <dd>{row.connector.clone()}</dd>
                    <dt>"Address"</dt>
                    <dd>{row.base_url.clone()}</dd>
                    <dt>"Merchant id"</dt>
                    <dd>{row.merchant_id.clone()}</dd>
                    <dt>"API key"</dt>
                    <dd class="dim">"Stored, never shown"</dd>
                </dl>
            </div>
            {page
                .may_change
                .then(|| {
                    view! {
                        <details class="fold" open=open>
                            <summary>
                                <Icon name="right" />
                                "Change address, merchant or key"
                            </summary>
                            <form
                                class="card-body stack narrow"
                                method="post"
                                action=format!("/settings/connections/{}/change", row.id)
                                novalidate
                            >
                                {held.map(|held| view! { <p class="small soft">{held}</p> })}
                                <Account page=page.clone() tried=tried.clone() />
                                <Weakens tried=tried says=ACCOUNT_CHANGED changes=page.changes.clone() />
                                <div class="row">
                                    <Button>"Save account"</Button>
                                </div>
                            </form>
                        </details>
                    }
                })}
        </Card>
    }
    .into_any()
}

/// What the connection may be asked at most.
#[component]
fn LimitsCard(row: ConnectionRow, page: ConnectionPage, tried: Tried) -> impl IntoView {
    let (at_once, rate) = limits(&row);
    let stored = |limit: Option<u32>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    let body = if page.may_change {
        view! {
            <form
                class="card-body stack narrow"
                method="post"
                action=format!("/settings/connections/{}/limits", row.id)
                novalidate
            >
                <div class="limits">
                    <Line
                        tried=tried.clone()
                        name="concurrency"
                        label="Calls at once"
                        stored=stored(row.concurrency)
                        digits=true
                        hint=format!("Empty: {}, as the operator set it.", page.default_concurrency)
                    />
                    <Line
                        tried=tried.clone()
                        name="rate_limit"
                        label="Requests a second"
                        stored=stored(row.rate_limit)
                        digits=true
                        hint="Empty: no limit."
                    />
                    <Line
                        tried=tried.clone()
                        name="rate_burst"
                        label="At once after a rest"
                        stored=stored(row.rate_burst)
                        digits=true
                        hint="Empty: evenly spaced."
                    />
                </div>
                <Weakens tried=tried says=RATE_RAISED changes=page.changes sometimes=true />
                <div class="row">
                    <Button>"Save limits"</Button>
                </div>
            </form>
        }
        .into_any()
    } else {
        view! { <p class="card-body">{at_once} ", " {rate}</p> }.into_any()
    };
    view! {
        <Card title="Limits" note="Sends and questions together, however many processes there are.">
            {body}
        </Card>
    }
    .into_any()
}
