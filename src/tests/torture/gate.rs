//! Nothing is sent without a decision for exactly this content, whatever another part of the program does to the batch.

use super::{
    client::{ACME, batch_of},
    file::End,
    report::Report,
    run::settled,
    world::{Out, Setup, World},
};
use std::{
    thread,
    time::{Duration, Instant},
};

pub(super) fn undecided(out: Out) -> Report {
    let mut world =
        World::begin(&Setup { scenario: "G13 decision and hash", knobs: &["--forget-keys"], out, cut: false });
    world.serve(&[], &[]);
    let file = world.file(&[("ORD_", End::Accepted, 10)]);
    let (status, text) = world.client.upload(&ACME, &file.name, &file.text(), false).unwrap();
    let id = batch_of(status, &text).unwrap();
    let open = format!(
        "UPDATE desk.batch SET status = 'processing' WHERE id = '{id}';
         UPDATE desk.chunk SET state = 'WAITING', run_at = now() WHERE batch_id = '{id}';"
    );
    for (what, change) in [
        ("no decision", String::new()),
        (
            "a decision for another content",
            format!(
                "SET session_replication_role = replica;
                 INSERT INTO desk.decision (organisation_id, batch_id, revision, checker, verdict, content_sha256)
                 SELECT organisation_id, id, 1, maker, 'APPROVE', sha256('something else') FROM desk.batch WHERE id = '{id}';"
            ),
        ),
    ] {
        world.sql(&format!("{change}{open}"));
        let looks = format!("SELECT epoch FROM desk.chunk WHERE batch_id = '{id}'");
        let (before, give_up) = (world.number(&looks), Instant::now() + Duration::from_secs(20));
        // Looked at three times: claimed, refused, given back.
        while world.number(&looks) < before + 3 && world.ledger().is_empty() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(20));
        }
        let sent = world.ledger().len();
        if sent > 0 {
            world.breaches.push(format!("{sent} rows were sent with {what}"));
        } else if Instant::now() > give_up {
            world.breaches.push(format!("with {what} nobody looked at the rows: nothing was tried"));
        }
    }
    world.sql(&format!(
        "SET session_replication_role = replica; DELETE FROM desk.decision WHERE batch_id = '{id}';
         UPDATE desk.batch SET status = 'awaiting_approval' WHERE id = '{id}';
         UPDATE desk.chunk SET state = 'HELD', run_at = 'infinity' WHERE batch_id = '{id}' AND state <> 'DONE';"
    ));
    if world.breaches.is_empty() {
        world.client.approve(&ACME, &id).unwrap();
        world.observed(&ACME, file, id);
    }
    world.finish("no decision, another content's decision".to_owned(), settled)
}

#[test]
fn g13_nothing_is_sent_without_a_decision_for_this_content() {
    undecided(Out::Nothing).expect_clean();
}
