//! The page of a batch.

use leptos::prelude::*;

/// The page of a batch.
#[component]
pub fn BatchDetailPage() -> impl IntoView {}
