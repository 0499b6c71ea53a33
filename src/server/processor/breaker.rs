//! The circuit breaker of a connection: five failed sends in a row open it; after a while a read tries it. A read moves
//! no money, so however long a gateway stays away, nothing more is put in doubt to find out that it is back.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// While reads are answered: it is single sends that go wrong, and waiting longer would not help them.
const LONGEST_ANSWERED: Duration = Duration::from_secs(5);
const LONGEST_AWAY: Duration = Duration::from_secs(60);

/// Whether anything may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// As usual.
    Free,
    /// Nothing yet: read something first, to see whether the gateway is back.
    Probe,
    /// Nothing for so long.
    Wait(Duration),
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    /// How often it opened since a send went well.
    opened: u32,
    probing: bool,
    /// The last probe was not answered.
    away: bool,
    /// One row is sent to see, because nothing can be read.
    by_row: bool,
}

impl State {
    fn open(&mut self, now: Instant) -> Turned {
        let longest = if self.away { LONGEST_AWAY } else { LONGEST_ANSWERED };
        let pause = FIRST_PAUSE.saturating_mul(1 << self.opened.min(6)).min(longest);
        self.opened += 1;
        self.open_until = Some(now + pause);
        tracing::warn!(seconds = pause.as_secs(), away = self.away, "gateway.breaker_open");
        Turned::Open(pause)
    }
}

/// What a call turned the breaker to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// Nothing is sent for so long.
    Open(Duration),
    /// The gateway carries out sends again.
    Closed,
}

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks to send. Whoever gets [`Admission::Probe`] must say with [`Self::probed`] what became of it.
    pub(super) fn admit(&self, now: Instant) -> Admission {
        let mut state = self.state();
        match state.open_until {
            None => Admission::Free,
            Some(until) if now < until => Admission::Wait(until - now),
            Some(_) if state.probing => Admission::Wait(Duration::from_millis(200)),
            Some(_) => {
                state.probing = true;
                Admission::Probe
            }
        }
    }

    /// How long nothing may be sent; zero when something may.
    pub(super) fn closed_for(&self, now: Instant) -> Duration {
        self.state().open_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Whether the probe was answered. Sending goes on when it was.
    pub(super) fn probed(&self, answered: bool, now: Instant) -> Option<Turned> {
        let mut state = self.state();
        state.probing = false;
        state.failures = 0;
        state.away = !answered;
        if answered {
            state.open_until = None;
            return None;
        }
        Some(state.open(now))
    }

    /// The probe is one row, because this gateway gives nothing to read: what becomes of it goes to [`Self::note`].
    pub(super) fn try_by_row(&self) {
        self.state().by_row = true;
    }

    /// The row that was to try it is over. If it was never sent, somebody else tries.
    pub(super) fn tried_by_row(&self) {
        let mut state = self.state();
        if state.by_row {
            (state.by_row, state.probing) = (false, false);
        }
    }

    /// The probe was not made after all: somebody else makes it.
    pub(super) fn untried(&self) {
        self.state().probing = false;
    }

    /// What became of a call; returns what that turned the breaker to, if it did. Failures that arrive while it is open
    /// were sent before and change nothing.
    pub(super) fn note(&self, failed: bool, now: Instant) -> Option<Turned> {
        let mut state = self.state();
        if state.by_row {
            (state.by_row, state.probing, state.away) = (false, false, failed);
            if failed {
                return Some(state.open(now));
            }
        }
        if !failed {
            let was_open = state.opened > 0;
            *state = State { probing: state.probing, ..State::default() };
            return was_open.then_some(Turned::Closed);
        }
        state.failures += 1;
        (state.open_until.is_none() && state.failures >= FAILURES).then(|| state.open(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: u32, now: Instant) -> Option<Turned> {
        (0..times).filter_map(|_| breaker.note(true, now)).last()
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_read_tries_it() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert_eq!(fail(&breaker, 4, start), None);
        breaker.note(false, start);
        assert_eq!(fail(&breaker, 4, start), None);
        assert_eq!(breaker.admit(start), Admission::Free);
        assert_eq!(fail(&breaker, 1, start), Some(Turned::Open(FIRST_PAUSE)));
        assert_eq!(fail(&breaker, 20, start), None, "what was on the wire changes nothing");
        assert_eq!(breaker.admit(start), Admission::Wait(FIRST_PAUSE));
        let later = start + FIRST_PAUSE;
        assert_eq!(breaker.admit(later), Admission::Probe);
        assert!(matches!(breaker.admit(later), Admission::Wait(_)), "only one probes");
        assert_eq!(breaker.probed(true, later), None);
        assert_eq!(breaker.admit(later), Admission::Free);
        assert_eq!(breaker.note(false, later), Some(Turned::Closed));
        assert_eq!(breaker.note(false, later), None, "told once");
    }

    #[test]
    fn a_gateway_that_is_away_is_asked_less_and_less_often() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        fail(&breaker, 5, now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            now += breaker.closed_for(now);
            assert_eq!(breaker.admit(now), Admission::Probe);
            let Some(Turned::Open(pause)) = breaker.probed(false, now) else { panic!("it closed") };
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn where_nothing_can_be_read_one_row_tries_it() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        fail(&breaker, 5, now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            now += breaker.closed_for(now);
            assert_eq!(breaker.admit(now), Admission::Probe);
            breaker.try_by_row();
            assert!(matches!(breaker.admit(now), Admission::Wait(_)), "one row only");
            let Some(Turned::Open(pause)) = breaker.note(true, now) else { panic!("it closed") };
            breaker.tried_by_row();
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        now += breaker.closed_for(now);
        assert_eq!(breaker.admit(now), Admission::Probe);
        breaker.try_by_row();
        breaker.tried_by_row();
        assert_eq!(breaker.admit(now), Admission::Probe, "the row was not sent: the next one tries");
        breaker.try_by_row();
        assert_eq!(breaker.note(false, now), Some(Turned::Closed));
        assert_eq!(breaker.admit(now), Admission::Free);
    }

    #[test]
    fn sends_that_go_wrong_while_reads_are_answered_wait_a_few_seconds_each_time() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let Some(Turned::Open(pause)) = fail(&breaker, 20, now) else { panic!("it stayed closed") };
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(breaker.admit(now), Admission::Probe);
            breaker.probed(true, now);
        }
        assert_eq!(pauses, [1, 2, 4, 5, 5, 5]);
    }
}
