//! `/notices`: what a person is told about batches that they made or decided on. Rendered on the server only.

use crate::{
    api::review::load_notices,
    domain::view::review::{Notice, Notices},
    ui::components::{Button, EmptyState, Glyph, LinkButton, LoadFailed, Size, TimeView},
};
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
#[component]
pub fn NoticesPage() -> impl IntoView {
    view! {
        <Title text="Notices" />
        <div class="head">
            <h1>"Notices"</h1>
            <p>"What happened late to batches that you made or decided on."</p>
        </div>
        <Suspense fallback=|| {
            ()
        }>
            {Suspend::new(async {
                match load_notices().await {
                    Ok(notices) => view! { <Loaded notices=notices /> }.into_any(),
                    Err(error) => {
                        view! { <LoadFailed what="This page" refusal=error.refusal address="/notices" /> }.into_any()
                    }
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Loaded(notices: Notices) -> impl IntoView {
    let Notices { notices, unread_until } = notices;
    if notices.is_empty() {
        return view! {
            <section class="sheet" aria-label="Notices">
                <EmptyState
                    icon="bell"
                    title="Nothing to tell"
                    text="A refund that fails late, a gateway that takes back its word, and what needs review appear here."
                />
            </section>
        }
        .into_any();
    }
    let read = unread_until.map(|until| {
        view! {
            <form method="post" action="/notices/read">
                <input type="hidden" name="until" value=until />
                <Button size=Size::Small icon="check">
                    "Mark all as read"
                </Button>
            </form>
        }
    });
    let items = notices.into_iter().map(item).collect_view();
    view! {
        <section class="sheet" aria-labelledby="notices">
            <div class="sheet-head">
                <h2 id="notices">"Newest first"</h2>
                {read}
            </div>
            <ul class="notices">{items}</ul>
        </section>
    }
    .into_any()
}

fn item(notice: Notice) -> AnyView {
    let glyph = if notice.tone == "failed" { "failed" } else { "partial" };
    view! {
        <li data-tone=notice.tone data-read=notice.read.then_some("")>
            <Glyph name=glyph medium=true />
            <div>
                <h3>
                    {notice.text} {(!notice.read).then(|| view! { <span class="badge">"Unread"</span> })}
                </h3>
                <p>{notice.next_step}</p>
                <small>{notice.file_name} ", " <TimeView moment=notice.at /></small>
            </div>
            <LinkButton href=notice.href size=Size::Small on_server=true>
                "Open"
            </LinkButton>
        </li>
    }
    .into_any()
}
