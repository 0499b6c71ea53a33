//! What people do in review: propose, confirm, reject, withdraw, acknowledge. The guards are the database's.

use super::{
    super::{
        access::{Caller, authorise, needs_proof},
        audit,
        refused::{Refused, about, plain},
        time_format,
    },
    ProposalKey, ProposedRow, TASKS,
};
use crate::{
    db::{self, Tx},
    domain::{
        access::Right,
        error::RefusalKind,
        ids::BatchId,
        text::{Field, NOTE, REASON, REFERENCE},
    },
    error::{OpError, OpResult},
    state::AppState,
};
use serde_json::json;
use uuid::Uuid;

/// Where a refund stood, as the page was told and says again.
const SEEN: Field = Field::id("What was shown", 500);

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

/// Refuses who may not work on the batch in this way.
async fn allowed(tx: &mut Tx, caller: &Caller, batch: BatchId, right: Right) -> Result<(), Refused> {
    let located = db::batches::locate(tx, batch).await.map_err(plain)?;
    let (operation, _) = located.ok_or_else(|| plain(OpError::not_found("batch")))?;
    authorise(caller, operation.module(), right).map_err(plain)
}

fn at_least_one<T>(rows: &[T]) -> OpResult<()> {
    match rows.len() {
        0 => Err(OpError::refuse(RefusalKind::Invalid, "Mark at least one refund.")),
        n if n > TASKS => Err(OpError::refuse(RefusalKind::Invalid, format!("Mark at most {TASKS} refunds at once."))),
        _ => Ok(()),
    }
}

/// A row of a proposal as it is stored. What was shown is compared with what is there: what cannot have been shown is
/// not.
fn written(row: &ProposedRow, finding: Finding) -> OpResult<ProposedRow> {
    let seen = SEEN.read(&row.seen).map_err(|_| moved())?;
    let reference = match finding {
        Finding::Done => REFERENCE
            .read_filled(&row.reference, "Write the gateway's reference beside each refund that you mark as done.")?,
        Finding::NotDone | Finding::AskAgain => REFERENCE.read(&row.reference)?,
    };
    Ok(ProposedRow { seen, reference, ..row.clone() })
}

/// Says what became of refunds in review; another person must confirm it. Needs ReadWrite. All rows or none.
pub async fn propose(
    state: &AppState,
    caller: &Caller,
    batch: BatchId,
    finding: Finding,
    rows: &[ProposedRow],
    why: &str,
) -> Result<u64, Refused> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await.map_err(plain)?;
    allowed(&mut tx, caller, batch, Right::ReadWrite).await?;
    at_least_one(rows).map_err(plain)?;
    let missing = "Write how you know. The other person reads it and so does whoever asks later.";
    let why = REASON.read_filled(why, missing).map_err(|refusal| about("reason", refusal.message))?;
    let rows = rows.iter().map(|row| written(row, finding)).collect::<OpResult<Vec<_>>>().map_err(plain)?;
    let written = db::review::propose(&mut tx, batch, finding.stored(), &rows, &why).await;
    let refused = |error| match db::guard_code(&error).as_deref() {
        Some("BD412") => moved(),
        Some("BD409") => OpError::refuse(
            RefusalKind::Conflict,
            "Somebody proposed something about one of these meanwhile. Nothing was changed. Look at it, then confirm \
             or reject it.",
        ),
        Some("BD422") => OpError::refuse(RefusalKind::Invalid, "This gateway cannot be asked. Choose another answer."),
        _ => error.into(),
    };
    let n = written.map_err(refused).map_err(plain)?;
    let numbers: Vec<i32> = rows.iter().map(|row| row.row).collect();
    let detail = json!({ "finding": finding.code(), "rows": numbers, "reason": why });
    finish(state, tx, caller, "review.proposed", batch, detail).await.map_err(plain)?;
    Ok(u64::try_from(n).unwrap_or(0))
}

/// How a proposal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewDecision {
    /// Another person agrees: it is carried out.
    Confirm,
    /// Another person does not; needs a reason.
    Reject,
    /// Its proposer takes it back.
    Withdraw,
}

impl ReviewDecision {
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

/// Confirms, rejects or withdraws proposals. Confirm and reject need Approve and are another person's than the
/// proposer's; confirm needs a proof of the password of the last 10 minutes; withdraw needs ReadWrite and is the
/// proposer's. All or none.
pub async fn close(
    state: &AppState,
    caller: &Caller,
    batch: BatchId,
    answer: ReviewDecision,
    proposals: &[ProposalKey],
    note: &str,
) -> Result<u64, Refused> {
    let right = if answer == ReviewDecision::Withdraw { Right::ReadWrite } else { Right::Approve };
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await.map_err(plain)?;
    allowed(&mut tx, caller, batch, right).await?;
    at_least_one(proposals).map_err(plain)?;
    if answer != ReviewDecision::Withdraw && needs_proof(state, caller) {
        return Err(about("password", "Give your password again to decide."));
    }
    let note = match answer {
        ReviewDecision::Reject => {
            NOTE.read_filled(note, "Write a reason, so that whoever proposed it knows what to look at again.")
        }
        ReviewDecision::Confirm | ReviewDecision::Withdraw => NOTE.read(note),
    };
    let note = note.map_err(|refusal| about("note", refusal.message))?;
    let n = match db::review::close(&mut tx, batch, answer.stored(), proposals, &note).await {
        Ok(n) => n,
        Err(error) => {
            drop(tx);
            return Err(plain(close_refused(state, caller, batch, answer, proposals, error).await));
        }
    };
    let numbers: Vec<i32> = proposals.iter().map(|proposal| proposal.row).collect();
    let detail = json!({ "rows": numbers, "reason": note });
    finish(state, tx, caller, answer.action(), batch, detail).await.map_err(plain)?;
    Ok(u64::try_from(n).unwrap_or(0))
}

fn moved() -> OpError {
    OpError::refuse(
        RefusalKind::Changed,
        "One of these refunds moved since it was shown to you. Nothing was changed. Look at the page again and decide \
         then.",
    )
}

async fn close_refused(
    state: &AppState,
    caller: &Caller,
    batch: BatchId,
    answer: ReviewDecision,
    proposals: &[ProposalKey],
    error: sqlx::Error,
) -> OpError {
    match db::guard_code(&error).as_deref() {
        Some("BD403") if answer == ReviewDecision::Withdraw => {
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
    let zone = time_format::zone(&caller.organisation.zone);
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
            format!(
                "{person} {word} this on {}. Nothing was changed by you.",
                time_format::display_time(at, &zone).text
            )
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
) -> Result<(), Refused> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await.map_err(plain)?;
    let located = db::batches::locate(&mut tx, batch).await.map_err(plain)?;
    let (operation, _) = located.ok_or_else(|| plain(OpError::not_found("batch")))?;
    if !caller.permissions.allow(operation.module(), Right::Approve) {
        authorise(caller, operation.module(), Right::ReadWrite).map_err(plain)?;
    }
    let note = NOTE.read_filled(note, "Write what you found or did about it.");
    let note = note.map_err(|refusal| about("note", refusal.message))?;
    let missing = || plain(OpError::not_found("difference"));
    let entry = entry.ok_or_else(missing)?;
    if db::review::batch_of_entry(&mut tx, entry).await.map_err(plain)? != Some(batch) {
        return Err(missing());
    }
    if !db::review::acknowledge(&mut tx, entry, &note).await.map_err(plain)? {
        return Err(plain(OpError::refuse(
            RefusalKind::Conflict,
            "Somebody acknowledged this meanwhile. Their note stands; yours was not kept.",
        )));
    }
    let detail = json!({ "entry": entry, "reason": note });
    finish(state, tx, caller, "review.acknowledged", batch, detail).await.map_err(plain)
}

/// Writes down what was done, tells whoever looks at the batch, and makes it so.
async fn finish(
    state: &AppState,
    mut tx: Tx,
    caller: &Caller,
    action: &str,
    batch: BatchId,
    detail: serde_json::Value,
) -> OpResult<()> {
    audit::record(state, &mut tx, caller, action, Some(batch.0), detail).await?;
    db::outbox::changed(&mut tx, &[batch.0]).await?;
    Ok(tx.commit().await?)
}
