//! What this process may ask of one connection: its part of the limits that stand on the connection's row.
//!
//! Limits are the connection's, however many worker processes use it. Each takes the part that its place among them
//! gives; see the migration for why the parts never add up to more.

use super::rate_limiter::RateLimiter;
use crate::{
    db::gateways::{GatewayRow, WorkerShare},
    gateway::{GatewayClass, concurrency_in_force},
    ops::gateways,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limits of a connection as its row has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Calls on the wire at once.
    pub(super) concurrency: usize,
    /// Requests a second.
    pub(super) rate: Option<u32>,
    /// Requests at once after a rest.
    pub(super) burst: u32,
    /// Rows whose intent may stand before a slot is free for them, at most.
    pub(super) ahead: usize,
}

/// Rows intended ahead of free slots, at most, whatever the times of calls and commits.
const PREFETCH: usize = 512;
/// Processes on one connection that make groups wait longer, at most: a page is not to be told late.
const LINGER_FACTOR_MAX: u32 = 4;
/// A gateway whose calls take longer gets nothing ahead: rows would stand in doubt for long, for little.
const FAST_CALL: Duration = Duration::from_millis(500);

impl Settings {
    /// The limits in force: `default` calls where the row names none.
    pub(super) fn of(row: &GatewayRow, default: usize) -> Self {
        let class = gateways::weakest(row);
        let concurrency = row.concurrency.and_then(|n| usize::try_from(n).ok()).unwrap_or(default).max(1);
        let concurrency = concurrency_in_force(class, concurrency);
        let positive = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        let rate = positive(row.rate_limit);
        let burst = positive(row.rate_burst).unwrap_or(1);
        Self { concurrency, rate, burst, ahead: prefetch(class, rate) }
    }

    /// What the process in this place among so many gets of them.
    fn part(&self, place: usize, workers: usize) -> Part {
        let workers = workers.max(1);
        let share = |whole: usize| whole / workers + usize::from(place < whole % workers);
        let crowd = u32::try_from(workers).unwrap_or(u32::MAX);
        Part {
            workers: crowd,
            slots: share(self.concurrency),
            ahead: share(self.ahead),
            interval: self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) * crowd / rate.max(1)),
            burst: u32::try_from(share(usize::try_from(self.burst).unwrap_or(1))).unwrap_or(1).max(1),
        }
    }
}

/// How many rows may be intended ahead of free slots. None where a crash would leave each of them to people, and none
/// where they would only wait for the rate.
fn prefetch(class: GatewayClass, rate: Option<u32>) -> usize {
    if class == GatewayClass::N || rate.is_some() { 0 } else { PREFETCH }
}

/// A time that follows what is measured, an eighth of the way with each measurement.
#[derive(Debug, Default)]
struct MovingAverage(AtomicU32);

impl MovingAverage {
    fn follow(&self, time: Duration) {
        let time = u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1);
        // Two at once may lose one: it is an estimate.
        let next = match self.0.load(Ordering::Relaxed) {
            0 => time,
            usual => usual - usual / 8 + time / 8,
        };
        self.0.store(next.max(1), Ordering::Relaxed);
    }

    /// Microseconds; zero when nothing was measured.
    fn micros(&self) -> usize {
        usize::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }
}

/// What one process may do of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    /// Processes that share the connection.
    workers: u32,
    slots: usize,
    ahead: usize,
    interval: Duration,
    burst: u32,
}

/// Places whose number can change while they are held.
#[derive(Debug)]
struct ResizableSemaphore {
    free: Arc<Semaphore>,
    size: Mutex<usize>,
}

impl Default for ResizableSemaphore {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(0)), size: Mutex::default() }
    }
}

impl ResizableSemaphore {
    /// How many they are to be.
    fn size(&self) -> usize {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes them so many. What is held beyond that is taken away as it is given back.
    fn resize(&self, to: usize) {
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if to > *size {
            self.free.add_permits(to - *size);
        }
        let owed = (*size).saturating_sub(to);
        let later = owed - self.free.forget_permits(owed);
        if let Ok(later) = u32::try_from(later)
            && later > 0
        {
            let free = self.free.clone();
            // In the queue before whoever asks next.
            tokio::spawn(async move {
                if let Ok(permits) = free.acquire_many_owned(later).await {
                    permits.forget();
                }
            });
        }
        *size = to;
    }
}

/// One connection's limits in this process. They outlive every change of the connection's settings.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) throttle: RateLimiter,
    slots: ResizableSemaphore,
    ahead: ResizableSemaphore,
    part: Mutex<Part>,
    /// The last call took no longer than [`BRISK`].
    brisk: AtomicBool,
    call: MovingAverage,
    commit: MovingAverage,
    finished: AtomicU32,
    used: Mutex<Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            throttle: RateLimiter::default(),
            slots: ResizableSemaphore::default(),
            ahead: ResizableSemaphore::default(),
            part: Mutex::default(),
            brisk: AtomicBool::new(false),
            call: MovingAverage::default(),
            commit: MovingAverage::default(),
            finished: AtomicU32::new(0),
            used: Mutex::new(Instant::now()),
        }
    }
}

/// What lets a row have its intent: a free slot, or a place in the queue for one.
pub(super) enum Place {
    Slot(OwnedSemaphorePermit),
    Ahead(OwnedSemaphorePermit),
}

impl Limits {
    /// Calls on the wire.
    pub(super) fn slots(&self) -> Arc<Semaphore> {
        self.slots.free.clone()
    }

    /// The queue for slots; none while calls take long.
    fn queue(&self) -> Option<Arc<Semaphore>> {
        self.brisk.load(Ordering::Relaxed).then(|| self.ahead.free.clone())
    }

    /// Places that are free now.
    pub(super) fn free(&self) -> usize {
        self.slots.free.available_permits() + self.queue().map_or(0, |queue| queue.available_permits())
    }

    /// A place, a slot before one in the queue, as soon as there is one.
    pub(super) async fn place(&self) -> Option<Place> {
        let ahead = async {
            match self.queue() {
                Some(queue) => queue.acquire_owned().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            slot = self.slots().acquire_owned() => slot.ok().map(Place::Slot),
            ahead = ahead => ahead.ok().map(Place::Ahead),
        }
    }

    /// A place, if there is one now.
    pub(super) fn place_now(&self) -> Option<Place> {
        let slot = self.slots().try_acquire_owned().ok().map(Place::Slot);
        slot.or_else(|| self.queue()?.try_acquire_owned().ok().map(Place::Ahead))
    }

    /// The slot of a row that has its place: its own, or the next that is free; none when none is within `max_wait`.
    /// Then calls hang, and nobody follows into the queue until one ends soon.
    pub(super) async fn slot(&self, place: Place, max_wait: Duration) -> Option<OwnedSemaphorePermit> {
        match place {
            Place::Slot(slot) => Some(slot),
            Place::Ahead(_held) => match tokio::time::timeout(max_wait, self.slots().acquire_owned()).await {
                Ok(slot) => slot.ok(),
                Err(_) => {
                    self.brisk.store(false, Ordering::Relaxed);
                    None
                }
            },
        }
    }

    /// How long a call took.
    pub(super) fn took(&self, time: Duration) {
        self.brisk.store(time <= FAST_CALL, Ordering::Relaxed);
        self.call.follow(time);
    }

    /// How long it took to commit an intent.
    pub(super) fn committed(&self, time: Duration) {
        self.commit.follow(time);
        self.make_room();
    }

    /// As many rows ahead as slots take up while an intent is committed: fewer leave the wire idle, more would stand in
    /// doubt for nothing. At least as many as there are slots.
    fn make_room(&self) {
        let part = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        let rounds = self.commit.micros().div_ceil(self.call.micros().max(1)).max(1);
        self.ahead.resize(part.slots.saturating_mul(rounds).min(part.ahead));
    }

    /// Rows that may have one intent: what can be sent soon.
    pub(super) fn group(&self, concurrency: usize) -> usize {
        let ahead = if self.brisk.load(Ordering::Relaxed) { self.ahead.size() } else { 0 };
        concurrency.max(ahead)
    }

    /// How long a small group waits for company, when it would wait `alone` in a process that has the connection for
    /// itself: of several processes each gets its part of the rows, and waits longer for a group of the same size.
    pub(super) fn linger(&self, alone: Duration) -> Duration {
        let part = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        alone * part.workers.clamp(1, LINGER_FACTOR_MAX)
    }

    /// Takes the part that `attendance` gives; it lapses at `lapses` unless it is renewed.
    pub(super) fn apply(&self, settings: Settings, attendance: &WorkerShare, lapses: Instant) {
        let place = usize::try_from(attendance.place).unwrap_or(0);
        let part = settings.part(place, usize::try_from(attendance.workers).unwrap_or(1));
        self.slots.resize(part.slots);
        *self.part.lock().unwrap_or_else(PoisonError::into_inner) = part;
        self.make_room();
        match attendance.settled && part.slots > 0 {
            true => self.throttle.set(part.interval, part.burst, lapses),
            false => self.throttle.set_none(),
        }
        let paused = Duration::try_from_secs_f64(attendance.paused).unwrap_or_default();
        if !paused.is_zero() {
            self.throttle.pause(paused, Instant::now());
        }
    }

    /// So many tasks came to an end: told with the next renewal.
    pub(super) fn count_finished(&self, tasks: usize) {
        self.finished.fetch_add(u32::try_from(tasks).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// What is to be told; given back with [`Self::count_finished`] when it could not be.
    pub(super) fn take_finished(&self) -> u32 {
        self.finished.swap(0, Ordering::Relaxed)
    }

    /// A lane begins on it.
    pub(super) fn used_now(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long no lane has begun on it.
    pub(super) fn idle(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(concurrency: usize, rate: Option<u32>) -> Settings {
        Settings { concurrency, rate, burst: 1, ahead: PREFETCH }
    }

    fn attendance(place: i32, workers: i32, settled: bool) -> WorkerShare {
        WorkerShare { place, workers, settled, paused: 0.0 }
    }

    #[test]
    fn the_parts_of_all_processes_add_up_to_the_limits() {
        for concurrency in 1..20 {
            for workers in 1..8 {
                let all = settings(concurrency, Some(5));
                let slots: usize = (0..workers).map(|place| all.part(place, workers).slots).sum();
                assert_eq!(slots, concurrency, "{concurrency} among {workers}");
                let ahead: usize = (0..workers).map(|place| all.part(place, workers).ahead).sum();
                assert_eq!(ahead, PREFETCH, "ahead of {concurrency} among {workers}");
                let interval = all.part(0, workers).interval;
                let wanted = Duration::from_secs(1) * u32::try_from(workers).unwrap() / 5;
                assert_eq!(interval, wanted, "5/s among {workers}");
            }
        }
    }

    #[tokio::test]
    async fn slots_are_taken_away_as_calls_end() {
        let limits = Limits::default();
        let far = Instant::now() + Duration::from_secs(60);
        limits.apply(settings(4, None), &attendance(0, 1, true), far);
        let held: Vec<_> = (0..3).map(|_| limits.slots().try_acquire_owned().unwrap()).collect();
        limits.apply(settings(4, None), &attendance(0, 4, true), far);
        tokio::task::yield_now().await;
        assert!(limits.slots().try_acquire_owned().is_err(), "one slot, and three calls on the wire");
        let mut held = held.into_iter();
        drop(held.next());
        drop(held.next());
        tokio::task::yield_now().await;
        assert!(limits.slots().try_acquire_owned().is_err());
        drop(held.next());
        tokio::task::yield_now().await;
        assert!(limits.slots().try_acquire_owned().is_ok());
        limits.apply(settings(4, None), &attendance(0, 1, true), far);
        assert_eq!(limits.slots().available_permits(), 4);
    }

    #[tokio::test]
    async fn rows_are_intended_ahead_of_free_slots_only_while_calls_are_quick() {
        assert_eq!(prefetch(GatewayClass::N, None), 0, "each would be a person's work after a crash");
        assert_eq!(prefetch(GatewayClass::K, Some(5)), 0, "they would wait for the rate");
        assert_eq!(prefetch(GatewayClass::Q, None), PREFETCH);
        let limits = Limits::default();
        let far = Instant::now() + Duration::from_secs(60);
        limits.apply(settings(1, None), &attendance(0, 1, true), far);
        let Some(slot @ Place::Slot(_)) = limits.place().await else { panic!("the slot is free") };
        assert!(limits.place_now().is_none(), "how long a call takes is not known yet");
        limits.took(FAST_CALL);
        let Some(queued @ Place::Ahead(_)) = limits.place_now() else { panic!("one place in the queue") };
        assert!(limits.place_now().is_none(), "and one only");
        assert!(limits.slot(queued, Duration::from_millis(1)).await.is_none(), "the slot is taken");
        assert!(limits.place_now().is_none(), "the call on the wire hangs");
        limits.took(FAST_CALL);
        let Some(queued) = limits.place_now() else { panic!("the place was given back") };
        drop(slot);
        let got = limits.slot(queued, far - Instant::now()).await;
        assert!(got.is_some() && limits.slots().available_permits() == 0);
        limits.took(FAST_CALL * 2);
        assert!(limits.place_now().is_none(), "calls take long");
    }

    #[tokio::test]
    async fn as_many_rows_are_ahead_as_slots_take_up_while_an_intent_is_committed() {
        let far = Instant::now() + Duration::from_secs(60);
        let ahead = |slots, call, commit| {
            let limits = Limits::default();
            limits.apply(settings(slots, None), &attendance(0, 1, true), far);
            limits.took(Duration::from_millis(call));
            limits.committed(Duration::from_millis(commit));
            (limits.ahead.size(), limits.group(slots))
        };
        assert_eq!(ahead(20, 1, 4), (80, 80));
        assert_eq!(ahead(20, 50, 4), (20, 20), "the wire is slower than the database");
        assert_eq!(ahead(200, 1, 4), (PREFETCH, PREFETCH));
        assert_eq!(ahead(20, 600, 4), (20, 20), "counted, and none of them given out");
        let limits = Limits::default();
        let none = Settings { ahead: 0, ..settings(20, None) };
        limits.apply(none, &attendance(0, 1, true), far);
        limits.took(Duration::from_millis(1));
        limits.committed(Duration::from_millis(4));
        assert_eq!((limits.ahead.size(), limits.group(20)), (0, 20), "whatever was measured");
        let usual = MovingAverage::default();
        (0..100).for_each(|_| usual.follow(Duration::from_millis(8)));
        assert!((7_900..=8_000).contains(&usual.micros()), "{}", usual.micros());
    }

    #[tokio::test]
    async fn groups_of_several_processes_wait_longer_for_company() {
        let limits = Limits::default();
        let far = Instant::now() + Duration::from_secs(60);
        let alone = Duration::from_millis(10);
        assert_eq!(limits.linger(alone), alone, "before anything is known");
        for (workers, times) in [(1, 1), (2, 2), (4, 4), (40, LINGER_FACTOR_MAX)] {
            limits.apply(settings(20, None), &attendance(0, workers, true), far);
            assert_eq!(limits.linger(alone), alone * times, "{workers} processes");
        }
    }

    #[tokio::test]
    async fn a_process_without_a_part_asks_nothing() {
        let limits = Limits::default();
        let far = Instant::now() + Duration::from_secs(60);
        limits.apply(settings(4, None), &attendance(1, 2, false), far);
        assert!(limits.throttle.take(1, Instant::now()).is_err(), "not all others have counted it");
        limits.apply(settings(4, None), &attendance(1, 2, true), far);
        assert!(limits.throttle.take(1, Instant::now()).is_ok());
        limits.apply(settings(1, None), &attendance(1, 2, true), far);
        assert!(limits.throttle.take(1, Instant::now()).is_err(), "one slot, and it is the other's");
        limits.apply(settings(4, None), &WorkerShare { paused: 3.0, ..attendance(0, 1, true) }, far);
        assert!(
            limits.throttle.closed_for(Instant::now()) > Duration::from_secs(2),
            "another process was asked to stay away"
        );
    }
}
