//! Fields: label above, hint, control, error. A placeholder is never the label.

use super::{Glyph, escaped};
use crate::domain::limits::MAX_REMARK_CHARS;
use leptos::prelude::*;

/// The error below a field. Give the control `aria-describedby="{id}-error"`.
#[component]
pub fn FieldError(
    /// Id of the control.
    #[prop(into)]
    id: String,
    /// What is wrong with it; nothing is shown while there is none.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    move || {
        error.get().map(|message| {
            view! {
                <p class="error" id=format!("{id}-error") data-tone="failed">
                    <Glyph name="failed" />
                    <span>
                        <span class="vh">"Error: "</span>
                        {message}
                    </span>
                </p>
            }
        })
    }
}

fn described_by(id: &str, hint: bool, error: bool) -> Option<String> {
    let ids = [hint.then(|| format!("{id}-hint")), error.then(|| format!("{id}-error"))];
    let ids: Vec<String> = ids.into_iter().flatten().collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// A line of text.
#[component]
pub fn Field(
    /// Name of the control.
    #[prop(into)]
    name: String,
    /// Its id, where the name stands on the page more than once.
    #[prop(optional, into)]
    id: Option<String>,
    /// What it is called.
    #[prop(into)]
    label: String,
    /// `text`, `email`, `password` …
    #[prop(default = "text")]
    kind: &'static str,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// Kept in step with what is typed.
    #[prop(optional)]
    bind: Option<RwSignal<String>>,
    /// Help below the label.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// What browsers and password keepers know it as.
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    /// Must not be empty.
    #[prop(optional)]
    required: bool,
    /// Has the focus when the page opens.
    #[prop(optional)]
    autofocus: bool,
    /// Digits, on a phone.
    #[prop(optional)]
    digits: bool,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let hint = hint.filter(|hint| !hint.is_empty());
    let has_hint = hint.is_some();
    let described = {
        let id = id.clone();
        move || described_by(&id, has_hint, error.with(Option::is_some))
    };
    view! {
        <div class="field">
            <label class="label" for=id.clone()>
                {label}
            </label>
            {hint.map(|hint| view! { <span class="hint" id=format!("{id}-hint")>{hint}</span> })}
            <input
                class="input"
                id=id.clone()
                name=name
                type=kind
                value=bind.map_or(value, |bind| bind.get_untracked())
                autocomplete=autocomplete
                spellcheck="false"
                inputmode=digits.then_some("numeric")
                required=required
                autofocus=autofocus
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                aria-describedby=described
                on:input=move |event| {
                    if let Some(bind) = bind {
                        bind.set(event_target_value(&event));
                    }
                }
            />
            <FieldError id=id error=error />
        </div>
    }
    .into_any()
}

/// What stands between the tags of a textarea. Leptos does not escape it there, so it is done here; and a parser drops
/// one line break after the opening tag, so one is put there for it.
fn textarea_content(text: &str) -> String {
    format!("\n{}", escaped(text))
}

/// Several lines of text.
#[component]
pub fn TextArea(
    /// Name of the control.
    #[prop(into)]
    name: String,
    /// Its id, where the name stands on the page more than once.
    #[prop(optional, into)]
    id: Option<String>,
    /// What it is called.
    #[prop(into)]
    label: String,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// Kept in step with what is typed.
    #[prop(optional)]
    bind: Option<RwSignal<String>>,
    /// Help below the label.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Lines that are seen at once.
    #[prop(default = 3)]
    rows: u32,
    /// Must not be empty.
    #[prop(optional)]
    required: bool,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let has_hint = hint.is_some();
    let described = {
        let id = id.clone();
        move || described_by(&id, has_hint, error.with(Option::is_some))
    };
    // Not children: Leptos writes those unescaped. The browser keeps what the server wrote, and what was typed since.
    let content = textarea_content(&bind.map_or(value, |bind| bind.get_untracked()));
    view! {
        <div class="field">
            <label class="label" for=id.clone()>
                {label}
            </label>
            {hint.map(|hint| view! { <span class="hint" id=format!("{id}-hint")>{hint}</span> })}
            <textarea
                class="input"
                id=id.clone()
                name=name
                rows=rows.to_string()
                maxlength=MAX_REMARK_CHARS.to_string()
                required=required
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                aria-describedby=described
                on:input=move |event| {
                    if let Some(bind) = bind {
                        bind.set(event_target_value(&event));
                    }
                }
                inner_html=content
            ></textarea>
            <FieldError id=id error=error />
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_cannot_leave_its_textarea() {
        assert_eq!(
            textarea_content("</textarea><script>alert(1)</script> & more"),
            "\n&lt;/textarea&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"
        );
    }

    #[test]
    fn the_server_writes_what_was_typed_escaped() {
        let owner = Owner::new();
        let html = owner.with(|| {
            view! { <TextArea name="reason" label="Reason" value="</textarea><img src=x onerror=alert(1)>" /> }
                .to_html()
        });
        assert!(!html.contains("<img"), "{html}");
        assert!(html.contains("\n&lt;/textarea&gt;&lt;img"), "{html}");
    }
}
