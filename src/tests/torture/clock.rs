//! G9: the server's clock jumps by an hour and back. The database's, the gateway's and the time that passes do not.

use super::{
    client::ACME,
    deployment::{Deployment, Out, Setup, budget, size},
    file::{End, FAULTS},
    report::say,
    run::{FORGETFUL_AND_SLOW, settled},
};
use std::{fs, path::PathBuf, time::Instant};

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    found.chain([PathBuf::from("/usr/lib/faketime/libfaketimeMT.so.1")]).find(|path| path.exists())
}

#[test]
fn g9_the_servers_clock_jumps() {
    let Some(library) = library() else {
        say(
            "torture | G9 clock jumps | not run: libfaketime is not installed (.dev/install faketime) | - | - | - | - \
             | - | - | - | -",
        );
        return;
    };
    let setup = Setup { scenario: "G9 clock jumps", knobs: &FORGETFUL_AND_SLOW, out: Out::Nothing, cut: false };
    let mut deployment = Deployment::begin(&setup);
    let offset = tempfile::NamedTempFile::new().unwrap();
    fs::write(offset.path(), "+0").unwrap();
    deployment.serve(
        &[],
        &[
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", offset.path().to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ],
    );
    let (most, each, plain) = size((3, 1, 150), (20, 5, 900));
    let kinds: Vec<_> = FAULTS.iter().map(|(prefix, end)| (*prefix, *end, each)).collect();
    let kinds = [kinds, vec![("ORD_", End::Accepted, plain)]].concat();
    let file = deployment.file(&kinds);
    let mut batch = deployment.submit(&ACME, file);
    let (begun, time, mut jumps) = (Instant::now(), budget(20, 90), 0);
    while jumps < most && begun.elapsed() < time {
        batch = deployment.in_the_middle(batch, &kinds, time);
        deployment.pass_time(300);
        let before = deployment.clock(batch);
        let jump = if deployment.random.within(0..=1) == 0 { 3_600 } else { -3_600 };
        fs::write(offset.path(), format!("{jump:+}")).unwrap();
        let moved = (deployment.clock(batch) - before - jump).rem_euclid(86_400);
        if moved > 30 {
            deployment.breaches.push(format!("the clock did not jump: it is off by {moved} s"));
        }
        deployment.pass_time(2_000);
        fs::write(offset.path(), "+0").unwrap();
        jumps += 1;
    }
    deployment.finish(format!("{jumps} jumps of an hour, and back"), settled).expect_clean();
}
