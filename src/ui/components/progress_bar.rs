//! The strip: progress as a ruled bar. Accepted solid, failed hatched (solid in rows), queued a space still to be
//! filled.

use super::count;
use crate::domain::{batch::BatchStatus, view::Counts};
use leptos::prelude::*;

/// How tall a strip is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressBarSize {
    /// 6 px, in rows.
    #[default]
    Row,
    /// 10 px, where a batch is named on its own.
    Medium,
    /// 16 px, on the batch's page.
    Large,
}

impl ProgressBarSize {
    const fn height(self) -> u64 {
        match self {
            Self::Row => 6,
            Self::Medium => 10,
            Self::Large => 16,
        }
    }

    /// The least width of a segment that is not zero, in hundredths of a percent: one failure must be seen.
    const fn least(self) -> u64 {
        match self {
            Self::Row => 400,
            Self::Medium | Self::Large => 150,
        }
    }
}

/// Widths of accepted, failed and queued in hundredths of a percent; they add up to 10,000, or are all zero.
fn widths(counts: Counts, least: u64) -> [u64; 3] {
    let parts = [counts.accepted, counts.failed, counts.queued];
    let total: u64 = parts.iter().sum();
    if total == 0 {
        return [0; 3];
    }
    let mut widths = parts.map(|part| match part {
        0 => 0,
        part => (part.saturating_mul(10_000) / total).max(least),
    });
    // What the small ones were given, and what rounding took, the largest gives back.
    let sum: u64 = widths.iter().sum();
    if let Some(largest) = widths.iter_mut().max() {
        *largest = (*largest + 10_000).saturating_sub(sum);
    }
    widths
}

fn percent(hundredths: u64) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// `980 of 1,000` and, when there are any, `12 failed`; or why there is nothing to count.
pub fn progress_label(status: BatchStatus, counts: Counts) -> (String, Option<String>) {
    match status {
        BatchStatus::AwaitingApproval if counts.accepted + counts.failed == 0 => ("Not started".to_owned(), None),
        BatchStatus::Validating => ("Being checked".to_owned(), None),
        BatchStatus::Invalid | BatchStatus::Rejected | BatchStatus::Withdrawn | BatchStatus::Expired => {
            ("Nothing was sent".to_owned(), None)
        }
        _ => {
            let done = counts.accepted + counts.failed;
            (
                format!("{} of {}", count(done), count(done + counts.queued)),
                (counts.failed > 0).then(|| format!("{} failed", count(counts.failed))),
            )
        }
    }
}

/// Progress of a batch.
#[component]
pub fn ProgressBar(
    /// How many tasks stand where.
    #[prop(into)]
    counts: Signal<Counts>,
    /// How tall.
    #[prop(optional)]
    size: ProgressBarSize,
) -> impl IntoView {
    let height = size.height();
    let width = Memo::new(move |_| widths(counts.get(), size.least()));
    let part = move |at: usize| width.with(|w| w.get(at).copied().unwrap_or(0));
    let gap = if size == ProgressBarSize::Row { 1 } else { 2 };
    let gap_width = move |left: u64, right: u64| if left > 0 && right > 0 { gap } else { 0 };
    let done = move || counts.with(|c| c.accepted + c.failed);
    let total = move || counts.with(|c| c.accepted + c.failed + c.queued);
    let words = move || {
        let c = counts.get();
        format!(
            "{} of {} done: {} accepted, {} failed, {} queued",
            count(done()),
            count(total()),
            count(c.accepted),
            count(c.failed),
            count(c.queued)
        )
    };
    let (hatch, solid) =
        if size == ProgressBarSize::Row { (None, Some("seg-failed")) } else { (Some("url(#hatch)"), None) };
    view! {
        <div
            role="progressbar"
            aria-label="Tasks Progress"
            aria-valuemin="0"
            aria-valuenow=move || done().to_string()
            aria-valuemax=move || total().to_string()
            aria-valuetext=words
        >
            <svg class="progress-bar" data-size=(size == ProgressBarSize::Large).then_some("lg") height=height aria-hidden="true">
                <rect class="seg-accepted" x="0%" width=move || percent(part(0)) height=height />
                <rect
                    class=solid
                    fill=hatch
                    x=move || percent(part(0))
                    width=move || percent(part(1))
                    height=height
                />
                <rect
                    class="seg-queued"
                    x=move || percent(part(0) + part(1))
                    width=move || percent(part(2))
                    height=height
                />
                <rect
                    class="seg-gap"
                    x=move || percent(part(0))
                    width=move || gap_width(part(0), part(1) + part(2))
                    height=height
                />
                <rect
                    class="seg-gap"
                    x=move || percent(part(0) + part(1))
                    width=move || gap_width(part(1), part(2))
                    height=height
                />
            </svg>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(accepted: u64, failed: u64, queued: u64) -> Counts {
        Counts { accepted, failed, queued, ..Counts::default() }
    }

    #[test]
    fn widths_fill_the_strip_and_one_failure_is_seen() {
        for c in [counts(0, 0, 7), counts(999_999, 1, 0), counts(1, 1, 999_998), counts(1, 1, 1), counts(728, 14, 258)]
        {
            let [accepted, failed, queued] = widths(c, 400);
            assert_eq!(accepted + failed + queued, 10_000, "{c:?}");
            assert!(c.failed == 0 || failed >= 400, "{c:?}");
            assert_eq!(c.failed == 0, failed == 0);
        }
        assert_eq!(widths(counts(0, 0, 0), 400), [0; 3]);
    }

    #[test]
    fn progress_is_told_in_words() {
        let words = |status, c| progress_label(status, c);
        assert_eq!(
            words(BatchStatus::Processing, counts(968, 12, 20)),
            ("980 of 1,000".to_owned(), Some("12 failed".to_owned()))
        );
        assert_eq!(words(BatchStatus::Completed, counts(3, 0, 0)), ("3 of 3".to_owned(), None));
        assert_eq!(words(BatchStatus::AwaitingApproval, counts(0, 0, 9)).0, "Not started");
        assert_eq!(words(BatchStatus::Rejected, counts(0, 0, 9)).0, "Nothing was sent");
    }
}
