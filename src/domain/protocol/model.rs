//! Every interleaving of one task: two workers, a network that loses and delays, a gateway with its own memory,
//! crashes, leases that expire under a worker that goes on, people.
//!
//! What workers decide comes from [`State::next`](super::State::next), the function that the processor runs. An unsafe
//! design is the same system with one rule replaced; each must be found unsafe, or the model proves nothing.
//!
//! Faults are bounded as in [`Faults`]; everything else may happen in any order. Workers are alike, so system states
//! that differ only in who is who are one.

mod designs;
mod found;
mod system_state;

use super::{Event, Illegal, Now, State, Step};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};
use system_state::{Design, SystemState};

/// The rules of a design.
type Rule = fn(State, Event, Now) -> Result<Step, Illegal>;

/// What must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// The money moved twice.
    Double,
    /// FAILED, and the money moved, before or after.
    FailedButMoved,
    /// SUCCEEDED, and no money moved.
    NothingMoved,
    /// SUCCEEDED, and another amount moved.
    OtherAmount,
    /// No end can be reached any more.
    Stuck,
    /// A worker met an event that its rules have no place for.
    NoRule,
}

/// What the search came to.
struct Verdict {
    states: usize,
    /// How often each end was met: SUCCEEDED, FAILED, never sent, in review.
    ends: [usize; 4],
    wrong: Option<(Wrong, Vec<String>)>,
}

/// Worlds are packed into one number; mixing it once is enough.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, _: &[u8]) {
        unreachable!("worlds are numbers");
    }
    fn write_u128(&mut self, packed: u128) {
        let folded = (packed as u64) ^ ((packed >> 64) as u64).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.0 = (folded ^ (folded >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

type Seen = HashMap<u128, u32, BuildHasherDefault<Mix>>;

/// Searches breadth first, so that a trace is a shortest one.
fn explore(design: &Design) -> Verdict {
    let first = SystemState::first(design);
    let mut worlds = vec![first];
    let mut parents = vec![0u32];
    let mut seen = Seen::default();
    seen.insert(first.canonical(), 0);
    // Who leads where, for the question whether an end stays in reach.
    let (mut edges, mut starts) = (Vec::new(), Vec::new());
    let mut nexts = Vec::with_capacity(64);
    let mut ends = [0; 4];
    let mut at = 0;
    while at < worlds.len() {
        let system = worlds[at];
        if let Some(wrong) = system.wrong() {
            return Verdict { states: worlds.len(), ends, wrong: Some((wrong, trace(design, &worlds, &parents, at))) };
        }
        nexts.clear();
        if let Err((illegal, what)) = system.nexts(design, &mut nexts) {
            let mut trace = trace(design, &worlds, &parents, at);
            trace.push(format!("{what:?}: {illegal}"));
            return Verdict { states: worlds.len(), ends, wrong: Some((Wrong::NoRule, trace)) };
        }
        if let Some(end) = system.end(design) {
            ends[end] += 1;
        }
        starts.push(u32::try_from(edges.len()).unwrap());
        for (next, _) in &nexts {
            let fresh = u32::try_from(worlds.len()).unwrap();
            let number = *seen.entry(next.canonical()).or_insert(fresh);
            if number == fresh {
                worlds.push(*next);
                parents.push(u32::try_from(at).unwrap());
            }
            edges.push(number);
        }
        at += 1;
    }
    starts.push(u32::try_from(edges.len()).unwrap());
    let stuck = first_stuck(design, &worlds, &edges, &starts);
    let wrong = stuck.map(|at| (Wrong::Stuck, trace(design, &worlds, &parents, at)));
    Verdict { states: worlds.len(), ends, wrong }
}

/// The first system from which no end can be reached.
fn first_stuck(design: &Design, worlds: &[SystemState], edges: &[u32], starts: &[u32]) -> Option<usize> {
    let mut good: Vec<bool> = worlds.iter().map(|system| system.end(design).is_some()).collect();
    loop {
        let mut changed = false;
        // Later system states lead to ends sooner: a few passes are enough.
        for at in (0..worlds.len()).rev() {
            if !good[at] {
                let to = &edges[starts[at] as usize..starts[at + 1] as usize];
                if to.iter().any(|next| good[*next as usize]) {
                    good[at] = true;
                    changed = true;
                }
            }
        }
        if !changed {
            return good.iter().position(|good| !good);
        }
    }
}

/// How it came to that: walked again from the start, so that each worker keeps its name.
fn trace(design: &Design, worlds: &[SystemState], parents: &[u32], mut at: usize) -> Vec<String> {
    let mut path = Vec::new();
    while at != 0 {
        path.push(worlds[at].canonical());
        at = parents[at] as usize;
    }
    let (mut system, mut told) = (worlds[0], Vec::new());
    for target in path.into_iter().rev() {
        let mut nexts = Vec::new();
        system.nexts(design, &mut nexts).expect("walked before");
        let (next, what) = nexts.into_iter().find(|(next, _)| next.canonical() == target).expect("it led there before");
        told.push(what.to_string());
        system = next;
    }
    told
}
