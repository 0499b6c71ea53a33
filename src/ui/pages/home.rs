//! The first page after sign-in.

use leptos::prelude::*;

/// The page.
#[component]
pub fn HomePage() -> impl IntoView {}
