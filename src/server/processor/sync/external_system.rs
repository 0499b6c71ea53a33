//! The external system of the lane's organisation.

use super::message::Content;
use crate::{
    db::{self, sync::ClaimedTask},
    domain::task::RecordExtra,
    outbound::webhook::{self, Delivery, Webhook},
    processor::lane::LaneContext,
    state::AppState,
};
use std::time::Duration;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Who is told.
pub(super) enum ExternalSystem {
    /// Nobody: the organisation has no external system, its orders are kept here.
    Here,
    /// Its own endpoint.
    There(Box<There>),
    /// Its own endpoint, which cannot be used as it is set.
    Broken(String),
}

pub(super) struct There {
    webhook: Webhook,
    state: AppState,
}

/// What a message came to, and its name when there was one.
pub(super) struct OrderDelivery {
    pub(super) delivery: Delivery,
    pub(super) id: Option<String>,
}

impl ExternalSystem {
    /// As it is set now.
    pub(super) async fn load(lane: &LaneContext) -> sqlx::Result<Self> {
        let mut tx = lane.tx().await?;
        let system = db::orders::external_system(&mut tx).await?;
        tx.commit().await?;
        let Some(system) = system.filter(|system| system.enabled) else { return Ok(Self::Here) };
        let config = &lane.state.config;
        let made = config
            .secret_key
            .open(lane.organisation.0.as_bytes(), &system.sealed_secret)
            .map_err(|error| error.to_string())
            .and_then(|secret| {
                let timeout = TIMEOUT.min(config.gateway_timeout);
                Webhook::new(&system.url, &secret, timeout, super::TAKE, &config.allowed_hosts)
                    .map_err(|error| error.to_string())
            });
        Ok(match made {
            Ok(webhook) => Self::There(Box::new(There { webhook, state: lane.state.clone() })),
            Err(why) => {
                tracing::error!(organisation = %lane.organisation, why, "sync.external_system_unusable");
                Self::Broken(why)
            }
        })
    }

    /// Tells an order.
    pub(super) async fn deliver(&self, task: &ClaimedTask, content: &Content) -> OrderDelivery {
        let unusable = |why: &str| OrderDelivery {
            delivery: Delivery {
                taken: webhook::DeliveryOutcome::Rejected,
                http: None,
                response: String::new(),
                code: "external_system".to_owned(),
                message: format!("The external system cannot be used as it is set: {why}"),
                body: String::new(),
            },
            id: None,
        };
        match self {
            Self::Here => unusable("there is none."),
            Self::Broken(why) => unusable(why),
            Self::There(there) => {
                let extra: RecordExtra =
                    task.extra.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
                let now = there.state.clock.now();
                let id = content.id(task);
                let body = content.body(task, now, extra.unique_request_id.as_deref());
                OrderDelivery { delivery: there.webhook.deliver(&id, now.unix_timestamp(), body).await, id: Some(id) }
            }
        }
    }
}
