//! Failed rows sent again in place: what a person types over them, and the new revision of the batch that comes of it.
//!
//! Possible only for a batch that is completed with failures: nothing of it is queued then, so one retry at a time
//! waits or runs.

mod checked;

use super::{
    access::{Caller, authorise},
    audit,
    batches::found,
    records, time_format, uploads, views,
};
use crate::{
    db::{self, Tx, batches::BatchRow, retries::Draft},
    domain::{
        access::Right,
        error::RefusalKind,
        finding::{Finding, Severity},
        ids::BatchId,
        money::{Currency, Money, group},
        operation::Operation,
        page::PAGE_SIZE,
        view::{Repeat, retries::RetryView},
    },
    error::{OpError, OpResult},
    formats::refunds::retry_key,
    state::AppState,
};
use checked::{Checked, Lines};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// What was typed over one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// S.No.
    pub number: u32,
    /// Whether it is to be sent again.
    pub take: bool,
    /// Its cells by column; a column that is missing stays as it is.
    pub cells: HashMap<String, String>,
}

/// What became of failed rows that were to be sent again.
#[derive(Clone, Debug)]
pub enum RetryOutcome {
    /// They are a revision of the batch now.
    Revision {
        /// How many rows.
        records: u64,
        /// Whether a checker must decide first.
        waits: bool,
    },
    /// Nothing was sent: the page shows why.
    Findings {
        /// Errors in cells.
        errors: u64,
        /// Rows that went out before, to be confirmed.
        repeats: u64,
        /// Warnings to be confirmed.
        warnings: u64,
    },
}

/// The page with the failed rows, as the caller has typed over them. Needs ReadWrite.
pub async fn page(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    page: u32,
) -> OpResult<RetryView> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    refunds_only(operation)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, operation, batch).await?;
    let zone = time_format::zone(&caller.organisation.zone);
    let maker_checker = db::approval_rules::is_needed(&mut tx, operation).await?;
    let approvers = match maker_checker {
        true => db::organisations::members_with(&mut tx, operation.module(), Right::Approve, caller.person.id).await?,
        false => Vec::new(),
    };
    let why_not = why_not(&row);
    let lines = match why_not {
        None => lines(&mut tx, &row).await?,
        Some(_) => Lines::default(),
    };
    let checked = lines.clone().check(row.unit()).await?;
    let repeats = repeats(state, &mut tx, caller, row.unit(), &checked).await?;
    tx.commit().await?;
    let money = |minor| Money::new(minor, row.unit());
    let pages = u32::try_from(lines.len()).unwrap_or(u32::MAX).div_ceil(PAGE_SIZE).max(1);
    let page = page.clamp(1, pages);
    let (taken, before) = lines.taken();
    Ok(RetryView {
        snapshot: views::batch::snapshot(&row, &zone, None, String::new()),
        base: u32::try_from(row.revision).unwrap_or(1),
        why_not,
        maker_checker,
        approvers,
        rows: lines.page(page, &checked),
        page: (page, pages),
        failed: (lines.len() as u64, money(lines.sum())),
        taken: (taken, money(before), checked.is_clean().then(|| money(checked.total()))),
        changed: lines.changed(),
        fails_again: lines.fails_again(),
        findings: lines.placed(&checked),
        repeats,
        seal: fingerprint(&checked),
        typed: lines.typed,
    })
}

/// Rows of refunds only: what moves no money is simply asked for again.
fn refunds_only(operation: Operation) -> OpResult<()> {
    if operation.retries() { Ok(()) } else { Err(OpError::not_found("page for failed rows")) }
}

/// Why the failed rows of a batch cannot be sent again now; none when they can.
pub(super) fn why_not(row: &BatchRow) -> Option<String> {
    if row.status.can_retry() {
        return None;
    }
    use crate::domain::batch::BatchStatus as S;
    Some(match row.status {
        S::Processing | S::Paused => {
            "Some rows of this batch are still queued. Failed rows can be sent again once nothing is queued.".to_owned()
        }
        S::AwaitingApproval => "This batch waits for a decision. Failed rows can be sent again after it.".to_owned(),
        S::Completed => "No row of this batch failed, so there is nothing to send again.".to_owned(),
        S::Cancelled => {
            "This batch was cancelled and stays so. Download its failed rows and upload them as a new batch.".to_owned()
        }
        other => format!("This batch is {}: nothing of it was sent, so nothing can be sent again.", other.text()),
    })
}

/// Keeps what was typed over rows of a page. Needs ReadWrite.
pub async fn keep(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    base: u32,
    typed: &[Typed],
) -> OpResult<()> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    refunds_only(operation)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = open(&mut tx, operation, batch, base).await?;
    let lines = lines(&mut tx, &row).await?;
    let drafts: Vec<Draft> =
        typed.iter().filter_map(|typed| lines.draft(typed).transpose()).collect::<OpResult<_>>()?;
    db::retries::keep_drafts(&mut tx, batch, row.revision, &drafts, false).await?;
    Ok(tx.commit().await?)
}

/// Takes all failed rows, or none; what was typed over them stays. Needs ReadWrite.
pub async fn take_all(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    base: u32,
    take: bool,
) -> OpResult<()> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    refunds_only(operation)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = open(&mut tx, operation, batch, base).await?;
    let drafts: Vec<Draft> =
        lines(&mut tx, &row).await?.numbers().map(|row_no| Draft { row_no, take, cells: None }).collect();
    db::retries::keep_drafts(&mut tx, batch, row.revision, &drafts, true).await?;
    Ok(tx.commit().await?)
}

/// Forgets what the caller typed. Needs ReadWrite.
pub async fn reset(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<()> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    refunds_only(operation)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    found(&mut tx, operation, batch).await?;
    db::retries::forget_drafts(&mut tx, batch).await?;
    Ok(tx.commit().await?)
}

/// Sends the rows that are taken, as they were typed over: a new revision of the batch, with its own content hash,
/// decision and keys. All or nothing. Needs ReadWrite; `base` is the revision that the caller was shown, and a tick the
/// seal of the rows that it was shown with.
pub async fn send(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    base: u32,
    ticks: uploads::Ticks<'_>,
) -> OpResult<RetryOutcome> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    refunds_only(operation)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    db::batches::one_at_a_time(&mut tx, operation).await?;
    let row = open(&mut tx, operation, batch, base).await?;
    if let Some(why_not) = why_not(&row) {
        return Err(OpError::refuse(RefusalKind::Conflict, why_not));
    }
    let lines = lines(&mut tx, &row).await?;
    if lines.taken().0 == 0 {
        // Who sends rows again takes with them what others had typed over them.
        open(&mut tx, operation, batch, base).await?;
        return Err(OpError::refuse(RefusalKind::Invalid, "No row is chosen. Tick the rows to send again."));
    }
    let checked = lines.clone().check(row.unit()).await?;
    if !checked.is_clean() {
        return Ok(RetryOutcome::Findings { errors: checked.errors(), repeats: 0, warnings: 0 });
    }
    let shown = fingerprint(&checked);
    let repeats = match ticks.repeats == shown {
        true => 0,
        false => repeats(state, &mut tx, caller, row.unit(), &checked).await?.len() as u64,
    };
    let warnings = if ticks.warnings == shown { 0 } else { checked.to_confirm() };
    if repeats + warnings > 0 {
        return Ok(RetryOutcome::Findings { errors: 0, repeats, warnings });
    }
    let records = new_records(&mut tx, &row, &checked).await?;
    let revision = match db::retries::open_revision(&mut tx, batch, row.revision, &records).await {
        Ok(revision) => revision,
        Err(error) => {
            drop(tx);
            return refused(state, caller, &row, error).await;
        }
    };
    let (taken, before) = lines.taken();
    let detail = json!({ "revision": revision, "records": taken, "changed": lines.changed(), "amount_minor": checked.total(), "before_minor": before });
    audit::record(state, &mut tx, caller, "batch.retried", Some(batch.0), detail).await?;
    let waits = found(&mut tx, operation, batch).await?.status == crate::domain::batch::BatchStatus::AwaitingApproval;
    tx.commit().await?;
    Ok(RetryOutcome::Revision { records: taken, waits })
}

/// Names the rows that are taken, as they are typed, and what is warned of.
fn fingerprint(checked: &Checked) -> String {
    let mut hash = Sha256::new();
    hash.update(checked.asked());
    for record in &checked.records {
        hash.update(format!("{}|{}|{}\n", record.number, record.amount_minor, record.order_id));
    }
    hex::encode(hash.finalize())
}

async fn new_records(tx: &mut Tx, row: &BatchRow, checked: &Checked) -> OpResult<db::batches::NewRecords> {
    let numbers: Vec<i32> =
        checked.records.iter().map(|record| i32::try_from(record.number).unwrap_or(i32::MAX)).collect();
    let mut earlier: HashMap<i32, HashSet<String>> = HashMap::new();
    for (number, id) in db::retries::earlier_ids(tx, row.id, &numbers).await? {
        earlier.entry(number).or_default().insert(id);
    }
    let next = u16::try_from(row.revision).unwrap_or(u16::MAX).saturating_add(1);
    let mut new = db::batches::NewRecords::default();
    for (record, number) in checked.records.iter().zip(numbers) {
        let used = earlier.get(&number).into_iter().flatten().map(String::as_str);
        let key = retry_key(record.unique_id.as_deref(), records::seed(&row.id), record.number, next, used);
        let hash = records::hash(row.operation, record, row.unit());
        new.push(records::stored(record.clone(), key, hash));
    }
    Ok(new)
}

/// What a guard of the database said about a revision, in words.
async fn refused(state: &AppState, caller: &Caller, row: &BatchRow, error: sqlx::Error) -> OpResult<RetryOutcome> {
    if let Some(taken) = db::batches::taken_ids(&error) {
        let findings: Vec<Finding> = taken.into_iter().map(uploads::taken_finding).collect();
        let named: Vec<String> = findings.iter().take(5).map(row_sentence).collect();
        return Err(OpError::refuse(RefusalKind::Invalid, named.join(" ")));
    }
    match db::guard_code(&error).as_deref() {
        Some("BD404") => Err(OpError::not_found("batch")),
        Some("BD429") => Err(OpError::refuse(
            RefusalKind::TooMany,
            "The gateway is being asked about some of these rows again. Wait until that is done: one of them may have \
             succeeded after all.",
        )),
        Some("BD409" | "BD412") => {
            let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
            let now = found(&mut tx, row.operation, row.id).await?;
            Err(match now.revision == row.revision {
                true => OpError::refuse(
                    RefusalKind::Conflict,
                    "Some of these rows are no longer failed. Nothing was sent. Load the page again to see which still \
                     are.",
                ),
                false => overtaken(&now),
            })
        }
        _ => Err(error.into()),
    }
}

fn row_sentence(finding: &Finding) -> String {
    match finding.row {
        Some(row) => format!("Row {row}: {}", finding.message),
        None => finding.message.clone(),
    }
}

fn overtaken(now: &BatchRow) -> OpError {
    OpError::refuse(
        RefusalKind::Changed,
        format!(
            "{} sent {} failed rows of this batch again meanwhile. Nothing of yours was sent. Load the page again to \
             see what is left.",
            now.asked_by_email,
            group(u64::try_from(now.asked.0).unwrap_or(0), true)
        ),
    )
}

/// The batch, if it stands at the revision that the caller was shown.
async fn open(tx: &mut Tx, operation: Operation, batch: BatchId, base: u32) -> OpResult<BatchRow> {
    let row = found(tx, operation, batch).await?;
    match u32::try_from(row.revision) == Ok(base) {
        true => Ok(row),
        false => Err(overtaken(&row)),
    }
}

/// The failed rows with what the caller typed over them.
async fn lines(tx: &mut Tx, row: &BatchRow) -> OpResult<Lines> {
    let failed = db::batches::tasks_after(tx, row.operation, row.id, 0, i64::from(row.records), true).await?;
    let drafts = db::retries::drafts(tx, row.id, row.revision).await?;
    let gateway = super::gateways::of_batch(tx, row).await?;
    let connector = gateway.as_ref().map_or("", |gateway| gateway.connector.as_str());
    Lines::new(row, connector, failed, drafts)
}

async fn repeats(
    state: &AppState,
    tx: &mut Tx,
    caller: &Caller,
    currency: Currency,
    checked: &Checked,
) -> OpResult<Vec<Repeat>> {
    let zone = time_format::zone(&caller.organisation.zone);
    let rows: Vec<uploads::SentRow<'_>> =
        checked.records.iter().map(|record| (record.row, record.order_id.as_str(), record.amount_minor)).collect();
    uploads::look_alikes(tx, currency, &zone, &rows, state.clock.now() - uploads::REPEAT_WINDOW).await
}

/// Errors only.
fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
}
