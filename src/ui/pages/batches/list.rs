//! The list of batches.

use leptos::prelude::*;

/// The page.
#[component]
pub fn BatchListPage() -> impl IntoView {}
