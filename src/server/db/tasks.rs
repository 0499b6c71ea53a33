//! The steps of the money protocol, each as one statement over up to some hundred tasks.
//!
//! Every step is retried as a whole on a serialisation failure, a deadlock or a lost connection, and written so that a
//! repeat does nothing twice. After a lost COMMIT reply of [`intend::intend`] or [`resolve::intend_again`]: do not
//! send. The order in which locks are taken stands at the head of the migration.

pub mod ask;
pub mod checks;
pub mod claim;
pub mod intend;
pub mod orders;
pub mod recheck;
pub mod record;
pub mod resolve;
pub mod settle;

pub use record::TaskRecord;

use super::{GlobalTx, Tx};
use crate::domain::ids::{BatchId, GatewayId, OrganisationId};
use uuid::Uuid;

/// Where a task stands after a reply, as the statements want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Carried out: final.
    Succeeded,
    /// Definitely not carried out: final.
    Failed,
    /// Taken, not final at the gateway.
    Pending,
    /// It may have been carried out.
    Unknown,
    /// Proved not carried out; to be sent again.
    Retry,
    /// People must look.
    Review,
}

impl Verdict {
    /// The word in the statements.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Pending => "PENDING",
            Self::Unknown => "UNKNOWN",
            Self::Retry => "RETRY",
            Self::Review => "REVIEW",
        }
    }

    /// Whether the task leaves QUEUED with it.
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Pending)
    }

    /// The verdict with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed, Self::Pending, Self::Unknown, Self::Retry, Self::Review]
            .into_iter()
            .find(|verdict| verdict.code() == code)
    }
}

/// What is known about one task after a reply.
#[derive(Clone, Debug)]
pub struct TaskReply {
    /// Where it stands.
    pub verdict: Verdict,
    /// HTTP status.
    pub http: Option<i16>,
    /// The gateway's reference.
    pub reference: Option<String>,
    /// The gateway's word for the refund.
    pub gateway_status: Option<String>,
    /// STANDARD, INSTANT.
    pub gateway_kind: Option<String>,
    /// Short code.
    pub code: Option<String>,
    /// One sentence.
    pub message: Option<String>,
    /// The amount that the gateway confirmed.
    pub confirmed_minor: Option<i64>,
    /// When the task is due again, from now; no meaning for final verdicts.
    pub wait: std::time::Duration,
}

/// Where work waits. What stands in one queue shares its limits; queues do not wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// A connection to a gateway.
    Connection(GatewayId),
    /// The organisation: no gateway takes part.
    Organisation,
}

/// What a lane has due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// Rows to be sent.
    Chunks,
    /// Sending is stopped, but what was cancelled or abandoned is still to be written down.
    Leftovers,
    /// Tasks that are not final.
    OpenTasks,
    /// Final or reviewed rows that a person asked about again.
    Rechecks,
    /// Batches to be compared with the gateway.
    Reconciliations,
    /// Orders to be brought up to date.
    Orders,
    /// Imports to be checked and stored.
    Imports,
    /// Batches that nobody decided in time.
    Expiries,
}

/// A queue of an organisation with something due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which queue.
    pub queue: Queue,
    /// What is due.
    pub work: Work,
}

/// Which lanes have work due now: the one thing that is seen across organisations.
pub async fn runnable_lanes(tx: &mut GlobalTx) -> sqlx::Result<Vec<Lane>> {
    let rows: Vec<(Uuid, Option<Uuid>, String)> =
        sqlx::query_as("SELECT organisation_id, gateway_id, kind FROM runnable_lanes()").fetch_all(tx.conn()).await?;
    let lane = |(organisation, gateway, kind): (Uuid, Option<Uuid>, String)| {
        let work = match kind.as_str() {
            "chunks" => Work::Chunks,
            "leftovers" => Work::Leftovers,
            "open tasks" => Work::OpenTasks,
            "rechecks" => Work::Rechecks,
            "orders" => Work::Orders,
            "imports" => Work::Imports,
            // A newer version made it, and a process of it works on it: the other lanes are not to wait.
            _ => {
                tracing::warn!(%organisation, kind, "processor.unknown_lane");
                return None;
            }
        };
        let queue = gateway.map_or(Queue::Organisation, |gateway| Queue::Connection(GatewayId(gateway)));
        Some(Lane { organisation: OrganisationId(organisation), queue, work })
    };
    Ok(rows.into_iter().filter_map(lane).collect())
}

/// The lanes of organisations with batches that nobody decided in time.
pub async fn lanes_with_expired(tx: &mut GlobalTx) -> sqlx::Result<Vec<Lane>> {
    let rows: Vec<(Uuid,)> = sqlx::query_as("SELECT organisations_with_expired()").fetch_all(tx.conn()).await?;
    let lane = |(id,)| Lane { organisation: OrganisationId(id), queue: Queue::Organisation, work: Work::Expiries };
    Ok(rows.into_iter().map(lane).collect())
}

/// Ends the batches of this organisation that nobody decided in time.
pub async fn expire_due(tx: &mut Tx) -> sqlx::Result<Vec<BatchId>> {
    let rows: Vec<(Uuid,)> = sqlx::query_as("SELECT expire_due()").fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(|(id,)| BatchId(id)).collect())
}

/// Sends nothing more through a connection until a person lets it. False: it was stopped already.
pub async fn stop_gateway(tx: &mut Tx, gateway: GatewayId, reason: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT stop_gateway($1, $2)").bind(gateway.0).bind(reason).fetch_one(tx.conn()).await
}

/// Sends nothing more for this organisation until a person lets it. False: it was stopped already.
pub async fn stop_organisation(tx: &mut Tx, reason: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT stop_organisation($1)").bind(reason).fetch_one(tx.conn()).await
}
