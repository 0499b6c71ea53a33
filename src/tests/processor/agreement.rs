//! The database's own gates against the protocol's rules: one may not let pass what the other forbids.

use super::{protocol::intend_first, *};
use crate::{
    domain::{
        protocol::{Event, Now, State},
        task::TaskState,
    },
    server::db::tasks::{claim, resolve},
};

const LEASE: Duration = Duration::from_secs(60);

/// An open task of this state, as its worker would find it. The batch's one row was sent by a worker that is gone.
async fn open_task(bench: &Bench, state: TaskState, in_window: bool) {
    let sent = if in_window { "1 minute" } else { "23 hours" };
    let state = state.code();
    bench
        .sql(&format!(
            "UPDATE open_task SET state = '{state}', run_at = now() - interval '1 second', owner = NULL, first_sent_at = now() - interval '{sent}'"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_lets_pass_exactly_what_the_protocol_allows() {
    let bench = Bench::new(GatewayClass::K, Script::keyed()).await;
    let batch = bench.batch(&[("PLAIN_1", "10.00")]).await;
    let worker = bench.worker();
    let hold = intend_first(&bench, worker, 1).await;
    let mut tx = bench.world.state.db.worker(bench.organisation).await.unwrap();
    assert_eq!(claim::recover(&mut tx, &[hold], Duration::ZERO).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    let (mut allowed, mut refused) = (0, 0);
    for class in GatewayClass::ALL {
        bench.sql(&format!("UPDATE gateway SET class = '{}'", class.code())).await;
        for (in_window, cancelled) in [(true, false), (false, false), (true, true), (false, true)] {
            let status = if cancelled { "cancelled" } else { "processing" };
            bench.sql(&format!("SET session_replication_role = replica; UPDATE batch SET status = '{status}'")).await;
            for stored in [TaskState::Sending, TaskState::Retry, TaskState::Unknown, TaskState::Pending] {
                let case = format!("{class:?} {stored:?} in window {in_window} cancelled {cancelled}");
                open_task(&bench, stored, in_window).await;
                let now = Now { class, in_window, cancelled };
                let mut tx = bench.world.state.db.worker(bench.organisation).await.unwrap();
                let task = resolve::claim_open(&mut tx, bench.gateway, 8, worker, LEASE).await.unwrap().remove(0);
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
    assert_eq!(bench.tasks(batch).await.len(), 1);
}
