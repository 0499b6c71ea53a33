//! Stamps: the status of a row as a squared label of word, glyph and colour.

use super::Glyph;
use crate::domain::{batch::BatchStatus, task::TaskStatus};
use leptos::prelude::*;

/// The name of a family of status colours, as `data-tone` has it.
pub type Tone = &'static str;

/// Tone and glyph of a batch status.
pub const fn batch_look(status: BatchStatus) -> (Tone, &'static str) {
    match status {
        BatchStatus::Validating => ("running", "validating"),
        BatchStatus::Invalid => ("failed", "invalid"),
        BatchStatus::AwaitingApproval => ("waiting", "waiting"),
        BatchStatus::Rejected => ("failed", "rejected"),
        BatchStatus::Withdrawn => ("neutral", "dash"),
        BatchStatus::Expired => ("neutral", "expired"),
        BatchStatus::Processing => ("running", "running"),
        BatchStatus::Paused => ("waiting", "paused"),
        BatchStatus::Completed => ("accepted", "done"),
        BatchStatus::CompletedWithFailures => ("waiting", "partial"),
        BatchStatus::Cancelled => ("neutral", "dash"),
    }
}

/// Tone and glyph of a task status.
pub const fn task_look(status: TaskStatus) -> (Tone, &'static str) {
    match status {
        TaskStatus::Accepted => ("accepted", "accepted"),
        TaskStatus::Failed => ("failed", "failed"),
        TaskStatus::Queued => ("queued", "queued"),
    }
}

/// The status of a batch.
#[component]
pub fn BatchStatusBadge(
    /// Where it stands; may change while it is looked at.
    #[prop(into)]
    status: Signal<BatchStatus>,
) -> impl IntoView {
    view! {
        <span class="badge" data-tone=move || batch_look(status.get()).0 data-status=move || status.get().code()>
            <Glyph name=Signal::derive(move || batch_look(status.get()).1) />
            {move || status.get().text()}
        </span>
    }
    .into_any()
}

/// The status of a task, literally as the specifications write it.
#[component]
pub fn TaskStatusBadge(
    /// Where it stands.
    #[prop(into)]
    status: Signal<TaskStatus>,
) -> impl IntoView {
    view! {
        <span
            class="badge"
            data-code=""
            data-tone=move || task_look(status.get()).0
            data-status=move || status.get().code()
        >
            <Glyph name=Signal::derive(move || task_look(status.get()).1) />
            {move || status.get().code()}
        </span>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_that_were_decided() {
        let tone = |status| batch_look(status).0;
        assert_eq!(tone(BatchStatus::Processing), "running");
        for amber in [BatchStatus::AwaitingApproval, BatchStatus::Paused, BatchStatus::CompletedWithFailures] {
            assert_eq!(tone(amber), "waiting");
        }
        assert_eq!(tone(BatchStatus::Completed), "accepted");
        for red in [BatchStatus::Rejected, BatchStatus::Invalid] {
            assert_eq!(tone(red), "failed");
        }
        for grey in [BatchStatus::Withdrawn, BatchStatus::Expired, BatchStatus::Cancelled] {
            assert_eq!(tone(grey), "neutral");
        }
        assert_eq!(TaskStatus::ALL.map(|s| task_look(s).0), ["accepted", "failed", "queued"]);
    }
}
