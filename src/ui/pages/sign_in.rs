//! Signing in: a plain form, with or without JavaScript.

use crate::ui::{
    components::{Banner, Button, ErrorSummary, Field, Kind, Mark, Size, Title},
    hooks::{
        page::{flash, page_context},
        url::query_value,
    },
};
use leptos::prelude::*;

/// The people of the demo, and what each may do. They exist only there; the server says whether this is the demo.
const DEMO_PEOPLE: [(&str, &str); 6] = [
    ("maker@acme.test", "Create refunds and syncs"),
    ("maker2@acme.test", "The same, a second maker"),
    ("checker@acme.test", "Approve and reject"),
    ("admin@acme.test", "People, settings, audit"),
    ("viewer@acme.test", "Read only"),
    ("owner@globex.test", "Everything, at Globex"),
];
const DEMO_PASSWORD: &str = "batchdesk-demo";

/// The page.
#[component]
pub fn SignInPage() -> impl IntoView {
    let context = page_context();
    let flash = flash();
    let email = flash.value("email");
    // What was asked for before signing in. A form that comes back has it among what was typed.
    let asked = query_value("next");
    let typed = flash.value("next");
    let next = Memo::new(move |_| if typed.is_empty() { asked.get().unwrap_or_default() } else { typed.clone() });
    let next_field = move || {
        (!next.with(String::is_empty)).then(|| view! { <input type="hidden" name="next" value=move || next.get() /> })
    };
    let problem = flash.error.clone();
    let address = if flash.field.as_deref() == Some("password") { "#password" } else { "#email" };
    let problems: Vec<(String, String)> = problem.clone().into_iter().map(|text| (address.to_owned(), text)).collect();
    let failed = problem.is_some();
    let email_known = !email.is_empty();
    view! {
        <Title text=if failed { "Error: Sign in" } else { "Sign in" } />
        <div class="door">
            <header class="door-margin">
                <a class="mark" href="/">
                    <Mark />
                    "Batchdesk"
                </a>
            </header>
            <main class="door-page" id="main">
                <div class="card">
                    <form class="card-body stack" data-gap="24" method="post" action="/login">
                        <div class="stack" data-gap="4">
                            <h1>"Sign in"</h1>
                            <p class="soft">"to check, approve and follow bulk payments"</p>
                        </div>
                        <ErrorSummary problems=problems />
                        {flash.notice.map(|notice| view! { <Banner tone="neutral">{notice}</Banner> })}
                        <div class="stack">
                            <Field
                                name="email"
                                label="Email"
                                kind="email"
                                value=email
                                autocomplete="username"
                                required=true
                                autofocus=!email_known
                            />
                            <Field
                                name="password"
                                label="Password"
                                kind="password"
                                autocomplete="current-password"
                                required=true
                                autofocus=email_known
                            />
                        </div>
                        {next_field}
                        <Button kind=Kind::Primary size=Size::Large wide=true>
                            "Sign in"
                        </Button>
                    </form>
                    {context
                        .demo
                        .then(|| {
                            view! {
                                <form class="card-body" method="post" action="/login" aria-labelledby="demo">
                                    <h2 id="demo">"This is the demo: no money moves"</h2>
                                    <p class="small soft">
                                        "Choose a person. The password of all is "
                                        <code>{DEMO_PASSWORD}</code> "."
                                    </p>
                                    <input type="hidden" name="password" value=DEMO_PASSWORD />
                                    {next_field}
                                    <ul class="people">
                                        {DEMO_PEOPLE
                                            .into_iter()
                                            .map(|(email, may)| {
                                                view! {
                                                    <li>
                                                        <button class="textlink" type="submit" name="email" value=email>
                                                            {email}
                                                        </button>
                                                        <span>{may}</span>
                                                    </li>
                                                }
                                            })
                                            .collect_view()}
                                    </ul>
                                </form>
                            }
                        })}
                </div>
            </main>
            <footer class="door-foot small dim">"Batchdesk " {context.version} " · self-hosted"</footer>
        </div>
    }
    .into_any()
}
