//! What is going on at the connection that a batch uses: why work waits, how fast it goes, and when it will be through.
//!
//! Everything is read from the database, where all worker processes write it: whichever process renders the page, it
//! says the same.

use super::{gateways, time_format, views::connection::gateway_name};
use crate::{
    db::{
        self, Tx,
        batches::BatchRow,
        gateways::{GatewayRow, Traffic},
    },
    domain::{
        batch::BatchStatus,
        eta::{Eta, EtaInput, NoEta, estimate},
        ids::GatewayId,
        view::connection::{ConnectionHealth, ConnectionState},
    },
    error::OpResult,
    gateway::concurrency_in_force,
    state::AppState,
};
use jiff::tz::TimeZone;

/// How the connection of a batch does, within a transaction that has authorised already. An import has none.
pub async fn read(
    state: &AppState,
    tx: &mut Tx,
    batch: &BatchRow,
    zone: &TimeZone,
) -> OpResult<Option<ConnectionHealth>> {
    let Some(gateway) = gateways::of_batch(tx, batch).await? else { return Ok(None) };
    let organisation = db::organisations::load(tx).await?;
    let traffic = db::gateways::traffic(tx, GatewayId(gateway.id)).await?;
    let left = db::gateways::left(tx, batch.id.0).await?;
    let stopped = organisation.filter(|organisation| !organisation.sending).map(|organisation| {
        let reason = organisation.stopped_reason.unwrap_or_default();
        ConnectionState::Stopped {
            since: None,
            reason: format!("Sending is stopped for the whole organisation. {reason}"),
        }
    });
    let condition = stopped.unwrap_or_else(|| condition(&gateway, &traffic, zone));
    let eta = estimate(EtaInput {
        unsent: whole(left.unsent),
        open: whole(left.open),
        unsent_on_connection: whole(traffic.unsent),
        finished: whole(traffic.finished),
        seconds: whole(traffic.seconds),
        limit: gateway.rate_limit.and_then(|limit| u32::try_from(limit).ok()),
        requests_a_row: if gateway.preflight && batch.operation.has_amounts() { 2 } else { 1 },
        paused_seconds: whole(traffic.paused_seconds.unwrap_or(0)),
        sending: batch.status == BatchStatus::Processing && !matches!(condition, ConnectionState::Stopped { .. }),
        trouble: matches!(condition, ConnectionState::Trouble { .. }),
    });
    Ok(Some(ConnectionHealth {
        name: gateway_name(&gateway),
        state: condition,
        finished_in_a_minute: whole(traffic.finished),
        rate: rate(traffic.finished, traffic.seconds),
        limit: limit(&gateway, state.config.gateway_concurrency),
        workers: whole(traffic.workers),
        eta: if eta == Eta::Unknown(NoEta::Done) { String::new() } else { eta.text() },
    }))
}

/// The strongest reason why work waits.
fn condition(gateway: &GatewayRow, traffic: &Traffic, zone: &TimeZone) -> ConnectionState {
    if !gateway.sending {
        return ConnectionState::Stopped {
            since: gateway.stopped_at.map(|at| time_format::display_time(at, zone)),
            reason: gateway.stopped_reason.clone().unwrap_or_else(|| "Sending is switched off.".to_owned()),
        };
    }
    if let (Some(since), Some(until)) = (traffic.paused_since, traffic.paused_until) {
        let (since, until) = (time_format::display_time(since, zone), time_format::display_time(until, zone));
        let reason = format!("The gateway asks for no requests before {}.", until.time);
        return ConnectionState::Paused { since, until, reason };
    }
    if let (Some(since), Some(reason)) = (traffic.trouble_since, traffic.trouble_reason.clone()) {
        return ConnectionState::Trouble { since: time_format::display_time(since, zone), reason };
    }
    ConnectionState::Working
}

/// `4.2 a second`, or `18 a minute` where that says more.
fn rate(finished: i64, seconds: i64) -> String {
    let (finished, seconds) = (whole(finished), whole(seconds));
    let tenths = finished.saturating_mul(10).checked_div(seconds).unwrap_or(0);
    match (finished, tenths) {
        (0, _) => String::new(),
        (_, 10..) => format!("{}.{} a second", tenths / 10, tenths % 10),
        _ => format!("{} a minute", finished.saturating_mul(60).checked_div(seconds).unwrap_or(0)),
    }
}

/// `5 requests a second, 8 calls at once`.
fn limit(gateway: &GatewayRow, default: usize) -> String {
    let wanted = gateway.concurrency.and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    let calls = concurrency_in_force(gateways::weakest(gateway), wanted);
    let calls = format!("{calls} {} at once", if calls == 1 { "call" } else { "calls" });
    match gateway.rate_limit {
        Some(1) => format!("1 request a second, {calls}"),
        Some(rate) => format!("{rate} requests a second, {calls}"),
        None => calls,
    }
}

fn whole(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_said_in_the_unit_that_says_more() {
        assert_eq!(rate(0, 0), "");
        assert_eq!(rate(0, 60), "");
        assert_eq!(rate(252, 60), "4.2 a second");
        assert_eq!(rate(60, 60), "1.0 a second");
        assert_eq!(rate(18, 60), "18 a minute");
        assert_eq!(rate(3, 10), "18 a minute");
    }
}
