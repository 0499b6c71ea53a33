//! The trail of one order through a sync: each question to the gateway and each message to the external system.

use super::{Teller, Told, fact};
use crate::{
    domain::{
        task::TaskStatus,
        view::{CellPart, retries::StoryStep},
    },
    server::{
        db::{
            audit::AuditRow,
            batches::TaskRow,
            history::{RowReply, RowRevision},
        },
        operations::{self, Outcome},
        ops::records,
    },
};
use serde_json::Value;

impl Teller<'_> {
    /// Everything that happened to a task that is asked about.
    pub(super) fn queried(
        &self,
        told: &mut Vec<Told>,
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
            let step = StoryStep {
                kind: "file",
                tone: "neutral",
                title: format!("Row {} of {}", revision.sheet_row, self.batch.file_name),
                actor: revision.submission.maker_email.clone(),
                facts,
                ..StoryStep::default()
            };
            told.push(self.told(revision.submission.created_at, 0, step));
            self.decision(told, revision);
        }
        for press in presses {
            let step = StoryStep {
                kind: "attempt",
                tone: "queued",
                title: "Sync with Gateway: every order of the batch is asked about again".to_owned(),
                actor: press.actor.clone(),
                ..StoryStep::default()
            };
            told.push(self.told(press.at, 2, step));
        }
        told.extend(replies.iter().map(|reply| self.answer(reply)));
        self.result(told, task);
    }

    /// What the gateway or the external system answered.
    fn answer(&self, reply: &RowReply) -> Told {
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
        let step = StoryStep {
            kind: "reply",
            tone,
            title: title.to_owned(),
            actor: actor.to_owned(),
            facts,
            raw: super::readable(&text("body").unwrap_or_default()),
            ..StoryStep::default()
        };
        self.told(reply.at, rank, step)
    }

    /// Where the order stands now.
    fn result(&self, told: &mut Vec<Told>, task: &TaskRow) {
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
                CellPart::Flag(text) | CellPart::Answer(text) => Some(text),
                CellPart::Small(_) | CellPart::Id(_) | CellPart::SmallId(_) => None,
            })?;
            Some(fact(&head, text))
        });
        let step = StoryStep {
            kind,
            tone,
            title: title.to_owned(),
            actor: "Batchdesk".to_owned(),
            facts: facts.collect(),
            remark: outcome.message,
            ..StoryStep::default()
        };
        told.push(self.told(at, 6, step));
    }
}
