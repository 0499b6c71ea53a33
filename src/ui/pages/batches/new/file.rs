//! The form that takes a file. Complete without JavaScript; with it, the file is looked at before anything is sent.

use super::{
    fields::{Guide, Rules, facts},
    findings::{FindingGroup, Repeats, ToConfirm},
    switch::SwitchField,
    upload_form::UploadForm,
};
use crate::{
    domain::{
        finding::Severity,
        limits::size_text,
        operation::Operation,
        view::{DraftView, Flash, NewBatch},
    },
    ui::{
        components::{Button, FieldError, Icon, Kind, Size, count},
        worker::groups::{Group, group},
    },
};
use leptos::prelude::*;

/// Step 1: file, samples and rules.
#[component]
pub fn FileStep(
    new: NewBatch,
    /// Description from before, when the address names one.
    draft: Option<DraftView>,
    flash: Flash,
    upload: UploadForm,
) -> impl IntoView {
    let from_server = flash.error.clone().filter(|_| flash.field.as_deref() == Some("file"));
    let error = Signal::derive(move || upload.complaint.get().or_else(|| from_server.clone()));
    let kept = draft.as_ref().filter(|draft| !draft.file_name.is_empty()).cloned();
    let (operation, rows) = (new.operation, new.limits.rows);
    view! {
        <div class="split" data-side="end">
            <div class="stack">
                <label class="drop" for="file" data-state=move || upload.over.get().then_some("over")>
                    <b>{move || if upload.over.get() { "Drop it to check it. Nothing is sent yet." } else { operation.labels().file }}</b>
                    <span class="row">
                        <span class="button">
                            <Icon name="upload"/>
                            "Choose File"
                        </span>
                        "or drag and drop your CSV file"
                    </span>
                    <small id="file-hint">{facts(&new)}</small>
                    <input
                        id="file"
                        name="file"
                        type="file"
                        accept=".csv,text/csv"
                        aria-label="Choose File"
                        aria-describedby=move || {
                            if error.with(Option::is_some) { "file-hint file-error" } else { "file-hint" }
                        }
                        aria-invalid=move || error.with(Option::is_some).then_some("true")
                        on:change=move |event| upload.take(&event)
                    />
                </label>
                <FieldError id="file" error/>
                {kept.map(|kept| view! { <DraftNotice operation kept/> })}
                <p class="small" role="status">{move || upload.reading.get().then_some("The file is being read…")}</p>
                // Gone, not only hidden, once the file is open: there is one button of this name at any time.
                {move || (!upload.is_open()).then(|| view! {
                    {upload.switch().map(|switch| view! { <SwitchField upload switch/> })}
                    <div class="acts">
                        <Button kind=Kind::Primary size=Size::Large>"Upload"</Button>
                        <p>{format!(
                            "The file is checked first: up to {} rows, and none of them is sent while one has an error.",
                            count(u64::from(rows)),
                        )}</p>
                    </div>
                })}
            </div>
            <Guide operation/>
        </div>
        <Rules operation/>
    }
    .into_any()
}

/// The file of an earlier try, with what was found in it.
#[component]
fn DraftNotice(operation: Operation, kept: DraftView) -> impl IntoView {
    let groups = group(&kept.findings);
    let wrong = groups.iter().any(|group| group.severity == Severity::Error);
    let asks = !wrong && groups.iter().any(Group::must_be_confirmed);
    let to_confirm = asks.then(|| view! { <ToConfirm groups=groups.clone()/> });
    let repeats = (!kept.repeats.is_empty()).then(|| view! { <Repeats operation repeats=kept.repeats.clone()/> });
    let advice = if wrong {
        "Correct the file and choose it again. Nothing of it was sent."
    } else {
        "Nothing of it was sent. Tick the box to upload it all the same, or choose another file."
    };
    view! {
        <input type="hidden" name="upload" value=kept.id.to_string()/>
        <section class="card" aria-labelledby="findings">
            <div class="card-head">
                <h2 id="findings" tabindex="-1">"Findings"</h2>
                <small>
                    {format!("{} · {} · {} rows", kept.file_name, size_text(kept.file_bytes), count(kept.rows))}
                </small>
            </div>
            <div class="card-body small">{advice}</div>
            <div class="findings">
                {groups.into_iter().map(|group| view! { <FindingGroup group/> }).collect_view()}
                {repeats}
                {to_confirm}
            </div>
        </section>
    }
    .into_any()
}
