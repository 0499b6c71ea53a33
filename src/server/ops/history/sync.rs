//! The trail of one order through a sync: each question to the gateway and each message to the external system.

use super::{DatedEvent, TaskPresenter, fact};
use crate::{
    db::{
        audit::AuditRow,
        batches::TaskRow,
        history::{RowReply, RowRevision},
    },
    domain::{
        task::TaskStatus,
        view::{CellPart, retries::HistoryEvent},
    },
    operations::{self, Outcome},
    ops::records,
};
use serde_json::Value;

impl TaskPresenter<'_> {
    /// Everything that happened to a task that is asked about.
    pub(super) fn queried(
        &self,
        events: &mut Vec<DatedEvent>,
        revisions: &[RowRevision],
        presses: &[AuditRow],
        replies: &[RowReply],
        task: &TaskRow,
    ) {
        for revision in revisions {
            let record = self.record(revision);
            let cells = records::cells(self.batch, self.template, &record).map(|(column, cell)| fact(column, cell));
            let mut facts: Vec<(String, String)> = cells.filter(|(_, value)| !value.is_empty()).collect();
            let operation = self.batch.operation;
            if let Some((switch, on)) = operation.descriptor().switch.zip(operation.switched(&self.batch.options)) {
                facts.push(fact(switch.label, if on { "On" } else { "Off" }));
            }
            let step = HistoryEvent {
                kind: "file",
                tone: "neutral",
                title: format!("Row {} of {}", revision.sheet_row, self.batch.file_name),
                actor: revision.submission.maker_email.clone(),
                facts,
                ..HistoryEvent::default()
            };
            events.push(self.event(revision.submission.created_at, 0, step));
            self.decision(events, revision);
        }
        for press in presses {
            let step = HistoryEvent {
                kind: "attempt",
                tone: "queued",
                title: "Sync with Gateway: every order of the batch is asked about again".to_owned(),
                actor: press.actor.clone(),
                ..HistoryEvent::default()
            };
            events.push(self.event(press.at, 2, step));
        }
        events.extend(replies.iter().map(|reply| self.reply_event(reply)));
        self.result(events, task);
    }

    /// What the gateway or the external system answered.
    fn reply_event(&self, reply: &RowReply) -> DatedEvent {
        let said: Value = serde_json::from_str(&reply.reply).unwrap_or_default();
        let number = |name: &str| said.get(name).and_then(Value::as_u64);
        let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        let http = number("http");
        let tone = match http {
            Some(200..=299) => "accepted",
            Some(400..=499) => "failed",
            _ => "waiting",
        };
        let (rank, title, actor) = match reply.source.as_str() {
            "DELIVERY" => (4, "The external system was told the order", "External system"),
            _ => (3, "The gateway was asked about the order", "Gateway"),
        };
        let status = http.map_or_else(|| "no answer".to_owned(), |http| http.to_string());
        let mut facts = vec![fact("HTTP status", status)];
        facts.extend(number("ms").map(|ms| fact("Answered after", format!("{ms} ms"))));
        facts.extend(text("id").map(|id| fact("Message", id)));
        let step = HistoryEvent {
            kind: "reply",
            tone,
            title: title.to_owned(),
            actor: actor.to_owned(),
            facts,
            raw: super::readable(&text("body").unwrap_or_default()),
            ..HistoryEvent::default()
        };
        self.event(reply.at, rank, step)
    }

    /// Where the order stands now.
    fn result(&self, events: &mut Vec<DatedEvent>, task: &TaskRow) {
        let Some(at) = task.updated_at else { return };
        let outcome = Outcome::of(task, self.batch.unit());
        let (title, tone, kind) = match outcome.state.status() {
            TaskStatus::Accepted => ("Synchronised", "accepted", "outcome"),
            TaskStatus::Failed => ("Not synchronised", "failed", "outcome"),
            TaskStatus::Queued => ("Waits", "waiting", "open"),
        };
        // What the table of tasks says of it, by the heads of its columns.
        let columns = self.batch.operation.descriptor().columns.iter().map(|column| column.head.join(", "));
        let said = operations::of(self.batch.operation).cells(&outcome);
        let facts = columns.zip(said).filter_map(|(head, parts)| {
            let text = parts.into_iter().find_map(|part| match part {
                CellPart::Flag(text) | CellPart::Response(text) => Some(text),
                CellPart::Small(_) | CellPart::Id(_) | CellPart::SmallId(_) => None,
            })?;
            Some(fact(&head, text))
        });
        let step = HistoryEvent {
            kind,
            tone,
            title: title.to_owned(),
            actor: "Batchdesk".to_owned(),
            facts: facts.collect(),
            remark: outcome.message,
            ..HistoryEvent::default()
        };
        events.push(self.event(at, 6, step));
    }
}
