//! The first page after sign-in.

use super::{
    access::{Caller, readable},
    time_format, views,
};
use crate::{
    db,
    domain::{
        access::Right,
        batch::BatchStatus,
        ids::BatchId,
        money::Money,
        operation::{Effect, Operation},
        view::Home,
    },
    error::{OpError, OpResult},
    state::AppState,
};
use time::Duration;

/// Numbers and the newest batches, of the modules the caller may read. Anybody who is signed in may ask.
pub async fn home(state: &AppState, caller: &Caller) -> OpResult<Home> {
    let zone = time_format::zone(&caller.organisation.zone);
    let now = state.clock.now();
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let mut home = Home {
        waiting: 0,
        processing: 0,
        failures: 0,
        refunded_today: vec![Money::new(0, caller.organisation.currency)],
        recent: Vec::new(),
        attention: Vec::new(),
    };
    for operation in Operation::ALL {
        let may = |right| caller.permissions.allow(operation.module(), right);
        if !may(Right::Read) {
            continue;
        }
        if may(Right::Approve) {
            home.waiting += db::approvals::count_waiting(&mut tx, operation).await?;
        }
        let today = time_format::day_start(now, &zone);
        let (processing, failures) = db::home::figures(&mut tx, operation, now - Duration::days(7)).await?;
        for (currency, minor) in db::approvals::accepted_since(&mut tx, operation, today).await? {
            add(&mut home.refunded_today, Money::new(minor, currency.parse().map_err(OpError::failed)?));
        }
        home.processing += u64::try_from(processing).unwrap_or(0);
        home.failures += u64::try_from(failures).unwrap_or(0);
        for in_review in db::review::batches(&mut tx, operation).await? {
            let Some(row) = db::batches::load(&mut tx, BatchId(in_review.batch_id)).await? else { continue };
            let open = super::review::refunds(u64::try_from(in_review.tasks + in_review.entries).unwrap_or(0));
            home.attention.push((format!("{}: {open} in review", row.file_name), format!("/review?batch={}", row.id)));
        }
        for row in db::batches::newest(&mut tx, operation, 10).await? {
            if row.status == BatchStatus::CompletedWithFailures {
                let sentence = format!("{}: {} failed", row.file_name, row.failed.0);
                home.attention.push((sentence, format!("{}/{}?status=FAILED", operation.path(), row.id)));
            }
            home.recent.push((operation, views::batch::list_row(&row, &zone, may(Right::ReadWrite))));
        }
    }
    let organisation = db::organisations::load(&mut tx).await?;
    let gateway = db::gateways::chosen(&mut tx, Effect::Refund).await?;
    let stopped = organisation
        .and_then(|organisation| views::connection::organisation_notice(&organisation, &zone))
        .or_else(|| gateway.and_then(|gateway| views::connection::gateway_notice(&gateway, &zone)));
    if let Some(notice) = stopped {
        // Whoever may read no list is told all the same, and stays here.
        let path = readable(caller).next().map_or("/", Operation::path);
        home.attention.insert(0, (notice, path.to_owned()));
    }
    tx.commit().await?;
    home.recent.sort_by_key(|(_, row)| std::cmp::Reverse(row.id));
    home.recent.truncate(10);
    Ok(home)
}

/// Adds to the sum of the same currency: of different ones there is no sum.
fn add(sums: &mut Vec<Money>, more: Money) {
    match sums.iter_mut().find(|sum| sum.currency == more.currency) {
        Some(sum) => sum.minor += more.minor,
        None => sums.push(more),
    }
}
