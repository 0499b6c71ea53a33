//! Search from every page: orders, transactions, unique ids, batches, files.

use super::{access::Caller, time_format};
use crate::{
    db::{self, search::By},
    domain::{
        access::{Module, Right},
        ids::BatchId,
        money::{Currency, Money},
        operation::Operation,
        text::{SEARCH, normalised},
        view::search::{Found, FoundBatch, FoundTask, MOST_FOUND, SHORTEST_SEARCH},
    },
    error::OpResult,
    state::AppState,
};
use jiff::tz::TimeZone;
use std::collections::HashSet;
use uuid::Uuid;

/// Finds what begins with `text`, in the modules the caller may read. Returns nothing for a text that is too short.
pub async fn search(state: &AppState, caller: &Caller, text: &str) -> OpResult<Found> {
    let operations: Vec<&'static str> =
        super::access::authorise_some(caller)?.into_iter().map(Operation::code).collect();
    // Ids are looked for as they were typed, names in the form that they are stored in.
    let text = SEARCH.read_exactly(text)?;
    let name = normalised(&text);
    let mut found =
        Found { text, orders: Vec::new(), more_orders: false, batches: Vec::new(), tasks: Vec::new(), more: false };
    if found.text.chars().count() < SHORTEST_SEARCH {
        return Ok(found);
    }
    let zone = time_format::zone(&caller.organisation.zone);
    let limit = i64::try_from(MOST_FOUND).unwrap_or(i64::MAX);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    if caller.permissions.allow(Module::Orders, Right::Read) {
        found.orders = super::orders::beginning(&mut tx, caller, &found.text, limit + 1).await?;
        found.more_orders = found.orders.len() > MOST_FOUND;
        found.orders.truncate(MOST_FOUND);
    }
    let mut batches = Vec::new();
    if let Some((from, to)) = id_range(&found.text) {
        batches.extend(db::search::batches_by_id(&mut tx, from, to, &operations, limit).await?);
    }
    for operation in &operations {
        batches.extend(db::search::batches_by_name(&mut tx, &name, operation, limit).await?);
    }
    let mut seen = HashSet::new();
    for by in By::ALL {
        let hits = db::search::tasks(&mut tx, by, &found.text, &operations, limit + 1).await?;
        found.more |= hits.len() > MOST_FOUND;
        for hit in hits.iter().take(MOST_FOUND) {
            // A unique id that is also the key is one task, not two.
            if seen.insert((hit.batch_id, hit.row_no)) {
                found.tasks.push(task(hit, by, &zone));
            }
        }
    }
    tx.commit().await?;
    found.batches = batches.iter().map(|hit| batch(hit, &zone)).collect();
    found.batches.sort_by_key(|batch| std::cmp::Reverse(batch.id));
    found.batches.truncate(MOST_FOUND);
    Ok(found)
}

/// The ids that begin with these digits; none for a text that is no beginning of an id.
fn id_range(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() > 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let end = |fill: &str| Uuid::try_parse(&format!("{digits}{}", fill.repeat(32 - digits.len()))).ok();
    end("0").zip(end("f"))
}

fn task(hit: &db::search::TaskHit, by: By, zone: &TimeZone) -> FoundTask {
    let label = match by {
        By::Order => None,
        By::Transaction => Some("Transaction"),
        By::UniqueId => Some("Unique ID"),
        By::Key => Some("Gateway key"),
    };
    FoundTask {
        batch: BatchId(hit.batch_id),
        operation: hit.operation,
        file_name: hit.file_name.clone(),
        created: time_format::display_time(hit.created_at, zone),
        number: u64::try_from(hit.row_no).unwrap_or(0),
        order_id: hit.order_id.clone(),
        by: label.map(|label| (label, hit.matched.clone())),
        amount: Money::new(hit.amount_minor, hit.currency.unwrap_or(Currency::UNUSED)),
        status: hit.status,
    }
}

fn batch(hit: &db::search::BatchHit, zone: &TimeZone) -> FoundBatch {
    FoundBatch {
        id: BatchId(hit.id),
        operation: hit.operation,
        file_name: hit.file_name.clone(),
        status: hit.status,
        created: time_format::display_time(hit.created_at, zone),
        records: u64::try_from(hit.records).unwrap_or(0),
        amount: Money::new(hit.amount_minor, hit.currency.unwrap_or(Currency::UNUSED)),
    }
}

#[cfg(test)]
mod tests {
    use super::id_range;

    #[test]
    fn the_beginning_of_an_id_is_a_range_of_ids() {
        let (from, to) = id_range("019aa064-34").unwrap();
        assert_eq!(from.to_string(), "019aa064-3400-0000-0000-000000000000");
        assert_eq!(to.to_string(), "019aa064-34ff-ffff-ffff-ffffffffffff");
        for no_id in ["ORD_1", "019aa064-3421-72cf-98ed-3238f9fbe3c9a", "é"] {
            assert_eq!(id_range(no_id), None, "{no_id}");
        }
    }
}
