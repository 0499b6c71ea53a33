//! The last comparison of a batch with the gateway, as pages show it.

use super::{super::time_format, labels};
use crate::{
    db::{self, Tx, batches::BatchRow},
    domain::{money::group, view::review::Reconciled},
    error::OpResult,
};
use jiff::tz::TimeZone;

/// The last comparison with at most `limit` of its differences; none when there was none yet.
pub(in crate::ops) async fn last(
    tx: &mut Tx,
    batch: &BatchRow,
    zone: &TimeZone,
    limit: i64,
) -> OpResult<Option<Reconciled>> {
    let Some(last) = db::reconcile::last(tx, batch.id).await? else { return Ok(None) };
    let at = time_format::display_time(last.finished_at, zone).text;
    if last.result != "DONE" {
        let sentence = format!("Not reconciled on {at}: this gateway does not list the refunds of an order.");
        return Ok(Some(Reconciled { sentence, settled: false, differences: Vec::new() }));
    }
    let rows = db::reconcile::differences(tx, last.id, limit).await?;
    let number = |n: i32| group(u64::try_from(n).unwrap_or(0), true);
    // Whatever happened since: what is pending or queued now is not final.
    let is_final = batch.pending == 0 && batch.queued.0 == 0;
    let settled = is_final && last.agreed == last.records && last.open == 0;
    let mut sentence = format!("Reconciled {at}: {} of {} agree.", number(last.agreed), number(last.records));
    if settled {
        sentence.push_str(" All are final.");
    } else if last.open > 0 {
        sentence.push_str(&format!(" {} had no last word yet and were not compared.", number(last.open)));
    } else if batch.pending > 0 {
        sentence.push_str(&format!(" {} still pending at the gateway.", number(batch.pending)));
    }
    let differences = rows.iter().map(|row| labels::difference(row, batch.unit())).collect();
    Ok(Some(Reconciled { sentence, settled, differences }))
}
