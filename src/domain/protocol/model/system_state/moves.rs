//! What a worker does, what the network delivers, what the gateway does by itself.

use super::*;

impl SystemState {
    pub(super) fn worker(&self, design: &Design, n: usize, out: &mut Out) -> Result<(), Illegal> {
        let worker = self.workers[n];
        match worker.at {
            At::Idle => self.claim(design, n, out),
            At::Holding => self.go_on(design, n, out),
            At::ToSend => {
                self.send(n, out);
                Ok(())
            }
            At::Waiting => Ok(()),
            At::Heard => self.conclude(design, n, out),
        }
    }

    /// Whether the epoch that this worker was given still holds.
    fn owns(&self, n: usize) -> bool {
        self.holder == Some(n)
    }

    /// The statement takes what is not leased and neither final nor with people, and raises the epoch.
    fn claim(&self, design: &Design, n: usize, out: &mut Out) -> Result<(), Illegal> {
        if self.leased || self.db.is_final() || self.db == State::Review {
            return Ok(());
        }
        let step = (design.rule)(self.db, Event::Claimed, self.now(design))?;
        let what = What::Worker(n, "claims it", self.db);
        let mut system = self.with(n, Worker { at: At::Holding, holds: step.state, ..IDLE });
        (system.holder, system.leased) = (Some(n), true);
        // Nobody stores that the gateway has nothing; it is known for a moment only.
        system.db = if step.state == State::Absent { State::Unknown } else { step.state };
        match step.state {
            // Given to people, or no rule that goes on from here.
            State::Review | State::Sending(_) => out.push((system.released(n), what)),
            _ => out.push((system, what)),
        }
        Ok(())
    }

    fn released(mut self, n: usize) -> Self {
        if self.owns(n) {
            (self.leased, self.holder) = (false, None);
        }
        self.with(n, IDLE)
    }

    /// Records where the task stands, if the fence lets it; the worker is done with it.
    fn record(&self, design: &Design, n: usize, step: Step) -> Self {
        let may = if design.fence { self.owns(n) } else { !self.db.is_final() && self.db != State::Review };
        let mut system = *self;
        if may {
            system.db = if step.state == State::Absent { State::Unknown } else { step.state };
            if !design.fence {
                system.leased = false;
            }
        }
        system.released(n)
    }

    fn go_on(&self, design: &Design, n: usize, out: &mut Out) -> Result<(), Illegal> {
        let (worker, now) = (self.workers[n], self.now(design));
        let holds = worker.holds;
        if !self.owns(n) {
            out.push((self.with(n, IDLE), What::Worker(n, "finds that another has it", holds)));
            return Ok(());
        }
        match holds {
            State::AskFirst(_) => self.ask_first(design, n, out)?,
            State::Ready | State::Retry if self.cancelled => {
                let step = (design.rule)(holds, Event::Cancelled, now)?;
                out.push((self.record(design, n, step), What::Worker(n, "drops a cancelled task", step.state)));
            }
            State::Ready | State::Retry | State::Absent => {
                self.intend(design, n, out);
                let held = (design.rule)(holds, Event::Held, now)?;
                out.push((self.record(design, n, held), What::Worker(n, "may not send now", held.state)));
            }
            State::Unknown | State::Pending => {
                // The rules may let a cancel end it.
                if self.cancelled {
                    let step = (design.rule)(holds, Event::Cancelled, now)?;
                    if step.state != holds {
                        out.push((self.record(design, n, step), What::Worker(n, "drops a cancelled task", step.state)));
                        return Ok(());
                    }
                }
                self.ask(design, n, out)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Commit, then send. The reply of the COMMIT may be lost: then nothing is sent, and the lease lapses.
    fn intend(&self, design: &Design, n: usize, out: &mut Out) {
        let worker = self.workers[n];
        // The gate in the database refuses what has no rule.
        let Ok(step) = (design.rule)(worker.holds, Event::Intended, self.now(design)) else { return };
        let key = if design.fresh_keys { self.sends.min(2) } else { 0 };
        let mut system = self.with(n, Worker { at: At::ToSend, holds: step.state, word: Word::Nothing, key });
        system.db = step.state;
        if design.fresh_keys {
            system.sends = (system.sends + 1).min(3);
        }
        out.push((system, What::Worker(n, "commits its intent", step.state)));
        let mut lost = system.with(n, IDLE);
        lost.holder = None;
        out.push((lost, What::Worker(n, "does not learn that its intent was committed", step.state)));
    }

    /// No fence can stop a send.
    fn send(&self, n: usize, out: &mut Out) {
        let worker = self.workers[n];
        let mut system = self.with(n, Worker { at: At::Waiting, ..worker });
        system.wire[usize::from(worker.key)].waited[n] = true;
        out.push((system, What::Worker(n, "sends", worker.holds)));
        if self.left.not_sent > 0 {
            let word = Word::Reply(ReplyClass::NotSent, Confirmed::Unsaid);
            let mut system = self.with(n, Worker { at: At::Heard, word, ..worker });
            system.left.not_sent -= 1;
            out.push((system, What::Worker(n, "cannot reach the gateway", worker.holds)));
        }
    }

    fn ask(&self, design: &Design, n: usize, out: &mut Out) -> Result<(), Illegal> {
        let worker = self.workers[n];
        if !design.status {
            return Ok(());
        }
        let sender = (0..2).any(|other| self.workers[other].at == At::ToSend);
        let waits = match design.quarantine {
            Quarantine::No => false,
            Quarantine::Network => self.on_the_wire(),
            Quarantine::Senders => self.on_the_wire() || sender,
        };
        if waits {
            return Ok(());
        }
        // Concluded at once: it holds whenever it is said.
        let step = (design.rule)(worker.holds, Event::NoAnswer, self.now(design))?;
        out.push((self.record(design, n, step), What::Worker(n, "asks: no answer", step.state)));
        let mut heard = |system: &Self, word: Word, what: &'static str| {
            out.push((system.with(n, Worker { at: At::Heard, word, ..worker }), What::Worker(n, what, worker.holds)));
        };
        let amount = if self.other_amount { Confirmed::Other } else { Confirmed::Same };
        let record = if self.effects > 0 {
            Word::Record(ReplyClass::Succeeded, amount)
        } else if self.memory.contains(&Memory::Pending) {
            Word::Record(ReplyClass::Pending, Confirmed::Same)
        } else if self.memory.contains(&Memory::Declined) {
            Word::Record(ReplyClass::Failed, Confirmed::Unsaid)
        } else {
            heard(self, Word::NotFound, "asks: not found");
            return Ok(());
        };
        heard(self, record, "asks: found");
        if self.stale > 0 {
            heard(&Self { stale: self.stale - 1, ..*self }, Word::NotFound, "asks: not found (out of date)");
        }
        Ok(())
    }

    /// The question before the first send. It waits until nothing that was sent before can arrive any more, and until
    /// what the gateway shows is no older than that.
    fn ask_first(&self, design: &Design, n: usize, out: &mut Out) -> Result<(), Illegal> {
        let worker = self.workers[n];
        // The rules may let a cancel end it.
        if self.cancelled {
            let step = (design.rule)(worker.holds, Event::Cancelled, self.now(design))?;
            if step.state != worker.holds {
                out.push((self.record(design, n, step), What::Worker(n, "drops a cancelled task", step.state)));
                return Ok(());
            }
        }
        let mut heard = |word: Word, what: &'static str| {
            out.push((self.with(n, Worker { at: At::Heard, word, ..worker }), What::Worker(n, what, worker.holds)));
        };
        if !design.status {
            heard(Word::Unaskable, "has no way to ask");
            return Ok(());
        }
        if self.on_the_wire() && !design.hasty_questions {
            return Ok(());
        }
        let amount = if self.other_amount { Confirmed::Other } else { Confirmed::Same };
        if self.effects > 0 {
            heard(Word::Record(ReplyClass::Succeeded, amount), "asks first: found");
        } else if self.memory.contains(&Memory::Pending) {
            heard(Word::Record(ReplyClass::Pending, Confirmed::Same), "asks first: pending");
        } else if self.memory.contains(&Memory::Declined) {
            heard(Word::Record(ReplyClass::Failed, Confirmed::Unsaid), "asks first: declined");
        } else {
            heard(Word::NeverThere, "asks first: it was never there");
        }
        let step = (design.rule)(worker.holds, Event::NoAnswer, self.now(design))?;
        out.push((self.record(design, n, step), What::Worker(n, "asks first: no answer", step.state)));
        Ok(())
    }

    fn conclude(&self, design: &Design, n: usize, out: &mut Out) -> Result<(), Illegal> {
        let worker = self.workers[n];
        if design.fence && !self.owns(n) {
            out.push((self.with(n, IDLE), What::Worker(n, "comes too late to record its answer", worker.holds)));
            return Ok(());
        }
        let Some(event) = worker.word.event() else { return Ok(()) };
        let step = (design.rule)(worker.holds, event, self.now(design))?;
        if step.state == State::Absent {
            let system = self.with(n, Worker { at: At::Holding, holds: State::Absent, ..IDLE });
            out.push((system, What::Worker(n, "may send it again", step.state)));
        } else if step.state == State::Ready {
            // That it was asked is written down; whoever has it goes on.
            let mut system = self.with(n, Worker { at: At::Holding, holds: State::Ready, ..IDLE });
            system.db = State::Ready;
            out.push((system, What::Worker(n, "may send it", step.state)));
        } else {
            out.push((self.record(design, n, step), What::Worker(n, "records", step.state)));
        }
        // How often is too often is not modelled: it may be given up after any doubtful reply.
        if step.state == State::Unknown && matches!(event, Event::Replied(..)) {
            let step = (design.rule)(State::Unknown, Event::NeverClear, self.now(design))?;
            out.push((self.record(design, n, step), What::Worker(n, "gives it to people", step.state)));
        }
        Ok(())
    }

    /// A request under this key arrives, or is lost.
    pub(super) fn deliver(&self, design: &Design, key: usize, out: &mut Out) {
        let wire = self.wire[key];
        let number = u8::try_from(key).unwrap();
        for waiting in [Some(0), Some(1), None] {
            let mut rest = *self;
            match waiting {
                Some(n) if wire.waited[n] => rest.wire[key].waited[n] = false,
                None if wire.loose > 0 => rest.wire[key].loose -= 1,
                _ => continue,
            }
            let mut reply = |mut system: Self, class: ReplyClass, confirmed: Confirmed, what: &'static str| {
                if let Some(n) = waiting {
                    let worker = system.workers[n];
                    system.workers[n] = Worker { at: At::Heard, word: Word::Reply(class, confirmed), ..worker };
                }
                out.push((system, What::Gateway(what, number)));
            };
            let amount = if rest.other_amount { Confirmed::Other } else { Confirmed::Same };
            match rest.memory[key] {
                Memory::Done if design.dedup => reply(rest, ReplyClass::Succeeded, amount, "repeats: done"),
                Memory::Declined if design.dedup => {
                    reply(rest, ReplyClass::Failed, Confirmed::Unsaid, "repeats: declined");
                }
                Memory::Pending if design.dedup => {
                    reply(rest, ReplyClass::Pending, Confirmed::Same, "repeats: pending");
                }
                _ => rest.act(design, key, &mut reply),
            }
            if self.left.timeouts > 0 {
                rest.left.timeouts -= 1;
                reply(rest, design.timeout, Confirmed::Unsaid, "never gets the request");
            }
        }
    }

    fn act(self, design: &Design, key: usize, reply: &mut dyn FnMut(Self, ReplyClass, Confirmed, &'static str)) {
        let done = |mut system: Self, kept: bool| {
            system.effects = (system.effects + 1).min(3);
            if kept {
                system.memory[key] = Memory::Done;
            }
            system
        };
        reply(done(self, true), ReplyClass::Succeeded, Confirmed::Same, "carries it out");
        if self.left.declines > 0 {
            let mut declined = self;
            declined.left.declines -= 1;
            if design.keeps_declines && declined.memory[key] == Memory::Nothing {
                declined.memory[key] = Memory::Declined;
            }
            reply(declined, ReplyClass::Failed, Confirmed::Unsaid, "declines it");
        }
        if self.left.errors > 0 {
            let mut failing = self;
            failing.left.errors -= 1;
            let acted = done(failing, design.keeps_errors);
            reply(acted, design.error, Confirmed::Unsaid, "carries it out and answers 5xx");
            reply(failing, design.error, Confirmed::Unsaid, "answers 5xx and does nothing");
        }
        if self.left.oddities > 0 {
            let mut odd = self;
            odd.left.oddities -= 1;
            reply(odd, ReplyClass::Refused, Confirmed::Unsaid, "refuses our credentials");
            if odd.memory[key] == Memory::Nothing {
                let mut pending = odd;
                pending.memory[key] = Memory::Pending;
                reply(pending, ReplyClass::Pending, Confirmed::Same, "takes it and has not finished");
            }
            let mut other = done(odd, true);
            other.other_amount = true;
            reply(other, ReplyClass::Succeeded, Confirmed::Other, "carries out another amount");
        }
    }

    pub(super) fn gateway(&self, design: &Design, out: &mut Out) {
        for key in 0..KEYS {
            if self.memory[key] == Memory::Pending {
                let number = u8::try_from(key).unwrap();
                let mut done = *self;
                done.memory[key] = Memory::Done;
                done.effects = (done.effects + 1).min(3);
                out.push((done, What::Gateway("finishes what was pending", number)));
                let mut refused = *self;
                refused.memory[key] = Memory::Declined;
                out.push((refused, What::Gateway("declines what was pending", number)));
            }
        }
        // The window is far longer than any request takes, and a send begins within seconds of its intent.
        let calm = !self.on_the_wire()
            && self.workers.iter().all(|worker| !matches!(worker.at, At::ToSend | At::Waiting))
            && !self.memory.contains(&Memory::Pending);
        if design.prunes && !self.pruned && calm && self.memory.contains(&Memory::Done) {
            let pruned = Self { pruned: true, memory: [Memory::Nothing; KEYS], ..*self };
            out.push((pruned, What::Wire("the gateway forgets its keys")));
        }
    }
}
