//! G8: a gateway whose replies cannot be believed. Nothing about such a row is called done, and nothing failed.

use super::{
    client::GLOBEX,
    deployment::{Deployment, Out, Setup, size_of_three},
    file::{End, POISONS},
    report::Report,
};
use serde_json::Value;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// Most memory that the server may take: a reply of 200 MB when unpacked is among them.
const MEMORY_KB: u64 = 300 * 1024;

pub(super) fn poisoned(out: Out) -> Report {
    // The gateway acts, and says something else; it knows its keys.
    let mut deployment =
        Deployment::begin(&Setup { scenario: "G8 poisoned replies", knobs: &["--hang-ms", "300"], out, cut: false });
    let (batches, each) = size_of_three((1, 3), (1, 15), (4, 36));
    let kinds: Vec<_> = POISONS.iter().map(|prefix| (*prefix, End::Open, each)).collect();
    let kinds = [kinds, vec![("ORD_", End::Accepted, each * 4)]].concat();
    let server = deployment.serve(&[], &[]);
    let open = i64::try_from(each * POISONS.len()).unwrap();
    let done = move |snapshot: &Value| snapshot["counts"]["queued"].as_i64().is_some_and(|queued| queued <= open);
    for _ in 0..batches {
        let file = deployment.file(&kinds);
        let batch = deployment.submit(&GLOBEX, file);
        deployment.wait(batch, done);
    }
    // Each was asked after at least once, or is before people. The question before a second send is kept with that
    // send.
    let unasked = "SELECT count(*) FROM batchdesk.open_task t WHERE state <> 'REVIEW' AND attempts = 1 AND NOT EXISTS (
        SELECT FROM batchdesk.evidence e WHERE e.batch_id = t.batch_id AND t.row_no BETWEEN e.from_row AND e.to_row
          AND e.source = 'QUERY')";
    let give_up = Instant::now() + Duration::from_secs(size_of_three(60, 240, 1_200));
    while deployment.number(unasked) > 0 && Instant::now() < give_up {
        thread::sleep(Duration::from_millis(100));
    }
    if deployment.number(unasked) > 0 {
        deployment.breaches.push(format!("{} rows were never asked after", deployment.number(unasked)));
    }
    // The gateway has no such refund and will not take it again: asked ever more seldom.
    let most = deployment.number("SELECT coalesce(max(attempts), 0)::bigint FROM batchdesk.open_task");
    if most > 8 {
        deployment.breaches.push(format!("one row was sent {most} times"));
    }
    let review = deployment.number("SELECT count(*) FROM batchdesk.open_task WHERE state = 'REVIEW'");
    let status = fs::read_to_string(format!("/proc/{}/status", deployment.servers[server].pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    if peak > MEMORY_KB {
        deployment.breaches.push(format!("the server took {peak} KB"));
    }
    let poisoned = each * POISONS.len() * batches;
    let injected = format!("{poisoned} poisoned rows, {review} in review, server at most {} MB", peak / 1024);
    deployment.finish(injected, done)
}

#[test]
fn g8_nothing_that_cannot_be_believed_is_believed() {
    poisoned(Out::Nothing).expect_clean();
}
