//! Batchdesk: a self-hosted desk for bulk payment operations.
//!
//! The rooms of the house, and who may use whom. `domain`, `formats`, `server` and `simulator` are packages, so the
//! compiler holds what they use; a tidy test holds the rest:
//!
//! | room | what it holds | may use |
//! |---|---|---|
//! | [`domain`] | pure rules and the types that pages and server share | nothing of ours |
//! | [`formats`] | one file per file format: bytes to typed records and findings, and back | `domain` |
//! | [`api`] | typed server functions: name the caller, call one operation, map the error | `server::ops` |
//! | [`ui`] and [`app`] | the pages, made of a design kit without knowledge of data | `api`, `domain`, `formats` |
//! | `http` | the web part: routes, sessions, uploads, downloads, live events | `server::ops`, `app` |
//! | `server` | everything else that only the server has: operations, database, processor, gateways | see `server/lib.rs` |
//! | `simulator` | a stand-in for a payment gateway, which shares no code with the rest | nothing of ours |
#![recursion_limit = "512"]

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!("build the server with `ssr` or the browser's part with `hydrate`, never both");

pub use ::{domain, formats};

pub mod api;
pub mod app;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod cli;
#[cfg(feature = "ssr")]
pub mod http;
#[cfg(feature = "ssr")]
pub use ::{server, simulator};

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests;

/// Takes over the page that the server rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
}
