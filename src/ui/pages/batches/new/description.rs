//! The description that a checker will read, asked for before the file.

use crate::{
    domain::{
        operation::Operation,
        view::{Flash, NewBatch},
    },
    ui::{
        components::{Button, Kind, LinkButton, TextArea},
        hooks::url::use_go,
    },
};
use leptos::{html, prelude::*};

/// The form as a dialog over the page. Open without JavaScript too; with it, the page behind cannot be reached.
#[component]
pub fn DescriptionDialog(new: NewBatch, flash: Flash) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let list = new.operation.path();
    let go = use_go();
    let leave = move |event: leptos::ev::Event| {
        event.prevent_default();
        go(list.to_owned(), false);
    };
    Effect::new(move || {
        #[cfg(feature = "hydrate")]
        if let Some(dialog) = dialog.get() {
            // What the server opened is open as a part of the page; it is shown anew to stand above it.
            let _ = dialog.remove_attribute("open");
            if dialog.show_modal().is_err() {
                dialog.set_open(true);
            }
        }
    });
    view! {
        <dialog class="dialog" open aria-labelledby="describe" node_ref=dialog on:close=leave>
            <Inside new flash/>
        </dialog>
    }
    .into_any()
}

#[component]
fn Inside(new: NewBatch, flash: Flash) -> impl IntoView {
    let operation = new.operation;
    view! {
        <header><h2 id="describe">"Describe this request"</h2></header>
        <form class="stack" id="description-form" method="post" action=action(operation)>
            <DescriptionField new flash/>
        </form>
        <footer>
            <LinkButton href=operation.path().to_owned()>"Cancel"</LinkButton>
            <Button kind=Kind::Primary form="description-form">"Submit"</Button>
        </footer>
    }
    .into_any()
}

/// The same form as a page of its own.
#[component]
pub fn DescriptionForm(new: NewBatch, flash: Flash) -> impl IntoView {
    let operation = new.operation;
    view! {
        <form class="card card-body stack describe" method="post" action=action(operation)>
            <DescriptionField new flash/>
            <div class="row">
                <Button kind=Kind::Primary>"Submit"</Button>
                <LinkButton href=operation.path().to_owned()>"Cancel"</LinkButton>
            </div>
        </form>
    }
    .into_any()
}

#[component]
fn DescriptionField(new: NewBatch, flash: Flash) -> impl IntoView {
    let error = flash.error.clone().filter(|_| flash.field.as_deref() == Some("description"));
    view! {
        <TextArea
            name="description"
            label="Description"
            hint=readers(&new)
            value=flash.value("description")
            required=true
            error=Signal::stored(error)
        />
    }
    .into_any()
}

fn action(operation: Operation) -> String {
    format!("{}/new/description", operation.path())
}

/// Who will read it, as far as there is room to name them.
fn readers(new: &NewBatch) -> String {
    const NAMED: usize = 3;
    if !new.maker_checker {
        return "Everybody who can open the batch reads it.".to_owned();
    }
    let named: Vec<&str> = new.approvers.iter().take(NAMED).map(String::as_str).collect();
    match (new.approvers.len(), new.approvers.len().saturating_sub(NAMED)) {
        (0, _) => "Nobody but you could approve this request. Ask an administrator to give another person that right."
            .to_owned(),
        (1, _) => format!("{} can approve this request and will read it.", named.concat()),
        (_, 0) => match named.split_last() {
            Some((last, others)) => {
                format!("{} or {last} can approve this request and will read it.", others.join(", "))
            }
            None => String::new(),
        },
        (_, more) => format!("{} or {more} more can approve this request and will read it.", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{limits::Limits, money::Currency};

    #[test]
    fn who_can_approve_is_named() {
        let with = |approvers: &[&str]| {
            readers(&NewBatch {
                operation: Operation::Refund,
                maker_checker: true,
                approvers: approvers.iter().map(|name| (*name).to_owned()).collect(),
                limits: Limits::default(),
                currency: Currency::Inr,
                gateway: None,
                external: None,
                draft: None,
            })
        };
        assert!(with(&[]).starts_with("Nobody but you"));
        assert!(with(&["a@x"]).starts_with("a@x can"));
        assert!(with(&["a@x", "b@x"]).starts_with("a@x or b@x can"));
        assert!(with(&["a", "b", "c", "d", "e"]).starts_with("a, b, c or 2 more can"));
    }
}
