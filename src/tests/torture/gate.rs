//! Nothing is sent without a decision for exactly this content, whatever another part of the program does to the batch.

use super::{
    client::{ACME, batch_of},
    deployment::{Deployment, Out, Setup},
    file::End,
    report::Report,
    run::settled,
};
use std::{
    thread,
    time::{Duration, Instant},
};

pub(super) fn undecided(out: Out) -> Report {
    let mut deployment =
        Deployment::begin(&Setup { scenario: "G13 decision and hash", knobs: &["--forget-keys"], out, cut: false });
    deployment.serve(&[], &[]);
    let file = deployment.file(&[("ORD_", End::Accepted, 10)]);
    let (status, text) = deployment.client.upload(&ACME, &file.name, &file.text(), false).unwrap();
    let id = batch_of(status, &text).unwrap();
    let open = format!(
        "UPDATE batchdesk.batch SET status = 'processing' WHERE id = '{id}';
         UPDATE batchdesk.chunk SET state = 'WAITING', run_at = now() WHERE batch_id = '{id}';"
    );
    for (what, change) in [
        ("no decision", String::new()),
        (
            "a decision for another content",
            format!(
                "SET session_replication_role = replica;
                 INSERT INTO batchdesk.decision (organisation_id, batch_id, revision, checker, verdict, content_sha256)
                 SELECT organisation_id, id, 1, maker, 'APPROVE', sha256('something else') FROM batchdesk.batch
                   WHERE id = '{id}';"
            ),
        ),
    ] {
        deployment.sql(&format!("{change}{open}"));
        let looks = format!("SELECT epoch FROM batchdesk.chunk WHERE batch_id = '{id}'");
        let (before, give_up) = (deployment.number(&looks), Instant::now() + Duration::from_secs(20));
        // Looked at three times: claimed, refused, given back.
        while deployment.number(&looks) < before + 3 && deployment.ledger().is_empty() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(20));
        }
        let sent = deployment.ledger().len();
        if sent > 0 {
            deployment.breaches.push(format!("{sent} rows were sent with {what}"));
        } else if Instant::now() > give_up {
            deployment.breaches.push(format!("with {what} nobody looked at the rows: nothing was tried"));
        }
    }
    deployment.sql(&format!(
        "SET session_replication_role = replica; DELETE FROM batchdesk.decision WHERE batch_id = '{id}';
         UPDATE batchdesk.batch SET status = 'awaiting_approval' WHERE id = '{id}';
         UPDATE batchdesk.chunk SET state = 'HELD', run_at = 'infinity' WHERE batch_id = '{id}' AND state <> 'DONE';"
    ));
    if deployment.breaches.is_empty() {
        deployment.client.approve(&ACME, &id).unwrap();
        deployment.observed(&ACME, file, id);
    }
    deployment.finish("no decision, another content's decision".to_owned(), settled)
}

#[test]
fn g13_nothing_is_sent_without_a_decision_for_this_content() {
    undecided(Out::Nothing).expect_clean();
}
