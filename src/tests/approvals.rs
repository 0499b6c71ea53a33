//! Maker-checker: who may decide, on what, and once. The guards are the database's, so some of these go round the
//! operations.

use super::support::{TestState, refunds};
use crate::{
    domain::{access::Right, batch::BatchStatus, error::RefusalKind},
    server::{
        db,
        ops::{
            approvals::{self, Decision, Verdict},
            batches,
        },
    },
};

#[tokio::test]
async fn a_checker_approves_and_the_batch_is_processed() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "100.50"), ("ORD_2", "7")])).await;
    let maker = test.caller("maker@acme.test").await;
    let waiting = batches::snapshot(&test.state, &maker, batch).await.unwrap();
    assert_eq!(waiting.status, BatchStatus::AwaitingApproval);
    assert_eq!((waiting.records, waiting.sums().total), (2, 10_750));
    test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    let approved = batches::snapshot(&test.state, &maker, batch).await.unwrap();
    assert_eq!(approved.status, BatchStatus::Processing);
    assert_eq!(approved.decision.unwrap().person, "checker@acme.test");
}

#[tokio::test]
async fn nobody_decides_on_a_batch_of_their_own_whatever_their_rights() {
    let test = TestState::new().await;
    let batch = test.upload("owner@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let refused = test.decide("owner@acme.test", batch, Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Forbidden);
    // Round the operation: the database refuses the maker by itself, as the role that the web part has.
    let owner = test.caller("owner@acme.test").await;
    let shown = batches::snapshot(&test.state, &owner, batch).await.unwrap();
    let mut tx = test.state.db.web(owner.organisation.id, Some(owner.person.id)).await.unwrap();
    let hash = hex(&shown.content_sha256);
    let error = db::approvals::decide(&mut tx, batch, true, &hash, None).await.unwrap_err();
    assert_eq!(db::guard_code(&error).as_deref(), Some("BD403"));
}

#[tokio::test]
async fn a_decision_is_bound_to_what_was_shown() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let checker = test.caller("checker@acme.test").await;
    let decision = Decision { verdict: Some(Verdict::Approve), content_hash: "0".repeat(64), reason: String::new() };
    let refused = approvals::decide(&test.state, &checker, batch, decision).await.unwrap_err().0;
    assert_eq!(refused.refusal.kind, RefusalKind::Changed);
    // The rows themselves are hashed again: a record changed behind our back voids what was shown.
    test.as_superuser("UPDATE record SET request_sha256 = sha256('another refund')").await.unwrap();
    let refused = test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Changed);
}

#[tokio::test]
async fn of_many_decisions_at_once_one_counts() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let tries = (0..12).map(|n| {
        let verdict = if n % 2 == 0 { Verdict::Approve } else { Verdict::Reject };
        let email = if n % 3 == 0 { "owner@acme.test" } else { "checker@acme.test" };
        test.decide(email, batch, verdict)
    });
    let results = futures::future::join_all(tries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().filter_map(|result| result.as_ref().err()).all(|e| e.refusal.kind == RefusalKind::Conflict));
}

#[tokio::test]
async fn a_rejection_needs_a_reason_and_ends_the_batch() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let checker = test.caller("checker@acme.test").await;
    let shown = batches::snapshot(&test.state, &checker, batch).await.unwrap();
    let decision =
        Decision { verdict: Some(Verdict::Reject), content_hash: shown.content_sha256, reason: "  ".to_owned() };
    let refused = approvals::decide(&test.state, &checker, batch, decision).await.unwrap_err().0;
    assert_eq!(refused.refusal.kind, RefusalKind::Invalid);
    assert_eq!(refused.refusal.message, "Say why you reject it: the maker reads the reason.");
    test.decide("checker@acme.test", batch, Verdict::Reject).await.unwrap();
    let rejected = batches::snapshot(&test.state, &checker, batch).await.unwrap();
    assert_eq!((rejected.status, rejected.decision.unwrap().reason.as_str()), (BatchStatus::Rejected, "because"));
    assert!(test.decide("owner@acme.test", batch, Verdict::Approve).await.is_err());
}

#[tokio::test]
async fn a_decision_needs_a_fresh_proof_of_the_password() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let checker = test.caller("checker@acme.test").await;
    test.state.clock.advance(time::Duration::minutes(11));
    let shown = approvals::detail(&test.state, &checker, batch).await.unwrap();
    assert!(shown.needs_password);
    let decision = Decision {
        verdict: Some(Verdict::Approve),
        content_hash: shown.snapshot.content_sha256,
        reason: String::new(),
    };
    let refused = approvals::decide(&test.state, &checker, batch, decision).await.unwrap_err().0;
    assert_eq!(refused.refusal.kind, RefusalKind::Invalid);
}

#[tokio::test]
async fn only_the_maker_withdraws_and_only_while_it_waits() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let other = test.caller("maker2@acme.test").await;
    let operation = crate::domain::operation::Operation::Refund;
    assert!(batches::withdraw(&test.state, &other, operation, batch).await.is_err());
    let maker = test.caller("maker@acme.test").await;
    batches::withdraw(&test.state, &maker, operation, batch).await.unwrap();
    assert!(batches::withdraw(&test.state, &maker, operation, batch).await.is_err());
    assert!(test.decide("checker@acme.test", batch, Verdict::Approve).await.is_err());
}

#[tokio::test]
async fn another_organisation_sees_nothing() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let stranger = test.caller("owner@globex.test").await;
    let missing = batches::snapshot(&test.state, &stranger, batch).await.unwrap_err();
    assert_eq!(missing.refusal.kind, RefusalKind::NotFound);
    assert_eq!(
        test.decide("owner@globex.test", batch, Verdict::Approve).await.unwrap_err().refusal.kind,
        RefusalKind::NotFound
    );
    let located = batches::locate(&test.state, &stranger, batch, Right::Read).await.unwrap_err();
    assert_eq!(located.refusal.kind, RefusalKind::NotFound);
    // Of our own organisation it takes the right that is asked for.
    let viewer = test.caller("viewer@acme.test").await;
    let located = batches::locate(&test.state, &viewer, batch, Right::Read).await.unwrap();
    assert_eq!(located, (crate::domain::operation::Operation::Refund, "refunds.csv".to_owned()));
    for right in [Right::ReadWrite, Right::Approve] {
        let refused = batches::locate(&test.state, &viewer, batch, right).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Forbidden, "{right:?}");
    }
    // A forgotten filter shows nothing either: the policies stand on the tables.
    let mut tx = test.state.db.web(stranger.organisation.id, Some(stranger.person.id)).await.unwrap();
    assert!(db::batches::load(&mut tx, batch).await.unwrap().is_none());
}

#[tokio::test]
async fn the_audit_chain_holds_and_shows_a_change() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    test.decide("checker@acme.test", batch, Verdict::Approve).await.unwrap();
    assert!(crate::server::ops::audit::seal_all(&test.state).await.unwrap() > 0);
    let sound = crate::server::ops::audit::verify(&test.state, &[]).await.unwrap();
    assert!(sound.iter().all(|report| report.is_sound() && report.waiting == 0), "{sound:?}");
    test.as_superuser("UPDATE audit SET actor = 'nobody' WHERE action = 'batch.approved'").await.unwrap();
    let broken = crate::server::ops::audit::verify(&test.state, &[]).await.unwrap();
    assert!(broken.iter().any(|report| !report.is_sound()));
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
