//! One open stream: collects changes, reads what changed, sends at most five times a second, and ends when it should.

use super::{HEARTBEAT, QUEUE, Ticket, Watch, still_allowed};
use crate::{
    domain::{error::RefusalKind, ids::BatchId, page::BatchQuery},
    http::Web,
    server::{
        error::{OpError, OpResult},
        live::Changed,
        ops::{self, access::Caller},
    },
};
use axum::response::sse::Event;
use futures::Stream;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::{MissedTickBehavior, interval_at, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;

/// Changes of a batch are told at most this often.
const STEP: Duration = Duration::from_millis(200);
/// A reader that takes nothing for this long has gone.
const GONE: Duration = Duration::from_secs(30);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// What has to be told.
#[derive(Default)]
struct Due {
    /// Everything, read no earlier than this.
    all: Option<Instant>,
    /// These batches, each read no earlier than its change.
    some: HashMap<BatchId, Instant>,
}

impl Due {
    fn everything() -> Self {
        Self { all: Some(Instant::now()), some: HashMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.all.is_none() && self.some.is_empty()
    }

    /// When each batch is to be read at the earliest; `everything` is what all of them are. A change that came after
    /// everything was asked for keeps its time: a reading from between the two does not have it.
    fn times(self, everything: Vec<BatchId>) -> HashMap<BatchId, Instant> {
        let mut times = self.some;
        if let Some(since) = self.all {
            for batch in everything {
                let time = times.entry(batch).or_insert(since);
                *time = since.max(*time);
            }
        }
        times
    }
}

struct Follower {
    web: Web,
    caller: Caller,
    ticket: Ticket,
    watch: Vec<Watch>,
    out: mpsc::Sender<Event>,
    last: u64,
}

/// Why a stream ends.
struct Ended;

/// Opens the stream. It lives in a task of its own, which ends with its reader.
pub(super) fn open(
    web: Web,
    caller: Caller,
    ticket: Ticket,
    watch: Vec<Watch>,
    last: u64,
) -> impl Stream<Item = Event> {
    let (out, events) = mpsc::channel(QUEUE);
    let follower = Follower { web, caller, ticket, watch, out, last };
    tokio::spawn(follower.follow());
    ReceiverStream::new(events)
}

impl Follower {
    async fn follow(mut self) {
        let stopping = self.web.stopping.clone();
        let end = self.ticket.end.clone();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = end.cancelled() => {}
            _ = self.run() => {}
        }
    }

    async fn run(&mut self) -> Result<(), Ended> {
        // Listening begins before the first reading, so that no change falls between the two.
        let mut changes = self.web.live.watch();
        let mut missed = self.web.live.watch_missed();
        let mut due = Due::everything();
        let mut next = tokio::time::Instant::now();
        let mut beat = interval_at(next + HEARTBEAT, HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.out.closed() => return Err(Ended),
                _ = beat.tick() => {
                    // What asks the database takes memory only while it does: there are many streams, and they mostly
                    // wait.
                    let allowed = Box::pin(still_allowed(&self.web, &self.ticket.session, &self.watch)).await;
                    (self.caller, self.watch) = allowed.ok_or(Ended)?;
                    self.send(Event::default().comment("")).await?;
                }
                change = changes.recv() => match change {
                    Ok(changed) if self.concerns(changed) => {
                        due.some.insert(changed.batch, Instant::now());
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => due = Due::everything(),
                    Err(RecvError::Closed) => return Err(Ended),
                },
                changed = missed.changed() => {
                    changed.map_err(|_| Ended)?;
                    due = Due::everything();
                }
                () = sleep_until(next), if !due.is_empty() => {
                    Box::pin(self.send_event(std::mem::take(&mut due))).await?;
                    next = tokio::time::Instant::now() + STEP;
                }
            }
        }
    }

    fn concerns(&self, changed: Changed) -> bool {
        changed.organisation == self.caller.organisation.id
            && self.watch.iter().any(|watch| match watch {
                Watch::Batch(batch, _) => *batch == changed.batch,
                Watch::Operation(_) => true,
            })
    }

    async fn send_event(&mut self, due: Due) -> Result<(), Ended> {
        let everything = if due.all.is_some() { self.everything().await.map_err(ended)? } else { Vec::new() };
        for (batch, since) in due.times(everything) {
            let reading = match self.web.streams.readings.read(&self.web, &self.caller, batch, since).await {
                Ok(reading) => reading,
                // Of a module that this person may not read; a list simply does not show it.
                Err(error)
                    if !matches!(*self.watch, [Watch::Batch(..)])
                        && matches!(error.refusal.kind, RefusalKind::Forbidden | RefusalKind::NotFound) =>
                {
                    continue;
                }
                Err(error) => return Err(ended(error)),
            };
            let watched = |watch: &Watch| match watch {
                Watch::Batch(watched, _) => *watched == batch,
                Watch::Operation(operation) => *operation == reading.operation,
            };
            if !self.watch.iter().any(watched) {
                continue;
            }
            self.last = self.last.saturating_add(1);
            let event = Event::default().event("progress").id(self.last.to_string()).retry(RETRY).data(&*reading.json);
            self.send(event).await?;
        }
        Ok(())
    }

    /// Every batch that the page may show.
    async fn everything(&self) -> OpResult<Vec<BatchId>> {
        let mut all = Vec::new();
        for watch in &self.watch {
            match *watch {
                Watch::Batch(batch, _) => all.push(batch),
                Watch::Operation(operation) => {
                    let newest = BatchQuery::default();
                    let list = ops::batches::list(&self.web, &self.caller, operation, &newest).await?;
                    all.extend(list.page.rows.into_iter().map(|row| row.id));
                }
            }
        }
        Ok(all)
    }

    async fn send(&self, event: Event) -> Result<(), Ended> {
        match tokio::time::timeout(GONE, self.out.send(event)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }
}

fn ended(error: OpError) -> Ended {
    if error.context.is_some() {
        tracing::warn!(error = %error, "events.ended");
    }
    Ended
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a future takes while it waits.
    fn size<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_change_after_everything_was_asked_for_is_read_after_it() {
        let [changed, other] = [1, 2].map(|n| BatchId(uuid::Uuid::from_u128(n)));
        let asked = Instant::now();
        let later = asked + Duration::from_millis(1);
        let due = Due { all: Some(asked), some: HashMap::from([(changed, later)]) };
        assert_eq!(due.times(vec![changed, other]), HashMap::from([(changed, later), (other, asked)]));
        let due = Due { all: Some(later), some: HashMap::from([(changed, asked)]) };
        assert_eq!(due.times(vec![changed]), HashMap::from([(changed, later)]));
    }

    #[test]
    fn a_stream_that_waits_is_small() {
        let size = size(Follower::follow);
        assert!(size <= 3 * 1024, "{size} bytes for each open stream");
    }
}
