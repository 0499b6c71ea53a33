//! G1: the server is killed at moments that nobody chose.

use super::{
    client::ACME,
    file::{End, FAULTS},
    report::Report,
    run::{FORGETFUL_AND_SLOW, settled},
    world::{Out, Setup, World, budget, size},
};
use std::time::Instant;

fn killed(out: Out) -> Report {
    let setup = Setup { scenario: "G1 server killed", knobs: &FORGETFUL_AND_SLOW, out, cut: false };
    let mut world = World::begin(&setup);
    let (most, each, plain) = size((10, 2, 150), (200, 8, 900));
    let kinds: Vec<_> = FAULTS.iter().map(|(prefix, end)| (*prefix, *end, each)).collect();
    let kinds = [kinds, vec![("ORD_", End::Accepted, plain)]].concat();
    world.serve(&[], &[]);
    let file = world.file(&kinds);
    let mut batch = world.submit(&ACME, file);
    let (begun, time, mut kills) = (Instant::now(), budget(25, 300), 0);
    while kills < most && begun.elapsed() < time {
        batch = world.in_the_middle(batch, &kinds, time);
        world.pass_time(1_200);
        world.kill_servers();
        kills += 1;
        world.serve(&[], &[]);
    }
    world.finish(format!("{kills} kills"), settled)
}

#[test]
fn g1_the_server_is_killed_at_any_time() {
    killed(Out::Nothing).expect_clean();
}
