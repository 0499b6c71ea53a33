//! Review: what the gateway cannot tell, two people decide; where it differs from us, people acknowledge it.

mod acts;
pub(super) mod evidence;
pub(super) mod labels;
pub(super) mod reconciled;

use super::{
    access::{Caller, authorise, authorise_some, needs_proof, readable},
    time_format,
};
use crate::{
    db::{self, Tx, batches::BatchRow, review::TaskInReview},
    domain::{
        access::Right,
        ids::BatchId,
        money::{Money, group},
        operation::Work,
        view::review::{Proposal, Review, ReviewBatch, ReviewTask},
    },
    error::{OpError, OpResult},
    gateway::GatewayClass,
    state::AppState,
};
use jiff::tz::TimeZone;

pub use crate::db::review::{ProposalKey, ProposedRow};
pub use acts::{Finding, ReviewDecision, acknowledge, close, propose};

/// Tasks of a batch that a page shows at once, and that one form decides on.
const TASKS: usize = 100;
/// Differences of a batch that a page shows at once.
const ENTRIES: i64 = 200;
/// Batches that a page shows in full.
const BATCHES: usize = 20;
/// Replies that are shown of a task.
const REPLIES: i64 = 10;

/// How much is open in review, of the modules the caller may read.
pub async fn count(tx: &mut Tx, caller: &Caller) -> OpResult<u64> {
    let mut open = 0;
    for operation in readable(caller) {
        let (tasks, entries) = db::review::count(tx, operation).await?;
        open += u64::try_from(tasks + entries).unwrap_or(0);
    }
    Ok(open)
}

/// What is in review, of one batch or of all. Needs Read on a module whose batches can be.
pub async fn review(state: &AppState, caller: &Caller, only: Option<BatchId>) -> OpResult<Review> {
    let readable = authorise_some(caller)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let mut found = Vec::new();
    for operation in readable {
        found.extend(db::review::batches(&mut tx, operation).await?);
    }
    let mut review = Review {
        batches: Vec::new(),
        filter: Vec::new(),
        only,
        needs_password: needs_proof(state, caller),
        reader: caller.person.email.clone(),
    };
    for each in &found {
        let Some(row) = db::batches::load(&mut tx, BatchId(each.batch_id)).await? else { continue };
        review.filter.push((row.id, row.file_name.clone(), u64::try_from(each.tasks + each.entries).unwrap_or(0)));
        if only.is_none() && review.batches.len() < BATCHES {
            review.batches.push(batch(&mut tx, caller, &row, each.tasks, &zone, false).await?);
        }
    }
    if let Some(id) = only {
        let row = db::batches::load(&mut tx, id).await?.ok_or_else(|| OpError::not_found("batch"))?;
        authorise(caller, row.operation.module(), Right::Read)?;
        let tasks = found.iter().find(|each| each.batch_id == id.0).map_or(0, |each| each.tasks);
        review.batches.push(batch(&mut tx, caller, &row, tasks, &zone, true).await?);
    }
    tx.commit().await?;
    Ok(review)
}

async fn batch(
    tx: &mut Tx,
    caller: &Caller,
    row: &BatchRow,
    tasks: i64,
    zone: &TimeZone,
    whole: bool,
) -> OpResult<ReviewBatch> {
    let gateway = super::gateways::of_batch(tx, row).await?;
    let class = match (gateway, row.operation.work()) {
        (Some(gateway), Work::Send(effect)) => gateway.promise(effect).class,
        _ => GatewayClass::N,
    };
    let rows = db::review::tasks(tx, row.id, i64::try_from(TASKS).unwrap_or(i64::MAX)).await?;
    let numbers: Vec<i32> = rows.iter().map(|task| task.row_no).collect();
    let evidence = evidence::of_rows(tx, row.id, &numbers, REPLIES, zone).await?;
    let shown: Vec<ReviewTask> = rows
        .iter()
        .map(|task| {
            let said = evidence.get(&(task.row_no, task.revision)).cloned().unwrap_or_default();
            self::task(task, row, class, caller, zone, said)
        })
        .collect();
    let (proposed, open): (Vec<_>, Vec<_>) = shown.into_iter().partition(|task| task.proposal.is_some());
    let entries = db::review::entries(tx, row.id, ENTRIES).await?;
    let may = |right| caller.permissions.allow(row.operation.module(), right);
    Ok(ReviewBatch {
        id: row.id,
        operation: row.operation,
        file_name: row.file_name.clone(),
        status: row.status,
        open,
        proposed,
        more: u64::try_from(tasks).unwrap_or(0).saturating_sub(u64::try_from(rows.len()).unwrap_or(0)),
        // What is done with is looked up on the batch's own page only.
        entries: entries
            .iter()
            .filter(|entry| whole || entry.acknowledged_at.is_none())
            .map(|entry| labels::entry(entry, row.unit(), zone))
            .collect(),
        reconciled: if whole { reconciled::last(tx, row, zone, ENTRIES).await? } else { None },
        can_propose: may(Right::ReadWrite),
        can_confirm: may(Right::Approve),
        can_ask: class != GatewayClass::N,
    })
}

fn task(
    task: &TaskInReview,
    batch: &BatchRow,
    class: GatewayClass,
    caller: &Caller,
    zone: &TimeZone,
    evidence: Vec<crate::domain::view::review::Evidence>,
) -> ReviewTask {
    let (why, next_step) = labels::why(task, class);
    let proposal = task.n.map(|number| Proposal {
        number,
        text: labels::verdict(
            task.verdict.as_deref().unwrap_or_default(),
            task.proposed_ref.as_deref().unwrap_or_default(),
        ),
        reason: task.reason.clone().unwrap_or_default(),
        person: task.proposer_email.clone().unwrap_or_else(|| "somebody".to_owned()),
        at: time_format::display_time(task.proposed_at.unwrap_or(task.last_sent_at), zone),
        mine: task.proposer == Some(caller.person.id.0),
    });
    ReviewTask {
        name: format!("{}.{}", task.row_no, task.revision),
        seen: task.seen.clone(),
        row: u32::try_from(task.sheet_row).unwrap_or(0),
        order_id: task.order_id.clone(),
        amount: Money::new(task.amount_minor, batch.unit()),
        key: task.gateway_key.clone(),
        reference: task.gw_ref.clone().unwrap_or_default(),
        why,
        next_step,
        sent: time_format::display_time(task.last_sent_at, zone),
        evidence,
        proposal,
    }
}

/// `3 refunds`.
pub fn refunds(n: u64) -> String {
    if n == 1 { "1 refund".to_owned() } else { format!("{} refunds", group(n, true)) }
}
