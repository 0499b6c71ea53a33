//! How large a run is.

use std::time::Duration;

/// `short`, `full`, `long`, or seconds for each scenario.
pub(in crate::torture) fn size_text() -> String {
    std::env::var("BATCHDESK_TORTURE").unwrap_or_else(|_| "short".to_owned())
}

/// Small or full.
pub(in crate::torture) fn size<T>(small: T, large: T) -> T {
    if size_text() == "short" { small } else { large }
}

/// As many faults as the figures to be shown ask for, where a full run has fewer.
pub(in crate::torture) fn size_of_three<T>(short: T, full: T, long: T) -> T {
    if size_text() == "long" { long } else { size(short, full) }
}

/// Longest time that a scenario goes on disturbing.
pub(in crate::torture) fn budget(short: u64, full: u64) -> Duration {
    let seconds = match size_text().as_str() {
        "short" => short,
        "full" => full,
        "long" => full * 10,
        number => number.parse().expect("BATCHDESK_TORTURE is short, full, long or a number of seconds"),
    };
    Duration::from_secs(seconds)
}
