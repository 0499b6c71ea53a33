//! The page once its data is there: the form, and what the browser adds to it.

use super::{
    description::DescriptionDialog,
    file::{FileEvents, FileStep},
    heading::{Heading, Step},
    problems,
};
use crate::{
    domain::view::{Flash, NewBatch},
    ui::components::ErrorSummary,
};
use leptos::prelude::*;

/// Everything below the top bar. Knows no routes, so it can be rendered from data alone.
#[component]
pub fn NewBatchView(new: NewBatch, flash: Flash) -> impl IntoView {
    let draft = new.draft.clone();
    let must_describe = new.maker_checker && draft.is_none();
    let step = Signal::derive(move || if must_describe { Step::Describe } else { Step::Choose });
    let over = RwSignal::new(false);
    let complaint = RwSignal::new(None::<String>);
    let events = FileEvents { chosen: Callback::new(move |_| ()), over: over.into() };
    let error = problems(&flash);
    let action = new.operation.path();
    let described = draft.clone().filter(|draft| draft.file_name.is_empty());
    let dialog = must_describe.then(|| view! { <DescriptionDialog new=new.clone() flash=flash.clone()/> });
    view! {
        <Heading maker_checker=Some(new.maker_checker) step/>
        {dialog}
        <form
            class="stack"
            data-gap="24"
            id="upload"
            method="post"
            action=action
            enctype="multipart/form-data"
            inert=must_describe
        >
            <ErrorSummary problems=Signal::stored(error)/>
            {described.map(|draft| view! { <input type="hidden" name="draft" value=draft.id.to_string()/> })}
            <FileStep new draft flash events complaint=complaint.into()/>
        </form>
    }
    .into_any()
}
