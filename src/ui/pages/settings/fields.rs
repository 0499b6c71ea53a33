//! Fields of pages with several forms: the id names the form, the name is the field's own.

use crate::{
    domain::view::{Flash, settings_change::Changes},
    ui::components::{Field, Glyph, TextArea},
};
use leptos::prelude::*;

/// What an earlier try of one form left to say.
#[derive(Clone, Debug)]
pub struct Tried {
    form: String,
    flash: Flash,
}

impl Tried {
    /// Of the form with this name.
    pub fn of(form: &'static str, flash: &Flash) -> Self {
        Self::named(form.to_owned(), flash)
    }

    /// Of a form whose name holds an id.
    pub fn named(form: String, flash: &Flash) -> Self {
        Self { form, flash: flash.clone() }
    }

    /// The id of a field.
    pub fn id(&self, field: &str) -> String {
        format!("{}-{field}", self.form)
    }

    /// What was typed, or else what is stored.
    pub fn value(&self, field: &str, stored: &str) -> String {
        let typed = self.typed(field);
        if typed.is_none() && !self.was_sent() { stored.to_owned() } else { typed.unwrap_or_default() }
    }

    /// Whether a box was ticked.
    pub fn ticked(&self, field: &str) -> bool {
        self.typed(field).is_some_and(|value| !value.is_empty())
    }

    /// What is wrong with a field.
    pub fn error(&self, field: &str) -> Option<String> {
        self.flash.error.clone().filter(|_| self.flash.field == Some(self.id(field)))
    }

    /// Whether anything is wrong in this form.
    pub fn is_wrong(&self) -> bool {
        self.flash.field.as_ref().is_some_and(|field| field.starts_with(&format!("{}-", self.form)))
    }

    fn typed(&self, field: &str) -> Option<String> {
        let id = self.id(field);
        self.flash.values.iter().find(|(name, _)| *name == id).map(|(_, value)| value.clone())
    }

    /// Whether the form was sent and came back.
    pub fn was_sent(&self) -> bool {
        let prefix = format!("{}-", self.form);
        self.flash.values.iter().any(|(name, _)| name.starts_with(&prefix))
    }
}

/// A line of text.
#[component]
pub fn Line(
    /// The form that it belongs to.
    tried: Tried,
    /// Name of the field.
    name: &'static str,
    /// What it is called.
    label: &'static str,
    /// What is stored.
    #[prop(optional, into)]
    stored: String,
    /// Help below the label.
    #[prop(optional, into)]
    hint: Option<String>,
    /// `text`, `url`, `password` …
    #[prop(default = "text")]
    kind: &'static str,
    /// What browsers and password keepers know it as.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// Digits, on a phone.
    #[prop(optional)]
    digits: bool,
) -> impl IntoView {
    // A secret is never sent back.
    let value = if kind == "password" { String::new() } else { tried.value(name, &stored) };
    view! {
        <Field
            name=name
            id=tried.id(name)
            label=label
            kind=kind
            value=value
            hint=hint.unwrap_or_default()
            error=Signal::stored(tried.error(name))
            autocomplete=autocomplete
            digits=digits
        />
    }
    .into_any()
}

/// A box to tick.
#[component]
pub fn Tick(
    /// The form that it belongs to.
    tried: Tried,
    /// Name of the field.
    name: &'static str,
    /// What it says.
    label: &'static str,
) -> impl IntoView {
    let ticked = tried.ticked(name);
    view! {
        <label class="check">
            <input type="checkbox" name=name value="1" checked=ticked />
            {label}
        </label>
    }
    .into_any()
}

/// The person's password, where it is asked for again.
#[component]
pub fn Again(
    /// The form that it belongs to.
    tried: Tried,
    /// Whether it is asked for.
    needed: bool,
    /// E-mail of the person, for the keeper of passwords.
    viewer: String,
) -> impl IntoView {
    needed.then(|| {
        view! {
            <input
                class="vh"
                type="text"
                autocomplete="username"
                value=viewer
                aria-label="Signed in as"
                readonly
                tabindex="-1"
            />
            <Line
                tried=tried
                name="password"
                label="Password"
                kind="password"
                autocomplete="current-password"
                hint="Yours, once more: it was last asked for more than 10 minutes ago."
            />
        }
    })
}

/// Why, in a few words.
#[component]
pub fn Reason(
    /// The form that it belongs to.
    tried: Tried,
    /// Who reads it.
    #[prop(default = "Everybody whose batches wait reads it.")]
    hint: &'static str,
) -> impl IntoView {
    let (id, value, error) = (tried.id("reason"), tried.value("reason", ""), tried.error("reason"));
    view! {
        <TextArea
            name="reason"
            id=id
            label="Reason"
            hint=hint
            value=value
            rows=2
            error=Signal::stored(error)
        />
    }
    .into_any()
}

/// What follows from a change that is not one person's, and what it needs: a reason, and the password where it is asked
/// for again.
#[component]
pub fn Weakens(
    /// The form that it belongs to.
    tried: Tried,
    /// What follows from it.
    says: &'static str,
    /// Who else must confirm, and who asks.
    changes: Changes,
    /// Not every change that this form can make needs it.
    #[prop(optional)]
    sometimes: bool,
) -> impl IntoView {
    let second = changes.second.then_some(" Another administrator must confirm it within 7 days.");
    let hint = match sometimes {
        true => "Needed when a limit is raised. Administrators and everybody who approves requests read it.",
        false => "Administrators and everybody who approves requests read it.",
    };
    view! {
        <p class="consequence" data-tone="failed">
            <Glyph name="failed" />
            <span>{says} {second}</span>
        </p>
        <Reason tried=tried.clone() hint=hint />
        <Again tried=tried needed=changes.needs_password viewer=changes.viewer />
    }
    .into_any()
}
