//! One run: a demo, the batches submitted to it, and the verdict in the end.

use super::{
    checker::{self, Verdict},
    client::{Client, Organisation},
    demo::Demo,
    deployment::size,
    file::RefundFile,
    random::{self, Random},
    report::{Report, say},
};
use serde_json::Value;
use std::{
    thread,
    time::{Duration, Instant},
};

/// What settles fast: replies that do not come are given up after 1.5 s, and asked after 3 s later. A slow order of the
/// simulator takes 2 s, so that its effect comes after the request was given up.
pub(super) const FAST: [(&str, &str); 5] = [
    ("BATCHDESK_GATEWAY_TIMEOUT_MS", "1500"),
    ("BATCHDESK_RESOLVE_AFTER_MS", "3000"),
    ("BATCHDESK_LEASE_MS", "4000"),
    ("BATCHDESK_POLL_MS", "200"),
    // Few at a time, so that there is a middle of a batch to disturb.
    ("BATCHDESK_GATEWAY_CONCURRENCY", "6"),
];
/// A repeated key acts again, so that a double send shows.
pub(super) const FORGETFUL: [&str; 3] = ["--forget-keys", "--hang-ms", "300"];
/// The same, and answers that take their time.
pub(super) const FORGETFUL_AND_SLOW: [&str; 5] = ["--forget-keys", "--hang-ms", "300", "--latency-ms", "10..60"];

/// A batch under observation.
pub(super) struct Batch {
    organisation: &'static Organisation,
    pub(super) file: RefundFile,
    id: String,
    /// ACCEPTED rows when last seen: what was told is never taken back.
    accepted: i64,
}

/// A scenario under way, on a demo with a database of its own.
pub(super) struct Run {
    scenario: &'static str,
    seed: u64,
    pub(super) random: Random,
    pub(super) demo: Demo,
    pub(super) client: Client,
    pub(super) batches: Vec<Batch>,
    begun: Instant,
}

impl Run {
    pub(super) fn begin(scenario: &'static str, knobs: &[&str], settings: &[(&'static str, &str)]) -> Self {
        let seed = random::seed();
        let demo = Demo::start(knobs, settings);
        let client = Client::new(demo.base());
        let (random, batches, begun) = (Random::new(seed), Vec::new(), Instant::now());
        say(&format!("torture: {scenario} begins, BATCHDESK_SEED={seed}"));
        Self { scenario, seed, random, demo, client, batches, begun }
    }

    /// Submits a new file with `each` rows of every fault among `plain` ones; its number.
    pub(super) fn submit(&mut self, organisation: &'static Organisation, each: usize, plain: usize) -> usize {
        let tag = format!("{}{}", self.tag(), self.batches.len());
        let file = RefundFile::new(&tag, &mut self.random, each, plain);
        let id = self.client.submit(organisation, &file);
        self.batches.push(Batch { organisation, file, id, accepted: 0 });
        self.batches.len() - 1
    }

    /// What the API says of a batch now; none while the server or its database is down. What must always hold is
    /// checked.
    pub(super) fn look(&mut self, batch: usize) -> Option<Value> {
        let batch = &mut self.batches[batch];
        let snapshot = self.client.snapshot(batch.organisation, &batch.id).ok()?;
        checker::conserved(&snapshot).unwrap();
        let accepted = snapshot["counts"]["accepted"].as_i64().unwrap();
        assert!(accepted >= batch.accepted, "{} rows were ACCEPTED, now: {snapshot}", batch.accepted);
        batch.accepted = accepted;
        Some(snapshot)
    }

    /// Waits until the API says `enough` of a batch.
    pub(super) fn wait(&mut self, batch: usize, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let scenario = self.scenario;
        self.observe(batch, enough).unwrap_or_else(|last| panic!("{scenario}: waited in vain for {what}; last: {last}"))
    }

    /// What the API says of a batch when it says `enough`; the error is what it says when the time is over.
    fn observe(&mut self, batch: usize, enough: impl Fn(&Value) -> bool) -> Result<Value, Value> {
        let give_up = Instant::now() + size(Duration::from_secs(180), Duration::from_secs(600));
        let (mut last, mut asked) = (Value::Null, Instant::now());
        while Instant::now() < give_up {
            if let Some(snapshot) = self.look(batch) {
                if enough(&snapshot) {
                    return Ok(snapshot);
                }
                // A simulator that was started again has forgotten how often it was asked, and the schedule takes its
                // time.
                let pending = snapshot["counts"]["queued"] == 0 && snapshot["counts"]["pending_at_gateway"] != 0;
                if pending && asked.elapsed() > Duration::from_secs(12) {
                    self.client.sync(self.batches[batch].organisation, &self.batches[batch].id);
                    asked = Instant::now();
                }
                last = snapshot;
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(last)
    }

    /// Waits for something that the API does not say.
    pub(super) fn wait_for(&mut self, what: &str, there: impl Fn(&Self) -> bool) {
        let give_up = Instant::now() + Duration::from_secs(120);
        while !there(self) {
            assert!(Instant::now() < give_up, "{}: waited in vain for {what}", self.scenario);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What every order of this run has in its id.
    pub(super) fn tag(&self) -> String {
        format!("{:06}b", self.seed % 1_000_000)
    }

    /// Waits until some of a batch is done, and some is not: it is in the middle. The number of a batch that is: a new
    /// one when this one has ended.
    pub(super) fn in_the_middle(&mut self, batch: usize, each: usize, plain: usize) -> usize {
        let organisation = self.batches[batch].organisation;
        let mut batch = batch;
        let give_up = Instant::now() + Duration::from_secs(240);
        while Instant::now() < give_up {
            match self.look(batch) {
                Some(snapshot) if snapshot["counts"]["queued"] == 0 => batch = self.submit(organisation, each, plain),
                Some(snapshot) if snapshot["counts"]["accepted"] != 0 => return batch,
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
        panic!("{}: no batch got to its middle", self.scenario);
    }

    /// Waits for every batch to be final at the gateway, compares everything, prints the line, and stops the demo.
    pub(super) fn finish(mut self, disturbed: &str) {
        let mut verdict = Verdict::default();
        let mut snapshots = Vec::new();
        for batch in 0..self.batches.len() {
            // A batch that does not end is compared all the same: its figures say more than its lateness.
            snapshots.push(self.observe(batch, settled).unwrap_or_else(|last| {
                verdict.breaches.push(format!("did not end in time: {last}"));
                last
            }));
        }
        let text = self.demo.ledger();
        let ledger = checker::ledger(&text);
        for (batch, snapshot) in self.batches.iter().zip(&snapshots) {
            let results = self.client.results(batch.organisation, &batch.id);
            verdict.add(checker::check(batch.organisation.merchant, &batch.file, &ledger, &results, snapshot));
        }
        verdict.breaches.extend(checker::refunded_twice(&ledger));
        let rows = self.batches.iter().map(|batch| batch.file.rows.len()).sum();
        let faults: usize = self.batches.iter().map(|batch| batch.file.faulty()).sum();
        let report = Report {
            scenario: self.scenario,
            injected: format!("{disturbed}, {faults} faults of the gateway"),
            rows,
            verdict,
            took: self.begun.elapsed(),
            seed: self.seed,
        };
        report.expect_clean();
        let (status, _) = self.demo.stop(Duration::from_secs(35));
        assert!(status.success(), "{} stopped with {status}", self.scenario);
    }
}

/// Whether everything of a batch is final at the gateway.
pub(super) fn settled(snapshot: &Value) -> bool {
    let ended = matches!(snapshot["status"].as_str(), Some("completed" | "completed_with_failures"));
    ended && snapshot["counts"]["queued"] == 0 && snapshot["counts"]["pending_at_gateway"] == 0
}
