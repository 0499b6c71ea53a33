//! Changes that wait for a second administrator: who asked, when, why, from what to what, and the answer.

use super::fields::Again;
use crate::{
    domain::view::{
        Flash,
        settings_change::{Changes, WaitingChange},
    },
    ui::{
        components::{Button, Glyph, Kind, TextArea, TimeView},
        pages::settings::fields::Tried,
    },
};
use leptos::prelude::*;

/// The part of the page; nothing where nothing waits.
#[component]
pub fn WaitingChanges(changes: Changes, flash: Flash) -> impl IntoView {
    let Changes { waiting, may_change, needs_password, viewer, .. } = changes;
    if waiting.is_empty() {
        return ().into_any();
    }
    view! {
        <section class="card" id="changes" aria-labelledby="changes-head">
            <div class="card-head">
                <h2 id="changes-head">"Changes waiting for a second administrator"</h2>
                <small>"Nothing changes before another administrator confirms."</small>
            </div>
            {waiting
                .into_iter()
                .map(|change| {
                    let flash = flash.clone();
                    let viewer = viewer.clone();
                    view! { <Waiting change=change may_change=may_change needed=needs_password viewer=viewer flash=flash /> }
                })
                .collect_view()}
        </section>
    }
    .into_any()
}

#[component]
fn Waiting(change: WaitingChange, may_change: bool, needed: bool, viewer: String, flash: Flash) -> impl IntoView {
    let base = format!("/settings/changes/{}", change.id);
    let lines = change
        .lines
        .iter()
        .map(|line| {
            let was = (!line.was.is_empty()).then(|| view! { <del>{line.was.clone()}</del> " → " });
            view! {
                <dt>{line.label}</dt>
                <dd>{was} <ins>{line.becomes.clone()}</ins></dd>
            }
        })
        .collect_view();
    let acts = match (may_change, change.own) {
        (false, _) => ().into_any(),
        (true, true) => view! {
            <form class="row" method="post" action=format!("{base}/withdraw")>
                <Button>"Withdraw"</Button>
                <span class="small soft">"You asked for it, so another administrator must decide."</span>
            </form>
        }
        .into_any(),
        (true, false) => {
            let note = format!("change-{}-note", change.id);
            let error = flash.error.clone().filter(|_| flash.field.as_ref() == Some(&note));
            let tried = Tried::named(format!("change-{}", change.id), &flash);
            view! {
                <form class="stack narrow" method="post" action=format!("{base}/answer") novalidate>
                    <input type="hidden" name="content_hash" value=change.content_sha256.clone() />
                    <TextArea
                        name="note"
                        id=note.clone()
                        label="Comment"
                        hint="Needed to reject. The administrator who asked reads it."
                        value=flash.value(&note)
                        rows=2
                        error=Signal::stored(error)
                    />
                    <Again tried=tried needed=needed viewer=viewer />
                    <div class="row">
                        <Button name="answer" value="confirm">"Confirm"</Button>
                        <Button kind=Kind::Danger name="answer" value="reject">"Reject"</Button>
                    </div>
                </form>
            }
            .into_any()
        }
    };
    view! {
        <article class="card-body stack change" data-change=change.id.to_string()>
            <h3>{change.summary.clone()}</h3>
            <p class="consequence" data-tone="failed">
                <Glyph name="failed" />
                <span>{change.consequence}</span>
            </p>
            <dl class="facts">
                {lines}
                <dt>"Asked for by"</dt>
                <dd>{change.proposer.clone()} ", " <TimeView moment=change.at.clone() /></dd>
                <dt>"Reason"</dt>
                <dd>{change.reason.clone()}</dd>
                <dt>"Expires"</dt>
                <dd><TimeView moment=change.expires.clone() /></dd>
            </dl>
            {acts}
        </article>
    }
    .into_any()
}
