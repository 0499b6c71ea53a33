//! The account of a connection, as a form: to add one, and to change one.

use crate::{
    api::settings::load_connection,
    domain::{settings_change::ACCOUNT_ADDED, view::connections::ConnectionPage},
    ui::{
        components::{Button, Kind, LoadFailed, Size, Title},
        hooks::page::flash,
        pages::settings::fields::{Line, Tick, Tried, Weakens},
    },
};
use leptos::prelude::*;

/// `/settings/connections/new`.
#[component]
pub fn NewConnectionPage() -> impl IntoView {
    view! {
        <Title text="Add connection – Settings" />
        <Suspense fallback=|| ()>
            {Suspend::new(async {
                match load_connection(None).await {
                    Ok(page) => view! { <New page=page /> }.into_any(),
                    Err(error) => {
                        view! {
                            <LoadFailed what="This page" refusal=error.refusal address="/settings/connections/new" />
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
fn New(page: ConnectionPage) -> impl IntoView {
    let tried = Tried::of("add", &flash());
    let chosen = tried.value("connector", "");
    let choices = page
        .connectors
        .iter()
        .map(|(name, label)| {
            let selected = *name == chosen;
            view! { <option value=name.clone() selected=selected>{label.clone()}</option> }
        })
        .collect_view();
    view! {
        <div class="head">
            <h1>"Add connection"</h1>
            <p>
                "The account is asked a question before it is stored. Batches use it only when you choose it; what it \
                 promises is not known until it is measured, and until then it is treated as class N."
            </p>
        </div>
        <form class="card" method="post" action="/settings/connections" novalidate>
            <div class="card-body stack narrow">
                <div class="field">
                    <label class="label" for="add-connector">
                        "Gateway"
                    </label>
                    <select class="input" id="add-connector" name="connector">
                        {choices}
                    </select>
                </div>
                <Account page=page.clone() tried=tried.clone() />
                <Tick tried=tried.clone() name="sandbox" label="It is a sandbox: it moves no real money" />
                <Weakens tried=tried says=ACCOUNT_ADDED changes=page.changes />
                <div class="row">
                    <Button kind=Kind::Primary size=Size::Normal>
                        "Add connection"
                    </Button>
                    <a class="button" data-kind="quiet" href="/settings/connections" rel="external">
                        "Cancel"
                    </a>
                </div>
            </div>
        </form>
    }
    .into_any()
}

/// Address, merchant and key.
#[component]
pub fn Account(page: ConnectionPage, tried: Tried) -> impl IntoView {
    let is_new = page.row.is_none();
    let (base_url, merchant) = page.row.map(|row| (row.base_url, row.merchant_id)).unwrap_or_default();
    let hint = match is_new {
        true => "It is sealed when it is stored, and never shown again.",
        false => "Leave empty to keep the stored one. It is never shown. Another address needs it again.",
    };
    // Offered only once something was wrong with the address: an untested account is the exception.
    let untested = tried.error("base_url").is_some() || tried.ticked("untested");
    view! {
        <Line
            tried=tried.clone()
            name="base_url"
            label="Address"
            stored=base_url
            kind="url"
            hint="https://, without a user name, ? or #. A host in a private network must be allowed by the operator."
        />
        <Line
            tried=tried.clone()
            name="merchant_id"
            label="Merchant id"
            stored=merchant
            hint="As the gateway knows you."
        />
        <Line
            tried=tried.clone()
            name="api_key"
            label="API key"
            kind="password"
            autocomplete="new-password"
            hint=hint
        />
        {untested.then(|| view! { <Tick tried=tried name="untested" label="Store it untested" /> })}
    }
    .into_any()
}
