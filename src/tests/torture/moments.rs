//! G2: the server dies at every moment that has a name: before and after each commit, each send, each question.

use super::{
    client::ACME,
    file::End,
    report::Report,
    run::{FORGETFUL, settled},
    world::{Out, Setup, World, budget, size_of_three, size_text},
};
use std::{
    os::unix::process::ExitStatusExt,
    thread,
    time::{Duration, Instant},
};

/// Up to the claim of rows, and the reading of their orders.
const ON_THE_WAY: [&str; 8] = [
    "submit.before_commit",
    "submit.after_commit",
    "decide.before_commit",
    "decide.after_commit",
    "claim.before_commit",
    "claim.after_commit",
    "orders.before_commit",
    "orders.after_commit",
];
const SENDING: [&str; 8] = [
    "intent.before_commit",
    "intent.after_commit",
    "send.before",
    "send.after",
    "settle.before_commit",
    "settle.after_commit",
    "claim_open.before_commit",
    "claim_open.after_commit",
];
const ASKING: [&str; 8] = [
    "query.before",
    "query.after",
    "intent_again.before_commit",
    "intent_again.after_commit",
    "resend.before",
    "resend.after",
    "resolve.before_commit",
    "resolve.after_commit",
];

/// Twenty rows that reach all of them.
pub(super) const KINDS: [(&str, End, usize); 9] = [
    ("ORD_MISSING_", End::Failed, 1),
    ("ORD_DECLINE_", End::Failed, 1),
    ("ORD_T_BEFORE_", End::Accepted, 2),
    ("ORD_T_AFTER_", End::Accepted, 1),
    ("ORD_500_BEFORE_", End::Accepted, 1),
    ("ORD_500_AFTER_", End::Accepted, 1),
    ("ORD_429_", End::Accepted, 1),
    ("ORD_GARBLED_", End::Accepted, 1),
    ("ORD_", End::Accepted, 11),
];

/// The batch of one death goes on in the server of the next.
pub(super) fn deaths(out: Out, scenario: &'static str, moments: &[&str], hits: &[u32], time: Duration) -> Report {
    let mut world = World::begin(&Setup { scenario, knobs: &FORGETFUL, out, cut: false });
    let (begun, mut died, mut missed, mut left) = (Instant::now(), 0, 0, 0);
    for (hit, moment) in hits.iter().flat_map(|hit| moments.iter().map(move |moment| (*hit, *moment))) {
        if begun.elapsed() > time {
            left += 1;
            continue;
        }
        let fault = format!("{moment}@{hit}=kill");
        let file = world.file(&KINDS);
        let Some(server) = world.try_serve(&[], &[("BATCHDESK_FAULT", &fault)]) else {
            // The batch before it got there first.
            died += 1;
            continue;
        };
        let submitted = world.try_submit(&ACME, &file);
        // Later hits are not always reached; the first always is.
        let patience = Duration::from_secs(if hit == 1 { 180 } else { 5 });
        match world.death(server, patience) {
            Some(status) if status.signal() == Some(9) => died += 1,
            Some(status) => world.breaches.push(format!("at {moment} the server ended with {status}")),
            None if hit == 1 => world.breaches.push(format!("{moment} was never reached")),
            None => missed += 1,
        }
        world.kill_servers();
        if submitted.is_err() {
            world.serve(&[], &[]);
            let give_up = Instant::now() + Duration::from_secs(60);
            while let Err(why) = world.try_submit(&ACME, &file) {
                if Instant::now() > give_up {
                    world.breaches.push(format!("after a death at {moment} it cannot be submitted: {why}"));
                    break;
                }
                thread::sleep(Duration::from_millis(100));
            }
            world.kill_servers();
        }
    }
    world.serve(&[], &[]);
    let more = if left > 0 { format!(", {left} left for want of time") } else { String::new() };
    let missed = if missed > 0 { format!(", {missed} later hits not reached") } else { String::new() };
    world.finish(format!("{died} deaths{missed}{more}"), settled)
}

fn every(scenario: &'static str, moments: &[&str]) {
    let hits: &[u32] = size_of_three(&[1], &[1, 2, 20, 3, 5, 1, 2, 20, 4, 7], &[1; 20]);
    let time = if size_text() == "short" { Duration::from_secs(600) } else { budget(100, 100) };
    deaths(Out::Nothing, scenario, moments, hits, time).expect_clean();
}

#[test]
fn g2_the_server_dies_at_every_moment_on_the_way_to_a_send() {
    every("G2 every moment on the way", &ON_THE_WAY);
}

#[test]
fn g2_the_server_dies_at_every_moment_of_a_send() {
    every("G2 every moment of a send", &SENDING);
}

#[test]
fn g2_the_server_dies_at_every_moment_of_a_question() {
    every("G2 every moment of a question", &ASKING);
}

/// A second time and a last one, which a batch does not reach at every moment.
#[test]
fn g2_the_server_dies_later_at_every_moment_that_has_a_name() {
    if size_text() == "long" {
        let hits: Vec<u32> = [2, 20].repeat(20);
        let all = [ON_THE_WAY, SENDING, ASKING].concat();
        deaths(Out::Nothing, "G2 every named moment, later hits", &all, &hits, budget(300, 300)).expect_clean();
    }
}

/// The COMMIT of an intent fails, or is made and its reply lost: neither may be sent.
pub(super) fn lost_commit(out: Out, moment: &str) -> Report {
    let setup = Setup { scenario: "G3 COMMIT of an intent lost", knobs: &FORGETFUL, out, cut: false };
    let mut world = World::begin(&setup);
    let fault = format!("{moment}@1=error,{moment}@3=error");
    world.serve(&[], &[("BATCHDESK_FAULT", &fault)]);
    let file = world.file(&[("ORD_", End::Accepted, 20)]);
    world.submit(&ACME, file);
    world.finish(format!("2 errors at {moment}"), settled)
}

#[test]
fn g3_an_intent_whose_commit_failed_is_not_sent() {
    lost_commit(Out::Nothing, "intent.before_commit").expect_clean();
}

#[test]
fn g3_an_intent_whose_commit_has_no_reply_is_not_sent() {
    lost_commit(Out::Nothing, "intent.after_commit").expect_clean();
}

/// A batch at a gateway with faults that nothing disturbs.
pub(super) fn undisturbed(out: Out) -> Report {
    let mut world = World::begin(&Setup { scenario: "faults of the gateway", knobs: &FORGETFUL, out, cut: false });
    world.serve(&[], &[]);
    let file = world.file(&KINDS);
    world.submit(&ACME, file);
    world.finish("one batch with 9 faults in 20 rows".to_owned(), settled)
}
