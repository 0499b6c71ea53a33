//! `/notices`: what a person was told of. Rendered on the server only.

use crate::{
    api::notices::load_notices,
    domain::view::notices::{NoticePart, NoticeView, Notices},
    ui::components::{EmptyState, Glyph, LoadFailed, TimeView, Title},
};
use leptos::prelude::*;

/// The page.
#[component]
pub fn NoticesPage() -> impl IntoView {
    view! {
        <Title text="Notices" />
        <Suspense fallback=|| ()>
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
    let Notices { notices, unread, until } = notices;
    let none = notices.is_empty();
    let lines = notices.into_iter().map(|notice| view! { <Notice notice=notice /> }).collect_view();
    view! {
        <div class="head">
            <h1>"Notices"</h1>
            <p>"What happened to your batches after you had done your part."</p>
            {(unread > 0)
                .then(|| {
                    view! {
                        <form class="head-actions" method="post" action="/notices/read">
                            <input type="hidden" name="until" value=until />
                            <button class="button" type="submit">
                                "Mark all as read"
                            </button>
                        </form>
                    }
                })}
        </div>
        <section class="card" aria-label="Notices">
            {if none {
                view! {
                    <EmptyState
                        icon="bell"
                        title="No notices"
                        text="You are told here when a refund fails after it was accepted, when one needs a review, \
                              and when somebody decides on your batch."
                    />
                }
                    .into_any()
            } else {
                view! { <ol class="notices">{lines}</ol> }.into_any()
            }}
        </section>
    }
    .into_any()
}

#[component]
fn Notice(notice: NoticeView) -> impl IntoView {
    let NoticeView { at, read, glyph, parts, remark, link } = notice;
    let tone = match glyph {
        "rejected" => "failed",
        "expired" | "info" => "neutral",
        other => other,
    };
    let parts = parts
        .into_iter()
        .map(|part| match part {
            NoticePart::Words(words) => view! { {words} }.into_any(),
            NoticePart::Strong(words) => view! { <strong>{words}</strong> }.into_any(),
        })
        .collect_view();
    view! {
        <li data-notice="" data-unread=(!read).then_some("") data-tone=tone>
            <Glyph name=glyph />
            <div>
                <p>{(!read).then(|| view! { <span class="vh">"Not read: "</span> })} {parts}</p>
                {(!remark.is_empty()).then(|| view! { <blockquote>{remark}</blockquote> })}
                <small>
                    <TimeView moment=at /> {link.map(|(href, words)| view! { <a href=href>{words}</a> })}
                </small>
            </div>
        </li>
    }
    .into_any()
}
