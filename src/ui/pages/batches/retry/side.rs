//! Beside the rows: what is sent, what it comes to, and the buttons.

use crate::{
    domain::{money::Money, view::retries::RetryView},
    ui::components::{Glyph, Icon, MoneyView, count},
};
use leptos::prelude::*;

/// `1 row`, `12 rows`.
pub(super) fn rows(number: u64) -> String {
    match number {
        1 => "1 row".to_owned(),
        number => format!("{} rows", count(number)),
    }
}

/// Totals before and now, who decides, and the acts.
#[component]
pub fn Side(retry: RetryView) -> impl IntoView {
    let RetryView { taken: (taken, before, now), changed, fails_again, failed, .. } = retry.clone();
    let left = failed.0.saturating_sub(taken);
    let difference = now.map(|now| now.minor - before.minor).filter(|minor| *minor != 0).map(|minor| {
        let sign = if minor < 0 { "−" } else { "+" };
        format!("{sign}{}", Money::new(minor.abs(), before.currency))
    });
    let after = match now {
        Some(now) => view! { <span class="sum"><b><MoneyView amount=now/></b></span> }.into_any(),
        None => view! { <span class="bad">"cannot be read yet"</span> }.into_any(),
    };
    let decides = match (retry.maker_checker, retry.approvers.as_slice()) {
        (false, _) => "No decision is needed: they are sent at once.".to_owned(),
        (true, []) => {
            "Another person must decide, also when nothing was changed; nobody else here has Approve yet.".to_owned()
        }
        (true, approvers) => {
            format!("Another person decides, also when nothing was changed: {}.", approvers.join(", "))
        }
    };
    let send = match (retry.maker_checker, taken) {
        (true, _) => format!("Ask to send {} again", rows(taken)),
        (false, _) => format!("Send {} again", rows(taken)),
    };
    let again = (fails_again != 0).then(|| {
        let sentence = match fails_again {
            1 => "1 row fails again as it stands. Correct it or leave it out.".to_owned(),
            number => format!("{} rows fail again as they stand. Correct them or leave them out.", count(number)),
        };
        view! { <p class="again-why small" data-tone="waiting"><Glyph name="partial"/><span>{sentence}</span></p> }
    });
    let left = (left != 0).then(|| view! { <p class="small soft">{rows(left)}" left as failed."</p> });
    view! {
        <section class="card stick" id="send" aria-labelledby="sum">
            <div class="card-body stack">
                <h2 id="sum" class="tile-label">"To be sent again"</h2>
                <dl class="facts" data-money="">
                    <dt>"Rows"</dt>
                    <dd data-total="rows">{count(taken)}" of "{count(failed.0)}</dd>
                    <dt>"Changed"</dt>
                    <dd data-total="changed">{count(changed)}</dd>
                    <dt>"Amount before"</dt>
                    <dd data-total="before"><MoneyView amount=before/></dd>
                    <dt>"Amount now"</dt>
                    <dd data-total="now">{after}{difference.map(|text| view! { <small>{text}</small> })}</dd>
                </dl>
                {again}
                {left}
            </div>
            <div class="card-body stack">
                <p class="small">{decides}" Each row gets a new key; what was accepted is not touched."</p>
                <div class="acts">
                    <button class="button grow" data-kind="primary" type="submit" name="do" value="send">{send}</button>
                    <button class="button" type="submit" name="do" value="check"><Icon name="check"/>"Check"</button>
                    {retry.typed.then(|| view! {
                        <button class="button" data-kind="quiet" type="submit" name="do" value="reset">
                            <Icon name="undo"/>
                            "Start over"
                        </button>
                    })}
                </div>
                <p class="small dim">"Check adds up what was typed and looks for errors. Nothing is sent by it."</p>
            </div>
        </section>
    }
    .into_any()
}
