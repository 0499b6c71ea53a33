//! Title and steps.

use crate::domain::operation::Operation;
use leptos::prelude::*;

/// How far the person has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A description is asked for.
    Describe,
    /// A file is asked for.
    Choose,
    /// The file is looked at.
    Check,
    /// It is sent.
    Send,
}

impl Step {
    const fn label(self, maker_checker: bool) -> &'static str {
        match self {
            Self::Describe => "Described",
            Self::Choose => "File chosen",
            Self::Check => "Check and fix",
            Self::Send if maker_checker => "Sent for approval",
            Self::Send => "Queued for processing",
        }
    }
}

/// Title and steps of the page that takes a file.
#[component]
pub fn Heading(
    /// What the batch will do.
    operation: Operation,
    /// Whether a description is one of the steps; none while nothing is known.
    maker_checker: Option<bool>,
    /// Where the person stands.
    step: Signal<Step>,
) -> impl IntoView {
    let steps = maker_checker.map(|maker_checker| {
        let all = [Step::Describe, Step::Choose, Step::Check, Step::Send];
        let line = move |this: Step| {
            let look = move || match step.get().cmp(&this) {
                std::cmp::Ordering::Greater => ("g-done", "accepted"),
                std::cmp::Ordering::Equal => ("g-here", "ink"),
                std::cmp::Ordering::Less => ("g-later", "neutral"),
            };
            view! {
                <li aria-current=move || (step.get() == this).then_some("step")>
                    <svg class="glyph" data-tone=move || look().1 viewBox="0 0 12 12" aria-hidden="true">
                        <use href=move || format!("#{}", look().0)/>
                    </svg>
                    {this.label(maker_checker)}
                </li>
            }
        };
        view! {
            <ol class="steps">
                {all.into_iter().filter(|step| maker_checker || *step != Step::Describe).map(line).collect_view()}
            </ol>
        }
    });
    view! {
        <div class="head">
            <h1>{operation.labels().new}</h1>
            {steps}
        </div>
    }
    .into_any()
}
