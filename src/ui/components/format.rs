//! Figures: money, counts, times and ids.

use crate::domain::{
    ids::BatchId,
    money::{Money, group},
    view::DisplayTime,
};
use leptos::prelude::*;

/// `1,204`: a number of rows, tasks or batches.
pub fn count(number: u64) -> String {
    group(number, false)
}

/// An amount: sign and decimals step back, the bare number is there for copying.
#[component]
pub fn MoneyView(
    /// How much; may change while it is looked at.
    #[prop(into)]
    amount: Signal<Money>,
    /// As a total of a page.
    #[prop(optional)]
    large: bool,
) -> impl IntoView {
    let parts = Memo::new(move |_| {
        let parts = amount.get().parts();
        (parts.symbol, parts.whole, parts.fraction)
    });
    view! {
        <data class="money" data-size=large.then_some("2xl") value=move || amount.get().bare()>
            <i>{move || parts.get().0}</i>
            {move || parts.get().1}
            <i>{move || parts.get().2}</i>
        </data>
    }
    .into_any()
}

/// A point in time, in the organisation's zone: in one line with its zone, or date over time in a table.
#[component]
pub fn TimeView(
    /// When.
    moment: DisplayTime,
    /// Date over time.
    #[prop(optional)]
    stacked: bool,
) -> impl IntoView {
    let title = moment.text.clone();
    if stacked {
        view! {
            <time datetime=moment.utc title=title>
                {moment.date}
                <small>{moment.time}</small>
            </time>
        }
        .into_any()
    } else {
        view! { <time datetime=moment.utc>{moment.text}</time> }.into_any()
    }
}

/// The last eight digits of a batch id: the first ones are the clock and look alike.
#[component]
pub fn ShortId(
    /// Which batch.
    id: BatchId,
) -> impl IntoView {
    let full = id.to_string();
    let tail = full.get(full.len().saturating_sub(8)..).unwrap_or_default().to_owned();
    view! { <span class="id" title=full>"…" {tail}</span> }.into_any()
}
