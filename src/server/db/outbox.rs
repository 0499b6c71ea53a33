//! The outbox: what happened, written in the transaction of the change it tells of, and handed on afterwards.
//!
//! The facts of batches and tasks write their rows by triggers (see the migration). [`put`] is for whatever else is to
//! be told.

use super::{GlobalTx, Tx};
use crate::domain::{
    ids::{BatchId, OrganisationId},
    notice::{Audience, NoticeKind},
};
use uuid::Uuid;

/// Something to be told.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// To which batch, if to one.
    pub batch: Option<BatchId>,
    /// Who gets a notice.
    pub audience: Audience,
    /// An object of JSON without secrets. Notices know `tasks`, `amount_minor`, `order_id`, `row`, `by` and `message`.
    pub payload: serde_json::Value,
}

/// Tells it with the commit of this transaction.
pub async fn put(tx: &mut Tx, news: &Notice) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query("INSERT INTO outbox (organisation_id, batch_id, kind, audience, payload) VALUES ($1, $2, $3, $4, $5)")
        .bind(organisation.0)
        .bind(news.batch.map(|batch| batch.0))
        .bind(news.kind.code())
        .bind(news.audience.code())
        .bind(&news.payload)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Has the pages of these batches read them again after the commit of this transaction.
pub async fn changed(tx: &mut Tx, batches: &[Uuid]) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query("INSERT INTO outbox (organisation_id, batch_id, kind) SELECT $1, u, $3 FROM unnest($2::uuid[]) AS u")
        .bind(organisation.0)
        .bind(batches)
        .bind(NoticeKind::BatchChanged.code())
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// Organisations with rows to be handed on.
pub async fn backlog(tx: &mut GlobalTx) -> sqlx::Result<Vec<OrganisationId>> {
    sqlx::query_as::<_, (Uuid,)>("SELECT outbox_backlog()")
        .fetch_all(tx.conn())
        .await
        .map(|rows| rows.into_iter().map(|(id,)| OrganisationId(id)).collect())
}

/// Rows that one call of [`dispatch`] takes at most.
pub const ROUND: i32 = 1_000;

/// Hands on what waits, with the commit of this transaction; returns how many rows. None: another process is at it.
pub async fn dispatch(tx: &mut Tx) -> sqlx::Result<Option<i32>> {
    sqlx::query_as::<_, (i32,)>("SELECT dispatch_outbox($1)")
        .bind(ROUND)
        .fetch_one(tx.conn())
        .await
        .map(|(rows,)| (rows >= 0).then_some(rows))
}

/// Removes what was handed on long ago.
pub async fn tidy(tx: &mut Tx) -> sqlx::Result<()> {
    sqlx::query("SELECT tidy_outbox()").execute(tx.conn()).await.map(|_| ())
}
