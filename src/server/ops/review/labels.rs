//! The sentences of the review: why a task needs people, what a difference means, what to do.

use super::super::time_format;
use crate::{
    db::{
        reconcile::DifferenceRow,
        review::{EntryRow, TaskInReview},
    },
    domain::{
        money::{Currency, Money},
        view::review::{Difference, ReviewEntry},
    },
    gateway::GatewayClass,
};
use jiff::tz::TimeZone;

/// Why a task needs people, and what they do.
pub(super) fn why(task: &TaskInReview, class: GatewayClass) -> (String, String) {
    let said = task.message.as_deref().map(sentence).unwrap_or_default();
    let look = "Look its key up at the gateway. Is there a refund: propose Done with its reference. Is there surely \
                none: propose Not done.";
    let why = match task.code.as_deref() {
        Some("not_found") => said,
        Some("amount_mismatch" | "currency_mismatch") => {
            let next = "Compare it with the refund at the gateway. Is that one what was meant: propose Done with its \
                        reference. Otherwise have it put right there first.";
            return (said, next.to_owned());
        }
        Some("key_twice") => {
            let next = "Look at both at the gateway: money may have moved twice. Have one taken back there, then \
                        propose Done with the reference of the other.";
            return (said, next.to_owned());
        }
        Some("manual_review") => {
            let next = "Ask the gateway's support what became of it, with the key and the reference.";
            return (said, next.to_owned());
        }
        _ if task.state == "PENDING" => {
            let next = "Ask the gateway's support what became of it, with the key and the reference.";
            return (format!("The gateway took it and itself cannot tell how it ended. {said}"), next.to_owned());
        }
        _ if class == GatewayClass::N => {
            format!("It was sent without a clear reply, and this gateway cannot be asked. {said}")
        }
        _ => format!("It was sent without a clear reply. {said}"),
    };
    (why.trim().to_owned(), look.to_owned())
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// What somebody proposed.
pub(super) fn verdict(verdict: &str, reference: &str) -> String {
    match verdict {
        "DONE" => format!("Done, with the gateway's reference {reference}"),
        "NOT_DONE" => "Not done: it counts as failed and can be sent again under a new key".to_owned(),
        _ => "Ask the gateway again; nothing is sent".to_owned(),
    }
}

/// The gateway's word for a state, as it stands in a sentence.
fn theirs(word: Option<&str>) -> String {
    match word {
        Some("SUCCESS") => "done".to_owned(),
        Some("FAILURE") => "failed".to_owned(),
        Some("PENDING") => "under way".to_owned(),
        Some("MANUAL_REVIEW") => "in its own review".to_owned(),
        Some(other) => format!("“{other}”"),
        None => "nothing".to_owned(),
    }
}

/// Our state, as it stands in a sentence.
const fn ours(state: &str) -> &'static str {
    match state.as_bytes() {
        b"SUCCEEDED" => "done",
        b"PENDING" => "taken, under way there",
        b"FAILED" => "failed",
        b"READY" => "never sent",
        _ => "not final",
    }
}

struct Facts<'a> {
    kind: &'a str,
    ours: Option<&'a str>,
    ours_minor: Option<i64>,
    theirs: Option<&'a str>,
    theirs_minor: Option<i64>,
    key: Option<&'a str>,
    reference: Option<&'a str>,
    reversed: bool,
    since: String,
}

/// The fact and what to do about it.
fn fact(facts: &Facts<'_>, currency: Currency) -> (String, String) {
    let money = |minor: Option<i64>| match minor {
        Some(minor) => Money::new(minor, currency).to_string(),
        None => "an amount that cannot be read".to_owned(),
    };
    let ours = ours(facts.ours.unwrap_or_default());
    let theirs = theirs(facts.theirs);
    let reference = facts.reference.map(|reference| format!(" (reference {reference})")).unwrap_or_default();
    let (said, next) = match facts.kind {
        "done_after_failure" => (
            format!("The gateway shows this refund as {theirs}{reference}. We had it as failed{}.", facts.since),
            "It counts as accepted now. If the customer was paid in another way meanwhile, take one of the two back.",
        ),
        "failed_after_success" => (
            format!("The gateway shows this refund as {theirs}{reference}. We had it as done{}.", facts.since),
            "It counts as failed now. The customer has not got the money: send the failed row again, or tell the \
             customer.",
        ),
        "missing" => (
            format!("We have it as {ours}{}. The gateway shows no refund under its key.", facts.since),
            "Ask the gateway's support with the key and the reference. Do not send it again before they answer.",
        ),
        "extra" if ours == "never sent" || ours == "failed" => (
            format!(
                "The gateway shows a refund of {} under its key as {theirs}{reference}. We have it as {ours}, and \
                 nothing was sent of it.",
                money(facts.theirs_minor)
            ),
            "Find out at the gateway who asked for it. Do not send the row again.",
        ),
        "extra" => (
            format!(
                "The gateway shows more than one refund under its key; this one is over {} and {theirs}{reference}.",
                money(facts.theirs_minor)
            ),
            "The customer may have been paid twice. Have one of them taken back at the gateway.",
        ),
        "amount" => (
            format!(
                "The gateway has it over {}{reference}. The file says {}.",
                money(facts.theirs_minor),
                money(facts.ours_minor)
            ),
            "Have the difference put right at the gateway.",
        ),
        "status" => (
            format!("The gateway shows it as {theirs}{reference}. We had it as {ours}{}.", facts.since),
            if facts.reversed {
                "The gateway's word counts now; it stands in review as well."
            } else if facts.theirs == Some("PENDING") {
                "Nothing to do now. It is compared again in the night."
            } else {
                "Ask the gateway's support which of the two is true."
            },
        ),
        "unread" => (
            "The gateway did not answer about this order.".to_owned(),
            "Nothing to do now. It is compared again in the night.",
        ),
        _ => {
            let key = facts.key.map(|key| format!(" under the key {key}")).unwrap_or_default();
            (
                format!(
                    "The gateway also has a refund of {}{key}, {theirs}{reference}, that was not made here.",
                    money(facts.theirs_minor)
                ),
                "",
            )
        }
    };
    (said, next.to_owned())
}

/// A difference about money.
pub(super) fn entry(entry: &EntryRow, currency: Currency, zone: &TimeZone) -> ReviewEntry {
    let since =
        entry.since.map(|at| format!(" since {}", time_format::display_time(at, zone).text)).unwrap_or_default();
    let facts = Facts {
        kind: &entry.kind,
        ours: Some(&entry.ours),
        ours_minor: Some(entry.ours_minor),
        theirs: entry.theirs.as_deref(),
        theirs_minor: entry.theirs_minor,
        key: Some(&entry.gateway_key),
        reference: entry.gw_ref.as_deref(),
        reversed: false,
        since,
    };
    let (sentence, next_step) = fact(&facts, currency);
    let acknowledged = entry.acknowledged_at.map(|at| {
        let by = entry.acknowledged_by.clone().unwrap_or_else(|| "somebody".to_owned());
        (by, time_format::display_time(at, zone), entry.note.clone().unwrap_or_default())
    });
    ReviewEntry {
        id: entry.id.to_string(),
        row: entry.sheet_row.and_then(|row| u32::try_from(row).ok()).unwrap_or(0),
        order_id: entry.order_id.clone(),
        key: entry.gateway_key.clone(),
        amount: Money::new(entry.ours_minor, currency),
        sentence,
        next_step,
        at: time_format::display_time(entry.at, zone),
        acknowledged,
    }
}

/// A difference of a comparison.
pub(super) fn difference(row: &DifferenceRow, currency: Currency) -> Difference {
    let facts = Facts {
        kind: &row.kind,
        ours: row.ours.as_deref(),
        ours_minor: row.ours_minor,
        theirs: row.theirs.as_deref(),
        theirs_minor: row.theirs_minor,
        key: row.gateway_key.as_deref(),
        reference: row.gw_ref.as_deref(),
        reversed: row.reversed,
        since: String::new(),
    };
    let (fact, next_step) = fact(&facts, currency);
    let place = match row.sheet_row {
        Some(number) => format!("Row {number}, order {}", row.order_id),
        None => format!("Order {}", row.order_id),
    };
    Difference { place, fact, next_step }
}
