//! What a gateway promises: the class, what it rests on, and the form that measures it.

use crate::{
    domain::view::connections::{Capability, ConnectionPage, ConnectionRow, ProbeStep},
    ui::{
        components::{Button, Glyph, Icon, TimeView},
        pages::settings::fields::{Line, Tried},
    },
};
use leptos::prelude::*;

/// What a class means for a refund whose fate is not known.
fn meaning(class: &str) -> &'static str {
    match class {
        "K" => {
            "The gateway keeps every outcome under our key. A refund without a clear reply is asked after, and may be \
             sent again with the same key."
        }
        "Q" => {
            "The gateway can be asked what became of a refund. One without a clear reply is asked after and never sent \
             again by itself."
        }
        _ => "Nothing is promised. A refund without a clear reply is never sent again: people look into it.",
    }
}

/// Tone, glyph and words of a proof.
fn verdict(code: &str) -> (&'static str, &'static str, &'static str) {
    match code {
        "proved" => ("accepted", "accepted", "Proved"),
        "disproved" => ("failed", "failed", "Not so"),
        "open" => ("waiting", "partial", "Not proved"),
        _ => ("neutral", "info", "Seen"),
    }
}

/// The part of the page.
#[component]
pub fn Promise(row: ConnectionRow, page: ConnectionPage, tried: Tried) -> impl IntoView {
    let newest = page.capabilities.iter().find(|fact| fact.current && fact.measured).cloned();
    let earlier: Vec<Capability> =
        page.capabilities.iter().skip(1).filter(|fact| Some(*fact) != newest.as_ref()).cloned().collect();
    let window = (!row.key_window.is_empty()).then(|| {
        view! {
            <dt>"Keys are kept"</dt>
            <dd>{row.key_window.clone()}</dd>
        }
    });
    view! {
        <section class="card" aria-label="What the gateway promises" id="promise">
            <div class="card-head">
                <h2>"What the gateway promises"</h2>
                <span class="badge" data-tone="neutral" data-class=row.class.clone()>
                    "Class "
                    {row.class.clone()}
                </span>
            </div>
            <div class="card-body stack">
                <p>{meaning(&row.class)}</p>
                <dl class="facts">
                    <dt>"Rests on"</dt>
                    <dd>{row.class_ground.clone()}</dd>
                    {window}
                </dl>
            </div>
            {newest.map(|fact| view! { <Evidence fact=fact /> })}
            {(!earlier.is_empty()).then(|| view! { <Earlier facts=earlier /> })}
            {page.may_change.then(|| view! { <Measure row=row tried=tried /> })}
        </section>
    }
    .into_any()
}

/// The calls of a measurement.
#[component]
fn Evidence(fact: Capability) -> impl IntoView {
    view! {
        <div class="card-body stack">
            <p class="small soft">
                "Measured by " {fact.actor} " on " <TimeView moment=fact.at /> " with refunds of the order "
                <span class="id">{fact.order_id}</span> ":"
            </p>
            <ul class="proofs">
                {fact.steps.into_iter().map(|step| view! { <Step step=step /> }).collect_view()}
            </ul>
        </div>
    }
    .into_any()
}

#[component]
fn Step(step: ProbeStep) -> impl IntoView {
    let (tone, glyph, words) = verdict(&step.verdict);
    view! {
        <li data-proof=step.verdict>
            <span class="proof" data-tone=tone>
                <Glyph name=glyph />
                {words}
            </span>
            <span>{step.call} <small>{step.seen}</small></span>
        </li>
    }
    .into_any()
}

/// What was found before, and what was only declared.
#[component]
fn Earlier(facts: Vec<Capability>) -> impl IntoView {
    view! {
        <div class="card-body">
            <h3 class="small soft">"Before that"</h3>
            <ul class="small stack" data-gap="4">
                {facts
                    .into_iter()
                    .map(|fact| {
                        let word = if fact.measured { "measured by" } else { "declared by" };
                        let who = if fact.actor == "Batchdesk" { "the operator".to_owned() } else { fact.actor };
                        let other = (!fact.current).then_some(", at another account");
                        view! {
                            <li>
                                "Class " {fact.class} ", " {word} " " {who} " on " <TimeView moment=fact.at /> {other}
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </div>
    }
    .into_any()
}

/// The form that measures.
#[component]
fn Measure(row: ConnectionRow, tried: Tried) -> impl IntoView {
    if !row.sandbox {
        return view! {
            <div class="card-body">
                <p class="small soft">
                    "Only a sandbox can be measured: a measurement sends refunds. Connect the gateway's sandbox and \
                     measure that."
                </p>
            </div>
        }
        .into_any();
    }
    let action = format!("/settings/connections/{}/measure", row.id);
    let open = tried.is_wrong();
    view! {
        <details class="fold" open=open>
            <summary>
                <Icon name="right" />
                "Measure it"
            </summary>
            <form class="card-body stack narrow" method="post" action=action novalidate>
                <p class="small soft">
                    "A few refunds of the smallest amounts are sent to the sandbox and asked after. It takes up to \
                     half a minute. What is not proved counts as not promised."
                </p>
                <Line
                    tried=tried.clone()
                    name="order"
                    label="Order"
                    hint="A paid order of the sandbox that can be refunded."
                />
                <Line
                    tried=tried.clone()
                    name="declined_order"
                    label="Order that is declined (optional)"
                    hint="One whose refund the gateway declines. Without it class K cannot be proved."
                />
                <Line
                    tried=tried.clone()
                    name="failing_order"
                    label="Order that fails (optional)"
                    hint="One whose first refund ends in a server error, where the sandbox can do that."
                />
                <Line
                    tried=tried
                    name="key_window_hours"
                    label="Hours that keys are kept (optional)"
                    digits=true
                    hint="From the gateway's documentation: a few calls cannot see it. Empty: as the connector knows \
                          it."
                />
                <div class="row">
                    <Button icon="sync">"Measure"</Button>
                </div>
            </form>
        </details>
    }
    .into_any()
}
