//! The designs: ours for each class of gateway, those that are known to be unsafe, and ours with one rule replaced.

use super::{
    super::{Before, Confirmed, Event, GatewayClass, Illegal, Now, ReplyClass, State, Step, Then},
    Rule, Wrong,
    system_state::{Design, Faults, Quarantine},
};

/// The rules as the processor runs them.
fn ours(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    state.next(event, now)
}

fn to(state: State) -> Result<Step, Illegal> {
    Ok(Step { state, then: Then::Rest })
}

/// Each kind of fault at least once.
const FAULTS: Faults = Faults {
    crashes: 1,
    timeouts: 1,
    expiries: 1,
    errors: 1,
    declines: 1,
    oddities: 1,
    not_sent: 1,
    cancel: true,
    restore: false,
};
/// More of those that the network and the clock bring.
const NETWORK: Faults = Faults { timeouts: 2, expiries: 2, oddities: 0, not_sent: 0, cancel: false, ..FAULTS };
/// The database goes back to an older state, beside the faults that matter to what is asked then.
const RESTORE: Faults = Faults { crashes: 0, expiries: 0, not_sent: 0, restore: true, ..FAULTS };
/// All of both.
const ALL: Faults = Faults { timeouts: 2, expiries: 2, ..FAULTS };

/// A design and what is to be found about it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) design: Design,
    pub(super) wrong: Option<Wrong>,
}

/// Our rules against a gateway that keeps what class K promises, and forgets it one day.
fn class_k() -> Design {
    Design {
        class: GatewayClass::K,
        rule: ours,
        timeout: ReplyClass::Unknown,
        error: ReplyClass::Unknown,
        fresh_keys: false,
        fence: true,
        quarantine: Quarantine::No,
        hasty_people: false,
        hasty_questions: false,
        dedup: true,
        keeps_errors: true,
        keeps_declines: true,
        prunes: true,
        stale: 1,
        status: true,
        faults: FAULTS,
    }
}

fn class_q() -> Design {
    Design { class: GatewayClass::Q, dedup: false, keeps_errors: false, prunes: false, ..class_k() }
}

fn class_n() -> Design {
    Design { class: GatewayClass::N, status: false, stale: 0, ..class_q() }
}

/// A gateway as the unsafe designs met it: nothing stale, nothing forgotten.
fn plain(rule: Rule) -> Design {
    Design { rule, prunes: false, stale: 0, ..class_k() }
}

/// Keeps only what it carried out and answered for.
fn forgetful(rule: Rule) -> Design {
    Design { keeps_errors: false, keeps_declines: false, ..plain(rule) }
}

/// Acts on every request.
fn keyless(rule: Rule) -> Design {
    Design { dedup: false, keeps_errors: false, ..plain(rule) }
}

/// What may have happened is sent again without a question.
fn blind(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    match (state, event) {
        (State::Sending(_) | State::Unknown, Event::Claimed) => to(State::Absent),
        _ => ours(state, event, now),
    }
}

/// The same, whatever became of the key's window.
fn blind_for_ever(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    blind(state, event, Now { in_window: true, ..now })
}

fn takeover_resends(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    match (state, event) {
        (State::Sending(_), Event::Claimed) => to(State::Absent),
        _ => ours(state, event, now),
    }
}

fn not_found_is_failed(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    match (state, event) {
        (State::Unknown, Event::NotFound { .. }) => to(State::Failed),
        _ => ours(state, event, now),
    }
}

fn window_ignored(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    ours(state, event, Now { in_window: true, ..now })
}

/// A decline after an uncertain send says nothing where declines are not kept.
fn guarded_decline(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    match (state, event) {
        (State::Sending(Before::Uncertain), Event::Replied(ReplyClass::Failed, _)) => to(State::Unknown),
        _ => ours(state, event, now),
    }
}

/// Our rules with this one replaced.
macro_rules! without {
    ($name:ident, $pattern:pat => $state:expr) => {
        fn $name(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
            match (state, event) {
                $pattern => to($state),
                _ => ours(state, event, now),
            }
        }
    };
}

without!(older_state_is_believed, (State::Ready, Event::Restored) => State::Ready);
without!(older_proof_is_believed, (State::Retry, Event::Restored) => State::Retry);
without!(older_state_is_cancelled, (State::AskFirst(_), Event::Cancelled) => State::Unsent);
without!(absence_is_believed_of_n, (State::AskFirst(_), Event::Unaskable) => State::Ready);
without!(doubtful_reply_fails, (State::Sending(_), Event::Replied(ReplyClass::Unknown, _)) => State::Failed);
without!(doubtful_reply_repeats, (State::Sending(_), Event::Replied(ReplyClass::Unknown, _)) => State::Retry);
without!(not_sent_clears_doubt, (State::Sending(Before::Uncertain), Event::Replied(ReplyClass::NotSent, _)) => State::Retry);
without!(refusal_clears_doubt, (State::Sending(Before::Uncertain), Event::Replied(ReplyClass::Refused, _)) => State::Retry);
without!(pending_is_done, (State::Sending(_), Event::Replied(ReplyClass::Pending, _)) => State::Succeeded);
without!(any_amount_is_done, (State::Sending(_), Event::Replied(ReplyClass::Succeeded, Confirmed::Other)) => State::Succeeded);
without!(any_record_is_done, (State::Unknown, Event::Record(ReplyClass::Succeeded, Confirmed::Other)) => State::Succeeded);
without!(abandoned_is_not_sent, (State::Sending(_), Event::Claimed) => State::Retry);
without!(abandoned_stays, (State::Sending(before), Event::Claimed) => State::Sending(before));
without!(unknown_is_cancelled, (State::Unknown, Event::Cancelled) => State::Failed);
without!(pending_is_cancelled, (State::Pending, Event::Cancelled) => State::Failed);
without!(no_answer_fails, (State::Unknown, Event::NoAnswer) => State::Failed);
without!(pending_not_found_fails, (State::Pending, Event::NotFound { .. }) => State::Failed);
without!(pending_not_found_repeats, (State::Pending, Event::NotFound { .. }) => State::Absent);
without!(record_is_ignored, (State::Unknown, Event::Record(..) | Event::NotFound { .. }) => State::Unknown);

/// Asked, not found, and sent again though the gateway keeps no key.
fn not_found_repeats(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    match (state, event) {
        (State::Unknown, Event::NotFound { .. }) => to(State::Absent),
        (State::Absent, Event::Intended) => to(State::Sending(Before::Uncertain)),
        _ => ours(state, event, now),
    }
}

/// Nobody can be asked, so it is sent again.
fn unaskable_repeats(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    match (state, event) {
        (State::Sending(_) | State::Unknown, Event::Claimed) => to(State::Retry),
        _ => ours(state, event, now),
    }
}

/// Designs that hold; with `all` faults at a time, or in two system states that together have each.
pub(super) fn safe(all: bool) -> Vec<Case> {
    let careful = Design { quarantine: Quarantine::Senders, ..forgetful(guarded_decline) };
    let designs = [
        ("K  ours, every outcome kept, stale status, pruned keys", class_k()),
        ("Q  ours, status only, stale status", class_q()),
        ("N  ours, nothing to ask", class_n()),
        ("K- keeps 2xx only, quarantine, guarded decline", careful),
    ];
    let worlds: &[Faults] = if all { &[ALL] } else { &[FAULTS, NETWORK] };
    let case = |name, design, faults: &Faults| Case { name, design: Design { faults: *faults, ..design }, wrong: None };
    let mut cases: Vec<Case> =
        designs.iter().flat_map(|(name, design)| worlds.iter().map(|faults| case(*name, *design, faults))).collect();
    let readable = Design { status: true, ..class_n() };
    cases.push(case("K  ours, the database goes back", class_k(), &RESTORE));
    cases.push(case("Q  ours, the database goes back", class_q(), &RESTORE));
    cases.push(case("N  ours, the database goes back", class_n(), &RESTORE));
    cases.push(case("N  the same, and its refunds can be read", readable, &RESTORE));
    // Money stays whole without the fence as long as nobody proves a send away: see `broken` for what the fence is for.
    cases.push(case("05 blind repeat, same key kept for ever", plain(blind), &NETWORK));
    let unfenced = Design { fence: false, ..class_k() };
    cases.push(case("K  without the fence, nothing proved unsent", unfenced, &NETWORK));
    cases
}

/// Designs that were or are in use somewhere, and do not hold.
pub(super) fn known() -> Vec<Case> {
    use Wrong::{Double, FailedButMoved};
    let case = |name, design, wrong| Case { name, design, wrong: Some(wrong) };
    let case = |name, design: Design, wrong| case(name, Design { faults: ALL, ..design }, wrong);
    let plain_k = || plain(ours);
    let careful = Design { quarantine: Quarantine::Senders, ..forgetful(guarded_decline) };
    vec![
        case("01 blind repeat, new key each time", Design { fresh_keys: true, ..plain(blind) }, Double),
        case("02 a timeout is FAILED", Design { timeout: ReplyClass::Failed, ..plain_k() }, FailedButMoved),
        case("03 a 5xx is FAILED", Design { error: ReplyClass::Failed, ..plain_k() }, FailedButMoved),
        case("04 takeover repeats with a new key", Design { fresh_keys: true, ..plain(takeover_resends) }, Double),
        case("06 blind repeat, keys are pruned", Design { prunes: true, ..plain(blind_for_ever) }, Double),
        case("07 blind repeat, gateway keeps 2xx only", forgetful(blind), Double),
        case("08 asked first, gateway keeps 2xx only", forgetful(ours), Double),
        case("09 no keys, not found is sent again", keyless(ours), Double),
        case(
            "10 the same, after the network is empty",
            Design { quarantine: Quarantine::Network, ..keyless(ours) },
            Double,
        ),
        case("11 not found is FAILED", plain(not_found_is_failed), FailedButMoved),
        case(
            "12 the same after quarantine, stale status",
            Design { quarantine: Quarantine::Senders, stale: 1, ..plain(not_found_is_failed) },
            FailedButMoved,
        ),
        case("13 an old not-found after the key's window", Design { rule: window_ignored, ..class_k() }, Double),
        case("K- the network is empty, a sender sleeps", Design { quarantine: Quarantine::Network, ..careful }, Double),
        case("K- one stale status answer", Design { stale: 1, ..careful }, Double),
    ]
}

/// The same without a cancel, which would be the shorter way to go wrong.
fn uncancelled(design: Design) -> Design {
    Design { faults: Faults { cancel: false, ..design.faults }, ..design }
}

/// The database goes back; without a cancel, as above.
fn restored(design: Design) -> Design {
    uncancelled(Design { faults: RESTORE, ..design })
}

/// Our rules, one of them replaced.
pub(super) fn broken() -> Vec<Case> {
    use Wrong::{Double, FailedButMoved, NothingMoved, OtherAmount, Stuck};
    let case = |name, design: Design, rule, wrong| Case { name, design: Design { rule, ..design }, wrong: Some(wrong) };
    vec![
        case("K: results are not fenced", Design { fence: false, ..class_k() }, ours, FailedButMoved),
        case("K: a doubtful reply is FAILED", class_k(), doubtful_reply_fails, FailedButMoved),
        case("Q: a doubtful reply is FAILED", class_q(), doubtful_reply_fails, FailedButMoved),
        case("Q: a doubtful reply is sent again", uncancelled(class_q()), doubtful_reply_repeats, Double),
        case("N: a doubtful reply is sent again", uncancelled(class_n()), doubtful_reply_repeats, Double),
        case("K: 'not sent' clears an earlier doubt", class_k(), not_sent_clears_doubt, FailedButMoved),
        case("K: a refused key clears an earlier doubt", class_k(), refusal_clears_doubt, FailedButMoved),
        case("Q: an abandoned send counts as not sent", uncancelled(class_q()), abandoned_is_not_sent, Double),
        case("K: an abandoned send counts as not sent", class_k(), abandoned_is_not_sent, FailedButMoved),
        case("K: an abandoned send stays where it is", class_k(), abandoned_stays, Stuck),
        case("Q: not found is sent again", uncancelled(class_q()), not_found_repeats, Double),
        case("Q: not found is FAILED", class_q(), not_found_is_failed, FailedButMoved),
        case("N: what nobody can ask after is sent again", uncancelled(class_n()), unaskable_repeats, Double),
        case("K: a cancel ends what is in doubt", class_k(), unknown_is_cancelled, FailedButMoved),
        case("K: a cancel ends what is pending", class_k(), pending_is_cancelled, FailedButMoved),
        case("K: a question without an answer is FAILED", class_k(), no_answer_fails, FailedButMoved),
        case("K: pending and not found is FAILED", class_k(), pending_not_found_fails, FailedButMoved),
        case(
            "Q: pending and not found is sent again",
            uncancelled(class_q()),
            pending_not_found_repeats_anyway,
            Double,
        ),
        case("K: pending is SUCCEEDED", class_k(), pending_is_done, NothingMoved),
        case("K: a reply with another amount is SUCCEEDED", class_k(), any_amount_is_done, OtherAmount),
        case("K: a record with another amount is SUCCEEDED", class_k(), any_record_is_done, OtherAmount),
        case("K: what the gateway answers is ignored", class_k(), record_is_ignored, Stuck),
        case(
            "Q: two people decide while it is on the wire",
            Design { hasty_people: true, ..class_q() },
            ours,
            FailedButMoved,
        ),
        case("K: an older state is believed", restored(class_k()), older_state_is_believed, Double),
        case("Q: an older state is believed", restored(class_q()), older_state_is_believed, Double),
        case("N: an older state is believed", restored(class_n()), older_state_is_believed, Double),
        case("Q: an older proof is believed", restored(class_q()), older_proof_is_believed, Double),
        case("N: what nobody can ask after was not sent", restored(class_n()), absence_is_believed_of_n, Double),
        case(
            "Q: asked first, while something may still arrive",
            Design { hasty_questions: true, ..restored(class_q()) },
            ours,
            Double,
        ),
        case(
            "Q: a cancel ends what must be asked first",
            Design { faults: RESTORE, ..class_q() },
            older_state_is_cancelled,
            FailedButMoved,
        ),
        case(
            "K promised, declines forgotten: a decline ends a doubt",
            Design { keeps_declines: false, ..plain(ours) },
            ours,
            FailedButMoved,
        ),
    ]
}

fn pending_not_found_repeats_anyway(state: State, event: Event, now: Now) -> Result<Step, Illegal> {
    match (state, event) {
        (State::Absent, Event::Intended) => to(State::Sending(Before::Uncertain)),
        _ => pending_not_found_repeats(state, event, now),
    }
}
