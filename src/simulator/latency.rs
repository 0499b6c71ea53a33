//! How long answers take.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A range of milliseconds, `5..50`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Shortest.
    pub min: u64,
    /// Longest.
    pub max: u64,
}

impl FromStr for Latency {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a range of milliseconds such as 5..50");
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let min = min.trim().parse::<u64>().map_err(|_| wrong())?;
        let max = max.trim().trim_start_matches('=').parse::<u64>().map_err(|_| wrong())?;
        if min > max { Err(wrong()) } else { Ok(Self { min, max }) }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.min, self.max)
    }
}

/// Draws latencies: the same seed gives the same series.
#[derive(Debug)]
pub(super) struct Dice {
    range: Option<Latency>,
    state: AtomicU64,
}

impl Dice {
    pub(super) fn new(range: Option<Latency>, seed: u64) -> Self {
        Self { range, state: AtomicU64::new(seed) }
    }

    /// The parts of one latency: before the effect and after it.
    pub(super) fn draw(&self) -> (Duration, Duration) {
        let Some(Latency { min, max }) = self.range else { return (Duration::ZERO, Duration::ZERO) };
        let total = min + self.next() % (max - min).saturating_add(1);
        let before = self.next() % total.saturating_add(1);
        (Duration::from_millis(before), Duration::from_millis(total - before))
    }

    // SplitMix64: good enough for delays, and needs no dependency.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_kept_to() {
        assert_eq!("5..50".parse(), Ok(Latency { min: 5, max: 50 }));
        assert_eq!("20".parse(), Ok(Latency { min: 20, max: 20 }));
        assert_eq!(Latency { min: 5, max: 50 }.to_string(), "5..50");
        for bad in ["", "..", "50..5", "a..b", "1.5..2", "-1..2"] {
            assert!(bad.parse::<Latency>().is_err(), "{bad:?}");
        }
        let (one, two) = (Dice::new("5..50".parse().ok(), 7), Dice::new("5..50".parse().ok(), 7));
        for _ in 0..1000 {
            let (before, after) = one.draw();
            assert!((5..=50).contains(&(before + after).as_millis()));
            assert_eq!((before, after), two.draw());
        }
    }
}
