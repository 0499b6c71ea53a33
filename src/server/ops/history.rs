//! The whole history of one task: the file, each retry, each decision, intent, reply and outcome, in order.

mod redact;
mod sync;

pub(super) use redact::readable;

use super::{
    access::{Caller, authorise},
    batches::found,
    records, time_format, views,
};
use crate::{
    db::{
        self,
        approvals::Submission,
        batches::{BatchRow, TaskRow},
        history::{RowAttempt, RowOrder, RowReply, RowReview, RowRevision},
    },
    domain::{
        access::Right,
        ids::BatchId,
        money::{Currency, Money, group},
        operation::{Operation, Work},
        task::TaskStatus,
        view::retries::{HistoryEvent, TaskHistory},
    },
    error::{OpError, OpResult},
    formats::{header::Template, stored_record::StoredRecord},
    operations::Outcome,
    state::AppState,
};
use jiff::tz::TimeZone;
use time::OffsetDateTime;

/// The history of a batch's task. Needs Read.
pub async fn task(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    number: u32,
) -> OpResult<TaskHistory> {
    authorise(caller, operation.module(), Right::Read)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, operation, batch).await?;
    let missing = || OpError::not_found("task");
    let row_no = i32::try_from(number).map_err(|_| missing())?;
    let revisions = db::history::revisions(&mut tx, batch, row_no).await?;
    let task = db::batches::tasks_after(&mut tx, row.operation, batch, row_no - 1, 1, false).await?;
    let task = task.into_iter().find(|task| task.row_no == row_no).ok_or_else(missing)?;
    let attempts = db::history::attempts(&mut tx, batch, row_no).await?;
    let replies = db::history::replies(&mut tx, batch, row_no).await?;
    let reviews = db::history::reviews(&mut tx, batch, row_no).await?;
    let orders = db::history::orders(&mut tx, batch, row_no).await?;
    let presses = match operation.work() {
        Work::Query => db::audit::all(&mut tx, batch.0, "batch.synced").await?,
        Work::Send(_) | Work::Import => Vec::new(),
    };
    tx.commit().await?;

    let presenter = TaskPresenter { batch: &row, template: records::template(&row)?, zone: &zone, number };
    let mut events = Vec::new();
    match operation.work() {
        Work::Send(_) => {
            let mut before: Option<StoredRecord> = None;
            for revision in &revisions {
                let record = presenter.record(revision);
                presenter.submission(&mut events, revision, &record, before.as_ref());
                presenter.end(&mut events, revision, &replies);
                before = Some(record);
            }
            // What two people decided is told with the review itself.
            let from_gateway = replies.iter().filter(|reply| reply.source != "PEOPLE");
            events.extend(from_gateway.map(|reply| presenter.reply(reply)));
        }
        Work::Query => presenter.queried(&mut events, &revisions, &presses, &replies, &task),
        Work::Import => events.push(presenter.imported(&task)),
    }
    events.extend(attempts.iter().map(|attempt| presenter.attempt(attempt, &revisions)));
    events.extend(orders.iter().map(|order| presenter.order(order)));
    for review in &reviews {
        presenter.review(&mut events, review);
    }
    // What has the same time stands in the order in which it must have happened.
    events.sort_by_key(|step| (step.at, step.rank));
    let state = task.state;
    let retry = operation.retries()
        && caller.permissions.allow(operation.module(), Right::ReadWrite)
        && state.status() == TaskStatus::Failed
        && row.status.can_retry();
    Ok(TaskHistory {
        snapshot: views::batch::snapshot(&row, &zone, None, String::new()),
        number: (number, u64::try_from(row.records).unwrap_or(0)),
        row: u32::try_from(task.sheet_row).unwrap_or(0),
        order_id: task.order_id.clone(),
        amount: Money::new(task.amount_minor, row.unit()),
        status: state.status(),
        note: state.note().unwrap_or_default().to_owned(),
        message: Outcome::of(&task, row.unit()).message,
        steps: events.into_iter().map(|step| step.step).collect(),
        retry,
    })
}

/// A step with its place among those of the same time.
struct DatedEvent {
    at: OffsetDateTime,
    rank: u8,
    step: HistoryEvent,
}

struct TaskPresenter<'a> {
    batch: &'a BatchRow,
    template: &'static Template,
    zone: &'a TimeZone,
    number: u32,
}

fn fact(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// The step that tells a decision, and when it was made; none while nobody decided.
pub(super) fn decision(submission: &Submission) -> Option<(OffsetDateTime, HistoryEvent)> {
    let (title, tone) = match submission.verdict.as_deref()? {
        "APPROVE" => ("Approved", "accepted"),
        "REJECT" => ("Rejected", "failed"),
        _ => ("No decision was needed", "neutral"),
    };
    let step = HistoryEvent {
        kind: "decision",
        tone,
        title: title.to_owned(),
        actor: submission.checker_email.clone().unwrap_or_else(|| "Batchdesk".to_owned()),
        remark: submission.reason.clone().unwrap_or_default(),
        ..HistoryEvent::default()
    };
    Some((submission.decided_at.unwrap_or(submission.created_at), step))
}

impl TaskPresenter<'_> {
    fn event(&self, at: OffsetDateTime, rank: u8, step: HistoryEvent) -> DatedEvent {
        DatedEvent { at, rank, step: HistoryEvent { at: Some(time_format::display_time(at, self.zone)), ..step } }
    }

    fn money(&self, minor: i64) -> String {
        Money::new(minor, self.batch.unit()).to_string()
    }

    /// What became of a row of an import.
    fn imported(&self, task: &TaskRow) -> DatedEvent {
        let (title, tone) = match task.state.status() {
            TaskStatus::Failed => ("Not stored", "failed"),
            TaskStatus::Accepted | TaskStatus::Queued => ("Stored", "accepted"),
        };
        let remark = task.message.clone().unwrap_or_default();
        let step = HistoryEvent { kind: "outcome", tone, title: title.to_owned(), remark, ..HistoryEvent::default() };
        self.event(task.updated_at.unwrap_or(self.batch.created_at), 5, step)
    }

    fn record(&self, revision: &RowRevision) -> StoredRecord {
        records::record_of(
            self.number,
            revision.sheet_row,
            &revision.order_id,
            revision.amount_minor,
            &revision.txn_id,
            &revision.unique_id,
            revision.extra.clone().unwrap_or_default(),
        )
    }

    /// The file or a retry, and the decision on it.
    fn submission(
        &self,
        events: &mut Vec<DatedEvent>,
        revision: &RowRevision,
        record: &StoredRecord,
        before: Option<&StoredRecord>,
    ) {
        let cells = records::cells(self.batch, self.template, record).map(|(column, cell)| fact(column, cell));
        let mut facts: Vec<(String, String)> = match before {
            None => cells.filter(|(_, value)| !value.is_empty()).collect(),
            Some(_) => Vec::new(),
        };
        facts.push(fact("Key at the gateway", &revision.gateway_key));
        let changes =
            before.map(|before| records::differences(self.batch, self.template, before, record)).unwrap_or_default();
        let (kind, title) = match before {
            None => ("file", format!("Row {} of {}", record.row, self.batch.file_name)),
            Some(_) if changes.is_empty() => ("retry", "To be sent again as it was, under a new key".to_owned()),
            Some(_) => ("retry", "To be sent again, corrected, under a new key".to_owned()),
        };
        let actor = revision.submission.maker_email.clone();
        let step = HistoryEvent { kind, tone: "neutral", title, actor, facts, changes, ..HistoryEvent::default() };
        events.push(self.event(revision.submission.created_at, 0, step));
        self.decision(events, revision);
    }

    /// The decision on a submission, if there is one.
    fn decision(&self, events: &mut Vec<DatedEvent>, revision: &RowRevision) {
        events.extend(decision(&revision.submission).map(|(at, step)| self.event(at, 1, step)));
    }

    /// What a submission came to, or where it stands.
    fn end(&self, events: &mut Vec<DatedEvent>, revision: &RowRevision, replies: &[RowReply]) {
        // A step is dated with the begin of its transaction, the reply that it rests on with the moment of its writing
        // there.
        let told_at = |at| {
            let resting_on = replies.iter().filter(|reply| reply.revision == revision.revision && !reply.fenced);
            resting_on.map(|reply| reply.at).find(|reply| *reply >= at).unwrap_or(at)
        };
        if let (Some(at), Some(succeeded)) = (revision.ended_at, revision.succeeded) {
            let (title, tone) = match (succeeded, revision.attempts) {
                (true, _) => ("Succeeded", "accepted"),
                (false, Some(0)) => ("Failed before anything was sent", "failed"),
                (false, _) => ("Failed", "failed"),
            };
            let mut facts = Vec::new();
            facts.extend(revision.gw_ref.as_ref().map(|text| fact("GW Transaction Id", text)));
            facts.extend(revision.gateway_status.as_ref().map(|text| fact("Refund Status", text)));
            facts.extend(revision.code.as_ref().map(|text| fact("Code", text)));
            let remark = revision.message.clone().unwrap_or_default();
            let step = HistoryEvent {
                kind: "outcome",
                tone,
                title: title.to_owned(),
                remark,
                facts,
                ..HistoryEvent::default()
            };
            events.push(DatedEvent { at: told_at(at), ..self.event(at, 5, step) });
        }
        if let (Some(at), Some(succeeded)) = (revision.reversed_at, revision.reversed) {
            let (title, tone) = match succeeded {
                true => ("The gateway takes back that it failed: it succeeded", "accepted"),
                false => ("The gateway takes back that it succeeded: it failed", "failed"),
            };
            let remark = revision.reversal.clone().unwrap_or_default();
            let step =
                HistoryEvent { kind: "reversal", tone, title: title.to_owned(), remark, ..HistoryEvent::default() };
            events.push(DatedEvent { at: told_at(at), ..self.event(at, 6, step) });
        }
        if let (Some(at), Some(open)) = (revision.open_at, revision.open.as_deref()) {
            let title = match open {
                "PENDING" => "The gateway took it and has not finished",
                "REVIEW" => "Two people must look at it",
                "RETRY" => "Proved not carried out; waits to be sent again",
                "SENDING" => "Sent again; no reply yet",
                _ => "Perhaps carried out; the gateway is asked and nothing is sent again meanwhile",
            };
            let facts = revision.open_ref.iter().map(|text| fact("GW Transaction Id", text)).collect();
            let step = HistoryEvent {
                kind: "open",
                tone: "waiting",
                title: title.to_owned(),
                remark: revision.open_message.clone().unwrap_or_default(),
                facts,
                ..HistoryEvent::default()
            };
            events.push(DatedEvent { at: told_at(at), ..self.event(at, 7, step) });
        }
    }

    fn attempt(&self, attempt: &RowAttempt, revisions: &[RowRevision]) -> DatedEvent {
        let key = revisions.iter().find(|known| known.revision == attempt.revision).map(|known| &known.gateway_key);
        let mut facts = vec![fact("Attempt", attempt.attempt.to_string())];
        facts.extend(key.map(|key| fact("Key at the gateway", key)));
        facts.push(fact("Worker", format!("{}, epoch {}", attempt.owner, attempt.epoch)));
        if attempt.rows > 1 {
            facts.push(fact("Written with", format!("{} rows in one step", group(attempt.rows.unsigned_abs(), true))));
        }
        let title = match attempt.attempt {
            1 => "Intent to send it was written down",
            _ => "Intent to send it again under the same key was written down",
        };
        let actor = "Batchdesk".to_owned();
        let step = HistoryEvent {
            kind: "attempt",
            tone: "queued",
            title: title.to_owned(),
            actor,
            facts,
            ..HistoryEvent::default()
        };
        self.event(attempt.at, 3, step)
    }

    fn reply(&self, reply: &RowReply) -> DatedEvent {
        let said: serde_json::Value = serde_json::from_str(&reply.reply).unwrap_or_default();
        let text = |name: &str| match said.get(name) {
            None | Some(serde_json::Value::Null) => None,
            Some(serde_json::Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        let title = match reply.source.as_str() {
            "SEND" => "Reply to the refund",
            "QUERY" => "Reply to a question about it",
            "WEBHOOK" => "Notice from the gateway",
            "PEOPLE" => "Two people decided in review",
            _ => "Reply to a question after it was final",
        };
        let class = text("class").unwrap_or_default();
        let (tone, meaning) = match class.as_str() {
            "Succeeded" => ("accepted", "Carried out"),
            "Failed" => ("failed", "Definitely not carried out"),
            "Pending" => ("waiting", "Taken, not finished"),
            "NotSent" => ("neutral", "Not carried out"),
            "Refused" => ("failed", "The gateway refused our key"),
            "Review" => ("waiting", "People must look"),
            _ => ("waiting", "In doubt"),
        };
        let mut facts = vec![fact("Read as", meaning)];
        facts.push(fact("HTTP status", text("http").unwrap_or_else(|| "no reply".to_owned())));
        facts.extend(text("ref").map(|text| fact("GW Transaction Id", text)));
        facts.extend(text("code").map(|text| fact("Code", text)));
        let minor = said.get("confirmed_minor").and_then(serde_json::Value::as_i64);
        facts.extend(minor.map(|minor| fact("Confirmed amount", self.money(minor))));
        if reply.fenced {
            facts.push(fact("Moved nothing", "It came to a worker that no longer held the row"));
        }
        let step = HistoryEvent {
            kind: "reply",
            tone,
            title: title.to_owned(),
            actor: "Gateway".to_owned(),
            facts,
            raw: readable(&text("body").unwrap_or_default()),
            ..HistoryEvent::default()
        };
        self.event(reply.at, 4, step)
    }

    fn order(&self, order: &RowOrder) -> DatedEvent {
        let money = |minor: i64| match order.currency.as_deref().and_then(|code| code.trim().parse::<Currency>().ok()) {
            Some(currency) => Money::new(minor, currency).to_string(),
            None => self.money(minor),
        };
        let mut facts = vec![fact("Order", &order.order_id)];
        facts.extend(order.status.as_ref().map(|text| fact("Status", text)));
        facts.extend(order.amount_minor.map(|minor| fact("Amount", money(minor))));
        facts.extend(order.refunded_minor.map(|minor| fact("Refunded before", money(minor))));
        facts.extend(order.refundable_minor.map(|minor| fact("Can be refunded", money(minor))));
        let (title, tone) = match order.known {
            true => ("The order was read before anything was sent", "neutral"),
            false => ("The gateway does not know the order", "failed"),
        };
        let step = HistoryEvent {
            kind: "order",
            tone,
            title: title.to_owned(),
            actor: "Gateway".to_owned(),
            facts,
            raw: readable(order.body.as_deref().unwrap_or_default()),
            ..HistoryEvent::default()
        };
        self.event(order.at, 2, step)
    }

    fn review(&self, events: &mut Vec<DatedEvent>, review: &RowReview) {
        let title = match review.verdict.as_str() {
            "DONE" => "Review: it was carried out",
            "NOT_DONE" => "Review: it was not carried out",
            _ => "Review: the gateway is to be asked again",
        };
        let step = HistoryEvent {
            kind: "review",
            tone: "waiting",
            title: title.to_owned(),
            actor: review.proposer_email.clone(),
            remark: review.reason.clone(),
            ..HistoryEvent::default()
        };
        events.push(self.event(review.at, 5, step));
        if let (Some(at), Some(email)) = (review.confirmed_at, &review.confirmer_email) {
            let step = HistoryEvent {
                kind: "review",
                tone: "accepted",
                title: "Review confirmed by a second person".to_owned(),
                actor: email.clone(),
                ..HistoryEvent::default()
            };
            events.push(self.event(at, 6, step));
        }
    }
}
