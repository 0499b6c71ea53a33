//! Batches: lists, pages, and what people do with them.

mod filter_label;

use super::{
    access::{Caller, authorise},
    audit, connection_health, time_format, views,
};
use crate::{
    db::{self, Tx, batches::Control},
    domain::{
        access::{Module, Right},
        batch::BatchStatus,
        error::RefusalKind,
        ids::{BatchId, GatewayId},
        money::group,
        operation::{Operation, Work},
        page::{BatchQuery, PAGE_SIZE, Paged, TaskQuery},
        text::{ORDER_ID, REASON, SEARCH},
        view::{BatchActions, BatchDetail, BatchList, BatchSnapshot, SyncReport},
    },
    error::{OpError, OpResult},
    state::AppState,
};
use serde_json::json;

/// Reasons of failures that a batch's page names.
const REASONS: i64 = 10;
/// Acts that a batch's page shows; its activity log has all.
const ACTS: i64 = 100;
/// Records up to which a page shows where in the file the failures lie.
const ROW_MAP_RECORDS: i32 = 2_000;

/// A page of the list. Needs Read on the operation's module.
pub async fn list(state: &AppState, caller: &Caller, operation: Operation, query: &BatchQuery) -> OpResult<BatchList> {
    authorise(caller, operation.module(), Right::Read)?;
    let query = &BatchQuery { search: SEARCH.read(&query.search)?, ..query.clone() };
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let between = (
        query.from.as_ref().and_then(|day| time_format::day(day, &zone)).map(|(begin, _)| begin),
        query.to.as_ref().and_then(|day| time_format::day(day, &zone)).map(|(_, end)| end),
    );
    let rows = db::batches::list(&mut tx, operation, query, between).await?;
    let by_status = db::batches::count_by_status(&mut tx, operation, query, between).await?;
    let makers = db::batches::makers(&mut tx, operation).await?;
    let organisation = db::organisations::load(&mut tx).await?;
    let current = super::gateways::chosen_for(&mut tx, operation).await?;
    let stopped = organisation.and_then(|organisation| views::connection::organisation_notice(&organisation, &zone));
    let notice = match operation.work() {
        Work::Import => None,
        Work::Send(_) | Work::Query => stopped.or_else(|| views::connection::gateway_notice(&current?, &zone)),
    };
    let any = !by_status.is_empty() || db::batches::any(&mut tx, operation).await?;
    tx.commit().await?;
    let can_write = caller.permissions.allow(operation.module(), Right::ReadWrite);
    let narrowed = filter_label::filter_label(query, &makers);
    let total =
        by_status.iter().filter(|(status, _)| query.status.is_none_or(|only| only == *status)).map(|(_, n)| n).sum();
    Ok(BatchList {
        page: Paged {
            rows: rows.iter().map(|row| views::batch::list_row(row, &zone, can_write)).collect(),
            total,
            page: query.page,
            size: PAGE_SIZE,
        },
        by_status,
        makers,
        narrowed,
        any,
        can_create: can_write,
        notice,
    })
}

/// A batch's page. Needs Read. A batch of another operation is not found.
pub async fn detail(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    query: &TaskQuery,
) -> OpResult<BatchDetail> {
    authorise(caller, operation.module(), Right::Read)?;
    let query = &TaskQuery { order: ORDER_ID.read(&query.order)?, ..query.clone() };
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, operation, batch).await?;
    let notice = notice(&mut tx, &row, &zone).await?;
    let pace = pace(state, &mut tx, &row, &zone).await?;
    let unsent = db::connections::unsent(&mut tx, batch).await?;
    let failures = db::batches::failures(&mut tx, operation, batch, REASONS).await?;
    let row_map = if row.records <= ROW_MAP_RECORDS {
        db::batches::row_map(&mut tx, operation, batch).await?
    } else {
        String::new()
    };
    let reconciled = super::review::reconciled::last(&mut tx, &row, &zone, 5).await?;
    let differences = db::review::entries_open(&mut tx, batch).await?;
    let acts = db::audit::page(&mut tx, batch.0, ACTS, 0).await?;
    let all = u64::try_from(row.records).unwrap_or(0);
    let (tasks, total) = db::batches::tasks(&mut tx, operation, batch, query, Some(all)).await?;
    let revisions = if row.revision > 1 { db::retries::revisions(&mut tx, batch).await? } else { Vec::new() };
    let snapshot = in_numbers(&mut tx, &row, &zone, notice, pace).await?;
    tx.commit().await?;
    let actions = actions(caller, &row);
    Ok(BatchDetail {
        snapshot,
        description: row.description.clone(),
        maker: row.maker_email.clone(),
        created: time_format::display_time(row.created_at, &zone),
        updated: time_format::display_time(row.modified_at, &zone),
        decided: row.decided_at.map(|at| time_format::display_time(at, &zone)),
        expires: row.expires_at.map(|at| time_format::display_time(at, &zone)),
        switch: row.operation.switched(&row.options),
        template: super::records::template(&row)?.title.to_owned(),
        file_bytes: u64::try_from(row.file_bytes).unwrap_or(0),
        file_sha256: hex::encode(&row.file_sha256),
        file_deleted: row.file_deleted_at.map(|at| time_format::display_time(at, &zone)),
        failures: views::batch::failures(failures),
        row_map,
        reconciled,
        differences: u64::try_from(differences).unwrap_or(0),
        activity: acts.iter().map(|act| views::batch::activity(row.operation, act, &zone)).collect(),
        actions: BatchActions {
            // What an import has not handled can be called off always.
            cancel: actions.cancel && (unsent > 0 || row.gateway.is_none()),
            resume: actions.resume && may_resume(caller, &row),
            ..actions
        },
        revisions: revisions.iter().map(|revision| views::batch::revision(revision, row.unit(), &zone)).collect(),
        tasks: Paged {
            rows: tasks.iter().map(|task| views::batch::task_row(task, &row, &zone)).collect(),
            total,
            page: query.page.max(1),
            size: PAGE_SIZE,
        },
    })
}

/// What a batch does, and the name of its file. Needs `right` on its module; another organisation's batch is not there.
pub async fn locate(state: &AppState, caller: &Caller, batch: BatchId, right: Right) -> OpResult<(Operation, String)> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let located = db::batches::locate(&mut tx, batch).await?.ok_or_else(|| OpError::not_found("batch"))?;
    tx.commit_quietly().await?;
    authorise(caller, located.0.module(), right)?;
    Ok(located)
}

/// A batch in numbers, whatever its operation. Needs Read on its module; without it, and for another organisation's
/// batch, there is no such batch.
pub async fn snapshot(state: &AppState, caller: &Caller, batch: BatchId) -> OpResult<BatchSnapshot> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = db::batches::load(&mut tx, batch).await?.ok_or_else(|| OpError::not_found("batch"))?;
    authorise(caller, row.operation.module(), Right::Read)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let notice = notice(&mut tx, &row, &zone).await?;
    let pace = pace(state, &mut tx, &row, &zone).await?;
    let snapshot = in_numbers(&mut tx, &row, &zone, notice, pace).await?;
    tx.commit().await?;
    Ok(snapshot)
}

/// The numbers of a batch; of an import with those of its sources.
async fn in_numbers(
    tx: &mut Tx,
    row: &db::batches::BatchRow,
    zone: &jiff::tz::TimeZone,
    notice: Option<String>,
    pace: String,
) -> OpResult<BatchSnapshot> {
    let mut snapshot = views::batch::snapshot(row, zone, notice, pace);
    if row.operation.work() == Work::Import {
        let phase = db::imports::phase(tx, row.id).await?;
        let (files, import) = views::batch::import(&db::imports::sources(tx, row.id).await?, &phase);
        (snapshot.files, snapshot.import) = (files, Some(import));
    }
    Ok(snapshot)
}

/// The maker of what waits takes it back before a decision: a batch, or failed rows that were to be sent again. Needs
/// ReadWrite, and to be its maker.
pub async fn withdraw(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<()> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, operation, batch).await?;
    if row.asked_by != Some(caller.person.id.0) {
        return Err(OpError::refuse(
            RefusalKind::Forbidden,
            format!("Only its maker, {}, can withdraw this request.", row.asked_by_email),
        ));
    }
    db::batches::withdraw(&mut tx, batch).await.map_err(|error| refused(error, &row, "withdrawn"))?;
    finish(state, tx, caller, "batch.withdrawn", batch, json!({})).await
}

/// Nothing new is sent for now. Needs ReadWrite or Approve. The reason may be empty.
pub async fn pause(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    reason: &str,
) -> OpResult<()> {
    if !caller.permissions.allow(operation.module(), Right::Approve) {
        authorise(caller, operation.module(), Right::ReadWrite)?;
    }
    let reason = REASON.read(reason)?;
    let detail = json!({ "reason": reason, "by_admin": is_admin(caller) });
    control(state, caller, operation, batch, Control::Pause, detail).await
}

/// Sending goes on. Needs ReadWrite; what an administrator paused, only an administrator resumes.
pub async fn resume(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<()> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    control(state, caller, operation, batch, Control::Resume, json!({})).await
}

/// Whether somebody looks after the organisation's settings.
fn is_admin(caller: &Caller) -> bool {
    caller.permissions.allow(Module::Settings, Right::ReadWrite)
}

/// Whether `caller` may resume it, if it is paused. The database holds the same rule.
fn may_resume(caller: &Caller, row: &db::batches::BatchRow) -> bool {
    is_admin(caller) || !row.paused_by_admin
}

/// Calls off what has not been sent. Needs ReadWrite.
pub async fn cancel(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<()> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    control(state, caller, operation, batch, Control::Cancel, json!({})).await
}

/// "Sync with Gateway": makes everything that is not final due to be asked after now; of a sync, every record. Needs
/// ReadWrite. Moves no money.
pub async fn sync(state: &AppState, caller: &Caller, operation: Operation, batch: BatchId) -> OpResult<SyncReport> {
    authorise(caller, operation.module(), Right::ReadWrite)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, operation, batch).await?;
    let asking = match operation.work() {
        Work::Send(_) => db::batches::sync(&mut tx, batch).await,
        Work::Query => db::sync::again(&mut tx, batch).await,
        // What is stored in Batchdesk is known.
        Work::Import => Ok(0),
    };
    let asking = asking.map_err(|error| refused(error, &row, "synchronised"))?;
    audit::record(state, &mut tx, caller, "batch.synced", Some(batch.0), json!({ "asking": asking })).await?;
    tx.commit().await?;
    let records = group(u64::try_from(row.records).unwrap_or(0), true);
    let things = operation.thing(0);
    let message = match asking {
        0 if row.queued.0 == 0 => format!("Nothing to ask: all {records} {things} are final."),
        0 => "Nothing to ask: what is queued has not been sent yet.".to_owned(),
        1 => format!("Asking the gateway about 1 {}. The result shows here by itself.", operation.thing(1)),
        n => format!("Asking the gateway about {} {things}. The results show here by themselves.", group(n, true)),
    };
    Ok(SyncReport { message, asking })
}

async fn control(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    control: Control,
    detail: serde_json::Value,
) -> OpResult<()> {
    let (done, action) = match control {
        Control::Pause => ("paused", "batch.paused"),
        Control::Resume => ("resumed", "batch.resumed"),
        Control::Cancel => ("cancelled", "batch.cancelled"),
    };
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, operation, batch).await?;
    db::batches::control(&mut tx, batch, control).await.map_err(|error| match db::guard_code(&error).as_deref() {
        Some("BD403") => OpError::refuse(
            RefusalKind::Forbidden,
            "An administrator paused this batch, so only an administrator can resume it.",
        ),
        _ => refused(error, &row, done),
    })?;
    finish(state, tx, caller, action, batch, detail).await
}

async fn finish(
    state: &AppState,
    mut tx: Tx,
    caller: &Caller,
    action: &str,
    batch: BatchId,
    detail: serde_json::Value,
) -> OpResult<()> {
    audit::record(state, &mut tx, caller, action, Some(batch.0), detail).await?;
    Ok(tx.commit().await?)
}

pub(super) async fn found(tx: &mut Tx, operation: Operation, batch: BatchId) -> OpResult<db::batches::BatchRow> {
    db::batches::load(tx, batch)
        .await?
        .filter(|row| row.operation == operation)
        .ok_or_else(|| OpError::not_found("batch"))
}

/// What a guard of the database said, in words.
pub(super) fn refused(error: sqlx::Error, row: &db::batches::BatchRow, done: &str) -> OpError {
    match db::guard_code(&error).as_deref() {
        Some("BD404") => OpError::not_found("batch"),
        Some("BD409" | "BD403") => OpError::refuse(
            RefusalKind::Conflict,
            format!(
                "This batch is {} and cannot be {done}. Load the page again to see where it stands.",
                row.status.text()
            ),
        ),
        _ => error.into(),
    }
}

fn actions(caller: &Caller, row: &db::batches::BatchRow) -> BatchActions {
    let may = |right| caller.permissions.allow(row.operation.module(), right);
    let write = may(Right::ReadWrite);
    let mine = row.asked_by == Some(caller.person.id.0);
    let waiting = row.status == BatchStatus::AwaitingApproval;
    BatchActions {
        sync: write && views::batch::can_ask(row),
        withdraw: write && mine && waiting,
        pause: (write || may(Right::Approve)) && row.status == BatchStatus::Processing,
        resume: write && row.status == BatchStatus::Paused,
        cancel: write && matches!(row.status, BatchStatus::Processing | BatchStatus::Paused) && row.queued.0 > 0,
        decide: may(Right::Approve) && !row.own && waiting,
        // What is only asked for and told is done again by "Sync with Gateway".
        retry: write && row.operation.retries() && row.status.can_retry(),
    }
}

/// How fast a batch goes and how long it will take; empty when it does not run.
async fn pace(
    state: &AppState,
    tx: &mut Tx,
    row: &db::batches::BatchRow,
    zone: &jiff::tz::TimeZone,
) -> OpResult<String> {
    if row.queued.0 == 0 || row.status != BatchStatus::Processing {
        return Ok(String::new());
    }
    let health = connection_health::read(state, tx, row, zone).await?;
    Ok(health.map(|health| views::connection::pace(&health)).unwrap_or_default())
}

/// Why the work of a batch waits, in sentences: the batch's own pause first, then what stops it from above.
async fn notice(tx: &mut Tx, row: &db::batches::BatchRow, zone: &jiff::tz::TimeZone) -> OpResult<Option<String>> {
    let paused = match row.status {
        BatchStatus::Paused => db::audit::last(tx, row.id.0, "batch.paused").await?,
        _ => None,
    };
    let own = paused.map(|act| views::batch::pause_notice(&act, row.paused_by_admin, zone));
    let invalid = row.ended_reason.clone().filter(|_| row.status == BatchStatus::Invalid);
    let above = if row.queued.0 > 0 && row.status.has_been_sent() { from_above(tx, row, zone).await? } else { None };
    let all: Vec<String> = [own, invalid, above].into_iter().flatten().collect();
    Ok((!all.is_empty()).then(|| all.join(" ")))
}

async fn from_above(tx: &mut Tx, row: &db::batches::BatchRow, zone: &jiff::tz::TimeZone) -> OpResult<Option<String>> {
    // An import sends nothing, so no switch stops it.
    let Some(gateway) = super::gateways::of_batch(tx, row).await? else { return Ok(None) };
    let organisation = db::organisations::load(tx).await?;
    if let Some(notice) =
        organisation.and_then(|organisation| views::connection::organisation_notice(&organisation, zone))
    {
        return Ok(Some(notice));
    }
    if let Some(notice) = views::connection::gateway_notice(&gateway, zone) {
        return Ok(Some(notice));
    }
    let trouble = db::gateways::trouble(tx, GatewayId(gateway.id)).await?;
    Ok(trouble.map(|(since, reason)| {
        let since = time_format::display_time(since, zone).text;
        let name = views::connection::gateway_name(&gateway);
        format!("{name} has not answered well since {since}: {reason} Tasks wait and are tried again by themselves.")
    }))
}
