//! The money protocol at work: claim, intend, send, settle, resolve.
//!
//! A *lane* is one kind of due work of one organisation's connection to one gateway. The scheduler asks the database which lanes
//! have work, and runs each as a task of its own, those that ran longest ago first; lanes of one connection share its slots on the
//! wire. Whatever this process loses (its life, a COMMIT's reply, a lease) is found again in the database by whoever claims it
//! next: nothing here needs to be remembered.

mod answer;
mod ask_first;
mod backoff;
mod breaker;
mod connections;
mod instruction;
mod lane;
mod limits;
mod open;
mod pace;
mod preflight;
mod rechecks;
mod reconcile;
mod send;
mod settler;
mod sync;
mod throttle;

pub use connections::{Connect, Connectors};

use super::{
    db::{self, tasks::Work},
    state::AppState,
};
use crate::domain::ids::GatewayId;
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

/// Runs until `soft` is set, then drains: nothing new is claimed, calls on the wire finish and are recorded, leases are given
/// back. `hard` ends it at once; what was on the wire is asked after by whoever claims it next.
pub async fn run(state: AppState, soft: CancellationToken, hard: CancellationToken) {
    run_with(state, Arc::new(Connectors), soft, hard).await;
}

/// The same with connectors of one's own (tests, benchmarks).
pub async fn run_with(state: AppState, connect: Arc<dyn Connect>, soft: CancellationToken, hard: CancellationToken) {
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
        nights: reconcile::Nights::default(),
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
    nights: reconcile::Nights,
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
                        // A lane that did something may have more to do; one that found nothing waits for the next look.
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
        let expired = db::tasks::organisations_with_expired(&mut tx).await?;
        tx.commit().await?;
        self.nights.plan(&self.state).await?;
        for organisation in expired {
            let mut tx = self.state.db.worker(organisation).await?;
            let batches = db::tasks::expire_due(&mut tx).await?;
            tx.commit().await?;
            for batch in batches {
                tracing::info!(%organisation, %batch, "batch.expired");
            }
        }
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
        let connection = match self.connections.get(key.organisation, key.gateway).await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::error!(organisation = %key.organisation, gateway = %key.gateway, %error, "processor.no_connection");
                return;
            }
        };
        let lane = LaneContext {
            state: self.state.clone(),
            worker: self.worker,
            organisation: key.organisation,
            gateway: GatewayId(key.gateway.0),
            connection,
            soft: self.soft.clone(),
        };
        self.last_run.insert(key, Instant::now());
        let task = self.running.spawn(async move {
            match key.work {
                Work::Chunks => send::run(&lane, false).await,
                Work::Leftovers => send::run(&lane, true).await,
                Work::OpenTasks => open::run(&lane).await,
                Work::Rechecks => rechecks::run(&lane).await,
                Work::Reconciliations => reconcile::run(&lane).await,
                Work::Orders => sync::run(&lane).await,
            }
        });
        self.busy.push((task.id(), key));
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
