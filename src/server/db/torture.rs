//! Guards of the statements, taken out: for the tests alone.

use super::{
    Tx,
    tasks::{resolve::Resolution, settle::Settled},
};

/// The epochs that the chunks have now, in place of those that the runs were sent under.
pub async fn settle_without_fence(tx: &mut Tx, runs: &[Settled]) -> sqlx::Result<Vec<Settled>> {
    let organisation = tx.organisation();
    let mut runs = runs.to_vec();
    if mutant!("no_fence_in_settle") {
        for run in &mut runs {
            run.hold.epoch = sqlx::query_scalar(
                "SELECT epoch FROM chunk WHERE organisation_id = $1 AND batch_id = $2 AND chunk_no = $3",
            )
            .bind(organisation.0)
            .bind(run.hold.batch)
            .bind(run.hold.chunk)
            .fetch_one(tx.conn())
            .await?;
        }
    }
    Ok(runs)
}

/// The epochs that the open tasks have now, in place of those that they were claimed with.
pub async fn resolve_without_fence(tx: &mut Tx, resolutions: &[Resolution]) -> sqlx::Result<Vec<Resolution>> {
    let organisation = tx.organisation();
    let mut resolutions = resolutions.to_vec();
    if mutant!("no_fence_in_resolve") {
        for resolution in &mut resolutions {
            let now: Option<i64> = sqlx::query_scalar(
                "SELECT epoch FROM open_task WHERE organisation_id = $1 AND batch_id = $2 AND row_no = $3 AND revision = $4",
            )
            .bind(organisation.0)
            .bind(resolution.key.batch)
            .bind(resolution.key.row)
            .bind(resolution.key.revision)
            .fetch_optional(tx.conn())
            .await?;
            resolution.epoch = now.unwrap_or(resolution.epoch);
        }
    }
    Ok(resolutions)
}

/// Sends that were found abandoned are sent again without a question.
pub async fn abandoned_becomes_ready(tx: &mut Tx) -> sqlx::Result<()> {
    if mutant!("abandoned_becomes_ready") {
        let organisation = tx.organisation();
        sqlx::query(
            "UPDATE open_task SET state = 'RETRY', run_at = now() WHERE organisation_id = $1 AND code = 'abandoned' AND state = 'UNKNOWN'",
        )
        .bind(organisation.0)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}
