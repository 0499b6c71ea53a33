//! A gateway that refuses our key, or is not there: work waits, and nothing is called failed.

use super::{
    checker,
    client::GLOBEX,
    run::{FAST, FORGETFUL, Run},
};

const ROWS: usize = 60;

/// Connects Globex anew.
fn connect(run: &Run, base_url: &str, api_key: &str) {
    let done = run.demo.run(
        &[
            "gateway",
            "add",
            "--organisation",
            "Globex",
            "--connector",
            "juspay",
            "--base-url",
            base_url,
            "--merchant-id",
            "globex",
            "--api-key-stdin",
            "--class",
            "K",
            "--key-window-hours",
            "24",
            "--sandbox",
        ],
        api_key,
    );
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn effects(run: &Run) -> usize {
    checker::ledger(&run.demo.ledger()).iter().filter(|line| line.effect && line.order.contains(&run.tag())).count()
}

#[test]
fn work_waits_while_the_gateway_refuses_our_key() {
    let mut run = Run::begin("key refused", &FORGETFUL, &FAST);
    connect(&run, &run.demo.gateway(), "sim_wrong");
    let batch = run.submit(&GLOBEX, 0, ROWS);
    // For a failpoint, until the refusal is recorded, the notice may say only that the gateway does not answer well.
    let told = run.wait(batch, "the notice", |snapshot| {
        snapshot["notice"].as_str().is_some_and(|notice| notice.contains("refused our key"))
    });
    assert_eq!((&told["counts"]["failed"], &told["counts"]["accepted"]), (&0.into(), &0.into()), "{told}");
    assert_eq!(effects(&run), 0);
    let gateway = run.demo.gateway();
    connect(&run, &gateway, "sim_globex");
    run.finish("wrong key");
}

#[test]
fn work_waits_while_the_gateway_is_not_there() {
    let mut run = Run::begin("gateway away", &FORGETFUL, &FAST);
    // Nobody listens on port 1.
    connect(&run, "http://127.0.0.1:1", "sim_globex");
    let batch = run.submit(&GLOBEX, 0, ROWS);
    let waiting = run.wait(batch, "a notice", |snapshot| snapshot["notice"].is_string());
    assert_eq!(waiting["status"], "processing", "{waiting}");
    assert_eq!((&waiting["counts"]["failed"], &waiting["counts"]["accepted"]), (&0.into(), &0.into()), "{waiting}");
    let gateway = run.demo.gateway();
    connect(&run, &gateway, "sim_globex");
    run.finish("closed port");
}
