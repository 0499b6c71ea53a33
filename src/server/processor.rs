//! The money protocol at work: claim, intend, send, settle, resolve.
//!
//! A *lane* is one kind of due work in one queue of one organisation: of a connection to a gateway, or of the
//! organisation itself. The scheduler asks the database which lanes have work, and runs each as a task of its own,
//! those that ran longest ago first; lanes of one connection share its slots on the wire, and what goes wrong in one
//! lane stops no other. Whatever this process loses (its life, a COMMIT's reply, a lease) is found again in the
//! database by whoever claims it next: nothing here needs to be remembered.

mod ask_first;
mod backoff;
mod breaker;
mod connections;
mod cooldown;
mod import;
mod instruction;
mod lane;
mod limits;
mod preflight;
mod rate_limiter;
mod rechecks;
mod reconcile;
mod resolver;
mod send;
mod settler;
mod sync;
mod verdict;

pub use connections::{Connect, Connectors};

use super::{
    db::{
        self,
        tasks::{Queue, Work},
    },
    state::AppState,
};
use crate::domain::ids::{GatewayId, OrganisationId};
use connections::Connections;
use lane::LaneContext;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Lanes that run at a time; the others wait their turn.
const LANES: usize = 64;

type LaneKey = db::tasks::Lane;

/// Runs until `soft` is set, then drains: nothing new is claimed, calls on the wire finish and are recorded, leases are
/// given back. `hard` ends it at once; what was on the wire is asked after by whoever claims it next.
pub async fn run(state: AppState, connect: Arc<dyn Connect>, soft: CancellationToken, hard: CancellationToken) {
    let woken = Arc::new(Notify::new());
    let listener = tokio::spawn(listen(state.clone(), woken.clone(), soft.clone()));
    let worker = Uuid::now_v7();
    let connections = Arc::new(Connections::new(state.clone(), connect, worker));
    let scheduler = Scheduler {
        connections: connections.clone(),
        worker,
        state,
        soft,
        running: JoinSet::new(),
        last_run: HashMap::new(),
        busy: Vec::new(),
        nights: reconcile::NightlySchedule::default(),
    };
    // Dropping the scheduler ends its lanes, and with them every call on the wire.
    tokio::select! {
        () = scheduler.run(woken) => tokio::select! {
            () = connections.leave() => {}
            () = hard.cancelled() => {}
        },
        () = connections.keep() => {}
        () = hard.cancelled() => {}
    }
    listener.abort();
}

struct Scheduler {
    state: AppState,
    connections: Arc<Connections>,
    /// Names this process in leases and intents.
    worker: Uuid,
    soft: CancellationToken,
    running: JoinSet<bool>,
    last_run: HashMap<LaneKey, Instant>,
    busy: Vec<(tokio::task::Id, LaneKey)>,
    nights: reconcile::NightlySchedule,
}

impl Scheduler {
    async fn run(mut self, woken: Arc<Notify>) {
        let poll = self.state.config.poll;
        while !self.soft.is_cancelled() {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "processor.cannot_look_for_work");
            }
            let look_again = tokio::time::sleep(poll);
            tokio::pin!(look_again);
            loop {
                tokio::select! {
                    () = self.soft.cancelled() => break,
                    () = &mut look_again => break,
                    () = woken.notified() => break,
                    Some(ended) = self.running.join_next_with_id() => {
                        // A lane that did something may have more to do; one that found nothing waits for the next
                        // look.
                        if self.ended(ended) {
                            break;
                        }
                    }
                }
            }
        }
        while let Some(ended) = self.running.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Whether the lane did something.
    fn ended(&mut self, ended: Result<(tokio::task::Id, bool), tokio::task::JoinError>) -> bool {
        let (id, worked) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "processor.lane_crashed");
                (error.id(), false)
            }
        };
        self.busy.retain(|(busy, _)| *busy != id);
        worked
    }

    async fn round(&mut self) -> sqlx::Result<()> {
        // Until the operator has said what happened to the database. Whoever found it out has told.
        if self.state.db.behind().is_some() {
            return Ok(());
        }
        let mut tx = self.state.db.worker_global().await?;
        let mut lanes = db::tasks::runnable_lanes(&mut tx).await?;
        lanes.extend(reconcile::due(&mut tx).await?);
        lanes.extend(db::tasks::lanes_with_expired(&mut tx).await?);
        tx.commit().await?;
        self.nights.plan(&self.state).await?;
        lanes.retain(|lane| !self.busy.iter().any(|(_, busy)| busy == lane));
        lanes.sort_by_key(|lane| self.last_run.get(lane).copied());
        self.last_run.retain(|_, at| at.elapsed() < Duration::from_secs(600));
        for lane in lanes {
            if self.running.len() >= LANES {
                break;
            }
            self.start(lane).await;
        }
        Ok(())
    }

    async fn start(&mut self, key: LaneKey) {
        let task = match key.queue {
            Queue::Connection(gateway) => {
                let Some(lane) = self.context(key.organisation, gateway).await else { return };
                self.running.spawn(async move { on_connection(&lane, key.work).await })
            }
            Queue::Organisation => {
                let (state, soft) = (self.state.clone(), self.soft.clone());
                self.running.spawn(async move { of_organisation(&state, key.organisation, key.work, &soft).await })
            }
        };
        self.last_run.insert(key, Instant::now());
        self.busy.push((task.id(), key));
    }

    /// What a lane of this connection works with; none when it cannot be used.
    async fn context(&self, organisation: OrganisationId, gateway: GatewayId) -> Option<LaneContext> {
        let connection = match self.connections.get(organisation, gateway).await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::error!(%organisation, %gateway, %error, "processor.no_connection");
                return None;
            }
        };
        let (state, soft) = (self.state.clone(), self.soft.clone());
        Some(LaneContext { state, worker: self.worker, organisation, gateway, connection, soft })
    }
}

/// Works on what is due at a connection. Returns whether it did anything.
async fn on_connection(lane: &LaneContext, work: Work) -> bool {
    match work {
        Work::Chunks => send::run(lane, false).await,
        Work::Leftovers => send::run(lane, true).await,
        Work::OpenTasks => resolver::run(lane).await,
        Work::Rechecks => rechecks::run(lane).await,
        Work::Reconciliations => reconcile::run(lane).await,
        Work::Orders => sync::run(lane).await,
        Work::Imports | Work::Expiries => false,
    }
}

/// Works on what is due for an organisation, through no connection. Returns whether it did anything.
async fn of_organisation(state: &AppState, organisation: OrganisationId, work: Work, soft: &CancellationToken) -> bool {
    match work {
        Work::Imports => import::run(state, organisation, soft).await,
        Work::Expiries => expire(state, organisation).await,
        Work::Chunks | Work::Leftovers | Work::OpenTasks | Work::Rechecks | Work::Reconciliations | Work::Orders => {
            false
        }
    }
}

/// Ends the batches that nobody decided in time. Returns whether there were any.
async fn expire(state: &AppState, organisation: OrganisationId) -> bool {
    let expired = async {
        let mut tx = state.db.worker(organisation).await?;
        let batches = db::tasks::expire_due(&mut tx).await?;
        tx.commit().await?;
        Ok::<_, sqlx::Error>(batches)
    };
    match expired.await {
        Ok(batches) => {
            for batch in &batches {
                tracing::info!(%organisation, %batch, "batch.expired");
            }
            !batches.is_empty()
        }
        Err(error) => {
            tracing::warn!(%error, %organisation, "processor.cannot_expire");
            false
        }
    }
}

/// Wakes the scheduler when somebody makes work. Polling is the backstop, so a lost connection costs time only.
async fn listen(state: AppState, woken: Arc<Notify>, soft: CancellationToken) {
    while !soft.is_cancelled() {
        if let Ok(mut listener) = state.db.listener().await
            && listener.listen("batchdesk_work").await.is_ok()
        {
            while let Ok(notification) = listener.try_recv().await {
                woken.notify_one();
                if notification.is_none() {
                    break;
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
