//! Readings of batches that all streams of the process share: a thousand watchers of a batch cost one query, not a
//! thousand.

use super::super::Web;
use crate::{
    domain::{
        ids::{BatchId, OrganisationId},
        operation::Operation,
    },
    server::{
        error::OpResult,
        ops::{self, access::Caller},
    },
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Readings are forgotten when nobody asked for this long.
const FORGET: Duration = Duration::from_secs(60);
/// From this many on, old readings are looked for.
const MANY: usize = 256;

/// A batch as it was read at some moment, ready to be sent.
#[derive(Clone)]
pub(super) struct Reading {
    /// When the reading began: it holds every change committed before.
    at: Instant,
    pub operation: Operation,
    pub json: Arc<str>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Reading>>>;

/// The newest reading of each batch that somebody watches. The key names the organisation: what one reads, another
/// never sees.
#[derive(Default)]
pub(super) struct Readings(Mutex<HashMap<(OrganisationId, BatchId), (Slot, Instant)>>);

impl Readings {
    fn slot(&self, key: (OrganisationId, BatchId)) -> Slot {
        let now = Instant::now();
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MANY && !slots.contains_key(&key) {
            slots.retain(|_, (_, asked)| now.duration_since(*asked) < FORGET);
        }
        let (slot, asked) = slots.entry(key).or_insert_with(|| (Slot::default(), now));
        *asked = now;
        slot.clone()
    }

    /// The batch as it is, read no earlier than `since`. The caller's right on its module has been checked by the
    /// stream.
    pub(super) async fn read(&self, web: &Web, caller: &Caller, batch: BatchId, since: Instant) -> OpResult<Reading> {
        let slot = self.slot((caller.organisation.id, batch));
        let mut kept = slot.lock().await;
        if let Some(reading) = kept.as_ref().filter(|reading| reading.at >= since) {
            return Ok(reading.clone());
        }
        let at = Instant::now();
        let snapshot = ops::batches::snapshot(web, caller, batch).await?;
        let json = serde_json::to_string(&snapshot).map_err(crate::server::error::OpError::failed)?;
        let reading = Reading { at, operation: snapshot.operation, json: json.into() };
        *kept = Some(reading.clone());
        Ok(reading)
    }
}
