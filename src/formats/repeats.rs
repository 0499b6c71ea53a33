//! Ids that may stand twice in a file. They are found in a first pass by hashes alone, so that no more than these few
//! are held in memory while the rows are checked.

use super::cells::trim;
use super::csv_lines::without_guard;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// A column of ids that are compared with each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Which.
    pub(super) column: usize,
    /// Whether ids that differ in case only are looked for, too.
    pub(super) any_case: bool,
}

/// Which ids of a file may stand in it twice; of each of its keys.
#[derive(Debug)]
pub(super) enum Repeats {
    /// Any: nobody looked.
    Any,
    /// Those with one of these hashes.
    Some(RandomState, Vec<(bool, HashSet<u64>)>),
}

impl Repeats {
    /// Whether this id of that key may stand in the file again; if not, it does not.
    pub(super) fn may_have(&self, key: usize, id: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Some(state, keys) => keys
                .get(key)
                .is_some_and(|(any_case, hashes)| !hashes.is_empty() && hashes.contains(&hash(state, *any_case, id))),
        }
    }
}

fn hash(state: &RandomState, any_case: bool, id: &str) -> u64 {
    if any_case && id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return state.hash_one(id.to_ascii_lowercase());
    }
    state.hash_one(id)
}

/// Gathers the hashes of the ids of a file.
pub(super) struct Gatherer {
    state: RandomState,
    keys: Vec<(Key, Vec<u64>)>,
}

impl Gatherer {
    pub(super) fn new(keys: &[Key]) -> Self {
        Self { state: RandomState::new(), keys: keys.iter().map(|key| (*key, Vec::new())).collect() }
    }

    /// Whether there is anything to look for.
    pub(super) const fn looks(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Adds the ids of a row, as they are read from its cells.
    pub(super) fn add(&mut self, cells: &[&str]) {
        for (key, hashes) in &mut self.keys {
            let id = cells.get(key.column).map_or("", |cell| without_guard(trim(cell)));
            if !id.is_empty() {
                hashes.push(hash(&self.state, key.any_case, id));
            }
        }
    }

    pub(super) fn finish(self) -> Repeats {
        let twice = |(key, mut hashes): (Key, Vec<u64>)| {
            hashes.sort_unstable();
            let pairs = hashes.iter().zip(hashes.iter().skip(1));
            (key.any_case, pairs.filter(|(one, next)| one == next).map(|(one, _)| *one).collect())
        };
        Repeats::Some(self.state, self.keys.into_iter().map(twice).collect())
    }
}
