//! How fast one process may ask one gateway: so many requests a second, and nothing at all while the gateway asked us
//! to stay away.
//!
//! The rate is kept by the time at which the next request would be due if all came evenly spaced (GCRA): no counting,
//! no window at whose edge twice as many get through, and settings can change at any moment. Time is counted in whole
//! nanoseconds.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Whoever waits for longer than that gives back what it holds instead.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct State {
    /// Between two requests at the limit; zero without a limit.
    interval: Duration,
    /// Requests at once after a rest.
    burst: u32,
    /// When the next request would be due, evenly spaced.
    due: Option<Instant>,
    paused_until: Option<Instant>,
    /// Until when this process has a part in the limits.
    lapses: Option<Instant>,
}

impl State {
    fn paused(&self, now: Instant) -> Option<Duration> {
        self.paused_until.filter(|until| *until > now).map(|until| until - now)
    }

    /// How many may go now: `due` may run ahead of now by one interval less than the burst.
    fn free(&self, now: Instant) -> Result<u32, Duration> {
        if self.interval.is_zero() {
            return Ok(u32::MAX);
        }
        let ahead = self.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        let room = self.interval * self.burst.max(1);
        let free = room.saturating_sub(ahead).as_nanos() / self.interval.as_nanos();
        match u32::try_from(free).unwrap_or(u32::MAX) {
            0 => Err((ahead + self.interval).saturating_sub(room)),
            free => Ok(free),
        }
    }

    fn spend(&mut self, count: u32, now: Instant) {
        if !self.interval.is_zero() {
            self.due = Some(self.due.filter(|due| *due > now).unwrap_or(now) + self.interval * count);
        }
    }
}

/// The rate of one connection in this process.
#[derive(Debug, Default)]
pub(super) struct RateLimiter(Mutex<State>);

impl RateLimiter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets this process's part: one request each `interval`, `burst` at once after a rest, until it lapses.
    pub(super) fn set(&self, interval: Duration, burst: u32, lapses: Instant) {
        let mut state = self.state();
        (state.interval, state.burst, state.lapses) = (interval, burst, Some(lapses));
    }

    /// This process has no part yet, or no more.
    pub(super) fn set_none(&self) {
        self.state().lapses = None;
    }

    /// Nothing may be asked for so long. A shorter pause does not end a longer one. Whether that is news, by a second
    /// or more.
    pub(super) fn pause(&self, wait: Duration, now: Instant) -> bool {
        let mut state = self.state();
        let (known, until) = (state.paused(now).unwrap_or_default(), now + wait);
        state.paused_until = state.paused_until.max(Some(until));
        wait >= known + Duration::from_secs(1) || known.is_zero()
    }

    /// Whether it has one.
    pub(super) fn has_part(&self) -> bool {
        self.state().lapses.is_some()
    }

    /// For how long nothing may be asked: the gateway asked for it, or this process has no part in the limits.
    pub(super) fn closed_for(&self, now: Instant) -> Duration {
        let state = self.state();
        let lapsed = state.lapses.is_none_or(|lapses| lapses <= now);
        // How soon it has one again is not known: it is asked for every second.
        let partless = if lapsed { Duration::from_millis(250) } else { Duration::ZERO };
        state.paused(now).unwrap_or_default().max(partless)
    }

    /// Takes up to `wanted` requests, at least one; or how long to wait before one asks again.
    pub(super) fn take(&self, wanted: usize, now: Instant) -> Result<usize, Duration> {
        let closed = self.closed_for(now);
        if !closed.is_zero() {
            return Err(closed);
        }
        let mut state = self.state();
        let count = state.free(now)?.min(u32::try_from(wanted).unwrap_or(u32::MAX));
        state.spend(count, now);
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// How many can have their turn before whoever waits loses patience, at least one.
    pub(super) fn within_patience(&self) -> usize {
        let state = self.state();
        let turns = MAX_WAIT.as_nanos().checked_div(state.interval.as_nanos()).unwrap_or(u128::MAX);
        usize::try_from(turns).unwrap_or(usize::MAX).saturating_add(usize::try_from(state.burst).unwrap_or(1)).max(1)
    }

    /// These were not used after all.
    pub(super) fn give_back(&self, count: usize) {
        let mut state = self.state();
        let back = state.interval.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        state.due = state.due.and_then(|due| due.checked_sub(back));
    }

    /// Waits for one request. Err: it takes longer than anybody should wait holding something; how long.
    pub(super) async fn turn(&self) -> Result<(), Duration> {
        let give_up = Instant::now() + MAX_WAIT;
        loop {
            let now = Instant::now();
            match self.take(1, now) {
                Ok(_) => return Ok(()),
                Err(wait) if now + wait > give_up => return Err(wait),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn throttle(per_second: u32, burst: u32, now: Instant) -> RateLimiter {
        let throttle = RateLimiter::default();
        throttle.set(SECOND / per_second, burst, now + SECOND * 3600);
        throttle
    }

    /// How many get through in a second of asking every millisecond, `wanted` at a time.
    fn through(throttle: &RateLimiter, from: Instant, wanted: usize) -> usize {
        (0..1000).filter_map(|ms| throttle.take(wanted, from + Duration::from_millis(ms)).ok()).sum()
    }

    #[test]
    fn no_second_sees_more_than_rate_and_burst() {
        let start = Instant::now();
        for (rate, burst) in [(1, 1), (5, 1), (5, 5), (50, 10), (1000, 1)] {
            let throttle = throttle(rate, burst, start);
            let first = through(&throttle, start, 7);
            let most = usize::try_from(rate + burst - 1).unwrap();
            assert!(first <= most && first * 10 >= most * 9, "{rate}/s, {burst} at once: {first} in the first second");
            let second = through(&throttle, start + SECOND, 7);
            assert!(second <= usize::try_from(rate).unwrap(), "{rate}/s, {burst} at once: {second} in the next");
        }
    }

    #[test]
    fn what_was_not_used_is_free_again() {
        let now = Instant::now();
        let throttle = throttle(2, 3, now);
        assert_eq!(throttle.take(10, now), Ok(3));
        assert_eq!(throttle.take(1, now), Err(SECOND / 2));
        throttle.give_back(2);
        assert_eq!(throttle.take(10, now), Ok(2));
    }

    #[test]
    fn a_pause_stops_everything_and_is_not_shortened() {
        let now = Instant::now();
        let throttle = throttle(1000, 1000, now);
        throttle.pause(SECOND * 30, now);
        throttle.pause(SECOND, now);
        assert_eq!(throttle.take(1, now + SECOND * 10), Err(SECOND * 20));
        assert_eq!(throttle.closed_for(now + SECOND * 29), SECOND);
        assert_eq!(throttle.take(1, now + SECOND * 30), Ok(1));
    }

    #[test]
    fn without_a_part_nothing_is_asked() {
        let now = Instant::now();
        assert!(RateLimiter::default().take(1, now).is_err(), "not counted yet");
        let throttle = throttle(10, 1, now);
        throttle.set(Duration::ZERO, 1, now + SECOND);
        assert_eq!(throttle.take(500, now), Ok(500), "no limit");
        assert!(throttle.take(1, now + SECOND).is_err(), "it lapsed");
        throttle.set(Duration::ZERO, 1, now + SECOND * 5);
        assert_eq!(throttle.take(1, now + SECOND), Ok(1));
        throttle.set_none();
        assert!(throttle.take(1, now + SECOND).is_err());
    }

    #[test]
    fn a_change_acts_at_once() {
        let now = Instant::now();
        let throttle = throttle(1, 1, now);
        assert_eq!(throttle.take(1, now), Ok(1));
        throttle.set(SECOND / 1000, 1, now + SECOND * 60);
        assert_eq!(through(&throttle, now + SECOND, 1), 1000);
    }

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_told_so() {
        let throttle = throttle(1, 1, Instant::now());
        throttle.pause(SECOND * 60, Instant::now());
        assert!(throttle.turn().await.unwrap_err() > SECOND * 50);
    }
}
