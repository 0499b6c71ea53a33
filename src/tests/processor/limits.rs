//! The limits of a connection, seen from the gateway's side of the socket: rate, calls at once, and staying away when
//! asked to, with one worker process and with several.

use super::matrix::{
    GatewayMatrix,
    connectors::Mistake,
    server::{Call, Fault, Kind, Times},
};
use super::*;
use crate::domain::view::connection::ConnectionState;
use crate::server::gateway::GatewayClass;
use std::time::Instant;

const TIMES: Times = Times {
    hang: Duration::from_secs(60),
    late: Duration::from_secs(5),
    stale: Duration::from_secs(5),
    window: Duration::from_secs(24 * 3600),
    latency: Duration::from_millis(5),
    retry_after: 4,
};

fn rows(fault: Fault, count: usize) -> Vec<(String, String)> {
    (0..count).map(|number| (format!("{}_{number:05}", fault.name()), format!("2.{:02}", number % 100))).collect()
}

async fn upload(matrix: &GatewayMatrix, rows: &[(String, String)]) -> BatchId {
    let rows: Vec<(&str, &str)> = rows.iter().map(|(id, amount)| (id.as_str(), amount.as_str())).collect();
    matrix.test.upload("owner@globex.test", &refunds(&rows)).await
}

/// Waits until the gateway has had so many requests.
async fn until(matrix: &GatewayMatrix, calls: usize) -> Vec<Call> {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        let had = matrix.server.gateway.calls();
        if had.len() >= calls {
            return had;
        }
        assert!(Instant::now() < give_up, "{} of {calls} requests", had.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first request that came before its time: some may come at once, then so many a second since `begun`. However
/// late some are, the next ones are not early.
fn early(calls: &[Call], begun: Instant, rate: u32, at_once: usize) -> Option<usize> {
    let mut at: Vec<Instant> = calls.iter().map(|call| call.at).filter(|at| *at > begun).collect();
    at.sort();
    let due =
        |number: usize| begun + Duration::from_secs(1) * u32::try_from(number.saturating_sub(at_once)).unwrap() / rate;
    (0..at.len()).find(|number| at[*number] < due(*number))
}

async fn stop(running: Vec<(CancellationToken, JoinHandle<()>)>) {
    for (soft, task) in running {
        soft.cancel();
        tokio::time::timeout(Duration::from_secs(20), task).await.unwrap().unwrap();
    }
}

async fn sql(matrix: &GatewayMatrix, sql: &str) {
    matrix.test.as_superuser(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_and_questions_together_keep_to_the_rate_and_a_change_acts_without_a_restart() {
    let matrix = GatewayMatrix::new(Kind::Keyed, GatewayClass::K, TIMES, Mistake::None).await;
    sql(&matrix, "UPDATE gateway SET rate_limit = 10").await;
    // Each row takes a reading of its order and a send.
    upload(&matrix, &rows(Fault::Plain, 90)).await;
    let begun = Instant::now();
    let running = vec![matrix.start()];
    let calls = until(&matrix, 45).await;
    assert!(calls.iter().any(|call| call.send) && calls.iter().any(|call| !call.send));
    assert_eq!(early(&calls, begun, 10, 2), None, "at most 10 in a second are allowed");
    sql(&matrix, "UPDATE gateway SET rate_limit = 200").await;
    let before = Instant::now();
    let calls = until(&matrix, 180).await;
    assert!(early(&calls, before, 10, 15).is_some(), "the new limit never acted");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_worker_processes_share_one_rate_and_one_number_of_calls() {
    let times = Times { latency: Duration::from_millis(120), ..TIMES };
    let matrix = GatewayMatrix::new(Kind::Listed, GatewayClass::Q, times, Mistake::None).await;
    sql(&matrix, "UPDATE gateway SET rate_limit = 20, concurrency = 3").await;
    // A process drives three runs of rows at a time: there must be some left for the others.
    for batch in 0..9 {
        let rows: Vec<_> = (0..14).map(|n| (format!("PLAIN_{batch}{n:03}"), "2.00".to_owned())).collect();
        upload(&matrix, &rows).await;
    }
    let mut running = vec![matrix.start()];
    until(&matrix, 10).await;
    let begun = Instant::now();
    running.push(matrix.start());
    running.push(matrix.start());
    let calls = until(&matrix, 110).await;
    assert_eq!(early(&calls, begun, 20, 24), None, "at most 20 in a second are allowed from three processes");
    let at_once = matrix.server.gateway.most_at_once();
    assert!((2..=3).contains(&at_once), "{at_once} calls at once from three processes, at most 3 allowed");
    let mut admin = matrix.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let owners: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT owner) FROM attempt").fetch_one(&mut admin).await.unwrap();
    assert!(owners > 1, "the test must be able to fail: {owners} processes sent anything");
    until(&matrix, 126).await;
    stop(running).await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM gateway_worker").fetch_one(&mut admin).await.unwrap();
    assert_eq!(left, 0, "who stops gives its part back");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_stops_the_whole_connection_in_all_processes() {
    let matrix =
        GatewayMatrix::new(Kind::Keyed, GatewayClass::K, Times { retry_after: 8, ..TIMES }, Mistake::None).await;
    sql(&matrix, "UPDATE gateway SET concurrency = 2").await;
    let mut all = rows(Fault::Plain, 300);
    all.extend(rows(Fault::TooMany, 1));
    all.extend((300..400).map(|n| (format!("PLAIN_{n:05}"), "2.00".to_owned())));
    upload(&matrix, &all).await;
    upload(&matrix, &(400..600).map(|n| (format!("PLAIN_{n:05}"), "2.00".to_owned())).collect::<Vec<_>>()).await;
    let running = vec![matrix.start(), matrix.start()];
    let refused = loop {
        match matrix.server.gateway.calls().iter().find(|call| call.answered == 429) {
            Some(call) => break call.at,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let caller = matrix.test.caller("owner@globex.test").await;
    let mut admin = matrix.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let (batch,): (Uuid,) =
        sqlx::query_as("SELECT id FROM batch ORDER BY id LIMIT 1").fetch_one(&mut admin).await.unwrap();
    loop {
        let health = matrix.test.connection_health(&caller, BatchId(batch)).await;
        if matches!(health.state, ConnectionState::Paused { .. }) {
            break;
        }
        assert!(refused.elapsed() < Duration::from_secs(60), "{health:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The process that heard it stops at once; the other reads of it within a second, on a machine with nothing else to
    // do.
    let (from, to) = (refused + Duration::from_secs(5), refused + Duration::from_millis(7_900));
    while !matrix.server.gateway.calls().iter().any(|call| call.at > to) {
        assert!(refused.elapsed() < Duration::from_secs(60), "and afterwards it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop(running).await;
    let calls = matrix.server.gateway.calls();
    let inside = calls.iter().filter(|call| call.at > from && call.at < to).count();
    assert_eq!(inside, 0, "requests while the gateway wants none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_intended_ahead_is_not_sent_once_the_gateway_wants_to_be_left_alone() {
    let times = Times { latency: Duration::from_millis(100), ..TIMES };
    let matrix = GatewayMatrix::new(Kind::Keyed, GatewayClass::K, times, Mistake::None).await;
    sql(&matrix, "UPDATE gateway SET concurrency = 1, preflight = false").await;
    let mut all = rows(Fault::Plain, 10);
    all.extend(rows(Fault::TooMany, 1));
    all.extend((10..20).map(|n| (format!("PLAIN_{n:05}"), "2.00".to_owned())));
    upload(&matrix, &all).await;
    let running = vec![matrix.start()];
    let calls = until(&matrix, 13).await;
    stop(running).await;
    let mut sends: Vec<_> = calls.iter().filter(|call| call.send).collect();
    sends.sort_by_key(|call| call.at);
    let refused = sends.iter().position(|call| call.answered == 429).unwrap();
    // On a busy machine a row before it may have been too late for its send, and come again after it.
    assert!(refused > 0, "rows before it went first");
    // The row behind it had its intent while this one was on the wire: it waits with all others.
    let mut admin = matrix.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM evidence WHERE replies LIKE '%left alone for a while, so it was not sent%'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert!(held >= 1, "the test must be able to fail");
    let gap = sends[refused + 1].at - sends[refused].at;
    assert!(gap >= Duration::from_secs(4), "sent {gap:?} after it was asked to stay away for 4 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_of_a_connection_is_what_happens_there() {
    let matrix = GatewayMatrix::new(Kind::Keyed, GatewayClass::K, TIMES, Mistake::None).await;
    sql(&matrix, "UPDATE gateway SET rate_limit = 20, concurrency = 2").await;
    // An estimate takes ten seconds of work.
    let batch = upload(&matrix, &rows(Fault::Plain, 180)).await;
    let caller = matrix.test.caller("owner@globex.test").await;
    let health = async || matrix.test.connection_health(&caller, batch).await;
    let before = health().await;
    assert_eq!((before.state, before.finished_in_a_minute, before.rate.as_str()), (ConnectionState::Working, 0, ""));
    assert_eq!(before.limit, "20 requests a second, 2 calls at once");
    assert!(before.eta.starts_with("No estimate yet"), "{}", before.eta);
    let begun = Instant::now();
    let running = vec![matrix.start()];
    let mut admin = matrix.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let mut estimated = false;
    let give_up = Instant::now() + Duration::from_secs(300);
    loop {
        let shown = health().await;
        // Rows end at half the rate: each takes a reading and a send.
        estimated |= shown.eta == "Less than a minute";
        if shown.eta.is_empty() {
            break;
        }
        assert!(Instant::now() < give_up, "{shown:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(estimated, "there was never an estimate");
    let finished: i64 = sqlx::query_scalar("SELECT count(*) FROM outcome").fetch_one(&mut admin).await.unwrap();
    assert_eq!(finished, 180);
    // The last second is told with the next look. A machine that took a minute for all of it has forgotten the first
    // ones.
    let (mut shown, forgotten) = (health().await, || begun.elapsed() > Duration::from_secs(55));
    while shown.finished_in_a_minute < 180 && !forgotten() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        shown = health().await;
    }
    assert!(shown.finished_in_a_minute == 180 || (shown.finished_in_a_minute < 180 && forgotten()), "{shown:?}");
    assert!(shown.workers <= 1, "{shown:?}");
    assert!(shown.rate.ends_with("a second"), "{}", shown.rate);
    stop(running).await;
    sql(
        &matrix,
        "UPDATE gateway SET sending = false, stopped_at = now(),
                  stopped_reason = 'The gateway refused our key (HTTP 401).'",
    )
    .await;
    assert!(
        matches!(health().await.state, ConnectionState::Stopped { since: Some(_), reason } if reason.contains("refused"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_limits_that_are_none() {
    let matrix = GatewayMatrix::new(Kind::Mute, GatewayClass::N, TIMES, Mistake::None).await;
    for bad in [
        "rate_limit = 0",
        "rate_limit = -5",
        "concurrency = 0",
        "rate_limit = 5, rate_burst = 0",
        "rate_burst = 3",
        "rate_limit = 10001",
    ] {
        let error = matrix.test.as_superuser(&format!("UPDATE gateway SET {bad}")).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "23514", "{bad}");
    }
    sql(&matrix, "UPDATE gateway SET rate_limit = 5, rate_burst = 2, concurrency = 1").await;
}
