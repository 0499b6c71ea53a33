//! Batches in whose middle a process is killed or stopped.

use super::{
    checker,
    client::{ACME, GLOBEX},
    run::{FAST, FORGETFUL_AND_SLOW, Run, settled},
    world::size,
};
use nix::sys::signal::{Signal, kill};
use std::{collections::HashMap, thread, time::Duration};

/// A moment that the seed decides.
fn pass_time(run: &mut Run, most_ms: u64) {
    thread::sleep(Duration::from_millis(run.random.within(0..=most_ms)));
}

#[test]
fn the_server_is_killed_again_and_again() {
    let mut run = Run::begin("server killed", &FORGETFUL_AND_SLOW, &FAST);
    let (kills, each, plain) = size((4, 5, 250), (20, 10, 900));
    let mut batch = run.submit(&ACME, each, plain);
    for _ in 0..kills {
        batch = run.in_the_middle(batch, each, plain);
        pass_time(&mut run, 800);
        run.demo.kill();
        run.demo.start_again();
    }
    run.finish(&format!("{kills} kills"));
}

#[test]
fn one_of_two_workers_is_killed() {
    let mut run = Run::begin("worker killed", &FORGETFUL_AND_SLOW, &FAST);
    let (kills, each, plain) = size((1, 5, 250), (6, 10, 900));
    let mut batch = run.submit(&GLOBEX, each, plain);
    for _ in 0..kills {
        let worker = run.demo.start_worker();
        batch = run.in_the_middle(batch, each, plain);
        pass_time(&mut run, 1_500);
        worker.kill();
    }
    let url = run.demo.run_file()["database_url"].as_str().unwrap().to_owned();
    let workers = run.client.count(&url, "SELECT count(DISTINCT owner) FROM desk.attempt");
    assert!(workers >= 2, "only {workers} processes sent anything: nothing was shared");
    run.finish(&format!("{kills} kills"));
}

#[test]
fn a_worker_sleeps_past_its_lease() {
    // Nothing but the key keeps a request apart that was under way when its sender fell asleep: this gateway knows keys. What
    // the sleeper hears when it wakes (that its refund is a repeated one) must not be taken for a failure.
    let mut run = Run::begin("worker asleep", &["--hang-ms", "300", "--latency-ms", "10..60"], &FAST);
    let (sleeps, each, plain) = size((1, 5, 250), (5, 10, 900));
    let mut batch = run.submit(&GLOBEX, each, plain);
    let worker = run.demo.start_worker();
    for _ in 0..sleeps {
        batch = run.in_the_middle(batch, each, plain);
        pass_time(&mut run, 800);
        kill(worker.pid(), Signal::SIGSTOP).unwrap();
        // Twice the lease: the other one takes over, and asks.
        thread::sleep(Duration::from_secs(8));
        kill(worker.pid(), Signal::SIGCONT).unwrap();
    }
    run.wait(batch, "its end", settled);
    let (status, _) = worker.stop(Duration::from_secs(30));
    assert!(status.success(), "the worker ended with {status}");
    run.finish(&format!("{sleeps} sleeps"));
}

#[test]
fn the_database_is_killed() {
    let mut run = Run::begin("database killed", &FORGETFUL_AND_SLOW, &FAST);
    let (kills, each, plain) = size((2, 5, 250), (10, 10, 900));
    let mut batch = run.submit(&ACME, each, plain);
    for _ in 0..kills {
        batch = run.in_the_middle(batch, each, plain);
        pass_time(&mut run, 800);
        let killed = run.demo.postmaster().expect("PostgreSQL runs");
        kill(killed, Signal::SIGKILL).unwrap();
        run.wait_for("PostgreSQL to be started again", |run| run.demo.postmaster().is_some_and(|pid| pid != killed));
    }
    run.finish(&format!("{kills} kills"));
}

#[test]
fn a_server_that_is_asked_to_stop_leaves_nothing_in_doubt() {
    let mut run = Run::begin("asked to stop", &FORGETFUL_AND_SLOW, &FAST);
    let (stops, plain) = size((1, 300), (5, 1_000));
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
