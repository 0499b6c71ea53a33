//! Differences about money: what the gateway shows, what we had, and who has seen it.

use crate::{
    domain::view::{
        Flash,
        review::{ReviewBatch, ReviewEntry},
    },
    ui::components::{Button, Field, MoneyView, TimeView, count},
};
use leptos::prelude::*;

/// Differences of a batch, open ones first.
#[component]
pub fn Entries(batch: ReviewBatch, flash: Flash) -> impl IntoView {
    let open = batch.entries.iter().filter(|entry| entry.acknowledged.is_none()).count();
    let title = match u64::try_from(open).unwrap_or(0) {
        0 => "Differences with the gateway, all acknowledged".to_owned(),
        1 => "1 difference with the gateway".to_owned(),
        n => format!("{} differences with the gateway", count(n)),
    };
    let may = batch.can_propose || batch.can_confirm;
    let items = batch.entries.iter().map(|entry| item(&batch, entry, may, &flash)).collect_view();
    view! {
        <div class="part">
            <h3>{title}</h3>
            <ul class="cases">{items}</ul>
        </div>
    }
    .into_any()
}

fn item(batch: &ReviewBatch, entry: &ReviewEntry, may: bool, flash: &Flash) -> AnyView {
    let foot = match entry.acknowledged.clone() {
        Some((person, at, note)) => view! {
            <div class="case-proposal" data-tone="accepted">
                <blockquote class="quote">{note}</blockquote>
                <small>"Acknowledged by " {person} ", " <TimeView moment=at /></small>
            </div>
        }
        .into_any(),
        None if may => {
            let about = flash.value("entry") == entry.id;
            let order = entry.order_id.clone();
            let error = flash.error.clone().filter(|_| about && flash.field.as_deref() == Some("acknowledge-note"));
            let typed = if about { flash.value("note") } else { String::new() };
            view! {
                <form class="acknowledge" method="post" action=format!("/review/{}/acknowledge", batch.id) novalidate>
                    <input type="hidden" name="entry" value=entry.id.clone() />
                    <Field
                        name="note"
                        id=format!("note-{}", entry.id)
                        label="What you found or did"
                        value=typed
                        error=Signal::stored(error)
                    />
                    <Button>"Acknowledge" <span class="vh">" order " {order}</span></Button>
                </form>
            }
            .into_any()
        }
        None => ().into_any(),
    };
    view! {
        <li data-tone="failed">
            <div class="case-head">
                <span class="case-name">
                    <b>{entry.order_id.clone()}</b>
                    <small>"Row " {entry.row}</small>
                </span>
            </div>
            <div class="case-amount">
                <MoneyView amount=entry.amount />
            </div>
            <div class="case-text stack" data-gap="8">
                <p>{entry.sentence.clone()}</p>
                <p class="soft">{entry.next_step.clone()}</p>
                <p class="case-keys small">
                    <span>"Key " <span class="id">{entry.key.clone()}</span></span>
                    <span>"Found " <TimeView moment=entry.at.clone() /></span>
                </p>
                {foot}
            </div>
        </li>
    }
    .into_any()
}
