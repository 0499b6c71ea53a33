//! `/batch/batch-refunds/new` and its neighbours: a description where a checker will read it, then a file, looked at
//! before it is sent.
//!
//! Without JavaScript it is one form, and the server answers with what it found. With it, the same checks run in the
//! browser first, cells are corrected in place, and the sum is seen before anything is sent.

pub mod description;
pub mod fields;
pub mod file;
pub mod findings;
pub mod heading;
pub mod review_step;
pub mod switch;
pub mod table;
pub mod upload_form;
pub mod view;

use crate::{
    api::batches::load_new_batch,
    domain::{ids::DraftId, operation::Operation, view::Flash},
    ui::{
        components::{ErrorSummary, LoadFailed, Title},
        hooks::{page::flash, url::here},
    },
};
use description::DescriptionForm;
use heading::{Heading, Step};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use view::NewBatchView;

/// The page that takes a file.
#[component]
pub fn NewBatchPage(
    /// What the batch will do.
    operation: Operation,
) -> impl IntoView {
    let query = use_query_map();
    let draft = Memo::new(move |_| {
        let query = query.read();
        let id = |name: &str| query.get(name).and_then(|id| id.parse::<DraftId>().ok());
        id("upload").or_else(|| id("draft"))
    });
    let loading = Resource::new_blocking(move || draft.get(), move |draft| load_new_batch(operation, draft));
    let flash = flash();
    let address = here();
    view! {
        <Title text=operation.labels().new/>
        <Suspense>
            {move || {
                let flash = flash.clone();
                Suspend::new(async move {
                    match loading.await {
                        Ok(new) => view! { <NewBatchView new flash/> }.into_any(),
                        Err(error) => view! {
                            <Heading operation maker_checker=None step=Signal::stored(Step::Choose)/>
                            <LoadFailed what="This page" refusal=error.refusal address=address.get_untracked()/>
                        }
                        .into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// The page that takes a description, where a checker will read it.
#[component]
pub fn DescriptionPage(
    /// What the batch will do.
    operation: Operation,
) -> impl IntoView {
    let loading = Resource::new_blocking(|| (), move |()| load_new_batch(operation, None));
    let flash = flash();
    let address = here();
    view! {
        <Title text="Describe this request"/>
        <Suspense>
            {move || {
                let flash = flash.clone();
                Suspend::new(async move {
                    match loading.await {
                        Ok(new) => {
                            let problems = problems(&flash);
                            view! {
                                <div class="head"><h1>"Describe this request"</h1></div>
                                <div class="stack">
                                    <ErrorSummary problems=Signal::stored(problems)/>
                                    <DescriptionForm new flash/>
                                </div>
                            }
                            .into_any()
                        }
                        Err(error) => view! {
                            <div class="head"><h1>"Describe this request"</h1></div>
                            <LoadFailed what="This page" refusal=error.refusal address=address.get_untracked()/>
                        }
                        .into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// What is wrong with a field, for the summary above the form.
fn problems(flash: &Flash) -> Vec<(String, String)> {
    let field = flash.field.clone().map(|field| format!("#{field}"));
    field.zip(flash.error.clone()).into_iter().collect()
}
