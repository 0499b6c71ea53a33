//! Connections to gateways, kept as long as their settings stay as they are.

use super::{
    breaker::Breaker,
    cooldown::Cooldown,
    limits::{Limits, Settings},
};
use crate::{
    db::{self, gateways::GatewayRow},
    domain::{
        ids::{GatewayId, OrganisationId},
        money::Currency,
        operation::Effect,
    },
    error::{OpError, OpResult},
    gateway::{self, ConnectError, Connector, GatewayClass},
    ops::gateways,
    state::AppState,
};
use futures::StreamExt;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

/// Makes gateways from stored connections.
pub trait Connect: Send + Sync {
    /// The gateway of `row`. The error is for the log.
    fn connect(
        &self,
        state: &AppState,
        row: &GatewayRow,
        currency: Currency,
        slots: usize,
    ) -> Result<Arc<dyn Connector>, ConnectError>;
}

/// The connectors of this program.
#[derive(Clone, Copy, Debug)]
pub struct Connectors;

impl Connect for Connectors {
    fn connect(
        &self,
        state: &AppState,
        row: &GatewayRow,
        currency: Currency,
        slots: usize,
    ) -> Result<Arc<dyn Connector>, ConnectError> {
        let config = &state.config;
        let connection = gateway::Connection {
            connector: row.connector.clone(),
            base_url: row.base_url.clone(),
            merchant_id: row.merchant_id.clone(),
            api_key: config.secret_key.open(row.id.as_bytes(), &row.sealed_key)?,
            currency,
            timeout: config.gateway_timeout,
            concurrency: slots,
            allowed_hosts: config.allowed_hosts.clone(),
        };
        gateway::connect(&connection)
    }
}

/// How often a connection in use is looked at again: its settings, who else uses it, whether it is to be left alone.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// How long this process counts as a user of a connection after it said so. It asks nothing after that, and whoever
/// comes after a process that was killed waits for it so long.
const HEARTBEAT_TTL: Duration = Duration::from_secs(4);
/// A connection that no lane began on for so long is left.
const IDLE: Duration = Duration::from_secs(5);

/// A connection in use: what all lanes on it share.
pub(super) struct Connection {
    pub(super) gateway: Arc<dyn Connector>,
    classes: Vec<(Effect, GatewayClass)>,
    /// The class that everything sent through it has at least.
    pub(super) weakest: GatewayClass,
    pub(super) preflight: bool,
    /// Calls that may be on the wire, of all processes together.
    pub(super) concurrency: usize,
    /// This process's part of them.
    pub(super) slots: Arc<Semaphore>,
    pub(super) limits: Arc<Limits>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) pace: Arc<Cooldown>,
    row: GatewayRow,
}

impl Connection {
    /// What it promises of an effect: nothing of one that its connector cannot carry out.
    pub(super) fn class(&self, effect: Option<Effect>) -> GatewayClass {
        let known = self.classes.iter().find(|(known, _)| Some(*known) == effect);
        known.map_or(GatewayClass::N, |(_, class)| *class)
    }

    /// Rows that may have one intent: few in doubt after a crash, fewer where they cannot be sent again.
    pub(super) fn group(&self) -> usize {
        self.limits.group(self.concurrency)
    }

    /// For how long nothing may be asked: the gateway asked for it, or this process has no part in the limits.
    pub(super) fn closed_for(&self) -> Duration {
        self.limits.throttle.closed_for(Instant::now())
    }

    /// A place on the wire for one question, and its turn. Err: how long to wait before one asks again.
    pub(super) async fn turn_to_ask(&self) -> Result<SemaphorePermit<'_>, Duration> {
        let closed = self.closed_for();
        if !closed.is_zero() {
            return Err(closed);
        }
        let permit = self.slots.acquire().await.map_err(|_| REFRESH_INTERVAL)?;
        self.limits.throttle.turn().await.map(|()| permit)
    }

    /// How many tasks a lane may claim at a time: no more than can be asked about soon.
    pub(super) fn claimable(&self, most: usize) -> i32 {
        i32::try_from(self.concurrency.min(most).min(self.limits.throttle.within_patience())).unwrap_or(1)
    }

    fn is_of(&self, row: &GatewayRow) -> bool {
        let settings = |row: &GatewayRow| {
            (row.updated_at, row.promises.clone(), row.preflight, row.concurrency, row.base_url.clone())
        };
        settings(&self.row) == settings(row)
    }
}

type Known = Mutex<HashMap<(OrganisationId, GatewayId), Arc<Connection>>>;

/// The connections of this process.
pub(super) struct Connections {
    state: AppState,
    connect: Arc<dyn Connect>,
    worker: Uuid,
    known: Known,
}

impl Connections {
    /// `worker` names this process.
    pub(super) fn new(state: AppState, connect: Arc<dyn Connect>, worker: Uuid) -> Self {
        Self { state, connect, worker, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(OrganisationId, GatewayId), Arc<Connection>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection as it is set now, for a lane that begins.
    pub(super) async fn get(&self, organisation: OrganisationId, id: GatewayId) -> OpResult<Arc<Connection>> {
        let known = self.known().get(&(organisation, id)).cloned();
        let limits = known.as_ref().map(|known| known.limits.clone()).unwrap_or_default();
        limits.used_now();
        let (row, currency) = self.look(organisation, id, &limits).await?;
        let row = row.ok_or_else(|| OpError::internal("the connection is gone"))?;
        if let Some(connection) = known.as_ref().filter(|connection| connection.is_of(&row)) {
            return Ok(connection.clone());
        }
        let concurrency = Settings::of(&row, self.state.config.gateway_concurrency).concurrency;
        let currency = currency.ok_or_else(|| OpError::internal("the organisation has no known currency"))?;
        let currency = gateway::currency(&row.connector, currency);
        let gateway = self.connect.connect(&self.state, &row, currency, concurrency).map_err(OpError::failed)?;
        if row.preflight && !gateway.descriptor().reads_orders {
            return Err(OpError::internal("it is set to read orders first, and its connector cannot"));
        }
        let connection = Arc::new(Connection {
            classes: Effect::ALL.into_iter().map(|effect| (effect, row.promise(effect).class)).collect(),
            weakest: gateways::weakest(&row),
            preflight: row.preflight,
            concurrency,
            slots: limits.slots(),
            // What was sent through the old settings is still to be kept apart from, and counts.
            pace: known
                .as_ref()
                .map_or_else(|| Arc::new(Cooldown::new(gateway.same_amount_gap())), |old| old.pace.clone()),
            breaker: Arc::default(),
            limits,
            gateway,
            row,
        });
        self.known().insert((organisation, id), connection.clone());
        Ok(connection)
    }

    /// Reads the connection's settings, renews this process's part in its limits, and takes it.
    async fn look(
        &self,
        organisation: OrganisationId,
        id: GatewayId,
        limits: &Limits,
    ) -> sqlx::Result<(Option<GatewayRow>, Option<Currency>)> {
        let finished = limits.take_finished();
        // From before the row is renewed: ours must end no later than theirs.
        let lapses = Instant::now() + HEARTBEAT_TTL;
        let looked = async {
            let mut tx = self.state.db.worker(organisation).await?;
            let row = db::gateways::load(&mut tx, id).await?;
            let attendance = match row {
                Some(_) => Some(db::gateways::heartbeat(&mut tx, id, self.worker, HEARTBEAT_TTL, finished).await?),
                None => None,
            };
            let organisation = db::organisations::load(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>((row, attendance, organisation.map(|organisation| organisation.reference.currency)))
        };
        let (row, attendance, currency) = looked.await.inspect_err(|_| {
            limits.count_finished(usize::try_from(finished).unwrap_or(0));
        })?;
        if let (Some(row), Some(attendance)) = (&row, attendance) {
            let settings = Settings::of(row, self.state.config.gateway_concurrency);
            limits.apply(settings, &attendance, lapses);
        }
        Ok((row, currency))
    }

    /// Looks at the connections in use again and again, and leaves those that are not used any more.
    pub(super) async fn keep(&self) {
        loop {
            tokio::time::sleep(REFRESH_INTERVAL).await;
            // Ours and the map's: whoever else holds it is a lane.
            let all: Vec<_> = self.known().iter().map(|(key, known)| (*key, known.clone())).collect();
            let looks = all.into_iter().map(|((organisation, id), connection)| async move {
                if Arc::strong_count(&connection) > 2 || connection.limits.idle() < IDLE {
                    if let Err(error) = self.look(organisation, id, &connection.limits).await {
                        tracing::warn!(%error, gateway = %id, "processor.cannot_renew_part");
                    }
                } else if connection.limits.throttle.has_part() {
                    self.leave_one(organisation, id, &connection.limits).await;
                }
            });
            futures::stream::iter(looks).buffer_unordered(4).collect::<()>().await;
        }
    }

    async fn leave_one(&self, organisation: OrganisationId, id: GatewayId, limits: &Limits) {
        limits.throttle.set_none();
        let finished = limits.take_finished();
        let left = async {
            let mut tx = self.state.db.worker(organisation).await?;
            if finished > 0 {
                db::gateways::heartbeat(&mut tx, id, self.worker, HEARTBEAT_TTL, finished).await?;
            }
            db::gateways::leave(&mut tx, id, self.worker).await?;
            tx.commit().await
        };
        if let Err(error) = left.await {
            tracing::debug!(%error, gateway = %id, "processor.part_left_to_lapse");
        }
    }

    /// Nothing is asked by this process any more.
    pub(super) async fn leave(&self) {
        let all: Vec<_> = self.known().drain().collect();
        for ((organisation, id), connection) in all {
            self.leave_one(organisation, id, &connection.limits).await;
        }
    }
}
