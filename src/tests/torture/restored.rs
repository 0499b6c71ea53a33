//! G45: the database goes back to an older state, by the commands that the README gives.

use super::{
    checker,
    client::{ACME, batch_of},
    deployment::{Deployment, Out, Setup, size},
    file::{End, RefundFile},
    report::Report,
    run::settled,
};
use serde_json::Value;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// A gateway that takes its time: there is a middle to make a backup in.
const SLOW: [&str; 5] = ["--forget-keys", "--hang-ms", "300", "--latency-ms", "60..160"];
/// Longest wait for anything.
const MAX_WAIT: Duration = Duration::from_secs(150);

/// The commands of the README's block that has this one in it.
fn commands(with: &str) -> Vec<String> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut blocks = text.split("```");
    let block = blocks.find(|block| block.starts_with("sh\n") && block.contains(with));
    let block = block.unwrap_or_else(|| panic!("README.md has no commands with {with:?}"));
    block
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn until(what: &str, mut there: impl FnMut() -> bool) {
    let give_up = Instant::now() + MAX_WAIT;
    while !there() {
        assert!(Instant::now() < give_up, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Everything that can end by itself has: what is left is before people.
fn left_to_people(snapshot: &Value) -> bool {
    let counts = &snapshot["counts"];
    counts["queued"] == counts["review"]
        && counts["pending_at_gateway"] == 0
        && snapshot["status"] != "awaiting_approval"
}

pub(super) fn drill(scenario: &'static str, class: &str, out: Out) -> Report {
    let mut deployment = Deployment::begin(&Setup { scenario, knobs: &SLOW, out, cut: false });
    deployment.sql(&format!("UPDATE batchdesk.gateway_promise SET class = '{class}'"));
    let data = deployment.place("data");
    let settings = [("BATCHDESK_DATA_DIR", data.as_str())];
    let server = deployment.serve(&[], &settings);

    // Under way, waiting for a decision, and to come: at the time of the backup.
    // A file has at most 1,000 rows.
    let plain = size(260, 990);
    let missing = if class == "N" { 0 } else { 3 };
    let file = deployment.file(&[("ORD_", End::Accepted, plain), ("ORD_MISSING_", End::Failed, missing)]);
    let waiting = deployment.file_of(size(150, 600), "w");
    let (status, text) = deployment.client.upload(&ACME, &waiting.name, &waiting.text(), false).unwrap();
    let waits = batch_of(status, &text).unwrap();
    let batch = deployment.submit(&ACME, file);
    let late = deployment.file_of(12, "l");
    until("the middle of the batch", || {
        deployment.look(batch).is_some_and(|now| now["counts"]["accepted"].as_i64() > Some(5))
    });
    for line in commands("pg_dump") {
        let (done, told) = deployment.shell(&line, &[]);
        assert!(done, "{line}: {told}");
    }
    let dumped = deployment.ledger().len();
    deployment.client.approve(&ACME, &waits).unwrap();
    let first = deployment.observed(&ACME, waiting, waits.clone());
    let second = deployment.submit(&ACME, late.clone());
    // The first is through, the others are under way.
    deployment.wait(batch, settled);
    until("the middle of the batch that was approved since", || {
        deployment.look(first).is_some_and(|now| now["counts"]["accepted"].as_i64() > Some(20))
    });
    let left = deployment.look(first).unwrap()["counts"]["queued"].as_i64().unwrap();
    deployment.kill(server);
    let sent = arrived(&deployment);
    let since = sent.iter().filter(|line| line.effect).count().saturating_sub(dumped);
    if since < 24 || left < 5 {
        deployment
            .breaches
            .push(format!("{since} refunds were sent after the backup and {left} were left: nothing was tried"));
    }
    if class == "N" {
        // What was not sent is for people to decide; what was is found.
        for batch in [batch, first] {
            deployment.open_where(batch, |order| !sent.iter().any(|line| line.effect && line.order == order));
        }
    }

    deployment.another_cluster();
    // The uploaded file of the batch that is forgotten is what people have.
    deployment.forget(second);
    for line in commands("pg_restore") {
        match line.as_str() {
            "batchdesk serve" => {
                deployment.serve(&[], &settings);
            }
            "batchdesk restored" => {
                refused(&mut deployment, &settings);
                let (done, told) = deployment.shell(&line, &settings);
                assert!(done && told.contains("not sent yet"), "{told}");
            }
            _ => {
                let (done, told) = deployment.shell(&line, &settings);
                assert!(done, "{line}: {told}");
                if line.contains("audit verify") {
                    assert!(told.contains("the chain is sound") && told.contains("of before the restore"), "{told}");
                }
            }
        }
    }
    deployment.client.approve(&ACME, &waits).unwrap();
    let again = deployment.submit(&ACME, late);
    for batch in [batch, first, again] {
        deployment.wait(batch, left_to_people);
    }
    let twice = checker::refunded_twice(&deployment.ledger()).len();
    let effects = deployment.ledger().iter().filter(|line| line.effect).count();
    let injected = format!(
        "backup after {dumped} refunds, {since} sent after it, restored into a new server: {effects} refunds in all, \
         {twice} of them double"
    );
    deployment.finish(injected, left_to_people)
}

/// The gateway's ledger when what was on the wire has arrived: it has not grown for three times as long as an answer
/// takes.
fn arrived(deployment: &Deployment) -> Vec<checker::Line> {
    loop {
        let before = deployment.ledger();
        thread::sleep(Duration::from_millis(500));
        let after = deployment.ledger();
        if after.len() == before.len() {
            return after;
        }
    }
}

/// The server is ready, serves its pages, says why it sends nothing, and sends nothing.
fn refused(deployment: &mut Deployment, settings: &[(&str, &str)]) {
    let before = deployment.ledger().len();
    let server = deployment.serve(&[], settings);
    let give_up = Instant::now() + MAX_WAIT;
    let told = "The database went back to an older state.";
    while !(deployment.server_log().contains(told)
        && deployment.number("SELECT count(*) FROM batchdesk.organisation WHERE sending") == 0)
    {
        if Instant::now() > give_up {
            deployment.breaches.push("a server on an older state was not refused".to_owned());
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    // As long as several looks for work take.
    thread::sleep(Duration::from_millis(1_000));
    let sent = deployment.ledger().len() - before;
    if sent > 0 {
        deployment.breaches.push(format!("{sent} refunds were sent by a server on an older state"));
    }
    let (status, _) = deployment.stop(server);
    assert!(status.success(), "it ended with {status}");
}

#[test]
fn g45_k_goes_back_to_a_backup() {
    drill("G45 restored, class K", "K", Out::Nothing).expect_clean();
}

#[test]
fn g45_q_goes_back_to_a_backup() {
    drill("G45 restored, class Q", "Q", Out::Nothing).expect_clean();
}

#[test]
fn g45_n_goes_back_to_a_backup() {
    drill("G45 restored, class N", "N", Out::Nothing).expect_clean();
}

/// A file of plain rows with a unique id each.
pub(super) fn known(tag: &str, rows: usize) -> RefundFile {
    RefundFile::plain(
        tag,
        (0..rows).map(|at| (format!("ORD_{tag}x{at}"), 1_000 + at as i64, Some(format!("U{tag}R{at}")))),
    )
}
