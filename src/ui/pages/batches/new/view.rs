//! The page once its data is there: the form, and what the browser adds to it.

use super::{
    bench::Bench,
    description::DescriptionDialog,
    desk::{Desk, Troubles},
    file::FileStep,
    heading::{Heading, Step},
    problems,
};
use crate::{
    domain::view::{Flash, NewBatch},
    ui::components::ErrorSummary,
};
use leptos::{ev, prelude::*};

/// Everything below the top bar.
#[component]
pub fn NewBatchView(new: NewBatch, flash: Flash) -> impl IntoView {
    let bench = Bench::new(&new);
    let draft = new.draft.clone();
    let must_describe = new.maker_checker && draft.is_none();
    Effect::new(move || {
        if !must_describe {
            bench.listen();
        }
    });
    let open = Memo::new(move |_| bench.is_open());
    let step = Signal::derive(move || match (must_describe, open.get(), bench.sending.with(Option::is_some)) {
        (true, ..) => Step::Describe,
        (_, _, true) => Step::Send,
        (_, true, _) => Step::Check,
        _ => Step::Choose,
    });
    let over = move |event: ev::DragEvent| {
        if !must_describe {
            event.prevent_default();
            bench.over.set(true);
        }
    };
    let dropped = move |event: ev::DragEvent| {
        if !must_describe {
            event.prevent_default();
            bench.drop_file(&event);
        }
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        bench.upload();
    };
    let action = new.operation.path();
    let error = problems(&flash);
    let described = draft.clone().filter(|draft| draft.file_name.is_empty());
    let dialog = must_describe.then(|| view! { <DescriptionDialog new=new.clone() flash=flash.clone()/> });
    let for_desk = new.clone();
    view! {
        <Heading maker_checker=Some(new.maker_checker) step/>
        {dialog}
        <div
            class="stack"
            data-gap="24"
            inert=must_describe
            on:dragover=over
            on:dragleave=move |_| bench.over.set(false)
            on:drop=dropped
        >
            <Troubles bench/>
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
                <FileStep new draft flash bench/>
            </form>
            {move || open.get().then(|| view! { <Desk bench new=for_desk.clone()/> })}
        </div>
    }
    .into_any()
}
