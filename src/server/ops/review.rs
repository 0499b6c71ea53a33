//! Review: what the gateway cannot tell, two people decide; where it differs from us, people acknowledge it.

pub(super) mod evidence;
pub(super) mod reconciled;
pub(super) mod words;

use super::{
    access::{Caller, authorise},
    approvals::{REASON_CHARS, needs_proof},
    audit, moment,
};
use crate::{
    domain::{
        access::Right,
        batch::Operation,
        error::RefusalKind,
        ids::BatchId,
        limits::MAX_ID_CHARS,
        money::{Money, group},
        view::review::{Proposal, Review, ReviewBatch, ReviewTask},
    },
    server::{
        db::{self, Tx, batches::BatchRow, review::TaskInReview},
        error::{OpError, OpResult},
        gateway::GatewayClass,
        state::AppState,
    },
};
use jiff::tz::TimeZone;
use serde_json::json;
use uuid::Uuid;

pub use crate::server::db::review::{ProposalKey, ProposedRow};

/// Tasks of a batch that a page shows at once, and that one form decides on.
const TASKS: usize = 100;
/// Differences of a batch that a page shows at once.
const ENTRIES: i64 = 200;
/// Batches that a page shows in full.
const BATCHES: usize = 20;
/// Replies that are shown of a task.
const REPLIES: i64 = 10;

/// Operations whose batches the caller may read; refuses who may read none.
fn readable(caller: &Caller) -> OpResult<Vec<Operation>> {
    let readable: Vec<Operation> =
        Operation::ALL.into_iter().filter(|op| caller.permissions.allow(op.module(), Right::Read)).collect();
    if readable.is_empty() {
        authorise(caller, Operation::Refund.module(), Right::Read)?;
    }
    Ok(readable)
}

/// How much is open in review, of the modules the caller may read.
pub async fn count(tx: &mut Tx, caller: &Caller) -> OpResult<u64> {
    let mut open = 0;
    for operation in Operation::ALL.into_iter().filter(|op| caller.permissions.allow(op.module(), Right::Read)) {
        let (tasks, entries) = db::review::count(tx, operation).await?;
        open += u64::try_from(tasks + entries).unwrap_or(0);
    }
    Ok(open)
}

/// What is in review, of one batch or of all. Needs Read on a module whose batches can be.
pub async fn review(state: &AppState, caller: &Caller, only: Option<BatchId>) -> OpResult<Review> {
    let readable = readable(caller)?;
    let zone = moment::zone(&caller.organisation.zone);
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
    let gateway = db::gateways::load(tx, row.gateway).await?;
    let class = gateway.and_then(|gateway| GatewayClass::from_code(&gateway.class)).unwrap_or(GatewayClass::N);
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
            .map(|entry| words::entry(entry, row.currency, zone))
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
    let (why, next_step) = words::why(task, class);
    let proposal = task.n.map(|number| Proposal {
        number,
        text: words::verdict(
            task.verdict.as_deref().unwrap_or_default(),
            task.proposed_ref.as_deref().unwrap_or_default(),
        ),
        reason: task.reason.clone().unwrap_or_default(),
        person: task.proposer_email.clone().unwrap_or_else(|| "somebody".to_owned()),
        at: moment::moment(task.proposed_at.unwrap_or(task.last_sent_at), zone),
        mine: task.proposer == Some(caller.person.id.0),
    });
    ReviewTask {
        name: format!("{}.{}", task.row_no, task.revision),
        seen: task.seen.clone(),
        row: u32::try_from(task.sheet_row).unwrap_or(0),
        order_id: task.order_id.clone(),
        amount: Money::new(task.amount_minor, batch.currency),
        key: task.gateway_key.clone(),
        reference: task.gw_ref.clone().unwrap_or_default(),
        why,
        next_step,
        sent: moment::moment(task.last_sent_at, zone),
        evidence,
        proposal,
    }
}

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It was carried out; each row has the gateway's reference.
    Done,
    /// It was not, and never will be under this key.
    NotDone,
    /// The gateway is to be asked again.
    AskAgain,
}

impl Finding {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 3] = [Self::Done, Self::NotDone, Self::AskAgain];

    /// The word in forms.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotDone => "not_done",
            Self::AskAgain => "ask_again",
        }
    }

    const fn stored(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::NotDone => "NOT_DONE",
            Self::AskAgain => "ASK_AGAIN",
        }
    }
}

/// A batch that the caller may work on in this way.
async fn found(tx: &mut Tx, caller: &Caller, batch: BatchId, right: Right) -> OpResult<BatchRow> {
    let row = db::batches::load(tx, batch).await?.ok_or_else(|| OpError::not_found("batch"))?;
    authorise(caller, row.operation.module(), right)?;
    Ok(row)
}

fn reason(text: &str, missing: &str) -> OpResult<String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(OpError::refuse(RefusalKind::Invalid, missing)),
        n if n > REASON_CHARS => {
            Err(OpError::refuse(RefusalKind::Invalid, format!("Write at most {REASON_CHARS} characters.")))
        }
        _ => Ok(text.to_owned()),
    }
}

fn at_least_one<T>(rows: &[T]) -> OpResult<()> {
    match rows.len() {
        0 => Err(OpError::refuse(RefusalKind::Invalid, "Mark at least one refund.")),
        n if n > TASKS => Err(OpError::refuse(RefusalKind::Invalid, format!("Mark at most {TASKS} refunds at once."))),
        _ => Ok(()),
    }
}

/// Says what became of refunds in review; another person must confirm it. Needs ReadWrite. All rows or none.
pub async fn propose(
    state: &AppState,
    caller: &Caller,
    batch: BatchId,
    finding: Finding,
    rows: &[ProposedRow],
    why: &str,
) -> OpResult<u64> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, caller, batch, Right::ReadWrite).await?;
    at_least_one(rows)?;
    let why = reason(why, "Write how you know. The other person reads it and so does whoever asks later.")?;
    if finding == Finding::Done {
        let unfit = |reference: &str| {
            let reference = reference.trim();
            reference.is_empty()
                || reference.chars().count() > MAX_ID_CHARS
                || reference.chars().any(|c| c.is_control())
        };
        if rows.iter().any(|row| unfit(&row.reference)) {
            return Err(OpError::refuse(
                RefusalKind::Invalid,
                format!(
                    "Write the gateway's reference beside each refund that you mark as done (1 to {MAX_ID_CHARS} characters)."
                ),
            ));
        }
    }
    let written = db::review::propose(&mut tx, batch, finding.stored(), rows, &why).await;
    let n = written.map_err(|error| match db::guard_code(&error).as_deref() {
        Some("BD412") => moved(),
        Some("BD409") => OpError::refuse(
            RefusalKind::Conflict,
            "Somebody proposed something about one of these meanwhile. Nothing was changed. Look at it, then confirm or reject it.",
        ),
        Some("BD422") => OpError::refuse(RefusalKind::Invalid, "This gateway cannot be asked. Choose another answer."),
        _ => error.into(),
    })?;
    let numbers: Vec<i32> = rows.iter().map(|row| row.row).collect();
    let detail = json!({ "finding": finding.code(), "rows": numbers, "reason": why });
    audit::record(state, &mut tx, caller, "review.proposed", Some(row.id.0), detail).await?;
    db::outbox::changed(&mut tx, &[batch.0]).await?;
    tx.commit().await?;
    Ok(u64::try_from(n).unwrap_or(0))
}

/// How a proposal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Another person agrees: it is carried out.
    Confirm,
    /// Another person does not; needs a reason.
    Reject,
    /// Its proposer takes it back.
    Withdraw,
}

impl Answer {
    const fn stored(self) -> &'static str {
        match self {
            Self::Confirm => "CONFIRM",
            Self::Reject => "REJECT",
            Self::Withdraw => "WITHDRAW",
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Confirm => "review.confirmed",
            Self::Reject => "review.rejected",
            Self::Withdraw => "review.withdrawn",
        }
    }
}

/// Confirms, rejects or withdraws proposals. Confirm and reject need Approve and are another person's than the proposer's;
/// confirm needs a proof of the password of the last 10 minutes; withdraw needs ReadWrite and is the proposer's. All or none.
pub async fn close(
    state: &AppState,
    caller: &Caller,
    batch: BatchId,
    answer: Answer,
    proposals: &[ProposalKey],
    note: &str,
) -> OpResult<u64> {
    let right = if answer == Answer::Withdraw { Right::ReadWrite } else { Right::Approve };
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, caller, batch, right).await?;
    at_least_one(proposals)?;
    if answer != Answer::Withdraw && needs_proof(state, caller) {
        return Err(OpError::refuse(RefusalKind::Invalid, "Give your password again to decide."));
    }
    let note = match answer {
        Answer::Reject => reason(note, "Write a reason, so that whoever proposed it knows what to look at again.")?,
        Answer::Confirm | Answer::Withdraw => note.trim().chars().take(REASON_CHARS).collect(),
    };
    let n = match db::review::close(&mut tx, batch, answer.stored(), proposals, &note).await {
        Ok(n) => n,
        Err(error) => {
            drop(tx);
            return Err(close_refused(state, caller, batch, answer, proposals, error).await);
        }
    };
    let numbers: Vec<i32> = proposals.iter().map(|proposal| proposal.row).collect();
    let detail = json!({ "rows": numbers, "reason": note });
    audit::record(state, &mut tx, caller, answer.action(), Some(row.id.0), detail).await?;
    db::outbox::changed(&mut tx, &[batch.0]).await?;
    tx.commit().await?;
    Ok(u64::try_from(n).unwrap_or(0))
}

fn moved() -> OpError {
    OpError::refuse(
        RefusalKind::Changed,
        "One of these refunds moved since it was shown to you. Nothing was changed. Look at the page again and decide then.",
    )
}

async fn close_refused(
    state: &AppState,
    caller: &Caller,
    batch: BatchId,
    answer: Answer,
    proposals: &[ProposalKey],
    error: sqlx::Error,
) -> OpError {
    match db::guard_code(&error).as_deref() {
        Some("BD403") if answer == Answer::Withdraw => {
            OpError::refuse(RefusalKind::Forbidden, "Only who proposed it can withdraw it.")
        }
        Some("BD403") => {
            OpError::refuse(RefusalKind::Forbidden, "You proposed this, so another person must confirm or reject it.")
        }
        Some("BD412") => moved(),
        Some("BD409") => OpError::refuse(RefusalKind::Conflict, how_it_ended(state, caller, batch, proposals).await),
        _ => error.into(),
    }
}

async fn how_it_ended(state: &AppState, caller: &Caller, batch: BatchId, proposals: &[ProposalKey]) -> String {
    let zone = moment::zone(&caller.organisation.zone);
    let look = async {
        let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
        for proposal in proposals {
            if let Some(ended) = db::review::closed_by(&mut tx, batch, *proposal).await? {
                return Ok(Some(ended));
            }
        }
        Ok::<_, sqlx::Error>(None)
    };
    match look.await {
        Ok(Some((verdict, person, at))) => {
            let word = match verdict.as_str() {
                "CONFIRM" => "confirmed",
                "REJECT" => "rejected",
                _ => "withdrew",
            };
            format!("{person} {word} this on {}. Nothing was changed by you.", moment::moment(at, &zone).text)
        }
        _ => "This was decided meanwhile. Nothing was changed by you. Load the page again.".to_owned(),
    }
}

/// Says that a difference of a batch was seen, with a note. Needs ReadWrite or Approve; moves nothing.
pub async fn acknowledge(
    state: &AppState,
    caller: &Caller,
    batch: BatchId,
    entry: Option<Uuid>,
    note: &str,
) -> OpResult<()> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = db::batches::load(&mut tx, batch).await?.ok_or_else(|| OpError::not_found("batch"))?;
    if !caller.permissions.allow(row.operation.module(), Right::Approve) {
        authorise(caller, row.operation.module(), Right::ReadWrite)?;
    }
    let note = reason(note, "Write what you found or did about it.")?;
    let missing = || OpError::not_found("difference");
    let entry = entry.ok_or_else(missing)?;
    if db::review::batch_of_entry(&mut tx, entry).await? != Some(batch) {
        return Err(missing());
    }
    if !db::review::acknowledge(&mut tx, entry, &note).await? {
        return Err(OpError::refuse(
            RefusalKind::Conflict,
            "Somebody acknowledged this meanwhile. Their note stands; yours was not kept.",
        ));
    }
    let detail = json!({ "entry": entry, "reason": note });
    audit::record(state, &mut tx, caller, "review.acknowledged", Some(row.id.0), detail).await?;
    db::outbox::changed(&mut tx, &[batch.0]).await?;
    Ok(tx.commit().await?)
}

/// `3 refunds`.
pub fn refunds(n: u64) -> String {
    if n == 1 { "1 refund".to_owned() } else { format!("{} refunds", group(n, true)) }
}
