//! Batches, their tasks and what happened to them, as pages show them.

use super::super::{review, time_format};
use crate::{
    db,
    domain::{
        batch::BatchStatus,
        money::{Currency, Money, group},
        operation::Operation,
        view::{
            ActivityRow, Amounts, BatchRow, BatchSnapshot, Counts, DecisionView, FailureSummary, ImportCounts,
            SourceCounts, TaskRow, retries::RevisionRow,
        },
    },
    operations::{self, Outcome},
};
use jiff::tz::TimeZone;

fn count(n: i32) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn counts(row: &db::batches::BatchRow) -> Counts {
    Counts {
        queued: count(row.queued.0),
        accepted: count(row.accepted.0),
        failed: count(row.failed.0),
        pending_at_gateway: count(row.pending),
        checking: u64::try_from(row.checking).unwrap_or(0),
        review: u64::try_from(row.review).unwrap_or(0),
    }
}

/// A batch in numbers.
pub(in crate::ops) fn snapshot(
    row: &db::batches::BatchRow,
    zone: &TimeZone,
    notice: Option<String>,
    pace: String,
) -> BatchSnapshot {
    BatchSnapshot {
        id: row.id,
        operation: row.operation,
        status: row.status,
        status_text: row.status.text().to_owned(),
        file_name: row.file_name.clone(),
        content_sha256: hex::encode(&row.content_sha256),
        records: count(row.records),
        counts: counts(row),
        amounts: row.currency.map(|currency| Amounts {
            currency,
            total: row.amount_minor,
            queued: row.queued.1,
            accepted: row.accepted.1,
            failed: row.failed.1,
        }),
        created_at: time_format::utc(row.created_at),
        updated_at: time_format::utc(row.modified_at),
        decision: decision(row),
        updated_text: time_format::display_time(row.modified_at, zone).text,
        notice,
        pace,
        files: Vec::new(),
        import: None,
    }
}

/// What came in with an import, and what became of it.
pub(in crate::ops) fn import(sources: &[db::imports::SourceRow], phase: &str) -> (Vec<SourceCounts>, ImportCounts) {
    let counts = |source: &db::imports::SourceRow| SourceCounts {
        name: source.file_name.clone(),
        total: source.total.map(count),
        created: count(source.created),
        skipped: count(source.skipped),
        failed: count(source.failed),
    };
    let files: Vec<SourceCounts> = sources.iter().map(counts).collect();
    let sum = |part: fn(&SourceCounts) -> u64| files.iter().map(part).sum::<u64>();
    let import = ImportCounts {
        created: sum(|file| file.created),
        skipped: sum(|file| file.skipped),
        failed: sum(|file| file.failed),
        phase: phase.to_owned(),
    };
    (files, import)
}

fn decision(row: &db::batches::BatchRow) -> Option<DecisionView> {
    let verdict = match row.verdict.as_deref()? {
        "APPROVE" => "approved",
        "REJECT" => "rejected",
        _ => "not_required",
    };
    Some(DecisionView {
        verdict: verdict.to_owned(),
        person: row.checker_email.clone().unwrap_or_default(),
        at: row.decided_at.map(time_format::utc).unwrap_or_default(),
        reason: row.reason.clone().unwrap_or_default(),
    })
}

/// A submission in the list of a batch's page.
pub(in crate::ops) fn revision(revision: &db::retries::Revision, currency: Currency, zone: &TimeZone) -> RevisionRow {
    let decision = match (revision.submission.verdict.as_deref(), revision.dropped.as_deref()) {
        (Some("NOT_REQUIRED"), _) => "No decision was needed".to_owned(),
        (Some(verdict), _) => super::decision::decided_by(
            verdict,
            revision.submission.checker_email.as_deref(),
            revision.submission.decided_at,
            revision.submission.reason.as_deref(),
            zone,
        ),
        (None, Some("EXPIRED")) => "Nobody decided in time".to_owned(),
        (None, Some(_)) => "Taken back before a decision".to_owned(),
        (None, None) => "Waits for a decision".to_owned(),
    };
    let (accepted, failed) =
        (u64::try_from(revision.accepted).unwrap_or(0), u64::try_from(revision.failed).unwrap_or(0));
    let records = count(revision.records);
    RevisionRow {
        number: u32::try_from(revision.revision).unwrap_or(1),
        maker: revision.submission.maker_email.clone(),
        at: time_format::display_time(revision.submission.created_at, zone),
        records,
        amount: Money::new(revision.amount_minor, currency),
        decision,
        outcome: (accepted, failed, records.saturating_sub(accepted + failed)),
    }
}

/// Whether there is a gateway that can be asked about it: what is stored here is known.
pub(in crate::ops) const fn can_ask(row: &db::batches::BatchRow) -> bool {
    row.gateway.is_some() && row.status.has_been_sent()
}

/// A batch in a list.
pub(in crate::ops) fn list_row(row: &db::batches::BatchRow, zone: &TimeZone, can_write: bool) -> BatchRow {
    let pending = count(row.pending);
    let note = match row.status {
        BatchStatus::Rejected => row.checker_email.as_ref().map(|email| format!("by {email}")),
        BatchStatus::AwaitingApproval => {
            row.expires_at.map(|at| format!("expires {}", time_format::display_time(at, zone).date))
        }
        _ if row.review > 0 => Some(format!("{} need review", row.review)),
        _ if row.checking > 0 => Some(format!("{} checking with gateway", row.checking)),
        _ if pending > 0 => Some(format!("{} pending at the gateway", group(pending, true))),
        _ => None,
    };
    BatchRow {
        id: row.id,
        file_name: row.file_name.clone(),
        status: row.status,
        note,
        amount: Money::new(row.amount_minor, row.unit()),
        created: time_format::display_time(row.created_at, zone),
        modified: time_format::display_time(row.modified_at, zone),
        records: count(row.records),
        counts: counts(row),
        maker: row.maker_email.clone(),
        can_sync: can_write && can_ask(row),
        last_synced: row.last_synced_at.map(|at| time_format::display_time(at, zone)),
    }
}

/// A task in a table.
pub(in crate::ops) fn task_row(task: &db::batches::TaskRow, batch: &db::batches::BatchRow, zone: &TimeZone) -> TaskRow {
    let outcome = Outcome::of(task, batch.unit());
    let operation = operations::of(batch.operation);
    TaskRow {
        number: count(task.row_no).try_into().unwrap_or(0),
        row: count(task.sheet_row).try_into().unwrap_or(0),
        order_id: task.order_id.clone(),
        txn_id: task.txn_id.clone().unwrap_or_default(),
        amount: outcome.amount,
        status: outcome.state.status(),
        state: outcome.state,
        row_id: operation.row_id(&outcome),
        cells: operation.cells(&outcome),
        created: time_format::display_time(batch.created_at, zone),
        updated: time_format::display_time(task.updated_at.unwrap_or(batch.created_at), zone),
        message: outcome.message,
        split: outcome.extra.split,
    }
}

/// Why tasks of a batch failed.
pub(in crate::ops) fn failures(rows: Vec<db::batches::FailureRow>) -> FailureSummary {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let (reasons, tasks, minor) = rows.first().map_or((0, 0, 0), |row| (row.reasons, row.all_tasks, row.all_minor));
    let named = rows.into_iter().map(|row| {
        let sentence = row.message.or(row.code).unwrap_or_else(|| "No reason given".to_owned());
        (sentence, number(row.tasks), row.amount_minor)
    });
    let named: Vec<_> = named.collect();
    FailureSummary {
        more: number(reasons).saturating_sub(named.len() as u64),
        reasons: named,
        tasks: number(tasks),
        minor,
    }
}

/// What happened to a batch, from the audit trail.
pub(in crate::ops) fn activity(operation: Operation, act: &db::audit::AuditRow, zone: &TimeZone) -> ActivityRow {
    let detail: serde_json::Value = serde_json::from_str(&act.detail).unwrap_or_default();
    let number = |name: &str| group(detail.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0), true);
    let retried = detail.get("revision").and_then(serde_json::Value::as_u64).is_some_and(|revision| revision > 1);
    let (text, tone) = match act.action.as_str() {
        "batch.created" => {
            let switch = operation.descriptor().switch.and_then(|switch| {
                let on = detail.get(switch.name)?.as_bool()?;
                Some(format!("; {} {}", switch.label, if on { "on" } else { "off" }))
            });
            let switch = switch.unwrap_or_default();
            (format!("Uploaded, {} rows checked, none with an error{switch}", number("records")), "neutral")
        }
        "batch.approved" if retried => ("Approved that failed rows are sent again".to_owned(), "accepted"),
        "batch.rejected" if retried => ("Rejected that failed rows are sent again".to_owned(), "failed"),
        "batch.retried" => (
            format!(
                "Asked for {} failed rows to be sent again, {} of them changed",
                number("records"),
                number("changed")
            ),
            "queued",
        ),
        "batch.approved" => ("Approved".to_owned(), "accepted"),
        "batch.rejected" => ("Rejected".to_owned(), "failed"),
        "batch.imported" => (
            format!("Stored {} rows; {} failed, {} skipped", number("created"), number("failed"), number("skipped")),
            "accepted",
        ),
        "batch.invalid" => ("The import could not be stored".to_owned(), "failed"),
        "batch.withdrawn" => ("Withdrawn".to_owned(), "neutral"),
        "batch.expired" => ("Nobody decided in time".to_owned(), "neutral"),
        "batch.paused" => ("Paused".to_owned(), "waiting"),
        "batch.resumed" => ("Resumed".to_owned(), "queued"),
        "batch.cancelled" => ("Cancelled".to_owned(), "neutral"),
        "batch.synced" => (format!("Sync with Gateway, {} asked about", number("asking")), "queued"),
        "batch.reconciled" => match detail.get("result").and_then(serde_json::Value::as_str) {
            Some("DONE") => (
                format!("Reconciled with the gateway: {} of {} agree", number("agreed"), number("records")),
                if number("agreed") == number("records") { "accepted" } else { "waiting" },
            ),
            _ => ("Not reconciled: the gateway has no lists".to_owned(), "neutral"),
        },
        "review.proposed" => (format!("{} in review: a proposal", rows(&detail)), "waiting"),
        "review.confirmed" => (format!("{} in review: the proposal was confirmed", rows(&detail)), "accepted"),
        "review.rejected" => (format!("{} in review: the proposal was rejected", rows(&detail)), "failed"),
        "review.withdrawn" => (format!("{} in review: the proposal was withdrawn", rows(&detail)), "neutral"),
        "review.acknowledged" => ("A difference with the gateway was acknowledged".to_owned(), "neutral"),
        "batch.downloaded" => (
            format!("Downloaded {}", detail.get("file").and_then(serde_json::Value::as_str).unwrap_or("a file")),
            "neutral",
        ),
        other => (other.to_owned(), "neutral"),
    };
    ActivityRow {
        at: time_format::display_time(act.at, zone),
        actor: act.actor.clone(),
        text,
        remark: detail.get("reason").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
        tone: tone.to_owned(),
    }
}

/// How many rows an act in review was about.
fn rows(detail: &serde_json::Value) -> String {
    let n = detail.get("rows").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
    review::refunds(u64::try_from(n).unwrap_or(0))
}

/// Who paused a batch, since when and why.
pub(in crate::ops) fn pause_notice(act: &db::audit::AuditRow, by_admin: bool, zone: &TimeZone) -> String {
    let detail: serde_json::Value = serde_json::from_str(&act.detail).unwrap_or_default();
    let reason = detail.get("reason").and_then(serde_json::Value::as_str).unwrap_or_default();
    let why = if reason.is_empty() { ".".to_owned() } else { format!(": “{reason}”") };
    let whose = if by_admin { " Only an administrator can resume it." } else { "" };
    format!("Paused by {} since {}{why}{whose}", act.actor, time_format::display_time(act.at, zone).text)
}
