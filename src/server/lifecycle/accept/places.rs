//! How many connections there may be, of all and of one address, and which one gives way to a new one: the one that has
//! stood still longest, because it waits for its next request or because its reader takes nothing. One that is being
//! answered, a stream of live events among them, never does.

use super::STALL;
use axum::body::Body;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};
use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Fewest connections, however few descriptors there are.
const LEAST: usize = 16;
/// Most connections: each takes memory too.
const MOST: usize = 10_000;

/// How long a connection waits for a place, and how often it looks for one.
const WAIT: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(20);

/// How many connections are taken, and how long a reader may take nothing.
#[derive(Clone, Debug)]
pub struct Bounds {
    connections: usize,
    per_address: usize,
    trusted: Vec<IpAddr>,
    stall: Duration,
}

impl Bounds {
    /// What may be open at once where the process has so many file descriptors: half of them, since the database, the
    /// gateways and the log need some too. An address may have half of that again.
    pub fn of_descriptors(descriptors: u64) -> Self {
        let half = usize::try_from(descriptors / 2).unwrap_or(usize::MAX);
        Self::new(half.clamp(LEAST, MOST))
    }

    /// So many connections, half of them from one address.
    pub fn new(connections: usize) -> Self {
        Self { connections, per_address: connections.div_ceil(2), trusted: Vec::new(), stall: STALL }
    }

    /// Another bound for one address; 0 is none.
    #[must_use]
    pub fn per_address(self, bound: Option<usize>) -> Self {
        match bound {
            None => self,
            Some(0) => Self { per_address: usize::MAX, ..self },
            Some(per_address) => Self { per_address, ..self },
        }
    }

    /// Addresses that stand for many people, and are not bounded by themselves.
    #[must_use]
    pub fn trusting(self, proxies: &[IpAddr]) -> Self {
        Self { trusted: proxies.iter().map(IpAddr::to_canonical).collect(), ..self }
    }

    /// Another time after which a reader that takes nothing is given up.
    #[must_use]
    pub fn stall(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    /// How many may still be ending besides.
    fn ending(&self) -> usize {
        self.connections / 8 + 8
    }
}

/// All open connections of a listener.
pub(super) struct SocketTable {
    bounds: Bounds,
    open: Mutex<Open>,
    /// Seats for connections that wait for a place or are being refused; beyond, they are closed without a word.
    seats: Arc<Semaphore>,
    warned: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Arc<Standing>>,
    /// How many of an address count; those that were asked to leave do not.
    of_address: HashMap<IpAddr, usize>,
    /// How many count of all.
    counted: usize,
}

/// The place of one connection; free again when dropped.
pub(super) struct Place {
    places: Arc<SocketTable>,
    number: u64,
    standing: Arc<Standing>,
}

/// Whether a connection moves, and since when it does not.
pub(super) struct Standing {
    address: IpAddr,
    since: Instant,
    /// Milliseconds from `since` to the moment that it stood still.
    still: AtomicU64,
    /// A request is being answered.
    busy: AtomicBool,
    /// The reader takes nothing.
    stalled: AtomicBool,
    leaving: AtomicBool,
    leave: Notify,
}

impl SocketTable {
    pub(super) fn new(bounds: Bounds) -> Self {
        let seats = Arc::new(Semaphore::new(bounds.ending()));
        Self { bounds, open: Mutex::default(), seats, warned: Mutex::default() }
    }

    /// A place for a connection from `address`, for which another one may have to leave; none when all are busy.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        self.find(group(address))
    }

    /// A seat to wait in; none when all are taken.
    pub(super) fn wait(self: &Arc<Self>) -> Option<Seat> {
        let seat = self.seats.clone().try_acquire_owned().ok()?;
        Some(Seat { places: self.clone(), _seat: seat })
    }

    fn find(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all.len() >= self.bounds.connections.saturating_add(self.bounds.ending()) {
            return None;
        }
        let of_address = open.of_address.get(&address).copied().unwrap_or(0);
        if of_address >= self.bounds.per_address && !self.bounds.trusted.contains(&address) {
            open.ask_one_to_leave(|standing| standing.address == address)?;
        } else if open.counted >= self.bounds.connections {
            open.ask_one_to_leave(|_| true)?;
        }
        let number = open.next;
        open.next = number.wrapping_add(1);
        let standing = Arc::new(Standing::new(address));
        open.all.insert(number, standing.clone());
        open.counted += 1;
        *open.of_address.entry(address).or_default() += 1;
        Some(Place { places: self.clone(), number, standing })
    }

    /// Says that connections are refused, but not for each of them.
    fn warn(&self, address: IpAddr) {
        const EVERY: Duration = Duration::from_secs(10);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| at.elapsed() >= EVERY) {
            *warned = Some(Instant::now());
            tracing::warn!(%address, bounds = ?self.bounds, "connections are refused: as many are being answered as \
                                                             may be");
        }
    }
}

impl Open {
    /// Asks the one that has stood still longest to leave; none when none of them stands still.
    fn ask_one_to_leave(&mut self, of: impl Fn(&Standing) -> bool) -> Option<()> {
        let candidates = self.all.values().filter(|standing| of(standing));
        let (_, standing) = candidates
            .filter_map(|standing| Some((standing.still_for()?, standing)))
            .max_by_key(|(still, _)| *still)?;
        standing.leaving.store(true, Ordering::Relaxed);
        standing.leave.notify_one();
        let address = standing.address;
        self.no_longer_counts(address);
        Some(())
    }

    fn no_longer_counts(&mut self, address: IpAddr) {
        self.counted = self.counted.saturating_sub(1);
        if let Some(count) = self.of_address.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
    }
}

/// Where a connection waits for a place.
pub(super) struct Seat {
    places: Arc<SocketTable>,
    _seat: OwnedSemaphorePermit,
}

impl Seat {
    /// Waits for a place for a moment: while many connections come at once all are on the move, and some stand still
    /// soon.
    pub(super) async fn place(&self, address: IpAddr) -> Option<Place> {
        let give_up = tokio::time::Instant::now() + WAIT;
        loop {
            if let Some(place) = self.places.enter(address) {
                return Some(place);
            }
            if tokio::time::Instant::now() >= give_up {
                self.places.warn(address);
                return None;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

impl Place {
    pub(super) fn standing(&self) -> Arc<Standing> {
        self.standing.clone()
    }

    pub(super) fn stall(&self) -> Duration {
        self.places.bounds.stall
    }

    /// Waits until another connection needs the place.
    pub(super) async fn asked_to_leave(&self) {
        self.standing.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(standing) = open.all.remove(&self.number)
            && !standing.leaving.load(Ordering::Relaxed)
        {
            open.no_longer_counts(standing.address);
        }
    }
}

impl Standing {
    fn new(address: IpAddr) -> Self {
        Self {
            address,
            since: Instant::now(),
            still: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }

    /// A request has come.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.store(true, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// The reader takes nothing from now on.
    pub(super) fn takes_nothing(&self) {
        self.stands_still_from_now();
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// The reader has taken something.
    pub(super) fn takes_again(&self) {
        self.stalled.store(false, Ordering::Relaxed);
        self.stands_still_from_now();
    }

    /// Whether a request is being answered to a reader who takes the answer.
    pub(super) fn is_moving(&self) -> bool {
        self.busy.load(Ordering::Relaxed) && !self.is_stalled()
    }

    /// Whether the reader takes nothing.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    fn stands_still_from_now(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.still.store(now, Ordering::Relaxed);
    }

    fn still_for(&self) -> Option<Duration> {
        if self.is_moving() || self.leaving.load(Ordering::Relaxed) {
            return None;
        }
        Some(self.since.elapsed().saturating_sub(Duration::from_millis(self.still.load(Ordering::Relaxed))))
    }
}

/// A request that is being answered.
pub(super) struct Busy(Arc<Standing>);

impl Busy {
    /// The same until this body has been handed over.
    pub(super) fn until_sent(self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(TrackedBody { body, _busy: self })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if !self.0.is_stalled() {
            self.0.stands_still_from_now();
        }
        self.0.busy.store(false, Ordering::Relaxed);
    }
}

struct TrackedBody {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What counts as one address: of IPv6 everything that one line is given.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}
