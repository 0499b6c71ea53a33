//! The money protocol: what a task with an outside effect may become, and on what word.
//!
//! One pure function, [`State::next`], holds every rule. The processor takes its verdicts from it, and the model beside
//! it tries every interleaving of two workers, a network and a gateway with the very same function.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use super::{ids::PersonId, task::TaskState};

/// What a gateway promises about repeated requests. Unknown gateways are `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayClass {
    /// Keeps every outcome under our key for a known window: the same request may be sent again with the same key.
    K,
    /// Answers a status query only: what may have happened is asked after, never sent again.
    Q,
    /// Neither: what may have happened goes to people.
    N,
}

impl GatewayClass {
    /// All three.
    pub const ALL: [Self; 3] = [Self::K, Self::Q, Self::N];

    /// The letter in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::K => "K",
            Self::Q => "Q",
            Self::N => "N",
        }
    }

    /// The one of two that promises less.
    pub const fn weaker(self, other: Self) -> Self {
        match (self, other) {
            (Self::N, _) | (_, Self::N) => Self::N,
            (Self::Q, _) | (_, Self::Q) => Self::Q,
            (Self::K, Self::K) => Self::K,
        }
    }

    /// The class with this letter.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }
}

/// What a reply means. Anything a connector does not know for sure is `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyClass {
    /// Carried out.
    Succeeded,
    /// Definitely not carried out.
    Failed,
    /// Taken, not final.
    Pending,
    /// It may have been carried out.
    Unknown,
    /// Proved not carried out (nothing was written, or the gateway said so): may be sent again after a wait.
    NotSent,
    /// Only people can tell (amount or key does not match).
    Review,
    /// The gateway refused our credentials (401, 403): stops the connection. The refund itself was not carried out by
    /// this request; an earlier one may still have been.
    Refused,
}

/// The amount that a reply confirms, against the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confirmed {
    /// The same.
    Same,
    /// Another one.
    Other,
    /// None was named.
    Unsaid,
}

impl Confirmed {
    /// Compares.
    pub fn of(confirmed_minor: Option<i64>, amount_minor: i64) -> Self {
        match confirmed_minor {
            None => Self::Unsaid,
            Some(minor) if minor == amount_minor => Self::Same,
            Some(_) => Self::Other,
        }
    }
}

/// What stood before a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Before {
    /// Nothing was ever sent, or everything sent was proved not carried out.
    Nothing,
    /// An earlier send may still be carried out.
    Uncertain,
}

/// How a task that must be asked after first came to be, seen from when the database went back to an older state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Since {
    /// The older state has it: it may have been sent since, under its own key.
    Before,
    /// It came afterwards: it may repeat something that was forgotten with its file.
    After,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Never sent.
    Ready,
    /// Never sent by what the database knows, and the database went back to an older state: nothing is sent before the
    /// gateway was asked.
    AskFirst(Since),
    /// The intent is committed; a reply is not.
    Sending(Before),
    /// Proved not carried out; waits to be sent again.
    Retry,
    /// It may have been carried out.
    Unknown,
    /// The same, and the gateway has just said that it has nothing under our key. Held by one worker, never stored.
    Absent,
    /// The gateway took it and has not finished.
    Pending,
    /// People must look.
    Review,
    /// Carried out: final.
    Succeeded,
    /// Definitely not carried out: final.
    Failed,
    /// Never sent, and never to be: final.
    Unsent,
}

impl State {
    /// The state of an open task as the database has it.
    pub const fn stored(state: TaskState) -> Self {
        match state {
            TaskState::Ready => Self::Ready,
            // Who finds it so does not know what stood before.
            TaskState::Sending => Self::Sending(Before::Uncertain),
            TaskState::Retry => Self::Retry,
            TaskState::Unknown => Self::Unknown,
            TaskState::Pending => Self::Pending,
            TaskState::Review => Self::Review,
            TaskState::Succeeded => Self::Succeeded,
            TaskState::Failed => Self::Failed,
        }
    }

    /// The state as the database and people know it.
    pub const fn seen(self) -> TaskState {
        match self {
            Self::Ready | Self::AskFirst(_) => TaskState::Ready,
            Self::Sending(_) => TaskState::Sending,
            Self::Retry => TaskState::Retry,
            Self::Unknown | Self::Absent => TaskState::Unknown,
            Self::Pending => TaskState::Pending,
            Self::Review => TaskState::Review,
            Self::Succeeded => TaskState::Succeeded,
            Self::Failed | Self::Unsent => TaskState::Failed,
        }
    }

    /// Whether it is over, unless the gateway takes back its word.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Unsent)
    }
}

/// What two people say about a task in review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It was carried out.
    Done,
    /// It was not, and cannot be any more.
    NotDone,
    /// The gateway is to be asked again.
    AskAgain,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A worker claimed it. A send that is found so was abandoned.
    Claimed,
    /// The intent to send it is about to be committed.
    Intended,
    /// It may not be sent now (pause, closed breaker, refused intent).
    Held,
    /// It may not be sent at all: the order does not allow it.
    Unfit,
    /// Its batch was cancelled.
    Cancelled,
    /// The reply to the send.
    Replied(ReplyClass, Confirmed),
    /// The gateway's record under our key.
    Record(ReplyClass, Confirmed),
    /// The gateway has nothing under our key.
    NotFound {
        /// Every question that we ask has been asked.
        spent: bool,
    },
    /// The gateway was asked and said nothing of use.
    NoAnswer,
    /// It was sent and asked after time and again, and never a clear word came: the gateway contradicts itself.
    NeverClear,
    /// The database went back to an older state, in which it stands so.
    Restored,
    /// Asked when nothing that was sent before the database went back could arrive any more, and the gateway has
    /// nothing under our key, nor anything like it that is not ours.
    NeverThere,
    /// The same, but it shows a refund of this order and amount that nobody here knows.
    Alike,
    /// There is no way to ask what became of it.
    Unaskable,
    /// One person proposed, another confirmed.
    Decided {
        /// What they say.
        decision: Decision,
        /// Who proposed it.
        proposer: PersonId,
        /// Who confirmed it.
        confirmer: PersonId,
    },
}

/// What else counts at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Now {
    /// The gateway's promise.
    pub class: GatewayClass,
    /// Whether the gateway still keeps outcomes under this task's key.
    pub in_window: bool,
    /// Whether the batch is cancelled.
    pub cancelled: bool,
}

impl Now {
    /// Whether a second send of something uncertain does no harm.
    const fn may_send_again(self) -> bool {
        matches!(self.class, GatewayClass::K) && self.in_window && !self.cancelled
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// Nothing: it is over, or waits for somebody else.
    Rest,
    /// Send it, as soon as an intent is committed.
    Send,
    /// Send it after a wait.
    SendLater,
    /// Ask the gateway after a wait.
    Ask,
    /// People must look. What was accepted stays so meanwhile.
    Look,
    /// The gateway took back its last word: append a reversal, tell people.
    Reverse,
}

/// A state and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Where the task stands now.
    pub state: State,
    /// What is to be done.
    pub then: Then,
}

const fn step(state: State, then: Then) -> Step {
    Step { state, then }
}

/// An event that cannot happen to a task in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The state has no place for it.
    #[error("{1:?} cannot happen to a task that is {0:?}")]
    Impossible(State, Event),
    /// A second send could act twice.
    #[error("a send that may have been carried out may not be repeated here")]
    MayActTwice,
    /// The batch is cancelled.
    #[error("nothing more of a cancelled batch is sent")]
    Cancelled,
    /// Two people decide, or nobody.
    #[error("another person must confirm it")]
    SamePerson,
    /// There is no way to ask this gateway.
    #[error("this gateway cannot be asked")]
    NobodyToAsk,
}

impl State {
    /// What becomes of a task by an event.
    pub fn next(self, event: Event, now: Now) -> Result<Step, Illegal> {
        let impossible = Err(Illegal::Impossible(self, event));
        match event {
            Event::Claimed => Ok(self.claimed(now)),
            Event::Intended => self.intended(event, now),
            Event::Held => match self {
                Self::Ready | Self::Retry => Ok(step(self, Then::SendLater)),
                Self::AskFirst(_) => Ok(self.stays()),
                Self::Absent => Ok(step(Self::Unknown, Then::Ask)),
                _ => impossible,
            },
            Event::Unfit => match self {
                Self::Ready => Ok(step(Self::Unsent, Then::Rest)),
                _ => impossible,
            },
            Event::Cancelled => Ok(self.cancelled()),
            Event::Replied(class, confirmed) => match self {
                Self::Sending(before) => Ok(replied(before, class, confirmed, now)),
                _ => impossible,
            },
            Event::Record(class, confirmed) => self.record(class, confirmed).ok_or(Illegal::Impossible(self, event)),
            Event::NotFound { spent } => match self {
                Self::Ready | Self::Sending(_) | Self::Absent => impossible,
                _ => Ok(self.not_found(spent, now)),
            },
            Event::NoAnswer => match self {
                Self::Ready | Self::Sending(_) | Self::Absent => impossible,
                // It says nothing about the task.
                _ => Ok(self.stays()),
            },
            Event::NeverClear => match self {
                Self::Unknown => Ok(step(Self::Review, Then::Look)),
                _ => impossible,
            },
            Event::Restored => Ok(self.restored(now)),
            Event::NeverThere | Event::Alike | Event::Unaskable => match self {
                Self::AskFirst(since) => Ok(asked_first(since, event, now)),
                _ => impossible,
            },
            Event::Decided { decision, proposer, confirmer } => match self {
                Self::Review if proposer == confirmer => Err(Illegal::SamePerson),
                Self::Review => decided(decision, now),
                _ => impossible,
            },
        }
    }

    const fn claimed(self, now: Now) -> Step {
        match (self, now.class) {
            // Whoever had it may have sent it, and may send it yet.
            (Self::Sending(_) | Self::Unknown, GatewayClass::N) => step(Self::Review, Then::Look),
            (Self::Sending(_), _) => step(Self::Unknown, Then::Ask),
            (Self::Ready | Self::Retry, _) => step(self, Then::Send),
            _ => self.stays(),
        }
    }

    const fn intended(self, event: Event, now: Now) -> Result<Step, Illegal> {
        match self {
            Self::Ready | Self::Retry | Self::Absent if now.cancelled => Err(Illegal::Cancelled),
            Self::Ready | Self::Retry => Ok(step(Self::Sending(Before::Nothing), Then::Send)),
            // The window may have passed since the gateway was asked.
            Self::Absent if now.may_send_again() => Ok(step(Self::Sending(Before::Uncertain), Then::Send)),
            Self::Absent | Self::AskFirst(_) => Err(Illegal::MayActTwice),
            _ => Err(Illegal::Impossible(self, event)),
        }
    }

    const fn cancelled(self) -> Step {
        match self {
            Self::Ready => step(Self::Unsent, Then::Rest),
            // Proved not carried out, and now never to be.
            Self::Retry => step(Self::Failed, Then::Rest),
            // A cancel cannot undo a send.
            Self::Absent => step(Self::Unknown, Then::Ask),
            _ => self.stays(),
        }
    }

    /// What was done after that older state is forgotten, not undone.
    const fn restored(self, now: Now) -> Step {
        match self {
            Self::Ready => step(Self::AskFirst(Since::Before), Then::Ask),
            // Whatever proved it not carried out, it may have been sent since; the key protects a repeat only as it
            // always does.
            Self::Sending(_) | Self::Retry | Self::Unknown | Self::Absent => doubt(now),
            _ => self.stays(),
        }
    }

    /// The gateway's own record is the one word that ends doubt.
    fn record(self, class: ReplyClass, confirmed: Confirmed) -> Option<Step> {
        let took_it = match class {
            ReplyClass::Succeeded | ReplyClass::Pending => Some(true),
            ReplyClass::Failed => Some(false),
            ReplyClass::Review | ReplyClass::Unknown | ReplyClass::NotSent | ReplyClass::Refused => None,
        };
        match self {
            Self::Ready | Self::Sending(_) | Self::Absent => None,
            Self::AskFirst(_) | Self::Retry | Self::Unknown | Self::Review => Some(match class {
                ReplyClass::Failed => step(Self::Failed, Then::Rest),
                ReplyClass::Succeeded if confirmed == Confirmed::Same => step(Self::Succeeded, Then::Rest),
                ReplyClass::Pending if confirmed == Confirmed::Same => step(Self::Pending, Then::Ask),
                // No record says the other ones; whoever says so is not understood.
                _ => step(Self::Review, Then::Look),
            }),
            // Accepted: it leaves that only for a failure.
            Self::Pending => Some(match class {
                ReplyClass::Failed => step(Self::Failed, Then::Rest),
                ReplyClass::Succeeded if confirmed == Confirmed::Same => step(Self::Succeeded, Then::Rest),
                ReplyClass::Pending if confirmed != Confirmed::Other => step(Self::Pending, Then::Ask),
                _ => step(Self::Pending, Then::Look),
            }),
            // A late contradiction. About another amount it is not about this refund.
            Self::Succeeded if took_it == Some(false) && confirmed != Confirmed::Other => {
                Some(step(Self::Failed, Then::Reverse))
            }
            Self::Failed if took_it == Some(true) && confirmed != Confirmed::Other => {
                Some(step(Self::Succeeded, Then::Reverse))
            }
            Self::Succeeded | Self::Failed | Self::Unsent => Some(self.stays()),
        }
    }

    /// Never means that it failed: it may still arrive.
    const fn not_found(self, spent: bool, now: Now) -> Step {
        match self {
            // Sent again only where the key makes a second one harmless.
            Self::Unknown if now.may_send_again() => step(Self::Absent, Then::Send),
            Self::Unknown if spent => step(Self::Review, Then::Look),
            _ => self.stays(),
        }
    }

    const fn stays(self) -> Step {
        let then = match self {
            Self::Ready | Self::Retry => Then::SendLater,
            Self::AskFirst(_) | Self::Unknown | Self::Absent | Self::Pending => Then::Ask,
            Self::Review => Then::Look,
            Self::Sending(_) | Self::Succeeded | Self::Failed | Self::Unsent => Then::Rest,
        };
        step(self, then)
    }
}

/// What a question before the first send came to.
///
/// Absence is a proof here, for class K and Q: unlike after a send of our own that may still be under way, nothing can
/// arrive any more, so that not even the key's window counts. Class N promises nothing about what it shows: a list
/// without the refund proves nothing, and what the forgotten past has probably sent goes to people. What came after it
/// was never ours to send before; there the file that a person submitted now is the better word, unless the gateway
/// shows something like it.
const fn asked_first(since: Since, event: Event, now: Now) -> Step {
    match (event, since, now.class) {
        (Event::Alike, ..) => step(State::Review, Then::Look),
        (Event::NeverThere, Since::Before, GatewayClass::N) | (Event::Unaskable, Since::Before, _) => {
            step(State::Review, Then::Look)
        }
        _ => step(State::Ready, Then::Send),
    }
}

/// What may have happened: asked after, or given to people where nobody can be asked.
const fn doubt(now: Now) -> Step {
    match now.class {
        GatewayClass::N => step(State::Review, Then::Look),
        GatewayClass::K | GatewayClass::Q => step(State::Unknown, Then::Ask),
    }
}

fn replied(before: Before, class: ReplyClass, confirmed: Confirmed, now: Now) -> Step {
    match class {
        ReplyClass::Succeeded | ReplyClass::Pending if confirmed != Confirmed::Same => step(State::Review, Then::Look),
        ReplyClass::Succeeded => step(State::Succeeded, Then::Rest),
        ReplyClass::Pending => step(State::Pending, Then::Ask),
        // Final for every request under this key where outcomes are kept. Elsewhere an earlier send may still arrive.
        ReplyClass::Failed if before == Before::Nothing || now.class == GatewayClass::K => {
            step(State::Failed, Then::Rest)
        }
        ReplyClass::Review => step(State::Review, Then::Look),
        ReplyClass::Unknown | ReplyClass::Failed => doubt(now),
        // This request did not happen; that says nothing about an earlier one.
        ReplyClass::NotSent | ReplyClass::Refused if before == Before::Uncertain => doubt(now),
        ReplyClass::NotSent => step(State::Retry, Then::SendLater),
        // Only where asking is enough to send again. Otherwise the refusal is the proof that nothing happened: a key
        // that expired must not turn a batch into reviews.
        ReplyClass::Refused if now.class == GatewayClass::K => doubt(now),
        ReplyClass::Refused => step(State::Retry, Then::SendLater),
    }
}

const fn decided(decision: Decision, now: Now) -> Result<Step, Illegal> {
    match decision {
        Decision::Done => Ok(step(State::Succeeded, Then::Rest)),
        Decision::NotDone => Ok(step(State::Failed, Then::Rest)),
        Decision::AskAgain if matches!(now.class, GatewayClass::N) => Err(Illegal::NobodyToAsk),
        Decision::AskAgain => Ok(step(State::Unknown, Then::Ask)),
    }
}
