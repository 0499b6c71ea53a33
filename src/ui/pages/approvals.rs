//! Approvals: the inbox and the page of a decision.

use leptos::prelude::*;

/// The inbox.
#[component]
pub fn ApprovalsPage() -> impl IntoView {}

/// The page of a decision.
#[component]
pub fn ApprovalPage() -> impl IntoView {}
