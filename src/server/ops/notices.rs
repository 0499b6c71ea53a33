//! Notices: what a person is told of, in sentences.

use super::{access::Caller, time_format};
use crate::{
    db::{self, notices::NoticeRow},
    domain::{
        access::{Module, Right},
        error::RefusalKind,
        money::{Money, group},
        notice::NoticeKind,
        page::encode,
        view::notices::{NoticePart, NoticeView, Notices},
    },
    error::{OpError, OpResult},
    state::AppState,
};
use jiff::tz::TimeZone;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Notices on the page.
const SHOWN: i64 = 100;

/// The caller's own notices. Everybody who is signed in has some.
pub async fn list(state: &AppState, caller: &Caller) -> OpResult<Notices> {
    let zone = time_format::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let rows = db::notices::newest(&mut tx, SHOWN).await?;
    tx.commit().await?;
    let until = rows.iter().map(|row| row.at).max().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
    Ok(Notices {
        unread: rows.iter().filter(|row| row.read_at.is_none()).count(),
        notices: rows.iter().map(|row| present_notice(row, &zone, caller)).collect(),
        until,
    })
}

/// Marks what the page had shown as read: `until` is what [`list`] gave.
pub async fn mark_read(state: &AppState, caller: &Caller, until: &str) -> OpResult<u64> {
    let until = OffsetDateTime::parse(until, &Rfc3339).map_err(|_| {
        OpError::refuse(RefusalKind::Invalid, "Which notices were read cannot be told. Load the page again.")
    })?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let read = db::notices::mark_read(&mut tx, until).await?;
    tx.commit().await?;
    Ok(read)
}

/// What a notice says.
struct Saying {
    glyph: &'static str,
    parts: Vec<NoticePart>,
    /// What to look at in the batch: the query of its page, and the words of the link.
    look: (String, &'static str),
}

fn text_part(text: impl Into<String>) -> NoticePart {
    NoticePart::Words(text.into())
}

fn strong(text: impl Into<String>) -> NoticePart {
    NoticePart::Strong(text.into())
}

fn present_notice(row: &NoticeRow, zone: &TimeZone, caller: &Caller) -> NoticeView {
    let said = |name: &str| row.payload.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let Saying { glyph, parts, look } = saying(row, &said("by"), &said("order_id"));
    let link = match (NoticeKind::from_code(&row.kind), row.batch_id, row.operation) {
        (Some(NoticeKind::GatewayStopped | NoticeKind::OrganisationStopped), _, _) => {
            Some(("/settings".to_owned(), "Open the settings"))
        }
        // Checkers are told, too; not all of them may open the settings.
        (Some(NoticeKind::ChangeProposed | NoticeKind::ChangeMade | NoticeKind::ChangeDropped), _, _) => caller
            .permissions
            .allow(Module::Settings, Right::Read)
            .then(|| ("/settings#changes".to_owned(), "Open the settings")),
        (Some(NoticeKind::ReviewNeeded | NoticeKind::Differences), Some(batch), _) => {
            Some((format!("/review?batch={batch}"), "Open the review"))
        }
        (_, Some(batch), Some(operation)) => Some((format!("{}/{batch}{}", operation.path(), look.0), look.1)),
        _ => None,
    };
    NoticeView {
        at: time_format::display_time(row.at, zone),
        read: row.read_at.is_some(),
        glyph,
        parts,
        remark: said("message"),
        link,
    }
}

/// `A refund of ₹1,200.00 ` or `3 refunds, ₹3,600.00 together, `.
fn subject(row: &NoticeRow) -> (Vec<NoticePart>, bool) {
    let amount = row.currency.map(|currency| Money::new(row.amount_minor, currency).to_string()).unwrap_or_default();
    let number = u64::try_from(row.tasks).unwrap_or(0);
    let tasks = group(number, true);
    match row.operation.filter(|operation| operation.has_amounts()) {
        Some(operation) if number <= 1 => {
            (vec![text_part(format!("A {} of ", operation.thing(1))), strong(amount)], true)
        }
        Some(operation) => {
            let things = operation.thing(number);
            (vec![text_part(format!("{tasks} {things}, ")), strong(amount), text_part(" together,")], false)
        }
        // Nothing is said of what is not known.
        None if number <= 1 => (vec![text_part("A task")], true),
        None => (vec![text_part(format!("{tasks} tasks"))], false),
    }
}

fn saying(row: &NoticeRow, by: &str, order: &str) -> Saying {
    let file = row.file_name.clone().unwrap_or_default();
    let somebody = if by.is_empty() { "Somebody" } else { by };
    // Of one task the page shows that task, of several those of the status they have now.
    let tasks = |glyph, status: &str, one: &str, several: &str| {
        let (mut parts, single) = subject(row);
        parts.extend([text_part(" in batch "), strong(file.clone()), text_part(if single { one } else { several })]);
        let look = match (single, status) {
            (true, _) if !order.is_empty() => (format!("?q={}", encode(order)), "Show the task"),
            (_, "") => (String::new(), "Open the batch"),
            _ => (format!("?status={status}"), "Show the tasks"),
        };
        Saying { glyph, parts, look }
    };
    let batch = |glyph, before: String, after: &str| Saying {
        glyph,
        parts: vec![text_part(before), strong(file.clone()), text_part(after)],
        look: (String::new(), "Open the batch"),
    };
    let plain =
        |glyph, text: &str| Saying { glyph, parts: vec![text_part(text)], look: (String::new(), "Open the batch") };
    let told = |name: &str| row.payload.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let (what, second) = (told("what"), told("second"));
    let change = |glyph, before: String, after: &str| Saying {
        glyph,
        parts: vec![text_part(before), strong(what.clone()), text_part(after)],
        look: (String::new(), "Open the settings"),
    };
    // Failed rows that were to be sent again, and not the whole batch.
    let again = row.payload.get("retry").is_some();
    match NoticeKind::from_code(&row.kind) {
        Some(NoticeKind::Approved) if again => {
            batch("accepted", format!("{somebody} approved that failed rows of "), " are sent again.")
        }
        Some(NoticeKind::Rejected) if again => batch(
            "rejected",
            format!("{somebody} rejected that failed rows of "),
            " are sent again. They are failed as before.",
        ),
        Some(NoticeKind::Expired) if again => batch(
            "expired",
            "Nobody decided in time whether failed rows of ".to_owned(),
            " are sent again. They were not, and are failed as before.",
        ),
        Some(NoticeKind::FailedLate) => {
            let after = " failed at the gateway after it had been accepted.";
            tasks("failed", "FAILED", after, " failed at the gateway after they had been accepted.")
        }
        Some(NoticeKind::TakenBack) => {
            let after = " failed: the gateway had reported it as done and now takes that back.";
            tasks("failed", "FAILED", after, " failed: the gateway had reported them as done and now takes that back.")
        }
        Some(NoticeKind::CarriedOutAfterAll) => {
            let after = " was carried out after all: the gateway had refused it before. Do not send it again.";
            let several = " were carried out after all: the gateway had refused them before. Do not send them again.";
            tasks("waiting", "ACCEPTED", after, several)
        }
        Some(NoticeKind::ReviewNeeded) => {
            let after = " needs a review: what became of it at the gateway is not known.";
            tasks("waiting", "QUEUED", after, " need a review: what became of them at the gateway is not known.")
        }
        Some(NoticeKind::Differences) => {
            let found = match row.tasks {
                ..=1 => "1 difference".to_owned(),
                tasks => format!("{} differences", group(u64::try_from(tasks).unwrap_or(0), true)),
            };
            batch(
                "failed",
                "The comparison with the gateway of batch ".to_owned(),
                &format!(" found {found} about money."),
            )
        }
        Some(NoticeKind::Approved) => batch("accepted", format!("{somebody} approved your batch "), "."),
        Some(NoticeKind::Rejected) => batch("rejected", format!("{somebody} rejected your batch "), "."),
        Some(NoticeKind::Expired) => batch(
            "expired",
            "Nobody decided on your batch ".to_owned(),
            " in time, so it has expired. Nothing was sent. Upload it again to ask once more.",
        ),
        Some(NoticeKind::ImportEnded) => {
            let number =
                |name: &str| group(row.payload.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0), true);
            let [created, skipped, failed] = ["created", "skipped", "failed"].map(number);
            let after =
                format!(" has ended: {created} rows were stored, {skipped} were there already, {failed} failed.");
            batch("accepted", "Your import ".to_owned(), &after)
        }
        Some(NoticeKind::ImportFailed) => batch("failed", "Your import ".to_owned(), " could not be stored."),
        Some(NoticeKind::GatewayStopped) => plain("failed", "Sending through the gateway connection has stopped."),
        Some(NoticeKind::OrganisationStopped) => plain("failed", "Sending has stopped for the whole organisation."),
        Some(NoticeKind::ChangeProposed) => change(
            "waiting",
            format!("{somebody} asks for a change of settings: "),
            " Another administrator must confirm it.",
        ),
        Some(NoticeKind::ChangeMade) => match second.as_str() {
            "" => change(
                "waiting",
                format!("{somebody} changed the settings: "),
                " There is no second administrator to confirm it.",
            ),
            second => {
                change("waiting", format!("{somebody} changed the settings: "), &format!(" {second} confirmed it."))
            }
        },
        Some(NoticeKind::ChangeDropped) => {
            match (row.payload.get("verdict").and_then(serde_json::Value::as_str), second.as_str()) {
                (Some("REJECT"), second) => change(
                    "rejected",
                    format!("{second} rejected a change of settings that {somebody} asked for: "),
                    "",
                ),
                (Some("WITHDRAW"), _) => change("info", format!("{somebody} withdrew a change of settings: "), ""),
                _ => change(
                    "expired",
                    format!("Nobody confirmed in time a change of settings that {somebody} asked for: "),
                    "",
                ),
            }
        }
        // Of a newer version than this process, which runs beside it during an update.
        Some(NoticeKind::BatchChanged) | None => plain("info", "Something happened that this page cannot tell yet."),
    }
}
