//! G1: the server is killed at moments that nobody chose.

use super::{
    client::ACME,
    deployment::{Deployment, Out, Setup, budget, size},
    file::{End, FAULTS},
    report::Report,
    run::{FORGETFUL_AND_SLOW, settled},
};
use std::time::Instant;

fn killed(out: Out) -> Report {
    let setup = Setup { scenario: "G1 server killed", knobs: &FORGETFUL_AND_SLOW, out, cut: false };
    let mut deployment = Deployment::begin(&setup);
    let (most, each, plain) = size((10, 2, 150), (200, 8, 900));
    let kinds: Vec<_> = FAULTS.iter().map(|(prefix, end)| (*prefix, *end, each)).collect();
    let kinds = [kinds, vec![("ORD_", End::Accepted, plain)]].concat();
    deployment.serve(&[], &[]);
    let file = deployment.file(&kinds);
    let mut batch = deployment.submit(&ACME, file);
    let (begun, time, mut kills) = (Instant::now(), budget(25, 300), 0);
    while kills < most && begun.elapsed() < time {
        batch = deployment.in_the_middle(batch, &kinds, time);
        deployment.pass_time(1_200);
        deployment.kill_servers();
        kills += 1;
        deployment.serve(&[], &[]);
    }
    deployment.finish(format!("{kills} kills"), settled)
}

#[test]
fn g1_the_server_is_killed_at_any_time() {
    killed(Out::Nothing).expect_clean();
}
