//! The HTML document: head, hydration scripts, body.

use super::App;
use crate::{
    domain::view::{PageContext, Theme},
    ui::context::{ErrorPage, NoHydration, SessionTag},
};
use leptos::prelude::*;
use leptos_meta::MetaTags;

/// `<!DOCTYPE html>` and all that follows it.
pub(super) fn document() -> impl IntoView + 'static {
    let theme = match use_context::<PageContext>().unwrap_or_default().theme {
        Theme::System => "system",
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    let plain = use_context::<NoHydration>().is_some() || use_context::<ErrorPage>().is_some();
    let session = use_context::<SessionTag>().map(|SessionTag(tag)| tag);
    view! {
        <!DOCTYPE html>
        <html lang="en-IN" data-theme=theme data-session=session>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="robots" content="noindex" />
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                <Stylesheet />
                {(!plain).then(|| view! { <HydrationScripts /> })}
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The style sheet of this build.
#[component]
fn Stylesheet() -> impl IntoView {
    #[cfg(feature = "ssr")]
    {
        crate::http::site::assets().css.map(|css| view! { <link rel="stylesheet" href=css /> })
    }
}

/// What makes the browser take the page over. A build without the browser's part sends plain pages, which work.
#[component]
fn HydrationScripts() -> impl IntoView {
    #[cfg(feature = "ssr")]
    {
        let assets = crate::http::site::assets();
        let nonce = leptos::nonce::use_nonce();
        assets.js.zip(assets.wasm).zip(assets.live).map(|((js, wasm), live)| {
            let script = format!(
                "import init,{{hydrate}} from {js:?};import follow from {live:?};globalThis.batchdeskLive=follow;\
                 await init({{module_or_path:{wasm:?}}});hydrate();"
            );
            view! {
                {assets.worker.map(|worker| view! { <meta name="batchdesk-worker" content=worker /> })}
                <link rel="modulepreload" href=js />
                <link rel="modulepreload" href=live />
                <link rel="preload" href=wasm r#as="fetch" type="application/wasm" crossorigin="anonymous" />
                <script type="module" nonce=nonce>
                    {script}
                </script>
            }
        })
    }
}

/// Says that the page can be used with JavaScript.
pub(super) fn mark_hydrated() {
    #[cfg(feature = "hydrate")]
    if let Some(body) = leptos::prelude::document().body() {
        let _ = body.set_attribute("data-hydrated", "");
    }
}
