//! The feet of the forms: what is proposed and why, and the answer of the other person.

use super::tasks::primary;
use crate::{
    domain::view::{Flash, review::ReviewBatch},
    ui::components::{Button, Field, Glyph, Kind, TextArea},
};
use leptos::prelude::*;

/// The error of a field, where the flash is about it.
fn error(flash: &Flash, field: &str) -> Signal<Option<String>> {
    Signal::stored(flash.error.clone().filter(|_| flash.field.as_deref() == Some(field)))
}

/// What became of the marked refunds, and how one knows.
#[component]
pub fn ProposeActs(batch: ReviewBatch, flash: Flash) -> impl IntoView {
    let chosen = flash.value("finding");
    let choices = [
        ("done", "Done", "The gateway carried it out. Write its reference beside each refund."),
        (
            "not_done",
            "Not done",
            "It was not carried out and never will be under its key. It counts as failed and can be sent again.",
        ),
        ("ask_again", "Ask the gateway again", "Only a question; the answer comes back here if it tells nothing."),
    ];
    let can_ask = batch.can_ask;
    let radios = choices
        .into_iter()
        .filter(move |(value, _, _)| can_ask || *value != "ask_again")
        .map(|(value, text, hint)| {
            let checked = chosen == value;
            view! {
                <label class="choice">
                    <input type="radio" name="finding" value=value checked=checked />
                    <span>
                        <b>{text}</b>
                        <small>{hint}</small>
                    </span>
                </label>
            }
        })
        .collect_view();
    let wrong = error(&flash, "propose-finding").get_untracked().map(|message| {
        view! {
            <p class="error" data-tone="failed">
                <Glyph name="failed" />
                <span>{message}</span>
            </p>
        }
    });
    let id = batch.id;
    view! {
        <div class="card-foot case-foot">
            <fieldset class="choices">
                <legend>"What became of the marked refunds?"</legend>
                {radios}
                {wrong}
            </fieldset>
            <TextArea
                name="reason"
                id=format!("{id}-propose-reason")
                label="How do you know?"
                hint="The person who confirms reads it; it stays in the audit trail."
                value=flash.value("reason")
                error=error(&flash, "propose-reason")
            />
            <div class="acts">
                {primary("act", "propose", "Propose")} <p>"Another person confirms or rejects it."</p>
            </div>
        </div>
    }
    .into_any()
}

/// Confirm or reject.
pub(super) fn answer_acts(batch: &ReviewBatch, flash: &Flash, needs_password: bool, reader: String) -> AnyView {
    let id = batch.id;
    let password = needs_password.then(|| {
        view! {
            // For the keeper of passwords: whose password is asked for.
            <input
                class="vh"
                type="text"
                autocomplete="username"
                value=reader
                aria-label="Signed in as"
                readonly
                tabindex="-1"
            />
            <Field
                name="password"
                id=format!("{id}-password")
                label="Password"
                kind="password"
                autocomplete="current-password"
                hint="Yours, once more: it was last asked for more than 10 minutes ago."
                error=error(flash, "answer-password")
            />
        }
    });
    view! {
        <div class="card-foot case-foot">
            <TextArea
                name="note"
                id=format!("{id}-answer-note")
                label="Reason"
                hint="Needed to reject. Whoever proposed it reads it."
                value=flash.value("note")
                rows=2
                error=error(flash, "answer-note")
            />
            {password}
            <div class="acts">
                {primary("answer", "confirm", "Confirm")}
                <Button kind=Kind::Danger name="answer" value="reject">
                    "Reject"
                </Button>
                <p>"Counts for the marked refunds. A confirmation cannot be taken back."</p>
            </div>
        </div>
    }
    .into_any()
}
