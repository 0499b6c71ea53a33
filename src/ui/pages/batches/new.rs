//! The pages that take a description and a file.

use leptos::prelude::*;

/// The page that takes a file.
#[component]
pub fn NewBatchPage() -> impl IntoView {}

/// The page that takes a description, where a checker will read it.
#[component]
pub fn DescriptionPage() -> impl IntoView {}
