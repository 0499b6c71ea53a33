//! The trail of one order through a sync: each question to the gateway and each message to the external system.

use super::{Teller, Told, fact};
use crate::{
    domain::{task::TaskStatus, view::retries::StoryStep},
    server::{
        db::{
            audit::AuditRow,
            batches::TaskRow,
            history::{RowReply, RowRevision},
        },
        ops::batches::shown,
    },
};
use serde_json::Value;

impl Teller<'_> {
    /// Everything that happened to an order of a sync.
    pub(super) fn synchronised(
        &self,
        told: &mut Vec<Told>,
        revisions: &[RowRevision],
        presses: &[AuditRow],
        replies: &[RowReply],
        task: &TaskRow,
    ) {
        for revision in revisions {
            let unique_request_id = shown::extra(task).unique_request_id;
            let mut facts = vec![fact("order_id", &revision.order_id)];
            facts.extend(revision.txn_id.as_ref().map(|text| fact("txn_id", text)));
            facts.extend(unique_request_id.map(|text| fact("unique_request_id", text)));
            if let Some(on) = self.batch.operation.switched(&self.batch.options) {
                facts.push(fact("Sync With Gateway", if on { "On" } else { "Off" }));
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
        let state = task.state;
        let (title, tone, kind) = match state.status() {
            TaskStatus::Accepted => ("Synchronised", "accepted", "outcome"),
            TaskStatus::Failed => ("Not synchronised", "failed", "outcome"),
            TaskStatus::Queued => ("Waits", "waiting", "open"),
        };
        let facts = [
            ("Sync Status", Some(shown::sync_status(state).to_owned())),
            ("Gateway Sync Status", task.gateway_status.clone()),
            ("External System Response", task.response.clone()),
        ];
        let facts =
            facts.into_iter().filter_map(|(name, value)| Some(fact(name, value.filter(|text| !text.is_empty())?)));
        let step = StoryStep {
            kind,
            tone,
            title: title.to_owned(),
            actor: "Batchdesk".to_owned(),
            remark: shown::message(task, state),
            facts: facts.collect(),
            ..StoryStep::default()
        };
        told.push(self.told(at, 6, step));
    }
}
