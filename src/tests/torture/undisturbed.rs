//! Batches that nobody disturbs, at a gateway without and with faults.

use super::{
    client::{ACME, GLOBEX},
    run::{FAST, FORGETFUL, Run},
    world::size,
};

#[test]
fn a_thousand_plain_rows_are_a_thousand_refunds() {
    let mut run = Run::begin("plain", &["--forget-keys"], &[]);
    run.submit(&GLOBEX, 0, 1_000);
    run.finish("-");
}

#[test]
fn every_fault_of_the_gateway_ends_as_it_must() {
    let mut run = Run::begin("faults", &FORGETFUL, &FAST);
    // Mostly plain rows: where most requests fail, the circuit breaker rightly stops and goes on in single steps.
    let (batches, each, plain) = size((1, 8, 120), (4, 25, 750));
    for _ in 0..batches {
        run.submit(&ACME, each, plain);
    }
    run.finish("-");
}
