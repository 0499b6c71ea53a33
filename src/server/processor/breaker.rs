//! The circuit breaker of a connection: five failures in a row open it; after a while one row tries it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether anything may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// As usual.
    Free,
    /// One row, to see whether the gateway is back.
    One,
    /// Nothing for so long.
    Wait(Duration),
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    opened: u32,
    trying: bool,
}

/// What a call turned the breaker to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// Nothing is sent for so long.
    Open(Duration),
    /// The gateway answers again.
    Closed,
}

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks to send. Whoever gets [`Admission::One`] must [`Self::note`] what became of it, or [`Self::give_up_try`].
    pub(super) fn admit(&self, now: Instant) -> Admission {
        let mut state = self.state();
        match state.open_until {
            None => Admission::Free,
            Some(until) if now < until => Admission::Wait(until - now),
            Some(_) if state.trying => Admission::Wait(Duration::from_millis(200)),
            Some(_) => {
                state.trying = true;
                Admission::One
            }
        }
    }

    /// How long nothing may be sent; zero when something may.
    pub(super) fn closed_for(&self, now: Instant) -> Duration {
        self.state().open_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// The one row was not sent after all.
    pub(super) fn give_up_try(&self) {
        self.state().trying = false;
    }

    /// What became of a call; answers what that turned the breaker to, if it did.
    pub(super) fn note(&self, failed: bool, now: Instant) -> Option<Turned> {
        let mut state = self.state();
        let was_open = state.open_until.is_some();
        if !failed {
            *state = State::default();
            return was_open.then_some(Turned::Closed);
        }
        state.failures += 1;
        if state.trying || (!was_open && state.failures >= FAILURES) {
            let pause = FIRST_PAUSE.saturating_mul(1 << state.opened.min(4)).min(LONGEST_PAUSE);
            state.opened += 1;
            state.trying = false;
            state.open_until = Some(now + pause);
            tracing::warn!(seconds = pause.as_secs(), "gateway.breaker_open");
            return Some(Turned::Open(pause));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_it_and_one_row_tries_it() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..4 {
            breaker.note(true, start);
        }
        breaker.note(false, start);
        for _ in 0..4 {
            breaker.note(true, start);
        }
        assert_eq!(breaker.admit(start), Admission::Free);
        assert_eq!(breaker.note(true, start), Some(Turned::Open(FIRST_PAUSE)));
        assert_eq!(breaker.admit(start), Admission::Wait(FIRST_PAUSE));
        let later = start + FIRST_PAUSE;
        assert_eq!(breaker.admit(later), Admission::One);
        assert!(matches!(breaker.admit(later), Admission::Wait(_)), "only one tries");
        breaker.note(true, later);
        assert_eq!(breaker.admit(later), Admission::Wait(FIRST_PAUSE * 2));
        assert_eq!(breaker.admit(later + FIRST_PAUSE * 2), Admission::One);
        assert_eq!(breaker.note(false, later), Some(Turned::Closed));
        assert_eq!(breaker.note(false, later), None, "told once");
        assert_eq!(breaker.admit(later), Admission::Free);
    }
}
