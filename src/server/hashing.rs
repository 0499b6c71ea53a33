//! Turns for password hashes. Each takes 19 MiB and a core, so few are made at a time and few wait; whoever comes then
//! is sent away.
//!
//! Two lanes wait for the same turns: browsers that signed in before, and everybody else. The first of each lane waits
//! at the turnstile, so turns alternate while both lanes wait, and a flood of strangers puts one hash before a known
//! browser, not all.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// Hashes that are made at a time.
pub const AT_ONCE: usize = 2;
/// Hashes that wait, at most.
pub const WAITING: usize = 16;
/// How many of them may be strangers': the rest is kept for known browsers.
pub const STRANGERS: usize = 12;
/// How many of them may be of one network, or of one account's known browsers.
pub const OF_ONE: usize = 8;

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A browser that signed in before as the person it names, an open session, or the operator.
    Known,
    /// Everybody else.
    Stranger,
}

/// The places are taken.
#[derive(Clone, Copy, Debug)]
pub struct Full;

/// The two lanes and their turnstile.
#[derive(Debug)]
pub struct HashQueue {
    turns: Arc<Semaphore>,
    fronts: [Mutex<()>; 2],
    waiting: Arc<Lock<Waiting>>,
    begun: AtomicU64,
    most_ahead: [AtomicU64; 2],
}

#[derive(Debug, Default)]
struct Waiting {
    lanes: [usize; 2],
    of: HashMap<String, usize>,
}

impl Default for HashQueue {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            fronts: Default::default(),
            waiting: Arc::default(),
            begun: AtomicU64::new(0),
            most_ahead: Default::default(),
        }
    }
}

/// A place among those that wait.
#[derive(Debug)]
pub struct Place {
    lane: Lane,
    of: String,
    waiting: Arc<Lock<Waiting>>,
}

/// The leave to make one hash. It goes with the hash, not with who asked for it: a client that goes away does not make
/// room.
#[derive(Debug)]
pub struct HashPermit(#[expect(dead_code, reason = "held until the hash is made")] OwnedSemaphorePermit);

impl HashQueue {
    /// Takes a place in the lane; `of` is whose places are counted together.
    pub fn enter(&self, lane: Lane, of: &str) -> Result<Place, Full> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let [known, strangers] = waiting.lanes;
        let taken = waiting.of.get(of).copied().unwrap_or_default();
        if known + strangers >= WAITING || taken >= OF_ONE || (lane == Lane::Stranger && strangers >= STRANGERS) {
            return Err(Full);
        }
        waiting.of.insert(of.to_owned(), taken + 1);
        *waiting.lane(lane) += 1;
        Ok(Place { lane, of: of.to_owned(), waiting: self.waiting.clone() })
    }

    /// Waits for a turn.
    pub async fn turn(&self, place: Place) -> Option<HashPermit> {
        let [known, stranger] = &self.fronts;
        let [known_ahead, stranger_ahead] = &self.most_ahead;
        let (front, most_ahead) = match place.lane {
            Lane::Known => (known, known_ahead),
            Lane::Stranger => (stranger, stranger_ahead),
        };
        let before = self.begun.load(Ordering::Relaxed);
        let front = front.lock().await;
        // Closed never; without a turn nothing is hashed.
        let turn = self.turns.clone().acquire_owned().await.ok()?;
        drop((front, place));
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        most_ahead.fetch_max(begun.saturating_sub(before), Ordering::Relaxed);
        Some(HashPermit(turn))
    }

    /// How many hashes were begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// How many hashes wait.
    pub fn waiting(&self, lane: Lane) -> usize {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner).lane(lane)
    }

    /// How many hashes at most were begun while one of this lane waited.
    pub fn most_ahead(&self, lane: Lane) -> u64 {
        let [known, stranger] = &self.most_ahead;
        match lane {
            Lane::Known => known,
            Lane::Stranger => stranger,
        }
        .load(Ordering::Relaxed)
    }
}

impl Waiting {
    fn lane(&mut self, lane: Lane) -> &mut usize {
        let [known, stranger] = &mut self.lanes;
        match lane {
            Lane::Known => known,
            Lane::Stranger => stranger,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting.lane(self.lane) -= 1;
        match waiting.of.get_mut(&self.of) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => drop(waiting.of.remove(&self.of)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn strangers_put_one_hash_before_a_known_browser_however_many_wait() {
        let queue = Arc::new(HashQueue::default());
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(queue.turn(queue.enter(Lane::Known, "busy").unwrap()).await.unwrap());
        }
        let order = Arc::new(Lock::new(Vec::new()));
        let mut all = tokio::task::JoinSet::new();
        let come = |lane: Lane, name: String| {
            let (queue, order) = (queue.clone(), order.clone());
            let place = queue.enter(lane, &name).unwrap();
            async move {
                let turn = queue.turn(place).await.unwrap();
                order.lock().unwrap().push(name);
                drop(turn);
            }
        };
        for number in 0..STRANGERS {
            all.spawn(come(Lane::Stranger, format!("s{number}")));
        }
        tokio::task::yield_now().await;
        for number in 0..3 {
            all.spawn(come(Lane::Known, format!("k{number}")));
        }
        tokio::task::yield_now().await;
        drop(held);
        while all.join_next().await.is_some() {}
        let order = order.lock().unwrap();
        let place = |name: &str| order.iter().position(|found| found == name).unwrap();
        assert_eq!([place("k0"), place("k1"), place("k2")], [1, 3, 5], "{order:?}");
        assert_eq!(place("s1"), 2, "each lane keeps its order: {order:?}");
    }

    #[tokio::test]
    async fn places_are_few_and_no_network_has_all_of_them() {
        let queue = HashQueue::default();
        let mut places = Vec::new();
        for _ in 0..OF_ONE {
            places.push(queue.enter(Lane::Stranger, "one").unwrap());
        }
        assert!(queue.enter(Lane::Stranger, "one").is_err());
        for number in OF_ONE..STRANGERS {
            places.push(queue.enter(Lane::Stranger, &format!("n{number}")).unwrap());
        }
        assert!(queue.enter(Lane::Stranger, "another").is_err());
        for number in STRANGERS..WAITING {
            places.push(queue.enter(Lane::Known, &format!("n{number}")).unwrap());
        }
        assert!(queue.enter(Lane::Known, "another").is_err());
        assert_eq!((queue.waiting(Lane::Stranger), queue.waiting(Lane::Known)), (STRANGERS, WAITING - STRANGERS));
        // Who goes away leaves the place.
        places.clear();
        assert!(queue.enter(Lane::Stranger, "one").is_ok());
        assert_eq!((queue.waiting(Lane::Stranger), queue.waiting(Lane::Known)), (0, 0));
        assert!(queue.waiting.lock().unwrap().of.is_empty());
    }
}
