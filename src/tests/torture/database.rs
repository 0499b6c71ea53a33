//! G3: the database is killed, stopped, and loses connections; replies of COMMITs are lost on the way.

use super::{
    client::ACME,
    deployment::{Deployment, Out, Setup, budget, size},
    file::{End, FAULTS},
    run::{FORGETFUL_AND_SLOW, settled},
};
use std::{
    thread,
    time::{Duration, Instant},
};

#[test]
fn g3_the_database_dies_and_loses_its_word() {
    let setup = Setup { scenario: "G3 database", knobs: &FORGETFUL_AND_SLOW, out: Out::Nothing, cut: true };
    let mut deployment = Deployment::begin(&setup);
    let (each, plain) = size((2, 150), (8, 900));
    let kinds: Vec<_> = FAULTS.iter().map(|(prefix, end)| (*prefix, *end, each)).collect();
    let kinds = [kinds, vec![("ORD_", End::Accepted, plain)]].concat();
    deployment.serve(&[], &[]);
    let file = deployment.file(&kinds);
    let mut batch = deployment.submit(&ACME, file);
    // SIGKILL, immediate stop, ended sessions, lost COMMITs.
    let most = size([2, 1, 4, 12], [50, 20, 200, 200]);
    let (begun, time, mut done, mut outages) = (Instant::now(), budget(40, 300), [0; 4], Vec::new());
    let intents = |deployment: &Deployment| deployment.cut.as_ref().unwrap().cuts().2;
    // On a busy machine it goes on until something was tried.
    while begun.elapsed() < time || (intents(&deployment) == 0 && begun.elapsed() < time * 5) {
        let left: Vec<usize> = (0..4).filter(|kind| done[*kind] < most[*kind]).collect();
        let Some(last) = left.len().checked_sub(1) else { break };
        // The many small ones come more often.
        let pick = deployment.random.within(0..=u64::try_from(last).unwrap() * 2);
        let kind = left[usize::try_from(pick).unwrap().min(last)];
        batch = deployment.in_the_middle(batch, &kinds, time);
        deployment.pass_time(400);
        match kind {
            0 | 1 => {
                if kind == 0 {
                    deployment.cluster.kill()
                } else {
                    deployment.cluster.stop_at_once()
                }
                deployment.cluster.up();
                let up = Instant::now();
                while deployment.look(batch).is_none() && up.elapsed() < Duration::from_secs(30) {
                    thread::sleep(Duration::from_millis(20));
                }
                outages.push(up.elapsed());
            }
            2 => deployment.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'batchdesk'
                 AND random() < 0.5",
            ),
            _ => {
                let (reply, intents_only) = (deployment.random.within(0..=2) > 0, deployment.random.within(0..=1) == 0);
                let cut = deployment.cut.as_ref().unwrap();
                cut.arm(reply, intents_only);
                let give_up = Instant::now() + Duration::from_secs(3);
                while cut.is_armed() && Instant::now() < give_up {
                    thread::sleep(Duration::from_millis(2));
                }
                let in_vain = cut.is_armed();
                cut.disarm();
                if in_vain {
                    continue;
                }
            }
        }
        done[kind] += 1;
    }
    let (replies, requests, lost_intents) = deployment.cut.as_ref().unwrap().cuts();
    if lost_intents == 0 {
        deployment.breaches.push("the COMMIT of an intent was never lost: nothing was tried".to_owned());
    }
    outages.sort();
    let worst = outages.last().map_or(0, Duration::as_millis);
    let injected = format!(
        "{} postmaster kills, {} immediate stops (worst {worst} ms until the API answers), {} times half the sessions \
         ended, {replies} COMMIT replies and {requests} COMMITs lost ({lost_intents} of intents)",
        done[0], done[1], done[2]
    );
    deployment.finish(injected, settled).expect_clean();
}
