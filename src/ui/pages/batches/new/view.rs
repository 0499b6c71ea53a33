//! The page once its data is there: the form, and what the browser adds to it.

use super::{
    description::DescriptionDialog,
    file::FileStep,
    heading::{Heading, Step},
    problems,
    review_step::{ReviewStep, Troubles},
    upload_form::UploadForm,
};
use crate::{
    domain::{
        finding::Severity,
        view::{DraftView, Flash, NewBatch},
    },
    ui::components::{ErrorSummary, count},
};
use leptos::{ev, prelude::*};

/// What an earlier try left to say, for the summary above the form.
fn left_over(draft: &DraftView) -> Option<(String, String)> {
    let errors = draft.findings.iter().filter(|finding| finding.severity == Severity::Error).count() as u64;
    let asked = draft.findings.iter().filter(|finding| finding.must_be_confirmed()).count();
    let words = match (errors, draft.repeats.is_empty()) {
        (0, true) if asked == 0 => return None,
        (0, true) => format!("Something in {} must be confirmed. Nothing of it was sent now.", draft.file_name),
        (0, false) => format!("{} or some of its rows went out before. Nothing of it was sent now.", draft.file_name),
        (1, _) => format!("1 error in {}. Nothing of it was sent.", draft.file_name),
        (errors, _) => format!("{} errors in {}. Nothing of it was sent.", count(errors), draft.file_name),
    };
    Some(("#findings".to_owned(), words))
}

/// Everything below the top bar.
#[component]
pub fn NewBatchView(new: NewBatch, flash: Flash) -> impl IntoView {
    let upload = UploadForm::new(&new);
    let draft = new.draft.clone();
    let must_describe = new.maker_checker && draft.is_none();
    Effect::new(move || {
        if !must_describe {
            upload.listen();
        }
    });
    let open = Memo::new(move |_| upload.is_open());
    let step = Signal::derive(move || match (must_describe, open.get(), upload.sending.with(Option::is_some)) {
        (true, ..) => Step::Describe,
        (_, _, true) => Step::Send,
        (_, true, _) => Step::Check,
        _ => Step::Choose,
    });
    let over = move |event: ev::DragEvent| {
        if !must_describe {
            event.prevent_default();
            upload.over.set(true);
        }
    };
    let dropped = move |event: ev::DragEvent| {
        if !must_describe {
            event.prevent_default();
            upload.drop_file(&event);
        }
    };
    let kept = draft.as_ref().is_some_and(|draft| !draft.file_name.is_empty());
    let submit = move |event: ev::SubmitEvent| {
        // The file of an earlier try lies on the server: the form names it and is sent as it is, unless another one was
        // chosen.
        if kept && upload.chosen.with_untracked(Option::is_none) {
            return;
        }
        event.prevent_default();
        upload.upload();
    };
    let action = new.operation.path();
    let mut error = problems(&flash);
    error.extend(draft.as_ref().and_then(left_over));
    let described = draft.clone().filter(|draft| draft.file_name.is_empty());
    let dialog = must_describe.then(|| view! { <DescriptionDialog new=new.clone() flash=flash.clone()/> });
    let for_desk = new.clone();
    view! {
        <Heading operation=new.operation maker_checker=Some(new.maker_checker) step/>
        {dialog}
        <div
            class="stack"
            data-gap="24"
            inert=must_describe
            on:dragover=over
            on:dragleave=move |_| upload.over.set(false)
            on:drop=dropped
        >
            <Troubles upload/>
            <form
                class="stack"
                data-gap="24"
                id="upload"
                method="post"
                action=action
                enctype="multipart/form-data"
                hidden=move || open.get()
                on:submit=submit
            >
                <ErrorSummary problems=Signal::stored(error)/>
                {described.map(|draft| view! { <input type="hidden" name="draft" value=draft.id.to_string()/> })}
                <FileStep new draft flash upload/>
            </form>
            {move || open.get().then(|| view! { <ReviewStep upload new=for_desk.clone()/> })}
        </div>
    }
    .into_any()
}
