//! Going back to a backup: what the check says before and after it is declared.

use super::*;
use crate::server::{db::audit::chain::Position, ops::audit::heads::Head};
use std::fs;

/// A database whose past was set back to an earlier one: the trail ends, or goes on from, `kept`.
async fn go_back(test: &TestState, organisation: OrganisationId, kept: i64) {
    let mut admin = superuser(test).await;
    let cut = format!(
        "WITH gone AS (DELETE FROM audit_seal WHERE organisation_id = '{organisation}' AND sequence > {kept}
         RETURNING audit_id)
         DELETE FROM audit USING gone WHERE id = audit_id"
    );
    admin.execute(AssertSqlSafe(cut)).await.unwrap();
}

/// The heads of the data folder as a database had signed them that had come further, in transactions, than this one.
fn further(state: &AppState) {
    let all = heads_of(state).heads.into_iter().map(|head| Head {
        position: Position { transaction: head.position.transaction + 1_000_000, ..head.position },
        ..head
    });
    let text: String = all.map(|head| format!("{}\n", head.signed(&state.config.secret_key))).collect();
    fs::write(state.config.data_dir.join(heads::FILE), text).unwrap();
}

#[tokio::test]
async fn an_older_database_is_told_from_one_that_was_cut_off() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    write(state, organisation, 30).await;
    audit::seal_all(state).await.unwrap();
    let end = heads_of(state).newest(organisation).unwrap().sequence;
    go_back(&test, organisation, end - 19).await;
    let cut = sentences(&of_acme(state, &[]).await);
    assert!(cut.starts_with(&format!("cut off after entry {}: the signed head names entry {end}", end - 19)), "{cut}");
    further(state);
    let older = sentences(&of_acme(state, &[]).await);
    let begins = format!(
        "the database is older than the head: it ends with entry {}, the signed head names entry {end}",
        end - 19
    );
    assert!(older.starts_with(&begins) && older.contains("`batchdesk restored`"), "{older}");
    assert_eq!(older.lines().count(), 1);
}

#[tokio::test]
async fn after_a_declared_restore_the_trail_is_sound_with_the_gap_named() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    let hour = time::Duration::hours(1);
    write(state, organisation, 10).await;
    audit::seal_all(state).await.unwrap();
    let (backup, in_backup) = (kept(state), heads_of(state).newest(organisation).unwrap().sequence);
    let mut lost = Vec::new();
    for _ in 0..4 {
        state.clock.advance(hour);
        write(state, organisation, 5).await;
        audit::seal_all(state).await.unwrap();
        lost.push(kept(state));
    }
    go_back(&test, organisation, in_backup).await;
    // Somebody signs in before it is declared.
    state.clock.advance(hour);
    write(state, organisation, 2).await;
    audit::seal_all(state).await.unwrap();
    assert!(!of_acme(state, &[]).await.is_sound());
    let replica = super::super::support::state(&test.options).await;
    fs::create_dir_all(&replica.config.data_dir).unwrap();
    fs::write(replica.config.data_dir.join(heads::FILE), &lost[1].text).unwrap();

    let points = audit::declare_restored(state).await.unwrap();
    let point = points.iter().find(|point| point.organisation == organisation).unwrap();
    assert_eq!((point.kept, point.lost), (in_backup, Some(in_backup + 20)));
    assert!(points.iter().all(|point| point.organisation == organisation || point.lost.is_none()));
    let mut admin = superuser(&test).await;
    let written: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM audit JOIN audit_seal ON audit_id = id WHERE action = 'audit.restored'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(written, 1, "an entry where something is missing, chained");

    let gap = format!("entries {} to {} of before the restore", in_backup + 1, in_backup + 20);
    let mut files = vec![backup];
    files.extend(lost.clone());
    let report = of_acme(state, &files).await;
    assert!(report.is_sound() && report.notes.iter().any(|note| note.starts_with(&gap)), "{report:?}");
    // And it goes on: also where another data folder's heads are of before.
    state.clock.advance(hour);
    write(state, organisation, 5).await;
    audit::seal_all(state).await.unwrap();
    audit::signed_heads(&replica).await.unwrap();
    let (ours, theirs) = (heads_of(state), heads_of(&replica));
    assert_eq!(ours.newest(organisation).unwrap().hash, theirs.newest(organisation).unwrap().hash);
    assert!(of_acme(&replica, &[]).await.is_sound());
    assert!(of_acme(state, &lost).await.is_sound());

    // A declared gap excuses nothing that was signed after it.
    let newest = heads_of(state).newest(organisation).unwrap().sequence;
    go_back(&test, organisation, newest - 2).await;
    let cut = sentences(&of_acme(state, &[]).await);
    assert!(cut.starts_with(&format!("cut off after entry {}", newest - 2)), "{cut}");
}

#[tokio::test]
async fn nobody_declares_a_restore_without_the_key() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    write(state, organisation, 30).await;
    audit::seal_all(state).await.unwrap();
    let end = heads_of(state).newest(organisation).unwrap().clone();
    go_back(&test, organisation, end.sequence - 10).await;
    let forged = heads::Restored {
        organisation,
        kept: end.sequence - 10,
        kept_hash: Vec::new(),
        lost: end.sequence,
        lost_at: end.at,
        at: end.at,
    };
    let declared = forged.signed(&crate::server::secrets::SecretKey::new([8; 32]));
    let mut tx = state.db.worker(organisation).await.unwrap();
    audit::record_own(state, &mut tx, audit::RESTORED, Some(organisation.0), json!({ "declared": declared }))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    audit::seal_all(state).await.unwrap();
    assert!(!of_acme(state, &[]).await.is_sound());
    assert_eq!(heads_of(state).newest(organisation), Some(&end));
}

#[tokio::test]
async fn an_organisation_that_the_backup_does_not_have_is_told_and_declared() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    write(state, organisation, 1).await;
    audit::seal_all(state).await.unwrap();
    let head = heads_of(state).newest(organisation).unwrap().clone();
    let missing = Head { organisation: OrganisationId(Uuid::now_v7()), ..head };
    let path = state.config.data_dir.join(heads::FILE);
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(&missing.signed(&state.config.secret_key));
    fs::write(&path, text).unwrap();
    let exported = kept(state);
    let found = audit::verify(state, &[]).await.unwrap();
    assert_eq!(
        found.iter().flat_map(|report| &report.findings).collect::<Vec<_>>(),
        [&Finding::NoOrganisation(missing)]
    );
    audit::declare_restored(state).await.unwrap();
    assert!(audit::verify(state, &[exported]).await.unwrap().iter().all(AuditReport::is_sound));
}
