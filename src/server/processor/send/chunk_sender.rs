//! One chunk: its rows are read ahead, intended in runs as large as there are free places, and sent.

use crate::{
    db::tasks::{
        claim::{self, Chunk, ChunkLease, WaitingRow},
        intend::{self, IntendedRow, Run},
    },
    domain::{money::Currency, protocol::Before},
    processor::{
        ask_first::{self, AskOutcome},
        backoff,
        breaker::Admission,
        cooldown::CooldownPermit,
        instruction::{self, Unsendable},
        lane::{LaneContext, SEND_DEADLINE, Trouble, trouble},
        limits::Place,
        preflight::{self, Probe},
        rate_limiter::MAX_WAIT,
        settler::SentReply,
        verdict,
    },
};
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a group waits for more free slots.
const LINGER: Duration = Duration::from_millis(2);

/// A connection that is closed is looked at again after so long, whatever it asked for: that may change.
const CLOSED: Duration = Duration::from_secs(10);
/// After that nobody waits for a free slot: this process may have no part in them any more.
const SLOTLESS: Duration = Duration::from_secs(5);

/// Drives one chunk.
pub(super) struct ChunkSender {
    pub(super) lane: LaneContext,
    pub(super) chunk: Chunk,
    pub(super) hold: ChunkLease,
    pub(super) lost: CancellationToken,
    pub(super) replies: mpsc::Sender<SentReply>,
    pub(super) sends: JoinSet<()>,
}

/// How driving ended.
enum End {
    /// Every row has its intent.
    Through,
    /// To be gone on with after so long, by whoever claims it.
    Release(Duration),
    /// It is not known what the database has: the lease is left to lapse.
    Abandon,
}

/// What became of an intent.
enum Intent {
    /// Committed; these may be sent.
    Send(Vec<IntendedRow>),
    /// The gate is closed for this run.
    Refused,
    /// The reply of the COMMIT was lost.
    Lost,
}

impl ChunkSender {
    /// Until every row has its intent, or the chunk is given back.
    pub(super) async fn run(mut self) {
        let tracker = TaskTracker::new();
        let end = match self.work(&tracker).await {
            Ok(end) => end,
            Err(error) if trouble(&error) == Trouble::Violation => {
                self.lane.halt_organisation(&format!("a run of rows could not be sent ({error}).")).await;
                End::Release(backoff::HELD)
            }
            Err(error) => {
                tracing::warn!(%error, "processor.run_given_back");
                End::Release(Duration::from_secs(1))
            }
        };
        tracker.close();
        tracker.wait().await;
        while self.sends.join_next().await.is_some() {}
        let delay = match end {
            End::Through | End::Abandon => return,
            End::Release(delay) => delay,
        };
        let released = async {
            let mut tx = self.lane.tx().await?;
            claim::release(&mut tx, self.hold, delay).await?;
            tx.commit().await
        };
        if let Err(error) = released.await {
            tracing::warn!(%error, "processor.lease_left_to_lapse");
        }
    }

    async fn work(&mut self, tracker: &TaskTracker) -> sqlx::Result<End> {
        let lane = self.lane.clone();
        if self.chunk.batch_status == "cancelled" {
            return self.cancel().await;
        }
        let rows = self.waiting().await?;
        let (mut next, mut seen) =
            (0, if lane.connection.preflight && self.chunk.takes_from_orders() { 0 } else { rows.len() });
        while next < rows.len() {
            let rest = rows.get(next..).unwrap_or_default();
            if lane.soft.is_cancelled() {
                return Ok(End::Release(Duration::ZERO));
            }
            if self.lost.is_cancelled() {
                return Ok(End::Abandon);
            }
            let closed = lane.connection.closed_for();
            if !closed.is_zero() {
                return Ok(End::Release(closed.min(CLOSED)));
            }
            if rest.first().is_some_and(|row| self.chunk.must_ask(row.row_no)) {
                match ask_first::ask(&lane, &mut self.chunk, self.hold, rest).await? {
                    AskOutcome::Before(_) => {}
                    AskOutcome::TakenOver(rows) => {
                        next += rows;
                        seen = seen.max(next);
                        continue;
                    }
                    AskOutcome::Wait(wait) => return Ok(End::Release(wait)),
                    AskOutcome::Lost => return Ok(End::Abandon),
                }
            }
            let asked = rest.iter().take_while(|row| !self.chunk.must_ask(row.row_no)).count();
            let rest = rest.get(..asked).unwrap_or(rest);
            let mut by_row = false;
            match lane.connection.breaker.admit(Instant::now()) {
                Admission::Free => {}
                Admission::Probe => {
                    if preflight::probe(&lane, &self.chunk, rest).await? == Probe::Queried {
                        continue;
                    }
                    lane.connection.breaker.try_by_row();
                    by_row = true;
                }
                Admission::Wait(wait) => return Ok(End::Release(wait)),
            }
            if next >= seen {
                // No more than can be read soon: what is known is sent meanwhile.
                let soon = lane.connection.limits.throttle.within_patience();
                let window = rest.get(..(lane.connection.concurrency * 4).max(64).min(soon)).unwrap_or(rest);
                let read = preflight::read(&lane, &self.chunk, window).await?;
                if read.rows == 0 {
                    return Ok(End::Release(read.wait));
                }
                seen = next + read.rows;
            }
            let group = if by_row { 1 } else { lane.connection.group() };
            let ready = rest.get(..group.min(seen - next)).unwrap_or(rest);
            let step = self.send_some(ready, tracker).await;
            if by_row {
                while self.sends.join_next().await.is_some() {}
                lane.connection.breaker.tried_by_row();
            }
            match step? {
                Step::Went(rows) => next += rows,
                Step::Blocked(wait) => lane.pause(wait).await,
                Step::End(end) => return Ok(end),
            }
        }
        Ok(End::Through)
    }

    /// What was never sent is called off; where that must be asked first, as far as it was.
    async fn cancel(&mut self) -> sqlx::Result<End> {
        let lane = self.lane.clone();
        let rows = if self.chunk.asked_to.is_some() { self.waiting().await? } else { Vec::new() };
        let mut next = 0;
        while let Some(rest) = rows.get(next..).filter(|rest| !rest.is_empty()) {
            if lane.soft.is_cancelled() {
                return Ok(End::Release(Duration::ZERO));
            }
            match ask_first::ask(&lane, &mut self.chunk, self.hold, rest).await? {
                AskOutcome::Before(row) => {
                    next += rest.iter().take_while(|waiting| waiting.row_no < row).count();
                    self.call_off().await?;
                }
                AskOutcome::TakenOver(rows) => next += rows,
                AskOutcome::Wait(wait) => return Ok(End::Release(wait)),
                AskOutcome::Lost => return Ok(End::Abandon),
            }
        }
        if self.chunk.asked_to.is_none() {
            self.call_off().await?;
        }
        lane.check_ended(&[self.hold.batch].into()).await;
        Ok(End::Through)
    }

    async fn call_off(&self) -> sqlx::Result<()> {
        let mut tx = self.lane.tx().await?;
        claim::cancel_rows(&mut tx, self.hold).await?;
        tx.commit().await
    }

    async fn waiting(&self) -> sqlx::Result<Vec<WaitingRow>> {
        let mut tx = self.lane.tx().await?;
        let rows = claim::waiting_rows(&mut tx, &self.chunk, self.chunk.next_row).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Intends and sends the first of `rows`: as many as there are places, and none beside a like one.
    async fn send_some(&mut self, rows: &[WaitingRow], tracker: &TaskTracker) -> sqlx::Result<Step> {
        let connection = self.lane.connection.clone();
        let mut turns = Vec::with_capacity(rows.len());
        let mut blocked = Duration::ZERO;
        for row in rows {
            match connection.pace.take(&row.order_id, row.amount_minor, Instant::now()) {
                Ok(turn) => turns.push(turn),
                Err(wait) => {
                    blocked = wait;
                    break;
                }
            }
        }
        if turns.is_empty() {
            return Ok(Step::Blocked(blocked));
        }
        let Some(mut places) = self.places(turns.len()).await else {
            turns.into_iter().for_each(CooldownPermit::give_back);
            return Ok(Step::End(End::Release(Duration::ZERO)));
        };
        let throttle = &connection.limits.throttle;
        match throttle.take(places.len(), Instant::now()) {
            Ok(count) => places.truncate(count),
            Err(wait) => {
                turns.into_iter().for_each(CooldownPermit::give_back);
                return Ok(Step::Blocked(wait.min(MAX_WAIT)));
            }
        }
        turns.drain(places.len()..).for_each(CooldownPermit::give_back);
        let Some(last) = rows.get(places.len() - 1) else {
            return Ok(Step::Blocked(Duration::ZERO));
        };
        // From where the chunk stands: between the rows of a retry lie rows that are not of it.
        let run = Run { hold: self.hold, from_row: self.chunk.next_row, to_row: last.row_no };
        // From before the commit: its reply may have waited in a process that was paused.
        let begun = Instant::now();
        let intended = match self.intend(run).await {
            Ok(Intent::Send(intended)) => intended,
            Ok(Intent::Refused) => {
                throttle.give_back(places.len());
                turns.into_iter().for_each(CooldownPermit::give_back);
                return Ok(Step::End(End::Release(self.lane.state.config.poll)));
            }
            // Whether the intent stands is not known: do not send. What it was is found when the lease lapses.
            Ok(Intent::Lost) => return Ok(Step::End(End::Abandon)),
            Err(error) => {
                throttle.give_back(places.len());
                turns.into_iter().for_each(CooldownPermit::give_back);
                return Err(error);
            }
        };
        connection.limits.committed(begun.elapsed());
        self.chunk.next_row = run.to_row + 1;
        let count = places.len();
        let mut intended: HashMap<i32, IntendedRow> =
            intended.into_iter().map(|row| (row.record.row_no, row)).collect();
        for ((row, turn), place) in rows.iter().zip(turns).zip(places) {
            match intended.remove(&row.row_no) {
                Some(row) => self.spawn(row, turn, place, begun, tracker),
                None => turn.give_back(),
            }
        }
        while self.sends.try_join_next().is_some() {}
        Ok(Step::Went(count))
    }

    /// Up to `wanted` places, at least one; none when the process is to stop.
    async fn places(&self, wanted: usize) -> Option<Vec<Place>> {
        let limits = &self.lane.connection.limits;
        let first = tokio::select! {
            place = limits.place() => place?,
            () = tokio::time::sleep(SLOTLESS) => return None,
            () = self.lane.soft.cancelled() => return None,
        };
        if wanted > 1 && limits.free() < wanted / 2 {
            tokio::time::sleep(limits.linger(LINGER)).await;
        }
        let mut places = vec![first];
        places.extend(std::iter::from_fn(|| limits.place_now()).take(wanted.saturating_sub(1)));
        Some(places)
    }

    async fn intend(&self, run: Run) -> sqlx::Result<Intent> {
        let mut wait = Duration::from_millis(10);
        for last in [false, false, false, true] {
            let written = async {
                let mut tx = self.lane.tx().await?;
                let mut rows = intend::intend(&mut tx, self.lane.worker, run).await?;
                let mut refused: HashSet<i32> =
                    rows.iter().filter(|row| !row.reserved).map(|row| row.record.row_no).collect();
                if !refused.is_empty() {
                    let decimals = rows
                        .first()
                        .and_then(|row| row.record.currency.trim().parse::<Currency>().ok())
                        .map_or(2, Currency::decimals);
                    let mut ask: Vec<i32> = refused.iter().copied().collect();
                    ask.sort_unstable();
                    for row in
                        intend::settle_refused(&mut tx, run.hold.batch, self.chunk.revision, &ask, decimals).await?
                    {
                        refused.remove(&row);
                    }
                    rows.retain(|row| !refused.contains(&row.record.row_no));
                }
                Ok::<_, sqlx::Error>((tx, rows, refused.len()))
            };
            match written.await {
                Ok((tx, rows, refused)) => {
                    if rows.is_empty() && refused == 0 {
                        return Ok(Intent::Refused);
                    }
                    if let Err(error) = tx.commit_at("intent").await {
                        tracing::warn!(%error, "processor.intent_lost");
                        return Ok(Intent::Lost);
                    }
                    self.lane.remember(run.hold.batch, self.chunk.revision, run.from_row, run.hold.epoch);
                    self.lane.connection.limits.count_finished(refused);
                    return Ok(Intent::Send(rows));
                }
                Err(error) if last || trouble(&error) == Trouble::Violation => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "processor.intend_again");
                    tokio::time::sleep(wait).await;
                    wait *= 4;
                }
            }
        }
        Ok(Intent::Refused)
    }

    fn spawn(&mut self, row: IntendedRow, turn: CooldownPermit, place: Place, begun: Instant, tracker: &TaskTracker) {
        let (lane, hold, replies, token) = (self.lane.clone(), self.hold, self.replies.clone(), tracker.token());
        self.sends.spawn(async move {
            let row = row.record;
            let request = instruction::to_send(lane.connection.gateway.descriptor(), &row);
            let connection = &lane.connection;
            let ahead = matches!(place, Place::Ahead(_));
            let slot = connection.limits.slot(place, SEND_DEADLINE).await;
            let reply = match request {
                _ if slot.is_none() || begun.elapsed() > SEND_DEADLINE => {
                    turn.give_back();
                    verdict::not_sent("not_sent_in_time", "It was not sent in time, so it was not sent.")
                }
                // While it waited for a slot the gateway went away, or asked to be left alone.
                Ok(_) if ahead && !lane.closed_for().is_zero() => {
                    turn.give_back();
                    verdict::not_sent("not_sent_yet", "The gateway is left alone for a while, so it was not sent.")
                }
                Ok(request) => {
                    failpoint!("send", "before");
                    let called = Instant::now();
                    let reply = connection.gateway.send(&request).await;
                    connection.limits.took(called.elapsed());
                    failpoint!("send", "after");
                    lane.record_call(&reply).await;
                    drop(turn);
                    reply
                }
                Err(why) => {
                    turn.give_back();
                    if let Unsendable::Unreadable(sentence) = &why {
                        let what = format!("row {} of batch {}: {sentence}", row.row_no, hold.batch);
                        Box::pin(lane.halt_organisation(&what)).await;
                    }
                    why.reply()
                }
            };
            drop(slot);
            let resolve_after = lane.state.config.resolve_after;
            let answer = verdict::to_send(
                &reply,
                row.amount_minor,
                connection.class(row.effect()),
                Before::Nothing,
                resolve_after,
            );
            let sent = SentReply { hold, row: row.row_no, revision: row.revision, answer, reply, _recorded: token };
            if replies.send(sent).await.is_err() {
                tracing::error!("processor.reply_without_settler");
            }
        });
    }
}

/// What sending some rows came to.
enum Step {
    /// So many rows were decided on.
    Went(usize),
    /// The first row must wait so long.
    Blocked(Duration),
    /// No more of this chunk now.
    End(End),
}
