//! The demo, with a database and a gateway of its own that end and start with it, killed or stopped in the middle of a
//! batch.

use super::{
    checker,
    client::{ACME, GLOBEX},
    deployment::size,
    run::{FAST, FORGETFUL_AND_SLOW, Run, settled},
};
use nix::sys::signal::{Signal, kill};
use std::{collections::HashMap, thread, time::Duration};

/// A moment that the seed decides.
fn pass_time(run: &mut Run, most_ms: u64) {
    thread::sleep(Duration::from_millis(run.random.within(0..=most_ms)));
}

#[test]
fn a_demo_goes_on_whose_server_and_database_are_killed() {
    let mut run = Run::begin("demo killed", &FORGETFUL_AND_SLOW, &FAST);
    let (kills, each, plain) = size((1, 1, 150), (10, 10, 500));
    let mut batch = run.submit(&ACME, each, plain);
    for _ in 0..kills {
        batch = run.in_the_middle(batch, each, plain);
        pass_time(&mut run, 800);
        run.demo.kill();
        run.demo.start_again();
        batch = run.in_the_middle(batch, each, plain);
        pass_time(&mut run, 800);
        let killed = run.demo.postmaster().expect("PostgreSQL runs");
        kill(killed, Signal::SIGKILL).unwrap();
        run.wait_for("PostgreSQL to be started again", |run| run.demo.postmaster().is_some_and(|pid| pid != killed));
    }
    run.finish(&format!("{kills} kills of each"));
}

#[test]
fn a_server_that_is_asked_to_stop_leaves_nothing_in_doubt() {
    let mut run = Run::begin("asked to stop", &FORGETFUL_AND_SLOW, &FAST);
    let (stops, plain) = size((1, 300), (3, 1_000));
    let mut batch = run.submit(&GLOBEX, 0, plain);
    for _ in 0..stops {
        batch = run.in_the_middle(batch, 0, plain);
        pass_time(&mut run, 500);
        let (status, _) = run.demo.stop(Duration::from_secs(30));
        assert!(status.success(), "it ended with {status}");
        run.demo.start_again();
        let snapshot = run.look(batch).expect("it is ready");
        assert_eq!(snapshot["counts"]["checking"], 0, "{snapshot}");
    }
    run.wait(batch, "its end", settled);
    // Nothing was asked for twice, though the gateway would have taken it.
    let mut posts: HashMap<String, usize> = HashMap::new();
    for line in checker::ledger(&run.demo.ledger()) {
        *posts.entry(line.order).or_default() += 1;
    }
    let again: Vec<_> = posts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(again.is_empty(), "sent again: {again:?}");
    run.finish(&format!("{stops} stops"));
}
