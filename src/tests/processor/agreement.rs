//! The database's own gates against the protocol's rules: one may not let pass what the other forbids.

use super::{protocol::intend_first, *};
use crate::{
    domain::{
        protocol::{Event, Now, Since, State},
        task::TaskState,
    },
    server::db::tasks::{claim, intend, resolve},
};

const LEASE: Duration = Duration::from_secs(60);

/// An open task of this state, as its worker would find it. The batch's one row was sent by a worker that is gone.
async fn open_task(harness: &ProcessorHarness, state: TaskState, in_window: bool) {
    let sent = if in_window { "1 minute" } else { "23 hours" };
    let state = state.code();
    harness
        .sql(&format!(
            "UPDATE open_task SET state = '{state}', run_at = now() - interval '1 second', owner = NULL,
             first_sent_at = now() - interval '{sent}'"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_lets_pass_exactly_what_the_protocol_allows() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00")]).await;
    let worker = harness.worker();
    let hold = intend_first(&harness, worker, 1).await;
    let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
    assert_eq!(claim::recover(&mut tx, &[hold], Duration::ZERO).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    let (mut allowed, mut refused) = (0, 0);
    for class in GatewayClass::ALL {
        harness.sql(&format!("UPDATE gateway_promise SET class = '{}'", class.code())).await;
        for (in_window, cancelled) in [(true, false), (false, false), (true, true), (false, true)] {
            let status = if cancelled { "cancelled" } else { "processing" };
            harness.sql(&format!("SET session_replication_role = replica; UPDATE batch SET status = '{status}'")).await;
            for stored in [TaskState::Sending, TaskState::Retry, TaskState::Unknown, TaskState::Pending] {
                let case = format!("{class:?} {stored:?} in window {in_window} cancelled {cancelled}");
                open_task(&harness, stored, in_window).await;
                let now = Now { class, in_window, cancelled };
                let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
                let task = resolve::claim_open(&mut tx, harness.gateway, 8, worker, LEASE).await.unwrap().remove(0);
                let claimed = State::stored(stored).next(Event::Claimed, now).unwrap().state;
                if stored == TaskState::Sending {
                    assert_eq!(task.state, claimed.seen().code(), "claimed: {case}");
                }
                assert!(!task.in_window || (in_window && class == GatewayClass::K), "window: {case}");
                // What the worker would hold when it had asked and found nothing.
                let held = if claimed == State::Unknown { State::Absent } else { claimed };
                let may = held.next(Event::Intended, now).is_ok();
                let sent = !resolve::intend_again(&mut tx, worker, &[&task]).await.unwrap().is_empty();
                assert_eq!(sent, may, "intended: {case}");
                if sent {
                    allowed += 1
                } else {
                    refused += 1
                }
                // Rolled back.
                drop(tx);
            }
        }
    }
    assert!(allowed >= 5 && refused >= 20, "{allowed} allowed, {refused} refused");
    assert_eq!(harness.tasks(batch).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_sends_no_row_that_must_be_asked_about_first() {
    let harness = ProcessorHarness::new(GatewayClass::K, Script::keyed()).await;
    let batch = harness.batch(&[("PLAIN_1", "10.00"), ("PLAIN_2", "10.00"), ("PLAIN_3", "10.00")]).await;
    let worker = harness.worker();
    harness.sql("UPDATE gateway SET preflight = false").await;
    // Rows from this one on, or none; a run of this many from the first.
    let (mut allowed, mut refused) = (0, 0);
    for class in GatewayClass::ALL {
        harness.sql(&format!("UPDATE gateway_promise SET class = '{}'", class.code())).await;
        for asked_to in [None, Some(1), Some(2), Some(3), Some(4)] {
            for to_row in 1..=3 {
                let from = asked_to.map_or("NULL".to_owned(), |row: i32| row.to_string());
                harness
                    .sql(&format!(
                        "UPDATE chunk SET asked_to = {from}, state = 'WAITING', run_at = now() - interval '1 s'"
                    ))
                    .await;
                let now = Now { class, in_window: true, cancelled: false };
                let state = |row: i32| match asked_to {
                    Some(asked_to) if row >= asked_to => State::AskFirst(Since::Before),
                    _ => State::Ready,
                };
                let may = (1..=to_row).all(|row| state(row).next(Event::Intended, now).is_ok());
                let mut tx = harness.test.state.db.worker(harness.organisation).await.unwrap();
                let chunk =
                    claim::claim_chunks(&mut tx, harness.gateway, 1, worker, LEASE, false).await.unwrap().remove(0);
                let hold = claim::ChunkLease { batch: chunk.batch_id, chunk: chunk.chunk_no, epoch: chunk.epoch };
                let run = intend::Run { hold, from_row: 1, to_row };
                let sent = !intend::intend(&mut tx, worker, run).await.unwrap().is_empty();
                assert_eq!(sent, may, "{class:?}, to be asked from {asked_to:?} on, rows 1 to {to_row}");
                assert_eq!(chunk.must_ask(to_row), state(to_row) != State::Ready);
                if sent {
                    allowed += 1
                } else {
                    refused += 1
                }
                // Rolled back.
                drop(tx);
            }
        }
    }
    assert!(allowed >= 20 && refused >= 15, "{allowed} allowed, {refused} refused");
    assert_eq!(harness.tasks(batch).await.len(), 3);
}
