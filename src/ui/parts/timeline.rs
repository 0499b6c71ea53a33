//! One event of a timeline: of a task, of an order.

use crate::{
    domain::view::retries::HistoryEvent,
    ui::components::{Glyph, TimeView},
};
use leptos::prelude::*;

/// One step; `links` stand at its foot.
pub fn step(step: HistoryEvent, links: AnyView) -> impl IntoView {
    let glyph = match (step.kind, step.tone) {
        ("file", _) => "here",
        ("retry", _) => "edited",
        (_, "accepted") => "accepted",
        (_, "failed") => "failed",
        (_, "queued") => "running",
        (_, "waiting") => "waiting",
        _ => "done",
    };
    let changes = (!step.changes.is_empty()).then(|| {
        let lines = step.changes.into_iter().map(|(column, was, now)| {
            let empty = |text: String| if text.is_empty() { "empty".to_owned() } else { text };
            view! {
                <dt>{column}</dt>
                <dd class="diff"><del>{empty(was)}</del><ins>{empty(now)}</ins></dd>
            }
        });
        view! { <dl class="facts">{lines.collect_view()}</dl> }
    });
    let facts = (!step.facts.is_empty()).then(|| {
        let lines = step
            .facts
            .into_iter()
            .map(|(name, value)| view! { <dt>{name}</dt><dd class="id">{value}</dd> })
            .collect_view();
        view! { <dl class="facts">{lines}</dl> }
    });
    let raw = (!step.raw.is_empty() && step.raw != "{}").then(|| {
        view! {
            <details>
                <summary>"As it came, secrets taken out"</summary>
                <pre class="code" tabindex="0">{step.raw}</pre>
            </details>
        }
    });
    view! {
        <li data-tone=step.tone data-step=step.kind>
            <Glyph name=glyph medium=true/>
            <p>{step.title}</p>
            {(!step.remark.is_empty()).then(|| view! { <blockquote>{step.remark}</blockquote> })}
            {changes}
            {facts}
            {raw}
            <small>
                {step.at.map(|moment| view! { <TimeView moment/> })}
                {(!step.actor.is_empty()).then(|| view! { <span>{step.actor}</span> })}
                {links}
            </small>
        </li>
    }
}
