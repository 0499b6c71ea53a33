//! Live events (`GET /events`): counters of batches, or of all batches of an operation, as they move.
//!
//! A stream is told only that a batch changed; it then reads the batch, so what it sends is always the newest state and
//! never a backlog. All streams of this process share each reading. The first event after a connect is the whole state,
//! and so is what follows when events were missed.

mod shared;
mod stream;

use super::{
    Web, error,
    request_context::SignedIn,
    session::{self, SessionHash},
};
use crate::{
    domain::{
        access::{Module, Right},
        error::RefusalKind,
        ids::BatchId,
        operation::Operation,
    },
    server::{
        error::{OpError, OpResult},
        ops::{
            self,
            access::{Caller, authorise},
        },
    },
};
use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response, Sse},
};
use futures::StreamExt;
use serde::Deserialize;
use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How often a stream says that it is there, and looks whether its session still is.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// Open streams of one session, at most.
pub const STREAMS_PER_SESSION: usize = 10;
/// What one stream may watch: more tabs than anybody sees at a time.
const WATCHES: usize = 64;
/// Events that wait for a slow reader before its stream stops reading changes.
const QUEUE: usize = 4;

/// The open streams of this process, by session, and the readings that they share.
#[derive(Default)]
pub(super) struct Streams {
    open: Mutex<HashMap<SessionHash, Open>>,
    readings: shared::Readings,
}

#[derive(Default)]
struct Open {
    count: usize,
    end: CancellationToken,
}

impl Streams {
    /// Room for one more stream of a session; none when it has enough.
    fn enter(self: &Arc<Self>, session: SessionHash) -> Option<Ticket> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = open.entry(session).or_default();
        if entry.count >= STREAMS_PER_SESSION {
            return None;
        }
        entry.count += 1;
        Some(Ticket { streams: self.clone(), session, end: entry.end.clone() })
    }

    /// Ends the streams of a session that is over.
    pub(super) fn end(&self, session: &SessionHash) {
        let ended = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
        if let Some(ended) = ended {
            ended.end.cancel();
        }
    }

    fn leave(&self, session: &SessionHash) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = open.get_mut(session) {
            entry.count = entry.count.saturating_sub(1);
            if entry.count == 0 {
                open.remove(session);
            }
        }
    }
}

/// The place of one open stream; given back when dropped.
struct Ticket {
    streams: Arc<Streams>,
    session: SessionHash,
    end: CancellationToken,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.streams.leave(&self.session);
    }
}

/// What a stream follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    Batch(BatchId, Module),
    Operation(Operation),
}

impl Watch {
    fn module(self) -> Module {
        match self {
            Self::Batch(_, module) => module,
            Self::Operation(operation) => operation.module(),
        }
    }
}

/// The query string: one of the three; and the session that the page belongs to.
#[derive(Debug, Deserialize)]
pub(super) struct WatchRequest {
    batch: Option<String>,
    operation: Option<String>,
    /// Ids of batches and codes of operations, separated by commas: what all tabs of a browser watch.
    watch: Option<String>,
    session: Option<String>,
}

/// `GET /events?batch={id}`, `GET /events?operation={code}` and `GET /events?watch={id or code},…`.
pub(super) async fn events(
    State(web): State<Web>,
    SignedIn { visit, caller }: SignedIn,
    Query(asked): Query<WatchRequest>,
    headers: HeaderMap,
) -> Response {
    if let (Some(page), Some(hash)) = (&asked.session, &visit.hash)
        && *page != session::tag(hash)
    {
        let sentence = "Somebody has signed in anew since this page was loaded. Load it again.";
        return error::problem_details(&OpError::refuse(RefusalKind::Conflict, sentence));
    }
    let watch = match named(&web, &caller, &asked).await {
        Ok(watch) => watch,
        Err(error) => {
            error::log(&visit.request_id, &error);
            return error::problem_details(&error);
        }
    };
    // A session is what keeps a stream open; there is one, or there would be no caller.
    let Some(ticket) = visit.hash.and_then(|hash| web.streams.enter(hash)) else {
        let sentence = "Too many live pages are open in this browser. Close some of them.";
        return error::problem_details(&OpError::refuse(RefusalKind::TooMany, sentence));
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let events = stream::open(web, caller, ticket, watch, last.unwrap_or(0));
    let mut response = Sse::new(events.map(Ok::<_, Infallible>)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// What is to be followed, when the caller may read it. Of several things those that may be read: a tab whose batch is
/// gone must not take the events from the others.
async fn named(web: &Web, caller: &Caller, asked: &WatchRequest) -> OpResult<Vec<Watch>> {
    let invalid = |sentence| Err(OpError::refuse(RefusalKind::Invalid, sentence));
    let watched = match (&asked.batch, &asked.operation, &asked.watch) {
        (Some(batch), None, None) => return Ok(vec![batch_named(web, caller, batch).await?]),
        (None, Some(operation), None) => return Ok(vec![operation_named(caller, operation)?]),
        (None, None, Some(watched)) => watched,
        _ => return invalid("Name one batch or one operation to follow."),
    };
    let parts: BTreeSet<&str> = watched.split(',').collect();
    if parts.len() > WATCHES {
        return invalid("Too much is to be followed at a time.");
    }
    let (mut found, mut refused) = (Vec::new(), None);
    for part in parts {
        let watch = match Operation::from_code(part) {
            Some(_) => operation_named(caller, part),
            None => batch_named(web, caller, part).await,
        };
        match watch {
            Ok(watch) => found.push(watch),
            Err(error) if error.context.is_some() => return Err(error),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

async fn batch_named(web: &Web, caller: &Caller, batch: &str) -> OpResult<Watch> {
    let batch: BatchId = batch.parse().map_err(|_| OpError::not_found("batch"))?;
    let (operation, _) = ops::batches::locate(web, caller, batch, Right::Read).await?;
    Ok(Watch::Batch(batch, operation.module()))
}

fn operation_named(caller: &Caller, operation: &str) -> OpResult<Watch> {
    let operation = Operation::from_code(operation)
        .ok_or_else(|| OpError::refuse(RefusalKind::Invalid, "There is no such operation."))?;
    authorise(caller, operation.module(), Right::Read)?;
    Ok(Watch::Operation(operation))
}

/// The caller of an open stream with the rights of this moment, and what may still be watched; none when the stream
/// must end.
async fn still_allowed(web: &Web, session: &SessionHash, watch: &[Watch]) -> Option<(Caller, Vec<Watch>)> {
    let found = async {
        let Some(who) = web.store.who(session).await? else { return Ok(None) };
        ops::sessions::caller(web, who.person, who.organisation, who.proved_at()).await
    };
    match found.await {
        Ok(caller) => caller.and_then(|caller| {
            let may = |watch: &Watch| caller.permissions.allow(watch.module(), Right::Read);
            let watch: Vec<Watch> = watch.iter().copied().filter(may).collect();
            (!watch.is_empty()).then_some((caller, watch))
        }),
        Err(error) => {
            // Nobody can say whether it may go on, so it does not; the browser asks again.
            tracing::warn!(error = %error, "events.unchecked");
            None
        }
    }
}
