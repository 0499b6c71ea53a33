//! G2: the server dies at every moment that has a name: before and after each commit, each send, each question.

use super::{
    client::ACME,
    deployment::{Deployment, Out, Setup, budget, size_of_three, size_text},
    file::End,
    report::Report,
    run::{FORGETFUL, settled},
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
pub(super) fn deaths(out: Out, scenario: &'static str, failpoints: &[&str], hits: &[u32], time: Duration) -> Report {
    let mut deployment = Deployment::begin(&Setup { scenario, knobs: &FORGETFUL, out, cut: false });
    let (begun, mut died, mut missed, mut left) = (Instant::now(), 0, 0, 0);
    for (hit, failpoint) in hits.iter().flat_map(|hit| failpoints.iter().map(move |failpoint| (*hit, *failpoint))) {
        if begun.elapsed() > time {
            left += 1;
            continue;
        }
        let fault = format!("{failpoint}@{hit}=kill");
        let file = deployment.file(&KINDS);
        let Some(server) = deployment.try_serve(&[], &[("BATCHDESK_FAULT", &fault)]) else {
            // The batch before it got there first.
            died += 1;
            continue;
        };
        let submitted = deployment.try_submit(&ACME, &file);
        // Later hits are not always reached; the first always is.
        let patience = Duration::from_secs(if hit == 1 { 180 } else { 5 });
        match deployment.death(server, patience) {
            Some(status) if status.signal() == Some(9) => died += 1,
            Some(status) => deployment.breaches.push(format!("at {failpoint} the server ended with {status}")),
            None if hit == 1 => deployment.breaches.push(format!("{failpoint} was never reached")),
            None => missed += 1,
        }
        deployment.kill_servers();
        if submitted.is_err() {
            deployment.serve(&[], &[]);
            let give_up = Instant::now() + Duration::from_secs(60);
            while let Err(why) = deployment.try_submit(&ACME, &file) {
                if Instant::now() > give_up {
                    deployment.breaches.push(format!("after a death at {failpoint} it cannot be submitted: {why}"));
                    break;
                }
                thread::sleep(Duration::from_millis(100));
            }
            deployment.kill_servers();
        }
    }
    deployment.serve(&[], &[]);
    let more = if left > 0 { format!(", {left} left for want of time") } else { String::new() };
    let missed = if missed > 0 { format!(", {missed} later hits not reached") } else { String::new() };
    deployment.finish(format!("{died} deaths{missed}{more}"), settled)
}

fn every(scenario: &'static str, failpoints: &[&str]) {
    let hits: &[u32] = size_of_three(&[1], &[1, 2, 20, 3, 5, 1, 2, 20, 4, 7], &[1; 20]);
    let time = if size_text() == "short" { Duration::from_secs(600) } else { budget(100, 100) };
    deaths(Out::Nothing, scenario, failpoints, hits, time).expect_clean();
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
pub(super) fn lost_commit(out: Out, failpoint: &str) -> Report {
    let setup = Setup { scenario: "G3 COMMIT of an intent lost", knobs: &FORGETFUL, out, cut: false };
    let mut deployment = Deployment::begin(&setup);
    let fault = format!("{failpoint}@1=error,{failpoint}@3=error");
    deployment.serve(&[], &[("BATCHDESK_FAULT", &fault)]);
    let file = deployment.file(&[("ORD_", End::Accepted, 20)]);
    deployment.submit(&ACME, file);
    deployment.finish(format!("2 errors at {failpoint}"), settled)
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
    let mut deployment =
        Deployment::begin(&Setup { scenario: "faults of the gateway", knobs: &FORGETFUL, out, cut: false });
    deployment.serve(&[], &[]);
    let file = deployment.file(&KINDS);
    deployment.submit(&ACME, file);
    deployment.finish("one batch with 9 faults in 20 rows".to_owned(), settled)
}
