use super::*;
use uuid::Uuid;

const STATES: [State; 13] = [
    State::Ready,
    State::AskFirst(Since::Before),
    State::AskFirst(Since::After),
    State::Sending(Before::Nothing),
    State::Sending(Before::Uncertain),
    State::Retry,
    State::Unknown,
    State::Absent,
    State::Pending,
    State::Review,
    State::Succeeded,
    State::Failed,
    State::Unsent,
];
const CLASSES: [ReplyClass; 7] = [
    ReplyClass::Succeeded,
    ReplyClass::Failed,
    ReplyClass::Pending,
    ReplyClass::Unknown,
    ReplyClass::NotSent,
    ReplyClass::Review,
    ReplyClass::Refused,
];
const AMOUNTS: [Confirmed; 3] = [Confirmed::Same, Confirmed::Other, Confirmed::Unsaid];

fn nows() -> impl Iterator<Item = Now> {
    let flags = [(false, false), (false, true), (true, false), (true, true)];
    GatewayClass::ALL
        .into_iter()
        .flat_map(move |class| flags.map(|(in_window, cancelled)| Now { class, in_window, cancelled }))
}

fn inputs() -> impl Iterator<Item = (ReplyClass, Confirmed)> {
    CLASSES.into_iter().flat_map(|class| AMOUNTS.map(|confirmed| (class, confirmed)))
}

fn events() -> Vec<Event> {
    let mut events = vec![
        Event::Claimed,
        Event::Intended,
        Event::Held,
        Event::Unfit,
        Event::Cancelled,
        Event::NotFound { spent: false },
        Event::NotFound { spent: true },
        Event::NoAnswer,
        Event::NeverClear,
        Event::Restored,
        Event::NeverThere,
        Event::Alike,
        Event::Unaskable,
    ];
    events.extend(inputs().map(|(class, confirmed)| Event::Replied(class, confirmed)));
    events.extend(inputs().map(|(class, confirmed)| Event::Record(class, confirmed)));
    for decision in [Decision::Done, Decision::NotDone, Decision::AskAgain] {
        for (proposer, confirmer) in [(1, 1), (1, 2)] {
            let person = |n| PersonId(Uuid::from_u128(n));
            events.push(Event::Decided { decision, proposer: person(proposer), confirmer: person(confirmer) });
        }
    }
    events
}

fn next(state: State, event: Event, now: Now) -> State {
    state.next(event, now).unwrap().state
}

#[test]
fn what_the_processor_can_bring_about_has_a_rule() {
    for now in nows() {
        for state in STATES {
            assert!(state.next(Event::Claimed, now).is_ok() && state.next(Event::Cancelled, now).is_ok());
        }
        for (class, confirmed) in inputs() {
            for before in [Before::Nothing, Before::Uncertain] {
                let step = State::Sending(before).next(Event::Replied(class, confirmed), now).unwrap();
                assert!(!matches!(step.state, State::Ready | State::Sending(_) | State::Absent | State::Unsent));
            }
            // Open tasks that are asked after, and whatever a person asks about again.
            for state in [State::Retry, State::Unknown, State::Pending, State::Review, State::Succeeded, State::Failed]
            {
                assert!(state.next(Event::Record(class, confirmed), now).is_ok());
            }
        }
        for state in [State::Unknown, State::Pending] {
            for event in [Event::NoAnswer, Event::NotFound { spent: true }, Event::NotFound { spent: false }] {
                assert!(state.next(event, now).is_ok());
            }
        }
        for state in [State::Retry, State::Absent] {
            assert!(state.next(Event::Held, now).is_ok());
            let sent = state.next(Event::Intended, now);
            assert_eq!(
                sent.is_ok(),
                !now.cancelled && (state == State::Retry || now.may_send_again()),
                "{state:?} {now:?}"
            );
        }
        // A worker that holds an answer of "nothing here" got it by a rule, and may go on by one.
        if next(State::Unknown, Event::NotFound { spent: false }, now) == State::Absent {
            assert!(State::Absent.next(Event::Intended, now).is_ok());
        }
    }
}

#[test]
fn the_states_move_only_as_the_design_says() {
    let allowed = |from: TaskState, to: TaskState| {
        use TaskState as T;
        from == to
            || match from {
                T::Ready => matches!(to, T::Failed | T::Sending),
                T::Sending => matches!(to, T::Succeeded | T::Failed | T::Pending | T::Unknown | T::Retry | T::Review),
                T::Retry => matches!(to, T::Sending | T::Failed | T::Succeeded | T::Pending | T::Review),
                T::Unknown => matches!(to, T::Succeeded | T::Failed | T::Pending | T::Sending | T::Review),
                T::Pending => matches!(to, T::Succeeded | T::Failed),
                T::Review => matches!(to, T::Succeeded | T::Failed | T::Pending | T::Unknown),
                T::Succeeded => to == T::Failed,
                T::Failed => to == T::Succeeded,
            }
    };
    for now in nows() {
        for state in STATES {
            for event in events() {
                let Ok(step) = state.next(event, now) else { continue };
                let may = match (state, event) {
                    // What must be asked first is like what is in doubt, until it was never there.
                    (State::AskFirst(_), _) => {
                        allowed(TaskState::Unknown, step.state.seen()) || step.state.seen() == TaskState::Ready
                    }
                    (State::Retry, Event::Restored) => {
                        matches!(step.state, State::Unknown | State::Review)
                    }
                    _ => allowed(state.seen(), step.state.seen()),
                };
                assert!(may, "{state:?} {event:?} {now:?} -> {step:?}");
                // A final state is left by the gateway's own contradiction only, and never unseen.
                if state.is_final() && step.state != state {
                    assert!(matches!(event, Event::Record(..)) && step.then == Then::Reverse, "{state:?} {event:?}");
                }
                if step.state == State::Sending(Before::Uncertain) && state != step.state {
                    assert!(state == State::Absent && now.class == GatewayClass::K && now.in_window && !now.cancelled);
                }
                assert_eq!(step.then == Then::Look, step.state == State::Review || looks_at_pending(state, event));
            }
        }
    }
}

/// Once accepted it stays so while people look.
fn looks_at_pending(state: State, event: Event) -> bool {
    state == State::Pending
        && match event {
            Event::Record(ReplyClass::Failed, _) => false,
            Event::Record(ReplyClass::Succeeded, confirmed) => confirmed != Confirmed::Same,
            Event::Record(ReplyClass::Pending, confirmed) => confirmed == Confirmed::Other,
            Event::Record(..) => true,
            _ => false,
        }
}

#[test]
fn doubt_never_becomes_a_failure_without_a_record_or_two_people() {
    for now in nows() {
        for state in [
            State::Unknown,
            State::Absent,
            State::Pending,
            State::Review,
            State::Sending(Before::Uncertain),
            State::AskFirst(Since::Before),
            State::AskFirst(Since::After),
        ] {
            for event in events() {
                let Ok(step) = state.next(event, now) else { continue };
                if step.state.seen() == TaskState::Failed {
                    let definite = match event {
                        Event::Record(ReplyClass::Failed, _) => true,
                        Event::Replied(ReplyClass::Failed, _) => now.class == GatewayClass::K,
                        Event::Decided { decision: Decision::NotDone, proposer, confirmer } => proposer != confirmer,
                        _ => false,
                    };
                    assert!(definite, "{state:?} {event:?} {now:?}");
                }
            }
        }
    }
}

#[test]
fn an_older_state_sends_nothing_before_the_gateway_was_asked() {
    for now in nows() {
        for state in STATES {
            let after = next(state, Event::Restored, now);
            assert!(
                !matches!(after, State::Ready | State::Retry | State::Absent | State::Sending(_)),
                "{state:?} {now:?}"
            );
            assert_eq!(after.is_final(), state.is_final(), "what is over stays so: {state:?}");
        }
        for since in [Since::Before, Since::After] {
            let held = State::AskFirst(since);
            assert!(held.next(Event::Intended, now).is_err() && held.next(Event::Unfit, now).is_err());
            for event in [Event::Claimed, Event::Cancelled, Event::NoAnswer, Event::NotFound { spent: true }] {
                assert_eq!(held.next(event, now), Ok(Step { state: held, then: Then::Ask }), "{event:?} {now:?}");
            }
            assert_eq!(next(held, Event::Alike, now), State::Review);
            let proved = since == Since::After || now.class != GatewayClass::N;
            let ready = |proved| if proved { State::Ready } else { State::Review };
            assert_eq!(next(held, Event::NeverThere, now), ready(proved), "{now:?}");
            assert_eq!(next(held, Event::Unaskable, now), ready(since == Since::After), "{now:?}");
        }
    }
}

#[test]
fn a_gateway_that_contradicts_itself_is_a_reversal_both_ways() {
    let now = Now { class: GatewayClass::K, in_window: false, cancelled: false };
    let record = |class| Event::Record(class, Confirmed::Same);
    let reversed = |state| Ok(Step { state, then: Then::Reverse });
    assert_eq!(State::Failed.next(record(ReplyClass::Succeeded), now), reversed(State::Succeeded));
    assert_eq!(State::Succeeded.next(record(ReplyClass::Failed), now), reversed(State::Failed));
    for (state, word) in [(State::Failed, ReplyClass::Failed), (State::Succeeded, ReplyClass::Succeeded)] {
        assert_eq!(state.next(record(word), now), Ok(Step { state, then: Then::Rest }));
    }
    let other = Event::Record(ReplyClass::Succeeded, Confirmed::Other);
    assert_eq!(State::Failed.next(other, now).unwrap().state, State::Failed, "that is not this refund");
    assert_eq!(State::Unsent.next(record(ReplyClass::Succeeded), now).unwrap().state, State::Unsent);
}

#[test]
fn review_is_left_by_two_people_or_by_the_gateways_record() {
    let person = |n| PersonId(Uuid::from_u128(n));
    let decided = |decision, confirmer| Event::Decided { decision, proposer: person(1), confirmer: person(confirmer) };
    let now = |class| Now { class, in_window: true, cancelled: false };
    for class in GatewayClass::ALL {
        for decision in [Decision::Done, Decision::NotDone, Decision::AskAgain] {
            assert_eq!(State::Review.next(decided(decision, 1), now(class)), Err(Illegal::SamePerson));
        }
        assert_eq!(next(State::Review, decided(Decision::Done, 2), now(class)), State::Succeeded);
        assert_eq!(next(State::Review, decided(Decision::NotDone, 2), now(class)), State::Failed);
        for state in [State::Unknown, State::Pending, State::Succeeded, State::Failed] {
            assert!(state.next(decided(Decision::Done, 2), now(class)).is_err(), "{state:?}");
        }
    }
    assert_eq!(next(State::Review, decided(Decision::AskAgain, 2), now(GatewayClass::Q)), State::Unknown);
    assert_eq!(State::Review.next(decided(Decision::AskAgain, 2), now(GatewayClass::N)), Err(Illegal::NobodyToAsk));
}
