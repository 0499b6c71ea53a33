//! `/settings`: the organisation's own rules. Rendered on the server only; nothing on it moves by itself.

pub mod changes;
pub mod connections;
pub mod fields;
pub mod sending;

use crate::{
    api::settings::load_settings,
    domain::{
        limits::MOST_APPROVAL_DAYS,
        money::group,
        operation::Operation,
        settings_change::{LIMITS_RAISED, ORDERS_SENT},
        view::{
            settings::{External, Settings},
            settings_change::Changes,
        },
    },
    ui::{
        components::{Button, Card, Glyph, Kind, LoadFailed, Title},
        hooks::page::flash,
    },
};
use changes::WaitingChanges;
use fields::{Line, Tried, Weakens};
use leptos::prelude::*;
use sending::Switch;

/// The page.
#[component]
pub fn SettingsPage() -> impl IntoView {
    view! {
        <Title text="Settings" />
        <div class="head">
            <h1>"Settings"</h1>
        </div>
        <Suspense fallback=|| ()>
            {Suspend::new(async {
                match load_settings().await {
                    Ok(settings) => view! { <Loaded settings=settings /> }.into_any(),
                    Err(error) => {
                        view! { <LoadFailed what="This page" refusal=error.refusal address="/settings" /> }.into_any()
                    }
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Loaded(settings: Settings) -> impl IntoView {
    let may_change = settings.may_change;
    let sending = settings.sending.clone();
    let organisation = settings.organisation.clone();
    let approvals = settings.approvals.clone();
    let changes = settings.changes.clone();
    view! {
        <div class="stack" data-gap="24">
            <Switch
                sending=sending
                what="the whole organisation"
                base="/settings".to_owned()
                flash=flash()
                may_change=may_change
            />
            <WaitingChanges changes=settings.changes.clone() flash=flash() />
            <Card title="Gateway connections" note="The accounts that carry out your batches.">
                <div class="card-body">
                    <a class="button" href="/settings/connections" rel="external">
                        "Open Connections"
                    </a>
                </div>
            </Card>
            <Card title="Organisation">
                <div class="card-body">
                    <dl class="facts">
                        <dt>"Name"</dt>
                        <dd>{organisation.name}</dd>
                        <dt>"Currency"</dt>
                        <dd>{organisation.currency.code()}</dd>
                        <dt>"Time zone"</dt>
                        <dd>{organisation.zone}</dd>
                    </dl>
                </div>
            </Card>
            <Card title="Approvals" note="A second person decides before anything is carried out.">
                <ul class="rules">
                    {approvals
                        .into_iter()
                        .map(|(operation, needed)| {
                            let changes = changes.clone();
                            view! { <Approval operation=operation needed=needed may_change=may_change changes=changes /> }
                        })
                        .collect_view()}
                </ul>
            </Card>
            <ExternalSystem
                external=settings.external.clone()
                may_change=may_change
                changes=settings.changes.clone()
            />
            <Limits settings=settings />
        </div>
    }
    .into_any()
}

/// Whether an operation needs a second person, and the form that changes it.
#[component]
fn Approval(operation: Operation, needed: bool, may_change: bool, changes: Changes) -> impl IntoView {
    let (glyph, tone, text) = match needed {
        true => ("accepted", "accepted", "A second person approves"),
        false => ("waiting", "waiting", "Carried out at once, without a second person"),
    };
    let title = operation.labels().title;
    let tried = Tried::of(operation.code(), &flash());
    let open = tried.is_wrong();
    let fields = move || {
        view! {
            <input type="hidden" name="operation" value=operation.code() />
            <input type="hidden" name="needed" value=if needed { "no" } else { "yes" } />
        }
    };
    let act = match (may_change, needed) {
        (false, _) => ().into_any(),
        (true, false) => view! {
            <form method="post" action="/settings/approval">
                {fields()}
                <Button>"Turn on" <span class="vh">" approvals of " {title}</span></Button>
            </form>
        }
        .into_any(),
        (true, true) => view! {
            <details class="rule-more" open=open>
                <summary>"Turn off" <span class="vh">" approvals of " {title}</span></summary>
                <form class="stack narrow" method="post" action="/settings/approval" novalidate>
                    {fields()}
                    <Weakens tried=tried says=operation.labels().unapproved changes=changes />
                    <div class="row">
                        <Button kind=Kind::Danger>"Turn off approvals of " {title}</Button>
                    </div>
                </form>
            </details>
        }
        .into_any(),
    };
    view! {
        <li>
            <span class="rule-name">{title}</span>
            <span data-tone=tone class="rule-state">
                <Glyph name=glyph />
                {text}
            </span>
            {act}
        </li>
    }
    .into_any()
}

/// Where Batch Sync tells its orders.
#[component]
fn ExternalSystem(external: Option<External>, may_change: bool, changes: Changes) -> impl IntoView {
    let state = match &external {
        None => "None: synchronised orders are kept in Batchdesk.".to_owned(),
        Some(system) if system.enabled => format!("Each synchronised order is told to {}.", system.url),
        Some(system) => format!("{} is switched off: synchronised orders are kept in Batchdesk.", system.url),
    };
    if !may_change {
        return view! {
            <Card title="External system" note="Batch Sync">
                <p class="card-body">{state}</p>
            </Card>
        }
        .into_any();
    }
    let tried = Tried::of("external", &flash());
    let stored = external.as_ref().map(|system| system.url.clone()).unwrap_or_default();
    let enabled = match tried.was_sent() {
        true => tried.ticked("enabled"),
        false => external.as_ref().is_none_or(|system| system.enabled),
    };
    let secret_hint = match external {
        Some(_) => "whsec_ and base64. Leave it empty to keep the one that is set.",
        None => "whsec_ and base64. Leave it empty to have one made; it is shown once.",
    };
    view! {
        <Card title="External system" note="Batch Sync tells it each order, signed as Standard Webhooks say.">
            <form class="card-body stack narrow" method="post" action="/settings/external" novalidate>
                <p>{state}</p>
                <Line
                    tried=tried.clone()
                    name="url"
                    label="Address"
                    stored=stored
                    hint="https://, reachable from this server. Inside addresses need the operator's leave."
                />
                <Line
                    tried=tried.clone()
                    name="secret"
                    label="Signing secret"
                    kind="password"
                    hint=secret_hint
                />
                <label class="check">
                    <input type="checkbox" name="enabled" value="on" checked=enabled />
                    "Tell it each synchronised order"
                </label>
                <Weakens tried=tried says=ORDERS_SENT changes=changes />
                <div class="row">
                    <Button>"Save external system"</Button>
                </div>
            </form>
        </Card>
    }
    .into_any()
}

/// Limits of files and of waiting.
#[component]
fn Limits(settings: Settings) -> impl IntoView {
    let rows = group(settings.row_limit.into(), true);
    let days = settings.approval_days;
    let most = group(settings.most_rows.into(), true);
    if !settings.may_change {
        return view! {
            <Card title="Limits">
                <div class="card-body">
                    <dl class="facts">
                        <dt>"Rows of a file"</dt>
                        <dd>{rows}</dd>
                        <dt>"Days to decide"</dt>
                        <dd>{days}</dd>
                    </dl>
                </div>
            </Card>
        }
        .into_any();
    }
    let tried = Tried::of("limits", &flash());
    view! {
        <Card title="Limits" note="Batches that exist keep what they were accepted under.">
            <form class="card-body stack narrow" method="post" action="/settings/limits" novalidate>
                <Line
                    tried=tried.clone()
                    name="row_limit"
                    label="Rows of a file"
                    stored=settings.row_limit.to_string()
                    digits=true
                    hint=format!("1 to {most}. The header and blank lines are not counted.")
                />
                <Line
                    tried=tried.clone()
                    name="approval_days"
                    label="Days to decide"
                    stored=days.to_string()
                    digits=true
                    hint=format!("1 to {MOST_APPROVAL_DAYS}. A batch that nobody decides on in that time expires; \
                                  nothing of it is sent.")
                />
                <Weakens tried=tried says=LIMITS_RAISED changes=settings.changes sometimes=true />
                <div class="row">
                    <Button>"Save limits"</Button>
                </div>
            </form>
        </Card>
    }
    .into_any()
}
