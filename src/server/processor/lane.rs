//! What every kind of lane works with.

use super::{breaker::Turned, connections::Connection, verdict};
use crate::{
    db::{self, Tx, past::memory::Intent},
    domain::ids::{GatewayId, OrganisationId},
    gateway::Reply,
    ops,
    state::AppState,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How much longer than the breaker's pause a page believes that a gateway is in trouble: the next try takes its time.
const BELIEVED: Duration = Duration::from_secs(30);

/// After that a lane makes room for others.
pub(super) const TIME_SLICE: Duration = Duration::from_secs(10);
/// A send that has not begun so long after its intent was begun does not begin: this process may have been paused, and
/// somebody else may hold its rows by now.
pub(super) const SEND_DEADLINE: Duration = Duration::from_secs(5);

/// One organisation's connection to one gateway, as a lane sees it.
#[derive(Clone)]
pub(super) struct LaneContext {
    pub(super) state: AppState,
    /// Names this process in leases and intents.
    pub(super) worker: Uuid,
    pub(super) organisation: OrganisationId,
    pub(super) gateway: GatewayId,
    pub(super) connection: Arc<Connection>,
    pub(super) soft: CancellationToken,
}

impl LaneContext {
    /// A transaction of this lane's organisation.
    pub(super) async fn tx(&self) -> sqlx::Result<Tx> {
        self.state.db.sending(self.organisation).await
    }

    /// Keeps in mind that an intent was committed, before its first send.
    pub(super) fn remember(&self, batch: Uuid, revision: i16, row: i32, epoch: i64) {
        let organisation = self.organisation.0;
        self.state.db.note_intent(Intent { organisation, batch, revision, row, epoch, owner: self.worker });
    }

    /// Sleeps, unless the process is to stop.
    pub(super) async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.soft.cancelled() => {}
        }
    }

    /// For how long nothing is to be sent: the gateway is in trouble, asked for it, or the limits are another
    /// process's.
    pub(super) fn closed_for(&self) -> Duration {
        self.connection.closed_for().max(self.connection.breaker.closed_for(Instant::now()))
    }

    /// The gateway refused our credentials: nothing more is sent through this connection until a person lets it.
    pub(super) async fn disable_connection(&self, reply: &Reply) {
        let reason = match reply.http {
            Some(http) => format!("The gateway refused our key (HTTP {http})."),
            None => "The gateway refused our key.".to_owned(),
        };
        let stopped = async {
            let mut tx = self.tx().await?;
            if db::tasks::stop_gateway(&mut tx, self.gateway, &reason).await? {
                tracing::error!(organisation = %self.organisation, gateway = %self.gateway, reason, "gateway.stopped");
                let detail = json!({ "reason": reason });
                ops::audit::record_own(&self.state, &mut tx, "gateway.stopped", Some(self.gateway.0), detail).await?;
            }
            Ok::<_, crate::error::OpError>(tx.commit().await?)
        };
        if let Err(error) = stopped.await {
            tracing::error!(%error, gateway = %self.gateway, "processor.cannot_stop_gateway");
        }
    }

    /// Tells the breaker what became of a call. When it opens or closes, pages are told why work waits.
    pub(super) async fn record_call(&self, reply: &Reply) {
        let turned = self.connection.breaker.note(verdict::is_outage(reply), Instant::now());
        if turned.is_none() && verdict::stay_away(reply).is_none() {
            return;
        }
        // In a box: each send carries room for this, and hardly any needs it.
        let told = async {
            if let Some(turned) = turned {
                self.tell_of_trouble(turned, reply).await;
            }
            self.apply_retry_after(reply).await;
        };
        Box::pin(told).await;
    }

    /// Stays away from the gateway for as long as it asks for, with everything and in all processes.
    pub(super) async fn apply_retry_after(&self, reply: &Reply) {
        let Some((wait, http)) = verdict::stay_away(reply) else { return };
        if !self.connection.limits.throttle.pause(wait, Instant::now()) {
            return;
        }
        tracing::warn!(gateway = %self.gateway, seconds = wait.as_secs(), http, "gateway.asks_us_to_stay_away");
        let told = async {
            let mut tx = self.tx().await?;
            db::gateways::pause(&mut tx, self.gateway, wait, http).await?;
            tx.commit().await
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, "processor.cannot_tell_of_pause");
        }
    }

    /// Says on pages why work waits, or that it does not any more.
    pub(super) async fn tell_of_trouble(&self, turned: Turned, reply: &Reply) {
        let told = async {
            let mut tx = self.tx().await?;
            let waiting = match turned {
                Turned::Open(pause) => {
                    let reason = reply.message.as_deref().unwrap_or("It does not answer.");
                    let believed = (pause + BELIEVED).as_secs_f64();
                    db::gateways::begin_trouble(&mut tx, self.gateway, reason, believed).await?
                }
                Turned::Closed => db::gateways::end_trouble(&mut tx, self.gateway).await?,
            };
            db::outbox::changed(&mut tx, &waiting).await?;
            tx.commit().await
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, "processor.cannot_tell_of_trouble");
        }
    }

    /// An assertion does not hold: nothing more is sent for this organisation until a person lets it.
    pub(super) async fn halt_organisation(&self, what: &str) {
        ops::balances::halt(&self.state, self.organisation, what).await;
    }

    /// Checks batches that may have ended: their counters and states against the facts.
    pub(super) async fn check_ended(&self, batches: &BTreeSet<Uuid>) {
        for batch in batches {
            let found = async {
                let mut tx = self.tx().await?;
                let found = db::tasks::checks::check_ended(&mut tx, *batch).await?;
                tx.commit().await?;
                Ok::<_, sqlx::Error>(found)
            };
            match found.await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => self.halt_organisation(&format!("batch {batch}: {}.", found.join("; "))).await,
                Err(error) => tracing::warn!(%error, %batch, "processor.cannot_check"),
            }
        }
    }
}

/// What an error of the database means for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The same step again may do.
    Passing,
    /// A guard or a constraint: something does not add up.
    Violation,
}

/// Reads it.
pub(super) fn trouble(error: &sqlx::Error) -> Trouble {
    let Some(code) = error.as_database_error().and_then(|error| error.code()) else { return Trouble::Passing };
    // 40: serialisation, deadlock. 08, 57, 53: connection, shutdown, resources. 55: lock not available.
    let passing = ["40", "08", "57", "53", "55"].iter().any(|class| code.starts_with(class));
    if passing { Trouble::Passing } else { Trouble::Violation }
}
