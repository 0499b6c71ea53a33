//! Rows of the database as pages show them.

use super::moment;
use crate::{
    domain::{
        batch::{BatchStatus, Operation},
        money::{Money, group},
        task::{RecordExtra, TaskState, TaskStatus},
        view::{ActivityRow, Amounts, BatchRow, BatchSnapshot, Counts, DecisionView, TaskRow, sync::SyncTask},
    },
    server::{db, ops::uploads::hex},
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
pub(in crate::server::ops) fn snapshot(
    row: &db::batches::BatchRow,
    zone: &TimeZone,
    notice: Option<String>,
) -> BatchSnapshot {
    BatchSnapshot {
        id: row.id,
        operation: row.operation,
        status: row.status,
        status_text: row.status.text().to_owned(),
        file_name: row.file_name.clone(),
        content_sha256: hex(&row.content_sha256),
        records: count(row.records),
        counts: counts(row),
        amounts: Amounts {
            currency: row.currency,
            total: row.amount_minor,
            queued: row.queued.1,
            accepted: row.accepted.1,
            failed: row.failed.1,
        },
        created_at: moment::utc(row.created_at),
        updated_at: moment::utc(row.modified_at),
        decision: decision(row),
        updated_text: moment::moment(row.modified_at, zone).text,
        notice,
    }
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
        at: row.decided_at.map(moment::utc).unwrap_or_default(),
        reason: row.reason.clone().unwrap_or_default(),
    })
}

/// A batch in a list.
pub(in crate::server::ops) fn list_row(row: &db::batches::BatchRow, zone: &TimeZone, can_write: bool) -> BatchRow {
    let pending = count(row.pending);
    let note = match row.status {
        BatchStatus::Rejected => row.checker_email.as_ref().map(|email| format!("by {email}")),
        BatchStatus::AwaitingApproval => row.expires_at.map(|at| format!("expires {}", moment::moment(at, zone).date)),
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
        amount: Money::new(row.amount_minor, row.currency),
        created: moment::moment(row.created_at, zone),
        modified: moment::moment(row.modified_at, zone),
        records: count(row.records),
        counts: counts(row),
        maker: row.maker_email.clone(),
        can_sync: can_write && row.status.has_been_sent(),
        last_synced: row.last_synced_at.map(|at| moment::moment(at, zone)),
    }
}

/// A task in a table.
pub(in crate::server::ops) fn task_row(
    task: &db::batches::TaskRow,
    batch: &db::batches::BatchRow,
    zone: &TimeZone,
) -> TaskRow {
    let state = TaskState::from_code(&task.state).unwrap_or(TaskState::Review);
    let extra = extra(task);
    TaskRow {
        number: count(task.row_no).try_into().unwrap_or(0),
        row: count(task.sheet_row).try_into().unwrap_or(0),
        order_id: task.order_id.clone(),
        txn_id: task.txn_id.clone().unwrap_or_default(),
        amount: Money::new(task.amount_minor, batch.currency),
        status: state.status(),
        state,
        refund_status: refund_status(task, state),
        unique_id: task.unique_id.clone().unwrap_or_else(|| task.gateway_key.clone()),
        gateway_key: task.gateway_key.clone(),
        gateway_reference: task.gw_ref.clone().unwrap_or_default(),
        refund_type: task.refund_type.clone().unwrap_or_default(),
        message: message(task, state),
        created: moment::moment(batch.created_at, zone),
        updated: moment::moment(task.updated_at.unwrap_or(batch.created_at), zone),
        split: extra.split,
        sync: (batch.operation == Operation::OrderSync).then(|| SyncTask {
            unique_request_id: extra.unique_request_id.unwrap_or_default(),
            sync_status: sync_status(state).to_owned(),
            external_response: task.response.clone().unwrap_or_default(),
            gateway_status: task.gateway_status.clone().unwrap_or_default(),
        }),
    }
}

/// What a record has beside its columns.
pub(in crate::server::ops) fn extra(task: &db::batches::TaskRow) -> RecordExtra {
    task.extra.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// SYNCED when the external system took the order, blank while that is open.
pub(in crate::server::ops) const fn sync_status(state: TaskState) -> &'static str {
    match state.status() {
        TaskStatus::Accepted => "SYNCED",
        TaskStatus::Failed => "NOT SYNCED",
        TaskStatus::Queued => "",
    }
}

/// The gateway's word for a refund; blank while it has said none.
pub(in crate::server::ops) fn refund_status(task: &db::batches::TaskRow, state: TaskState) -> String {
    match state {
        TaskState::Succeeded | TaskState::Failed | TaskState::Pending | TaskState::Review => {
            task.refund_status.clone().unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Why a task failed or waits; blank for one that went well.
pub(in crate::server::ops) fn message(task: &db::batches::TaskRow, state: TaskState) -> String {
    match state {
        TaskState::Succeeded | TaskState::Ready | TaskState::Sending => String::new(),
        _ => task.message.clone().or_else(|| task.code.clone()).unwrap_or_default(),
    }
}

/// What happened to a batch, from the audit trail.
pub(in crate::server::ops) fn activity(act: &db::audit::AuditRow, zone: &TimeZone) -> ActivityRow {
    let detail: serde_json::Value = serde_json::from_str(&act.detail).unwrap_or_default();
    let number = |name: &str| group(detail.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0), true);
    let (text, tone) = match act.action.as_str() {
        "batch.created" => {
            let toggle = match detail.get("sync_with_gateway").and_then(serde_json::Value::as_bool) {
                Some(true) => "; Sync With Gateway on",
                Some(false) => "; Sync With Gateway off",
                None => "",
            };
            (format!("Uploaded, {} rows checked, none with an error{toggle}", number("records")), "neutral")
        }
        "batch.approved" => ("Approved".to_owned(), "accepted"),
        "batch.rejected" => ("Rejected".to_owned(), "failed"),
        "batch.withdrawn" => ("Withdrawn".to_owned(), "neutral"),
        "batch.expired" => ("Nobody decided in time".to_owned(), "neutral"),
        "batch.paused" => ("Paused".to_owned(), "waiting"),
        "batch.resumed" => ("Resumed".to_owned(), "queued"),
        "batch.cancelled" => ("Cancelled".to_owned(), "neutral"),
        "batch.synced" => (format!("Sync with Gateway, {} asked about", number("asking")), "queued"),
        "batch.downloaded" => (
            format!("Downloaded {}", detail.get("file").and_then(serde_json::Value::as_str).unwrap_or("a file")),
            "neutral",
        ),
        other => (other.to_owned(), "neutral"),
    };
    ActivityRow {
        at: moment::moment(act.at, zone),
        actor: act.actor.clone(),
        text,
        remark: detail.get("reason").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
        tone: tone.to_owned(),
    }
}

/// `Juspay (acme)`: how people know a connection.
pub(in crate::server::ops) fn gateway_name(gateway: &db::gateways::GatewayRow) -> String {
    let mut letters = gateway.connector.chars();
    let name: String = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    format!("{name} ({})", gateway.merchant_id)
}

/// Why nothing is sent to a connection, one sentence; none while it is sent to.
pub(in crate::server::ops) fn gateway_notice(gateway: &db::gateways::GatewayRow, zone: &TimeZone) -> Option<String> {
    if gateway.sending {
        return None;
    }
    let since = gateway.stopped_at.map(|at| moment::moment(at, zone).text).unwrap_or_default();
    let reason = gateway.stopped_reason.clone().unwrap_or_else(|| "Sending is switched off.".to_owned());
    Some(format!("Nothing is sent to {} since {since}. {reason}", gateway_name(gateway)))
}
