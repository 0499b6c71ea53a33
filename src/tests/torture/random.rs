//! Numbers that a seed repeats.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    ops::RangeInclusive,
};

/// SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.next() % (range.end() - range.start() + 1)
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = usize::try_from(self.within(0..=at as u64)).unwrap();
            items.swap(at, other);
        }
    }
}

/// `BATCHDESK_SEED`, or one that nobody chose. Six digits at most, so that people can type it.
pub(super) fn seed() -> u64 {
    match std::env::var("BATCHDESK_SEED") {
        Ok(text) => text.parse().expect("BATCHDESK_SEED is a whole number"),
        Err(_) => RandomState::new().build_hasher().finish() % 1_000_000,
    }
}
