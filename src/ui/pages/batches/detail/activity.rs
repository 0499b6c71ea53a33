//! What happened to the batch, and why tasks failed.

use super::{
    head::below,
    labels::{bar_width, things},
};
use crate::{
    domain::{
        money::Money,
        view::{ActivityRow, BatchSnapshot, FailureSummary},
    },
    ui::components::{Glyph, Icon, TimeView, count},
};
use leptos::prelude::*;

/// The entries of a timeline.
pub fn timeline(rows: Vec<ActivityRow>) -> Vec<AnyView> {
    rows.into_iter()
        .map(|row| {
            let glyph = match row.tone.as_str() {
                "accepted" => "accepted",
                "failed" => "failed",
                "queued" => "queued",
                "waiting" => "waiting",
                _ => "done",
            };
            view! {
                <li data-tone=row.tone>
                    <Glyph name=glyph medium=true/>
                    <p>{row.text}</p>
                    {(!row.remark.is_empty()).then(|| view! { <blockquote>{row.remark}</blockquote> })}
                    <small><TimeView moment=row.at/><span>{row.actor}</span></small>
                </li>
            }
            .into_any()
        })
        .collect()
}

/// The latest of what was done, newest first.
#[component]
pub fn Activity(
    rows: Vec<ActivityRow>,
    /// Where all of it stands.
    log: String,
) -> impl IntoView {
    let rows = timeline(rows);
    view! {
        <section class="card" aria-labelledby="activity">
            <div class="card-head"><h2 id="activity">"Activity"</h2><small><a class="no-print" href=log rel="external">"Activity log"</a></small></div>
            <ol class="timeline card-body">{rows}</ol>
        </section>
    }
    .into_any()
}

/// Bars of the reasons; nothing while no task failed.
#[component]
pub fn Failures(shown: Memo<BatchSnapshot>, failures: FailureSummary) -> impl IntoView {
    let FailureSummary { reasons, more, tasks, minor: sum } = failures;
    if tasks == 0 {
        return ().into_any();
    }
    let snapshot = shown.get_untracked();
    let currency = snapshot.sums().currency;
    let most = reasons.iter().map(|(_, tasks, _)| *tasks).max().unwrap_or(1).max(1);
    let bars = reasons
        .into_iter()
        .map(|(reason, tasks, minor)| {
            let width = bar_width(tasks, most);
            view! {
                <span>{reason}</span>
                <b title=(minor > 0).then(|| Money::new(minor, currency).to_string())>{count(tasks)}</b>
                <svg height="6" aria-hidden="true">
                    <rect class="chart-track" width="100%" height="6"></rect>
                    <rect class="chart-bar" width=width height="6"></rect>
                </svg>
            }
        })
        .collect_view();
    let amounts = snapshot.operation.has_amounts();
    let mut heading = format!("{} task{}", count(tasks), if tasks == 1 { "" } else { "s" });
    if amounts {
        heading.push_str(&format!(", {}", Money::new(sum, currency)));
    }
    view! {
        <section class="card" aria-labelledby="errors">
            <div class="card-head"><h2 id="errors">"Why tasks failed"</h2><small>{heading}</small></div>
            <div class="card-body stack">
                <div class="bars" data-tone="failed">{bars}</div>
                {(more > 0)
                    .then(|| {
                        let reasons = if more == 1 { "reason" } else { "reasons" };
                        view! { <p class="small">{format!("and {} more {reasons}", count(more))}</p> }
                    })}
                <p class="small soft">
                    {if amounts {
                        format!(
                            "No money moved for {}.",
                            match tasks {
                                1 => "this one".to_owned(),
                                _ => format!("these {}", things(snapshot.operation, tasks)),
                            },
                        )
                    } else {
                        "Sync with Gateway asks about every row again. Rows that are wrong can be corrected and \
                         uploaded as a new batch."
                            .to_owned()
                    }}
                </p>
                <div class="row no-print">
                    <a class="button" data-size="sm" href=below(&snapshot, "failed_rows.csv") download rel="external">
                        <Icon name="download"/>
                        "Download only failed rows"
                    </a>
                </div>
            </div>
        </section>
    }
    .into_any()
}
