//! Keeps requests of the same order and amount apart, where the gateway asks for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

type Key = (String, i64);

/// Requests of one connection, by order and amount.
#[derive(Debug)]
pub(super) struct Cooldown {
    gap: Duration,
    /// None: on the wire. Some: free again from then on.
    taken: Mutex<HashMap<Key, Option<Instant>>>,
}

/// A request that may be made. When it is dropped the gap begins.
#[derive(Debug)]
pub(super) struct CooldownPermit {
    cooldown: Arc<Cooldown>,
    key: Option<Key>,
}

impl Cooldown {
    /// With this gap; zero keeps nothing apart.
    pub(super) fn new(gap: Duration) -> Self {
        Self { gap, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Key, Option<Instant>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn, or how long to wait before one asks again.
    pub(super) fn take(self: &Arc<Self>, order: &str, amount: i64, now: Instant) -> Result<CooldownPermit, Duration> {
        if self.gap.is_zero() {
            return Ok(CooldownPermit { cooldown: self.clone(), key: None });
        }
        let key = (order.to_owned(), amount);
        let mut taken = self.taken();
        // Swept only when it would have to grow: a look at all of them for each one would be felt at thousands a
        // second.
        if taken.len() > 10_000 && taken.len() == taken.capacity() {
            taken.retain(|_, free| free.is_none_or(|free| free > now));
            let left = taken.len();
            taken.reserve(left);
        }
        match taken.get(&key) {
            Some(None) => return Err(Duration::from_millis(100).min(self.gap)),
            Some(Some(free)) if *free > now => return Err(*free - now),
            _ => {}
        }
        taken.insert(key.clone(), None);
        Ok(CooldownPermit { cooldown: self.clone(), key: Some(key) })
    }
}

impl CooldownPermit {
    /// The request was not made: nothing to keep apart from.
    pub(super) fn give_back(mut self) {
        if let Some(key) = self.key.take() {
            self.cooldown.taken().remove(&key);
        }
    }
}

impl Drop for CooldownPermit {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.cooldown.taken().insert(key, Some(Instant::now() + self.cooldown.gap));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_order_and_amount_wait_for_the_gap() {
        let cooldown = Arc::new(Cooldown::new(Duration::from_secs(5)));
        let now = Instant::now();
        let turn = cooldown.take("A", 100, now).unwrap();
        assert!(cooldown.take("A", 100, now).is_err(), "on the wire");
        assert!(cooldown.take("A", 101, now).is_ok());
        assert!(cooldown.take("B", 100, now).is_ok());
        drop(turn);
        let wait = cooldown.take("A", 100, Instant::now()).unwrap_err();
        assert!(wait > Duration::from_secs(4));
        cooldown.take("A", 100, Instant::now() + Duration::from_secs(6)).unwrap().give_back();
        assert!(cooldown.take("A", 100, Instant::now()).is_ok(), "what was not sent leaves no gap");
    }
}
