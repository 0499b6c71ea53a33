//! What happened to an order: every sync, every refund of ours, every decision on them, newest first.

use super::is_sync;
use crate::{
    db::orders::store::OrderRecord,
    domain::{
        money::Money,
        task::TaskState,
        view::{orders::OrderStep, retries::HistoryEvent},
    },
    ops::{history, time_format},
};
use jiff::tz::TimeZone;
use time::OffsetDateTime;
use uuid::Uuid;

/// The page that tells everything of a refund.
pub(super) fn last_event(record: &OrderRecord) -> String {
    format!("{}/tasks/{}", batch(record), record.row_no)
}

/// The page of the batch.
fn batch(record: &OrderRecord) -> String {
    format!("{}/{}", record.operation.path(), record.batch_id)
}

/// The history from records and from who pressed "Sync with Gateway".
pub(super) fn of(
    records: &[OrderRecord],
    presses: &[(Uuid, OffsetDateTime, String)],
    zone: &TimeZone,
) -> Vec<OrderStep> {
    let mut builder = OrderHistoryBuilder { zone, events: Vec::new() };
    for record in records {
        builder.record(record);
        for (_, at, actor) in presses.iter().filter(|(batch, ..)| *batch == record.batch_id) {
            let step = HistoryEvent {
                tone: "neutral",
                title: "Sync with Gateway was pressed".to_owned(),
                actor: actor.clone(),
                ..HistoryEvent::default()
            };
            builder.push(*at, 2, record, step);
        }
    }
    let mut events = builder.events;
    // What has the same time stands in the order in which it must have happened.
    events.sort_by_key(|(at, rank, _)| std::cmp::Reverse((*at, *rank)));
    events.into_iter().map(|(_, _, step)| step).collect()
}

struct OrderHistoryBuilder<'a> {
    zone: &'a TimeZone,
    events: Vec<(OffsetDateTime, u8, OrderStep)>,
}

fn fact(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

impl OrderHistoryBuilder<'_> {
    fn push(&mut self, at: OffsetDateTime, rank: u8, record: &OrderRecord, step: HistoryEvent) {
        let mut links = vec![(batch(record), record.file_name.clone())];
        if !is_sync(record) {
            links.push((last_event(record), format!("Row {}", record.row_no)));
        }
        let step = HistoryEvent { at: Some(time_format::display_time(at, self.zone)), ..step };
        self.events.push((at, rank, OrderStep { step, links }));
    }

    fn record(&mut self, record: &OrderRecord) {
        let amount = Money::new(record.amount_minor, record.currency);
        let (kind, title) = match (is_sync(record), record.revision) {
            (true, _) => ("file", "A sync was asked for".to_owned()),
            (false, 1) => ("file", format!("A refund of {amount} was asked for")),
            (false, revision) => ("retry", format!("A refund of {amount} was asked for again, retry {}", revision - 1)),
        };
        let mut facts = vec![fact("Batch", record.batch_status.text())];
        if !is_sync(record) {
            facts.push(fact("Key at the gateway", &record.gateway_key));
        }
        let actor = record.submission.maker_email.clone();
        self.push(
            record.submission.created_at,
            0,
            record,
            HistoryEvent { kind, tone: "neutral", title, actor, facts, ..HistoryEvent::default() },
        );
        self.decision(record);
        for at in record.asked.iter().rev().skip(1) {
            let step =
                HistoryEvent { tone: "neutral", title: "The gateway was asked".to_owned(), ..HistoryEvent::default() };
            self.push(*at, 3, record, step);
        }
        if let Some(at) = record.updated_at {
            self.push(at, 5, record, end(record, amount));
        }
    }

    fn decision(&mut self, record: &OrderRecord) {
        if let Some((at, step)) = history::decision(&record.submission) {
            self.push(at, 1, record, step);
        }
    }
}

/// What it came to, or where it stands.
fn end(record: &OrderRecord, amount: Money) -> HistoryEvent {
    use TaskState as S;
    let (tone, title) = match (is_sync(record), record.state) {
        (true, S::Succeeded) => ("accepted", "Synchronised".to_owned()),
        (true, S::Failed) => ("failed", "Not synchronised".to_owned()),
        (true, _) => ("queued", "Being synchronised".to_owned()),
        (false, S::Succeeded) => ("accepted", format!("{amount} was refunded")),
        (false, S::Pending) => ("accepted", format!("The gateway took the refund of {amount} and has not finished")),
        (false, S::Failed) => ("failed", format!("The refund of {amount} failed")),
        (false, S::Review) => ("waiting", format!("Two people must look at the refund of {amount}")),
        (false, S::Unknown) => {
            ("waiting", format!("The refund of {amount} was perhaps carried out; the gateway is asked"))
        }
        (false, S::Ready | S::Sending | S::Retry) => ("queued", format!("The refund of {amount} is queued")),
    };
    let named = [
        ("GW Transaction Id", &record.gw_ref),
        (if is_sync(record) { "Gateway Sync Status" } else { "Refund Status" }, &record.gateway_status),
        ("External System Response", &record.response),
    ];
    let facts = named.into_iter().filter_map(|(name, value)| Some(fact(name, value.as_ref()?))).collect();
    HistoryEvent {
        kind: "outcome",
        tone,
        title,
        remark: record.message.clone().filter(|_| record.state != S::Succeeded).unwrap_or_default(),
        facts,
        ..HistoryEvent::default()
    }
}
