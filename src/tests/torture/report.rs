//! What a scenario found, as one line of the table.

use super::{checker::Verdict, deployment};
use std::{io::Write, time::Duration};

/// The end of a scenario.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) scenario: &'static str,
    /// What was done to it, with numbers.
    pub(super) injected: String,
    pub(super) rows: usize,
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
    pub(super) seed: u64,
}

impl Report {
    /// Prints the line; fails with everything that does not hold, and how to run it again.
    pub(super) fn expect_clean(self) {
        self.print("torture");
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let size = deployment::size_text();
        assert!(
            self.verdict.breaches.is_empty(),
            "{}, {}:\n{}run it again: BATCHDESK_SEED={} BATCHDESK_TORTURE={size} make torture only={test}",
            self.scenario,
            self.injected,
            super::checker::breaches_text(&self.verdict.breaches),
            self.seed,
        );
    }

    /// Prints what became of a scenario with a guard out; fails when nothing did.
    pub(super) fn expect_caught(self, mutant: &str, by: &[&str]) {
        let seen = self.verdict.breaches.iter().find(|breach| by.iter().any(|word| breach.contains(word)));
        let all = self.verdict.breaches.len();
        match seen {
            Some(seen) => {
                let seen: String = seen.chars().take(110).collect();
                say(&format!(
                    "mutant | {mutant} | {} | {seen} ({all} in all) | {}",
                    self.scenario,
                    self.took.as_secs()
                ));
            }
            None => {
                say(&format!("mutant | {mutant} | NOT CAUGHT by {} | - | {}", self.scenario, self.took.as_secs()));
                panic!(
                    "without the guard {mutant} nothing of {by:?} is seen, seed {}:\n{}",
                    self.seed,
                    super::checker::breaches_text(&self.verdict.breaches)
                );
            }
        }
    }

    fn print(&self, kind: &str) {
        let Verdict { lost, doubled, wrong, failed_with_effect, queued, .. } = &self.verdict;
        let broken = match self.verdict.breaches.len() {
            0 => String::new(),
            count => format!(" ({count} BREACHES)"),
        };
        say(&format!(
            "{kind} | {} | {}{broken} | {} | {lost} | {doubled} | {wrong} | {failed_with_effect} | {queued} | {} | {}",
            self.scenario,
            self.injected,
            self.rows,
            self.took.as_secs(),
            self.seed,
        ));
    }
}

/// Past the capture of the test runner: the figures are for people.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
