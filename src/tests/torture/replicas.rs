//! G4: several processes on one batch, and one that sleeps past its lease.

use super::{
    client::GLOBEX,
    deployment::{Deployment, Out, Setup, budget, size_of_three, size_text},
    file::End,
    report::Report,
    run::{FORGETFUL, settled},
};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Twice the lease of these worlds.
const SLEEP: Duration = Duration::from_secs(8);
const FENCED: &str = "SELECT count(*) FROM batchdesk.evidence WHERE fenced";

/// Who holds the open task, as a number.
const HOLDER: &str = "SELECT coalesce(max(hashtext(owner::text)), 0)::bigint FROM batchdesk.open_task";

/// All workers but one are stopped again and again: among them, mostly, the one that holds the rows.
fn asleep(scenario: &'static str, workers: usize) {
    // Nothing but the key keeps a request apart that was under way when its sender fell asleep.
    let knobs = ["--hang-ms", "300", "--latency-ms", "10..60"];
    let mut deployment = Deployment::begin(&Setup { scenario, knobs: &knobs, out: Out::Nothing, cut: false });
    let (sleeps, plain) = size_of_three((2, 700), (25, 990), (50, 990));
    let kinds =
        [("ORD_T_BEFORE_", End::Accepted, 3), ("ORD_T_AFTER_", End::Accepted, 3), ("ORD_", End::Accepted, plain)];
    deployment.serve(&["--no-worker"], &[]);
    for _ in 0..workers {
        deployment.serve(&["--no-web"], &[]);
    }
    let file = deployment.file(&kinds);
    let mut batch = deployment.submit(&GLOBEX, file);
    let (begun, time, mut slept, mut killed) = (Instant::now(), budget(40, 150), 0, 0);
    while slept < sleeps && begun.elapsed() < time {
        batch = deployment.in_the_middle(batch, &kinds, time);
        deployment.pass_time(600);
        if deployment.random.within(0..=2) == 0 {
            let dead = 1 + usize::try_from(deployment.random.within(0..=workers as u64 - 1)).unwrap();
            deployment.servers.remove(dead).kill();
            deployment.serve(&["--no-web"], &[]);
            killed += 1;
            continue;
        }
        let awake = 1 + usize::try_from(deployment.random.within(0..=workers as u64 - 1)).unwrap();
        let sleepers: Vec<usize> = (1..=workers).filter(|worker| *worker != awake).collect();
        sleepers.iter().for_each(|worker| deployment.signal(*worker, Signal::SIGSTOP));
        thread::sleep(SLEEP);
        sleepers.iter().for_each(|worker| deployment.signal(*worker, Signal::SIGCONT));
        slept += 1;
    }
    let mut ended = 0;
    while ended < deployment.batches.len() {
        deployment.wait(ended, settled);
        ended += 1;
    }
    let (fenced, owners) =
        (deployment.number(FENCED), deployment.number("SELECT count(DISTINCT owner) FROM batchdesk.attempt"));
    if fenced == 0 && size_text() != "short" {
        deployment.breaches.push("no stale write was refused: the fence was never hit".to_owned());
    }
    deployment
        .finish(
            format!("{slept} sleeps of 2 leases, {killed} kills, {owners} senders, {fenced} stale writes refused"),
            settled,
        )
        .expect_clean();
}

#[test]
fn g4_two_workers_and_one_asleep() {
    asleep("G4 two workers", 2);
}

#[test]
fn g4_four_workers_and_three_asleep() {
    if size_text() != "short" {
        asleep("G4 four workers", 4);
    }
}

/// One worker stops itself at a moment of its own; the other takes over; then the first wakes and goes on.
pub(super) fn frozen(
    out: Out,
    scenario: &'static str,
    failpoint: &str,
    knobs: &[&str],
    kinds: &[(&'static str, End, usize)],
) -> Report {
    let mut deployment = Deployment::begin(&Setup { scenario, knobs, out, cut: false });
    deployment.serve(&["--no-worker"], &[]);
    let sleeper = deployment.serve(&["--no-web"], &[("BATCHDESK_FAULT", &format!("{failpoint}@1=stop"))]);
    let file = deployment.file(kinds);
    let batch = deployment.submit(&GLOBEX, file);
    if !deployment.frozen(sleeper, Duration::from_secs(180)) {
        deployment.breaches.push(format!("{failpoint} was never reached"));
    }
    let holder = deployment.number(HOLDER);
    deployment.serve(&["--no-web"], &[]);
    let begun = Instant::now();
    let open =
        i64::try_from(deployment.batches[batch].file.rows.iter().filter(|row| row.end == End::Open).count()).unwrap();
    let done = move |snapshot: &Value| snapshot["counts"]["queued"] == open;
    deployment.wait(batch, done);
    // What is still open was taken over too.
    let give_up = Instant::now() + Duration::from_secs(120);
    while open > 0 && deployment.number(HOLDER) == holder && Instant::now() < give_up {
        thread::sleep(Duration::from_millis(50));
    }
    // Longer than the lease, and than the time after which a send must not begin.
    thread::sleep(SLEEP.saturating_sub(begun.elapsed()));
    deployment.signal(sleeper, Signal::SIGCONT);
    let give_up = Instant::now() + Duration::from_secs(60);
    while deployment.number(FENCED) == 0 && Instant::now() < give_up {
        thread::sleep(Duration::from_millis(50));
    }
    let fenced = deployment.number(FENCED);
    if fenced == 0 {
        deployment.breaches.push("no stale write was refused: it moved something, or was lost".to_owned());
    }
    deployment.finish(format!("asleep at {failpoint}, {fenced} stale writes refused"), done)
}

const PLAIN: [(&str, End, usize); 1] = [("ORD_", End::Accepted, 12)];
const KEYED: [&str; 2] = ["--hang-ms", "300"];

pub(super) fn asleep_before_the_send(out: Out) -> Report {
    frozen(out, "G4 asleep between intent and send", "intent.after_commit", &FORGETFUL, &PLAIN)
}

pub(super) fn asleep_with_a_reply(out: Out) -> Report {
    frozen(out, "G4 asleep with a reply in hand", "send.after", &KEYED, &PLAIN)
}

pub(super) fn asleep_with_an_answer(out: Out) -> Report {
    // The gateway never says anything that can be believed, so the task is still open when the sleeper wakes.
    let kinds = [("ORD_P_302_", End::Open, 1), ("ORD_", End::Accepted, 5)];
    frozen(out, "G4 asleep with an answer in hand", "query.after", &KEYED, &kinds)
}

#[test]
fn g4_a_sender_that_slept_does_not_send() {
    asleep_before_the_send(Out::Nothing).expect_clean();
}

#[test]
fn g4_a_late_reply_moves_nothing() {
    asleep_with_a_reply(Out::Nothing).expect_clean();
}

#[test]
fn g4_a_late_answer_moves_nothing() {
    asleep_with_an_answer(Out::Nothing).expect_clean();
}
