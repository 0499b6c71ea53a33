//! Title, status and what can be done with the batch.

use super::labels::things;
use crate::{
    api::ApiError,
    domain::view::{BatchDetail, BatchSnapshot, SyncReport},
    ui::components::{Banner, BatchStatusBadge, Icon, Menu, TextArea},
};
use leptos::prelude::*;

/// Address of `rest` below the batch's page.
pub(super) fn below(snapshot: &BatchSnapshot, rest: &str) -> String {
    format!("{}/{}/{rest}", snapshot.operation.path(), snapshot.id)
}

/// Title, status and actions.
#[component]
pub fn Head(
    detail: BatchDetail,
    shown: Memo<BatchSnapshot>,
    /// "Sync with Gateway".
    sync: Action<(), Result<SyncReport, ApiError>>,
) -> impl IntoView {
    let BatchDetail { snapshot, actions, maker, description, file_deleted, .. } = detail;
    let id = snapshot.id;
    let name = snapshot.operation.files().download;
    let download = below(&snapshot, name);
    let kind = if actions.decide { None } else { Some("primary") };
    let ask = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !sync.pending().get_untracked() {
            sync.dispatch(());
        }
    };
    let decided = move || {
        shown.with(|shown| {
            let decision = shown.decision.as_ref()?;
            let word = match decision.verdict.as_str() {
                "approved" => "approved by",
                "rejected" => "rejected by",
                _ => return None,
            };
            Some(view! { <span>{word}" "{decision.person.clone()}</span> })
        })
    };
    let said = move || {
        sync.value().get().map(|answer| match answer {
            Ok(report) => view! {
                <Banner tone="accepted">{report.message}</Banner>
            }
            .into_any(),
            Err(error) => view! {
                <Banner tone="failed" title="The gateway was not asked.">{error.refusal.message}</Banner>
            }
            .into_any(),
        })
    };
    view! {
        <div class="print-only report-head"><b>"Batchdesk"</b><span>"Batch report"</span></div>
        <div class="head">
            <div class="head-title">
                <h1>{snapshot.file_name.clone()}</h1>
                <BatchStatusBadge status=Signal::derive(move || shown.with(|shown| shown.status))/>
            </div>
            <div class="meta">
                {(!description.is_empty()).then(|| view! { <span>{description}</span> })}
                <span>"by "{maker}</span>
                {decided}
            </div>
            <div class="head-actions no-print">
                {actions.sync.then(|| view! {
                    <form method="post" action=below(&snapshot, "sync") on:submit=ask>
                        <button class="button" type="submit" aria-busy=move || sync.pending().get().then_some("true")>
                            <Icon name="sync"/>
                            "Sync with Gateway"
                        </button>
                    </form>
                })}
                <a class="button" data-kind=kind href=download download=name rel="external">
                    <Icon name="download"/>
                    "Download Data"
                </a>
                {actions.decide.then(|| view! {
                    <a class="button" data-kind="primary" href=format!("/approvals/{id}")>
                        <Icon name="approve"/>
                        "Review and decide"
                    </a>
                })}
                <More snapshot=snapshot.clone() actions has_file=file_deleted.is_none() shown/>
            </div>
        </div>
        <div class="flashes">{said}</div>
    }
    .into_any()
}

/// The menu with everything that is done seldom.
#[component]
fn More(
    snapshot: BatchSnapshot,
    actions: crate::domain::view::BatchActions,
    /// Whether the file is still kept.
    has_file: bool,
    shown: Memo<BatchSnapshot>,
) -> impl IntoView {
    let operation = snapshot.operation;
    let workbook = below(&snapshot, operation.files().workbook);
    let failed_rows = below(&snapshot, "failed_rows.csv");
    let original = below(&snapshot, "original");
    let cancel = below(&snapshot, "cancel");
    let post = |rest: &'static str, icon: &'static str, words: &'static str| {
        view! {
            <form method="post" action=below(&snapshot, rest)>
                <button type="submit"><Icon name=icon/>{words}</button>
            </form>
        }
    };
    let withdraw = actions.withdraw.then(|| post("withdraw", "undo", "Withdraw"));
    let pause_to = below(&snapshot, "pause");
    let resume = actions.resume.then(|| post("resume", "play", "Resume"));
    let changes = actions.withdraw || actions.pause || actions.resume || actions.cancel;
    let called_off = move || {
        shown.with(|shown| {
            let waiting = shown.counts.queued.saturating_sub(shown.counts.checking + shown.counts.review);
            things(operation, waiting)
        })
    };
    view! {
        <button
            class="button"
            data-only="icon"
            type="button"
            aria-label="More"
            title="More"
            popovertarget="batch-menu"
        >
            <Icon name="more"/>
        </button>
        <Menu id="batch-menu" label="More">
            {actions.retry.then(|| view! {
                <a href=below(&snapshot, "retry") rel="external"><Icon name="undo"/>"Send failed rows again"</a>
            })}
            <a href=workbook download rel="external">
                <Icon name="download"/>
                "Download Data as Excel (.xlsx)"
            </a>
            {move || (shown.with(|shown| shown.counts.failed) > 0).then(|| view! {
                <a href=failed_rows.clone() download rel="external">
                    <Icon name="download"/>
                    "Download only failed rows"
                </a>
            })}
            {has_file.then(|| view! {
                <a href=original download rel="external">
                    <Icon name="file"/>
                    "File as uploaded"
                </a>
            })}
            {changes.then(|| view! { <hr/> })}
            {withdraw}
            {actions.pause.then(|| view! {
                <button type="button" popovertarget="pause-batch"><Icon name="pause"/>"Pause…"</button>
            })}
            {resume}
            {actions.cancel.then(|| view! {
                <button type="button" popovertarget="cancel-batch"><Icon name="x"/>"Cancel…"</button>
            })}
        </Menu>
        {actions.pause.then(|| view! {
            <div class="dialog" id="pause-batch" popover="auto" role="dialog" aria-labelledby="pause-title">
                <header><h2 id="pause-title">"Pause this batch?"</h2></header>
                <form class="stack" id="pause-form" method="post" action=pause_to>
                    <p>"Nothing new is sent until somebody resumes. What is on its way finishes."</p>
                    <TextArea
                        name="reason"
                        id="pause-reason"
                        label="Reason (optional)"
                        hint="Everybody who can open the batch reads it."
                        rows=2
                    />
                </form>
                <footer>
                    <button class="button" type="button" popovertarget="pause-batch" popovertargetaction="hide">
                        "Keep it running"
                    </button>
                    <button class="button" data-kind="primary" type="submit" form="pause-form">"Pause"</button>
                </footer>
            </div>
        })}
        {actions.cancel.then(|| view! {
            <div class="dialog" id="cancel-batch" popover="auto" role="dialog" aria-labelledby="cancel-title">
                <header><h2 id="cancel-title">"Cancel what was not sent?"</h2></header>
                <div class="stack">
                    <p>
                        "At most "<b>{called_off}</b>
                        " that have not been sent are called off and become FAILED. What was sent runs to its end: it \
                         cannot be called back."
                    </p>
                    <p class="soft">"A cancelled batch cannot be resumed. Upload the rows again to run them later."</p>
                </div>
                <footer>
                    <button class="button" type="button" popovertarget="cancel-batch" popovertargetaction="hide">
                        "Keep it running"
                    </button>
                    <form method="post" action=cancel>
                        <button class="button" data-kind="danger" type="submit">
                            "Cancel batch"
                        </button>
                    </form>
                </footer>
            </div>
        })}
    }
    .into_any()
}
