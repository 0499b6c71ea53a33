//! What the search finds. `cargo test protocol::model -- --nocapture` prints it as a table; with `BATCHDESK_TRACES=1` a
//! shortest way to each wrong end, too. `BATCHDESK_MODEL=all` lets every fault happen in one system (some millions of
//! states).

use super::{
    designs::{self, Case},
    explore,
};
use std::time::Instant;

fn hold(title: &str, cases: &[Case]) {
    let traces = std::env::var_os("BATCHDESK_TRACES").is_some();
    println!("\n{title}");
    for case in cases {
        let begun = Instant::now();
        let verdict = explore(&case.design);
        let found = verdict.wrong.as_ref().map(|(wrong, _)| *wrong);
        let said = match found {
            None => {
                let [succeeded, failed, unsent, review] = verdict.ends;
                format!("holds (ends: {succeeded} succeeded, {failed} failed, {unsent} never sent, {review} in review)")
            }
            Some(wrong) => format!("{wrong:?}"),
        };
        println!("{:52} {:>8} states {:>5} ms  {said}", case.name, verdict.states, begun.elapsed().as_millis());
        let steps = verdict.wrong.map(|(_, trace)| trace.join(" | ")).unwrap_or_default();
        if traces && !steps.is_empty() {
            println!("    {steps}");
        }
        assert_eq!(found, case.wrong, "{}: {steps}", case.name);
        if case.wrong.is_none() {
            assert!(verdict.ends[0] > 0 && verdict.states > 500, "{}: the world hardly moved", case.name);
        }
    }
}

#[test]
fn our_rules_hold_for_every_class() {
    hold("designs that hold", &designs::safe(std::env::var_os("BATCHDESK_MODEL").is_some()));
}

#[test]
fn designs_that_are_known_to_be_unsafe_are_found_unsafe() {
    hold("designs that are known not to", &designs::known());
}

#[test]
fn each_rule_that_carries_safety_is_missed_when_it_is_gone() {
    hold("ours with one rule replaced", &designs::broken());
}
