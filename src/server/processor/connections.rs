//! Connections to gateways, kept as long as their settings stay as they are.

use super::{breaker::Breaker, pace::Pace};
use crate::{
    domain::ids::{GatewayId, OrganisationId},
    domain::money::Currency,
    server::{
        db::{self, gateways::GatewayRow},
        gateway::{self, Gateway, GatewayClass},
        state::AppState,
    },
};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Semaphore;

/// Makes gateways from stored connections.
pub trait Connect: Send + Sync {
    /// The gateway of `row`. The error is for the log.
    fn connect(
        &self,
        state: &AppState,
        row: &GatewayRow,
        currency: Currency,
        slots: usize,
    ) -> Result<Arc<dyn Gateway>, String>;
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
    ) -> Result<Arc<dyn Gateway>, String> {
        let config = &state.config;
        let connection = gateway::Connection {
            connector: row.connector.clone(),
            base_url: row.base_url.clone(),
            merchant_id: row.merchant_id.clone(),
            api_key: config.secret_key.open(row.id.as_bytes(), &row.sealed_key).map_err(|error| error.to_string())?,
            currency,
            timeout: config.gateway_timeout,
            concurrency: slots,
            allowed_hosts: config.allowed_hosts.clone(),
        };
        gateway::connect(&connection).map_err(|error| error.to_string())
    }
}

/// A connection in use: what all lanes on it share.
pub(super) struct Connection {
    pub(super) gateway: Arc<dyn Gateway>,
    pub(super) class: GatewayClass,
    pub(super) preflight: bool,
    /// Calls that may be on the wire.
    pub(super) concurrency: usize,
    pub(super) slots: Arc<Semaphore>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) pace: Arc<Pace>,
    row: GatewayRow,
}

impl Connection {
    /// Rows that may have one intent: few in doubt after a crash, fewer where they cannot be sent again.
    pub(super) fn group(&self) -> usize {
        match self.class {
            GatewayClass::K => self.concurrency,
            GatewayClass::Q | GatewayClass::N => self.concurrency.min(8),
        }
    }

    fn is_of(&self, row: &GatewayRow) -> bool {
        let settings = |row: &GatewayRow| {
            (row.updated_at, row.class.clone(), row.preflight, row.concurrency, row.base_url.clone())
        };
        settings(&self.row) == settings(row)
    }
}

/// The connections of this process.
pub(super) struct Connections {
    state: AppState,
    connect: Arc<dyn Connect>,
    known: HashMap<(OrganisationId, GatewayId), Arc<Connection>>,
}

impl Connections {
    pub(super) fn new(state: AppState, connect: Arc<dyn Connect>) -> Self {
        Self { state, connect, known: HashMap::new() }
    }

    /// The connection as it is set now.
    pub(super) async fn get(&mut self, organisation: OrganisationId, id: GatewayId) -> Result<Arc<Connection>, String> {
        let (row, currency) = self.load(organisation, id).await.map_err(|error| error.to_string())?;
        let row = row.ok_or("the connection is gone")?;
        let known = self.known.get(&(organisation, id));
        if let Some(connection) = known.filter(|connection| connection.is_of(&row)) {
            return Ok(connection.clone());
        }
        let class = GatewayClass::from_code(&row.class).ok_or("unknown class")?;
        let default = self.state.config.gateway_concurrency;
        let concurrency = row.concurrency.and_then(|n| usize::try_from(n).ok()).unwrap_or(default).max(1);
        let currency = currency.ok_or("the organisation has no known currency")?;
        let gateway = self.connect.connect(&self.state, &row, currency, concurrency)?;
        let connection = Arc::new(Connection {
            class,
            preflight: row.preflight,
            concurrency,
            slots: Arc::new(Semaphore::new(concurrency)),
            breaker: Arc::default(),
            // What was sent through the old settings is still to be kept apart from.
            pace: known.map_or_else(|| Arc::new(Pace::new(gateway.same_amount_gap())), |old| old.pace.clone()),
            gateway,
            row,
        });
        self.known.insert((organisation, id), connection.clone());
        Ok(connection)
    }

    async fn load(
        &self,
        organisation: OrganisationId,
        id: GatewayId,
    ) -> sqlx::Result<(Option<GatewayRow>, Option<Currency>)> {
        let mut tx = self.state.db.worker(organisation).await?;
        let row = db::gateways::load(&mut tx, id).await?;
        let organisation = db::organisations::load(&mut tx).await?;
        tx.commit().await?;
        Ok((row, organisation.map(|organisation| organisation.reference.currency)))
    }
}
