//! The activity log of a batch: who did what to it and when, from the audit trail, which nobody can change.

use super::{
    access::{Caller, authorise},
    batches::found,
    time_format, views,
};
use crate::{
    db,
    domain::{
        access::Right,
        ids::BatchId,
        money::group,
        operation::Operation,
        page::{PAGE_SIZE, Paged},
        view::activity::ActivityLog,
    },
    error::OpResult,
    state::AppState,
};

/// A page of the log. Needs Read.
pub async fn log(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    batch: BatchId,
    page: u32,
) -> OpResult<ActivityLog> {
    authorise(caller, operation.module(), Right::Read)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let page = page.max(1);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = found(&mut tx, operation, batch).await?;
    let offset = i64::from(page - 1) * i64::from(PAGE_SIZE);
    let acts = db::audit::page(&mut tx, batch.0, i64::from(PAGE_SIZE), offset).await?;
    let counted = db::audit::counted(&mut tx, batch.0).await?;
    let ends = db::history::ends(&mut tx, operation, batch).await?;
    tx.commit().await?;

    let text = |at| time_format::display_time(at, &zone).text;
    let mut facts = vec![("Created", format!("{} by {}", text(row.created_at), row.maker_email))];
    if let Some(decision) = row.verdict.as_deref() {
        let word = match decision {
            "APPROVE" => "Approved",
            "REJECT" => "Rejected",
            _ => "Decision",
        };
        let by = row.checker_email.as_ref().map_or("Not required".to_owned(), |email| format!("by {email}"));
        let words = match row.decided_at {
            Some(at) if row.checker_email.is_some() => format!("{} {by}", text(at)),
            _ => by,
        };
        facts.push((word, words));
    }
    if let Some((first, last)) = ends {
        facts.push(("First task ended", text(first)));
        let so_far = if row.queued.0 > 0 { "Last task ended so far" } else { "Last task ended" };
        facts.push((so_far, text(last)));
    }
    for (action, name) in [
        ("batch.synced", "Sync with Gateway"),
        ("batch.paused", "Paused"),
        ("batch.retried", "Failed rows sent again"),
        ("batch.downloaded", "Downloads"),
    ] {
        if let Some((_, times, at, actor)) = counted.iter().find(|(other, ..)| other == action) {
            let times = match times {
                1 => "Once".to_owned(),
                times => format!("{} times, last", group(times.unsigned_abs(), true)),
            };
            facts.push((name, format!("{times} {} by {actor}", text(*at))));
        }
    }
    let total = counted.iter().map(|(_, times, ..)| times.unsigned_abs()).sum();
    Ok(ActivityLog {
        snapshot: views::batch::snapshot(&row, &zone, None, String::new()),
        facts,
        acts: Paged {
            rows: acts.iter().map(|act| views::batch::activity(row.operation, act, &zone)).collect(),
            total,
            page,
            size: PAGE_SIZE,
        },
    })
}
