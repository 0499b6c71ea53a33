//! Messages that stay on the page until they are solved. Errors are never a toast.

use super::{Glyph, Icon, Tone};
use crate::domain::{
    error::{Refusal, RefusalKind},
    page::encode,
};
use leptos::prelude::*;

/// A message in the colour of its tone.
#[component]
pub fn Banner(
    /// `accepted`, `failed`, `queued`, `waiting` or `neutral`.
    tone: Tone,
    /// The fact, in bold.
    #[prop(optional, into)]
    title: Option<String>,
    /// Buttons at its end.
    #[prop(optional)]
    actions: Option<Children>,
    /// The rest of the sentence.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let glyph = match tone {
        "accepted" => "accepted",
        "failed" => "failed",
        "waiting" => "partial",
        _ => "info",
    };
    // What went wrong is said at once to those who listen; all else when they pause.
    let role = if tone == "failed" { "alert" } else { "status" };
    view! {
        <div class="banner" data-tone=tone role=role>
            <Glyph name=glyph medium=true />
            <p>
                {title.map(|title| view! { <b>{title}</b> " " })} {children.map(|children| children())}
            </p>
            {actions.map(|actions| view! { <div class="row">{actions()}</div> })}
        </div>
    }
    .into_any()
}

/// What is wrong with a form, at its top, each line leading to its field.
#[component]
pub fn ErrorSummary(
    /// Address of the field (`#email`) and sentence; nothing is shown while there are none.
    #[prop(into)]
    problems: Signal<Vec<(String, String)>>,
) -> impl IntoView {
    move || {
        let problems = problems.get();
        (!problems.is_empty()).then(|| {
            view! {
                <div class="trouble" role="alert" aria-labelledby="trouble">
                    <h2 id="trouble" tabindex="-1">
                        "There is a problem"
                    </h2>
                    <ul>
                        {problems
                            .into_iter()
                            .map(|(href, text)| view! { <li><a href=href rel="external">{text}</a></li> })
                            .collect_view()}
                    </ul>
                </div>
            }
        })
    }
}

/// Data that could not be loaded, in the place where it would stand.
#[component]
pub fn LoadFailed(
    /// What was to be loaded: `The list`.
    what: &'static str,
    /// What the server said.
    refusal: Refusal,
    /// Address of this page, to try again or to come back to after signing in.
    #[prop(into)]
    address: String,
) -> impl IntoView {
    let (title, href, act) = match refusal.kind {
        RefusalKind::SignedOut => {
            ("You are signed out.".to_owned(), format!("/login?next={}", encode(&address)), "Sign in")
        }
        _ => (format!("{what} could not be loaded."), address, "Try again"),
    };
    view! {
        <div class="banner" data-tone="failed" role="alert">
            <Glyph name="failed" medium=true />
            <p>
                <b>{title}</b>
                " "
                {refusal.message}
            </p>
            <div class="row">
                <a class="button" data-size="sm" href=href rel="external">
                    {act}
                </a>
            </div>
        </div>
    }
    .into_any()
}

/// Nothing to show, why, and what to do.
#[component]
pub fn EmptyState(
    /// Name of an icon.
    icon: &'static str,
    /// The fact.
    #[prop(into)]
    title: String,
    /// One sentence; may be empty.
    #[prop(optional, into)]
    text: String,
    /// What can be done.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <Icon name=icon />
            <h2>{title}</h2>
            {(!text.is_empty()).then(|| view! { <p>{text}</p> })}
            {children.map(|children| view! { <div class="row">{children()}</div> })}
        </div>
    }
    .into_any()
}
