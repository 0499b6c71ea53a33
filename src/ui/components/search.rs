//! The search of a list: a form that asks by GET, and searches while typing where there is JavaScript.

use super::Icon;
use leptos::{ev::SubmitEvent, prelude::*};

/// A search field with a cross and, where case matters, an `Aa` switch.
#[component]
pub fn SearchBox(
    /// Address of the list.
    action: &'static str,
    /// What the field is called: `Search by file name`.
    label: &'static str,
    /// What is in the field; the page changes the address when it changes.
    text: RwSignal<String>,
    /// Whether upper and lower case are told apart; no switch when none.
    #[prop(optional, into)]
    case_sensitive: Option<Signal<bool>>,
    /// The rest of the state of the list, kept as hidden fields (`case` is not among them).
    #[prop(into)]
    keep: Signal<Vec<(&'static str, String)>>,
    /// Typed: the text of the field. Submitted or cleared: the same at once.
    #[prop(into)]
    on_search: Callback<(String, bool)>,
    /// The switch was pressed: whether case matters now.
    #[prop(optional, into)]
    on_case: Option<Callback<bool>>,
) -> impl IntoView {
    let hidden = move || {
        keep.get()
            .into_iter()
            .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
            .collect_view()
    };
    let is_sensitive = move || case_sensitive.is_none_or(|case| case.get());
    let case_hidden = move || (!is_sensitive()).then(|| view! { <input type="hidden" name="case" value="0" /> });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        on_search.run((text.get_untracked(), true));
    };
    let clear = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        text.set(String::new());
        on_search.run((String::new(), true));
    };
    let switch = move |event: leptos::ev::MouseEvent| {
        if let Some(on_case) = on_case {
            event.prevent_default();
            on_case.run(!is_sensitive());
        }
    };
    view! {
        <form class="row" role="search" method="get" action=action on:submit=submit>
            // First, so that Enter searches and does not press the switch.
            <button class="vh" type="submit" tabindex="-1">
                "Search"
            </button>
            {hidden}
            {case_hidden}
            <div class="input-box search">
                <Icon name="search" />
                <input
                    class="input"
                    type="search"
                    name="q"
                    aria-label=label
                    placeholder=label
                    autocomplete="off"
                    value=text.get_untracked()
                    prop:value=move || text.get()
                    on:input=move |event| {
                        let typed = event_target_value(&event);
                        text.set(typed.clone());
                        on_search.run((typed, false));
                    }
                />
                <span class="input-end">
                    {move || {
                        (!text.with(String::is_empty))
                            .then(|| {
                                view! {
                                    <button
                                        class="button"
                                        data-kind="quiet"
                                        data-only="icon"
                                        data-size="sm"
                                        type="submit"
                                        form="clear-search"
                                        title="Clear search"
                                        aria-label="Clear search"
                                        on:click=clear
                                    >
                                        <Icon name="x" />
                                    </button>
                                }
                            })
                    }}
                    {case_sensitive
                        .map(|_| {
                            view! {
                                <button
                                    class="toggle"
                                    type="submit"
                                    name="case"
                                    value=move || if is_sensitive() { "0" } else { "1" }
                                    aria-pressed=move || if is_sensitive() { "true" } else { "false" }
                                    aria-label="Case-sensitive"
                                    title="Case-sensitive"
                                    on:click=switch
                                >
                                    "Aa"
                                </button>
                            }
                        })}
                </span>
            </div>
        </form>
        // The cross belongs to this form: without JavaScript it asks for the list without the search.
        <form id="clear-search" method="get" action=action hidden>
            {hidden}
            {case_hidden}
        </form>
    }
    .into_any()
}
