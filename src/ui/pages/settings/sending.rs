//! Whether anything is sent: told apart by who stopped it, with the form that pauses or resumes.

use super::fields::{Reason, Tried};
use crate::{
    domain::view::{Flash, connections::Sending},
    ui::components::{Banner, Button, Glyph, Kind, TimeView},
};
use leptos::prelude::*;

/// Tone, glyph and word.
pub fn look(sending: &Sending) -> (&'static str, &'static str, &'static str) {
    match sending {
        Sending::On => ("accepted", "accepted", "Sending"),
        Sending::Paused { .. } => ("waiting", "paused", "Paused"),
        Sending::Stopped { .. } => ("failed", "failed", "Stopped"),
    }
}

/// Word and glyph.
#[component]
pub fn SendingMark(sending: Sending) -> impl IntoView {
    let (tone, glyph, word) = look(&sending);
    view! {
        <span class="badge" data-tone=tone data-sending=word.to_lowercase()>
            <Glyph name=glyph />
            {word}
        </span>
    }
    .into_any()
}

/// Who stopped it, since when, and why.
#[component]
pub fn WhoAndWhy(sending: Sending) -> impl IntoView {
    match sending {
        Sending::On => ().into_any(),
        Sending::Paused { by, since, reason } => view! {
            "by "
            {by}
            " since "
            <TimeView moment=since />
            ": “"
            {reason}
            "”"
        }
        .into_any(),
        Sending::Stopped { since, reason } => view! {
            "by Batchdesk since "
            <TimeView moment=since />
            ": "
            {reason}
        }
        .into_any(),
    }
}

/// The part of a page that pauses and resumes.
#[component]
pub fn Switch(
    /// How it stands.
    sending: Sending,
    /// What is meant: `the whole organisation`, `this connection`.
    what: &'static str,
    /// Where the forms post to: `/settings`, `/settings/connections/…`.
    base: String,
    /// What an earlier try left to say.
    flash: Flash,
    /// Whether the person may.
    may_change: bool,
    /// Name of the form, before the ids of its fields.
    #[prop(default = "pause")]
    form: &'static str,
) -> impl IntoView {
    let (pause, resume) = (format!("{base}/pause"), format!("{base}/resume"));
    let tried = Tried::of(form, &flash);
    let body = match &sending {
        Sending::On => may_change.then(|| {
            view! {
                <form class="stack narrow" method="post" action=pause novalidate>
                    <p class="small soft">
                        {format!("Nothing new is sent for {what} until an administrator resumes. Calls on the wire \
                                  finish, and the gateway is still asked what became of them.")}
                    </p>
                    <Reason tried=tried />
                    <div class="row">
                        <Button kind=Kind::Danger icon="pause">
                            "Pause"
                        </Button>
                    </div>
                </form>
            }
            .into_any()
        }),
        Sending::Paused { .. } | Sending::Stopped { .. } => {
            let by_itself = matches!(sending, Sending::Stopped { .. });
            let advice = match by_itself {
                true => {
                    "Batchdesk stopped by itself, so that nothing goes wrong unseen. Resume when the cause is \
                         gone; what waits is then sent."
                }
                false => {
                    "What waits is sent as soon as somebody resumes. Time that passes meanwhile does not count \
                          against anything."
                }
            };
            let (tone, _, word) = look(&sending);
            let by = sending.clone();
            Some(
                view! {
                    <div class="stack">
                        <Banner tone=if tone == "failed" { "failed" } else { "waiting" } title=word.to_owned()>
                            <WhoAndWhy sending=by />
                        </Banner>
                        <p class="small soft">{advice}</p>
                        {may_change
                            .then(|| {
                                view! {
                                    <form class="row" method="post" action=resume>
                                        <Button icon="play">"Resume"</Button>
                                    </form>
                                }
                            })}
                    </div>
                }
                .into_any(),
            )
        }
    };
    view! {
        <section class="card" aria-label="Sending" id="sending">
            <div class="card-head">
                <h2>"Sending"</h2>
                <SendingMark sending=sending />
            </div>
            {body.map(|body| view! { <div class="card-body">{body}</div> })}
        </section>
    }
    .into_any()
}
