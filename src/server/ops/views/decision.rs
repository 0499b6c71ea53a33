//! Decisions as pages show them.

use super::super::time_format;
use jiff::tz::TimeZone;
use time::OffsetDateTime;

/// `Approved by checker@acme.test on 20 Nov 2026, 18:13:00 IST: ok`; empty for what is no decision of a person.
pub(in crate::ops) fn decided_by(
    verdict: &str,
    checker: Option<&str>,
    at: Option<OffsetDateTime>,
    reason: Option<&str>,
    zone: &TimeZone,
) -> String {
    let word = match verdict {
        "APPROVE" => "Approved",
        "REJECT" => "Rejected",
        _ => return String::new(),
    };
    let by = checker.unwrap_or("somebody");
    let at = at.map(|at| time_format::display_time(at, zone).text).unwrap_or_default();
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{word} by {by} on {at}: {reason}"),
        None => format!("{word} by {by} on {at}"),
    }
}
