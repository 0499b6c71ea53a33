//! One system: the task's row, two workers, the network, the gateway, what faults are left.

mod moves;

use super::{
    super::{Before, Confirmed, Decision, Event, GatewayClass, Illegal, Now, ReplyClass, Since, State, Step},
    Rule, Wrong,
};
use crate::ids::PersonId;
use std::{cmp::Ordering, fmt};
use uuid::Uuid;

/// How often each fault may happen.
#[derive(Clone, Copy)]
pub(super) struct Faults {
    pub(super) crashes: u8,
    /// Replies or requests that are lost or too late.
    pub(super) timeouts: u8,
    /// Leases that lapse under a worker that lives.
    pub(super) expiries: u8,
    pub(super) errors: u8,
    pub(super) declines: u8,
    /// A refused key, a refund that stays pending, or another amount.
    pub(super) oddities: u8,
    /// Sends that demonstrably never left.
    pub(super) not_sent: u8,
    /// Whether the batch may be cancelled.
    pub(super) cancel: bool,
    /// Whether the database may go back to an older state, once.
    pub(super) restore: bool,
}

/// When a status query may be made about an unknown outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quarantine {
    No,
    /// When nothing is on the wire.
    Network,
    /// When, besides, no worker is about to send.
    Senders,
}

/// Rules, and the gateway they meet.
#[derive(Clone, Copy)]
pub(super) struct Design {
    pub(super) class: GatewayClass,
    pub(super) rule: Rule,
    /// What the connector reads out of silence.
    pub(super) timeout: ReplyClass,
    /// What the connector reads out of a 5xx.
    pub(super) error: ReplyClass,
    /// A new key with each send.
    pub(super) fresh_keys: bool,
    /// Results are fenced by the epoch.
    pub(super) fence: bool,
    pub(super) quarantine: Quarantine,
    /// People decide while a send may still arrive.
    pub(super) hasty_people: bool,
    /// After the database went back, the gateway is asked while something may still arrive.
    pub(super) hasty_questions: bool,
    /// The gateway acts once a key.
    pub(super) dedup: bool,
    pub(super) keeps_errors: bool,
    pub(super) keeps_declines: bool,
    /// The gateway forgets its keys one day.
    pub(super) prunes: bool,
    /// Status answers that are out of date.
    pub(super) stale: u8,
    /// Whether the gateway answers a status query.
    pub(super) status: bool,
    pub(super) faults: Faults,
}

/// What the gateway remembers of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Nothing,
    Done,
    Declined,
    Pending,
}

/// Where a worker is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Idle,
    /// It holds the task in this state, as it believes.
    Holding,
    /// The intent is committed, the request is not written.
    ToSend,
    Waiting,
    /// It has an answer and has not recorded it.
    Heard,
}

/// What a worker heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Nothing,
    Reply(ReplyClass, Confirmed),
    Record(ReplyClass, Confirmed),
    NotFound,
    /// The same, when nothing sent before the database went back can arrive any more.
    NeverThere,
    Unaskable,
}

impl Word {
    fn event(self) -> Option<Event> {
        match self {
            Self::Nothing => None,
            Self::Reply(class, confirmed) => Some(Event::Replied(class, confirmed)),
            Self::Record(class, confirmed) => Some(Event::Record(class, confirmed)),
            // Not found and to be asked again is the same to the task as no answer, which happens here as well.
            Self::NotFound => Some(Event::NotFound { spent: true }),
            Self::NeverThere => Some(Event::NeverThere),
            Self::Unaskable => Some(Event::Unaskable),
        }
    }

    fn code(self) -> u8 {
        let other = |confirmed: Confirmed, code: u8| if confirmed == Confirmed::Other { code + 1 } else { code };
        match self {
            Self::Nothing => 0,
            Self::Reply(ReplyClass::Succeeded, confirmed) => other(confirmed, 1),
            Self::Reply(ReplyClass::Failed, _) => 3,
            Self::Reply(ReplyClass::Pending, _) => 4,
            Self::Reply(ReplyClass::NotSent, _) => 5,
            Self::Reply(ReplyClass::Refused, _) => 6,
            Self::Reply(..) => 7,
            Self::Record(ReplyClass::Succeeded, confirmed) => other(confirmed, 8),
            Self::Record(ReplyClass::Failed, _) => 10,
            Self::Record(..) => 11,
            Self::NotFound => 12,
            Self::NeverThere => 13,
            Self::Unaskable => 14,
        }
    }
}

#[derive(Clone, Copy)]
struct Worker {
    at: At,
    holds: State,
    word: Word,
    key: u8,
}

const IDLE: Worker = Worker { at: At::Idle, holds: State::Ready, word: Word::Nothing, key: 0 };

impl Worker {
    /// 13 bits.
    fn code(self) -> u128 {
        (self.at as u128) << 10 | code(self.holds) << 6 | u128::from(self.word.code()) << 2 | u128::from(self.key)
    }
}

/// Requests under one key on the wire: those that nobody waits for, and whether each worker waits for one.
#[derive(Clone, Copy)]
struct Wire {
    loose: u8,
    waited: [bool; 2],
}

const KEYS: usize = 3;

#[derive(Clone, Copy)]
pub(super) struct SystemState {
    db: State,
    leased: bool,
    /// Whose epoch is the task's; nobody's after a crash.
    holder: Option<usize>,
    cancelled: bool,
    /// Sends so far; counted only where each has its own key.
    sends: u8,
    workers: [Worker; 2],
    wire: [Wire; KEYS],
    effects: u8,
    memory: [Memory; KEYS],
    pruned: bool,
    stale: u8,
    other_amount: bool,
    /// The older state that the database may go back to: the task's, and whether the batch was cancelled in it.
    backup: Option<(State, bool)>,
    left: Faults,
}

/// What happened, for a trace.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Worker(usize, &'static str, State),
    Wire(&'static str),
    Gateway(&'static str, u8),
    People(&'static str),
    Database(&'static str),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(worker, what, state) => write!(f, "worker {worker} {what} ({state:?})"),
            Self::Wire(what) | Self::People(what) | Self::Database(what) => f.write_str(what),
            Self::Gateway(what, key) => write!(f, "gateway {what} (key {key})"),
        }
    }
}

fn code(state: State) -> u128 {
    match state {
        State::Ready => 0,
        State::Sending(Before::Nothing) => 1,
        State::Sending(Before::Uncertain) => 2,
        State::Retry => 3,
        State::Unknown => 4,
        State::Absent => 5,
        State::Pending => 6,
        State::Review => 7,
        State::Succeeded => 8,
        State::Failed => 9,
        State::Unsent => 10,
        State::AskFirst(Since::Before) => 11,
        State::AskFirst(Since::After) => 12,
    }
}

type Out = Vec<(SystemState, What)>;

impl SystemState {
    pub(super) fn first(design: &Design) -> Self {
        Self {
            db: State::Ready,
            leased: false,
            holder: None,
            cancelled: false,
            sends: 0,
            workers: [IDLE; 2],
            wire: [Wire { loose: 0, waited: [false; 2] }; KEYS],
            effects: 0,
            memory: [Memory::Nothing; KEYS],
            pruned: false,
            stale: design.stale,
            other_amount: false,
            backup: None,
            left: design.faults,
        }
    }

    /// One number for this system and for the same one with the workers exchanged.
    pub(super) fn canonical(&self) -> u128 {
        let [one, other] = [self.workers[0].code(), self.workers[1].code()];
        match one.cmp(&other) {
            Ordering::Less => self.packed(0, (one << 13) | other),
            Ordering::Greater => self.packed(1, (other << 13) | one),
            Ordering::Equal => {
                let workers = (one << 13) | other;
                self.packed(0, workers).min(self.packed(1, workers))
            }
        }
    }

    fn packed(&self, first: usize, workers: u128) -> u128 {
        let holder = self.holder.map_or(2, |holder| u128::from(first != holder));
        let mut all = code(self.db) << 2 | holder;
        all = all << 4 | u128::from(self.leased) << 3 | u128::from(self.cancelled) << 2 | u128::from(self.sends);
        all = all << 26 | workers;
        for (wire, memory) in self.wire.iter().zip(self.memory) {
            let waited = u128::from(wire.waited[first]) << 1 | u128::from(wire.waited[1 - first]);
            all = all << 6 | u128::from(wire.loose) << 4 | waited << 2 | memory as u128;
        }
        let flags = u128::from(self.pruned) << 2 | u128::from(self.stale) << 1 | u128::from(self.other_amount);
        all = all << 5 | u128::from(self.effects) << 3 | flags;
        let left = self.left;
        all = all << 5 | u128::from(left.timeouts) << 3 | u128::from(left.expiries) << 1 | u128::from(left.crashes);
        let few = u128::from(left.errors) << 3 | u128::from(left.declines) << 2;
        all = all << 4 | few | u128::from(left.oddities) << 1 | u128::from(left.not_sent);
        let backup = self.backup.map_or(15, |(state, cancelled)| code(state) << 1 | u128::from(cancelled));
        let known = u128::from(self.backup.is_some());
        all << 7 | known << 6 | backup << 1 | u128::from(left.restore)
    }

    pub(super) fn wrong(&self) -> Option<Wrong> {
        match self.db {
            _ if self.effects > 1 => Some(Wrong::Double),
            State::Failed | State::Unsent if self.effects > 0 => Some(Wrong::FailedButMoved),
            State::Succeeded if self.effects == 0 => Some(Wrong::NothingMoved),
            State::Succeeded if self.other_amount => Some(Wrong::OtherAmount),
            _ => None,
        }
    }

    /// Which end it is, if it is one. What a gateway without a status query keeps pending ends with people, too.
    pub(super) fn end(&self, design: &Design) -> Option<usize> {
        match self.db {
            State::Succeeded => Some(0),
            State::Failed => Some(1),
            State::Unsent => Some(2),
            State::Review => Some(3),
            State::Pending if !design.status => Some(3),
            _ => None,
        }
    }

    fn on_the_wire(&self) -> bool {
        self.wire.iter().any(|wire| wire.loose > 0 || wire.waited[0] || wire.waited[1])
    }

    fn now(&self, design: &Design) -> Now {
        Now { class: design.class, in_window: !self.pruned, cancelled: self.cancelled }
    }

    /// Everything that can happen next.
    pub(super) fn nexts(&self, design: &Design, out: &mut Out) -> Result<(), (Illegal, What)> {
        self.leases(out);
        self.database(design, out)?;
        self.people(design, out)?;
        for n in 0..2 {
            self.faults(design, n, out);
            let what = What::Worker(n, "decides", self.workers[n].holds);
            self.worker(design, n, out).map_err(|illegal| (illegal, what))?;
        }
        for key in 0..KEYS {
            self.deliver(design, key, out);
        }
        self.gateway(design, out);
        Ok(())
    }

    fn leases(&self, out: &mut Out) {
        if !self.leased {
            return;
        }
        let lapsed = Self { leased: false, ..*self };
        if self.holder.is_none_or(|holder| self.workers[holder].at == At::Idle) {
            out.push((lapsed, What::Wire("a dead worker's lease lapses")));
        } else if self.left.expiries > 0 {
            let left = Faults { expiries: self.left.expiries - 1, ..self.left };
            out.push((Self { left, ..lapsed }, What::Wire("the lease of a worker that lives lapses")));
        }
    }

    /// A backup is made; one day the database is what it was then. Whoever worked on it was stopped, and what was sent
    /// stays sent.
    fn database(&self, design: &Design, out: &mut Out) -> Result<(), (Illegal, What)> {
        if !self.left.restore {
            return Ok(());
        }
        let Some((state, cancelled)) = self.backup else {
            out.push((Self { backup: Some((self.db, self.cancelled)), ..*self }, What::Database("a backup is made")));
            return Ok(());
        };
        let what = What::Database("the database goes back to its backup");
        let now = Now { cancelled, ..self.now(design) };
        let step = (design.rule)(state, Event::Restored, now).map_err(|illegal| (illegal, what))?;
        let mut system = self.unwaited(0).unwaited(1);
        system.workers = [IDLE; 2];
        (system.db, system.cancelled, system.leased, system.holder) = (step.state, cancelled, false, None);
        (system.backup, system.left.restore) = (None, false);
        out.push((system, what));
        Ok(())
    }

    fn people(&self, design: &Design, out: &mut Out) -> Result<(), (Illegal, What)> {
        if self.left.cancel && !self.cancelled {
            out.push((Self { cancelled: true, ..*self }, What::People("a person cancels the batch")));
        }
        if self.db != State::Review || self.other_amount {
            return Ok(());
        }
        // Two people look it up at the gateway. They know better than to do so while it may still arrive.
        let moving = self.on_the_wire()
            || self.workers.iter().any(|worker| worker.at == At::ToSend)
            || self.memory.contains(&Memory::Pending);
        let decision = if self.effects > 0 { Decision::Done } else { Decision::NotDone };
        let asks = (design.class != GatewayClass::N).then_some(Decision::AskAgain);
        for decision in asks.into_iter().chain((!moving || design.hasty_people).then_some(decision)) {
            let person = |n| PersonId(Uuid::from_u128(n));
            let event = Event::Decided { decision, proposer: person(1), confirmer: person(2) };
            let what = What::People("two people decide what was in review");
            let step = (design.rule)(State::Review, event, self.now(design)).map_err(|illegal| (illegal, what))?;
            out.push((Self { db: step.state, leased: false, holder: None, ..*self }, what));
        }
        Ok(())
    }

    fn with(&self, n: usize, worker: Worker) -> Self {
        let mut system = *self;
        system.workers[n] = worker;
        system
    }

    /// Nobody waits any more for what this worker sent.
    fn unwaited(mut self, n: usize) -> Self {
        for wire in &mut self.wire {
            if wire.waited[n] {
                wire.waited[n] = false;
                wire.loose += 1;
            }
        }
        self
    }

    fn faults(&self, design: &Design, n: usize, out: &mut Out) {
        let worker = self.workers[n];
        if worker.at != At::Idle && self.left.crashes > 0 {
            let mut dead = self.with(n, IDLE).unwaited(n);
            dead.left.crashes -= 1;
            if self.holder == Some(n) {
                dead.holder = None;
            }
            out.push((dead, What::Worker(n, "is killed", worker.holds)));
        }
        if worker.at == At::Waiting && self.left.timeouts > 0 {
            let word = Word::Reply(design.timeout, Confirmed::Unsaid);
            let mut late = self.with(n, Worker { at: At::Heard, word, ..worker }).unwaited(n);
            late.left.timeouts -= 1;
            out.push((late, What::Worker(n, "waits no longer", worker.holds)));
        }
    }
}
