//! The audit trail: what is chained and signed, and what the check of it sees.

mod restored;
mod tamper;

use super::support::{TestState, refunds};
use crate::{
    domain::ids::OrganisationId,
    server::{
        db::audit::AuditEntry,
        ops::audit::{
            self, AuditReport, Finding, KeptHead,
            heads::{self, Heads},
        },
        state::AppState,
    },
};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};
use uuid::Uuid;

async fn superuser(test: &TestState) -> PgConnection {
    let mut admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    // What whoever owns the database can do: no trigger and no foreign key stands in the way.
    admin.execute("SET session_replication_role = replica").await.unwrap();
    admin
}

async fn acme(test: &TestState) -> OrganisationId {
    test.caller("maker@acme.test").await.organisation.id
}

/// Writes `count` acts down, of the time that it is.
async fn write(state: &AppState, organisation: OrganisationId, count: usize) {
    let mut tx = state.db.worker(organisation).await.unwrap();
    for n in 0..count {
        audit::record_own(state, &mut tx, "test.act", Some(Uuid::now_v7()), json!({ "n": n })).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// What is found of Acme Stores. The others must be sound.
async fn of_acme(state: &AppState, kept: &[KeptHead]) -> AuditReport {
    let mut reports = audit::verify(state, kept).await.unwrap();
    let at = reports.iter().position(|report| report.organisation.as_deref() == Some("Acme Stores")).unwrap();
    let acme = reports.swap_remove(at);
    assert!(reports.iter().all(AuditReport::is_sound), "{reports:?}");
    acme
}

fn sentences(report: &AuditReport) -> String {
    report.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn heads_of(state: &AppState) -> Heads {
    heads::read(&state.config.data_dir, &state.config.secret_key).unwrap()
}

/// The heads of the data folder, as they are kept elsewhere.
fn kept(state: &AppState) -> KeptHead {
    let text = std::fs::read_to_string(state.config.data_dir.join(heads::FILE)).unwrap();
    KeptHead { place: "kept".to_owned(), text }
}

#[tokio::test]
async fn a_trail_that_nobody_touched_is_sound_whatever_it_says() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    assert!(audit::seal_all(state).await.unwrap() > 0);
    let strange = "\u{1}\u{8}\t\n\u{c}\r\"\\/\u{7f}é\u{2028}\u{1f600}\u{fffd}";
    for (n, micros) in
        [0_i64, 1, -1, 123_456, 999_999, -62_135_596_800_000_000, 253_402_300_799_999_999].into_iter().enumerate()
    {
        let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap();
        let mut tx = state.db.worker(organisation).await.unwrap();
        let entry = AuditEntry {
            at,
            person: (n % 2 == 0).then(|| crate::domain::ids::PersonId(Uuid::now_v7())),
            actor: strange,
            action: strange,
            object: (n % 3 == 0).then(Uuid::now_v7),
            detail: json!({ "text": strange, "number": 1.5e300, "none": null }),
        };
        crate::server::db::audit::append(&mut tx, entry).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(audit::seal_all(state).await.unwrap(), 7);
    write(state, organisation, 3).await;
    let report = of_acme(state, &[kept(state)]).await;
    assert!(report.is_sound() && report.notes.is_empty(), "{report:?}");
    assert_eq!(report.waiting, 3);
    let mut admin = superuser(&test).await;
    let links: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_seal WHERE organisation_id = $1")
        .bind(organisation.0)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(report.sealed, links);
}

#[tokio::test]
async fn each_sealing_signs_where_the_chain_ends() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    write(state, organisation, 2_500).await;
    // More than one turn of the sealer.
    assert!(audit::seal_all(state).await.unwrap() >= 2_500);
    let first = heads_of(state);
    let head = first.newest(organisation).unwrap().clone();
    assert_eq!(first.heads.len(), 2, "one for each organisation");
    let mut tx = state.db.worker(organisation).await.unwrap();
    let tip = crate::server::db::audit::chain::tip(&mut tx).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!((head.sequence, &head.hash), (tip.sequence, &tip.hash));

    let before = std::fs::read(state.config.data_dir.join(heads::FILE)).unwrap();
    assert_eq!(audit::seal_all(state).await.unwrap(), 0);
    audit::signed_heads(state).await.unwrap();
    assert_eq!(std::fs::read(state.config.data_dir.join(heads::FILE)).unwrap(), before, "nothing new, nothing written");

    write(state, organisation, 1).await;
    audit::seal_all(state).await.unwrap();
    let next = heads_of(state);
    assert_eq!(next.heads.len(), 2);
    assert_eq!(next.newest(organisation).unwrap().sequence, head.sequence + 1);
}

#[tokio::test]
async fn the_sealer_signs_what_other_processes_have_chained() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    write(state, organisation, 5).await;
    audit::seal_all(state).await.unwrap();
    let other = super::support::state(&test.options).await;
    assert_ne!(other.config.data_dir, state.config.data_dir);
    let stop = tokio_util::sync::CancellationToken::new();
    let sealer = tokio::spawn(audit::run_sealer(other.clone(), stop.clone()));
    for _ in 0..2_400 {
        if !heads_of(&other).heads.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    stop.cancel();
    sealer.await.unwrap();
    let (ours, theirs) = (heads_of(state), heads_of(&other));
    assert_eq!(ours.newest(organisation).unwrap().hash, theirs.newest(organisation).unwrap().hash);
}

#[tokio::test]
async fn a_chain_that_lost_what_was_signed_gets_no_new_head() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    write(state, organisation, 20).await;
    audit::seal_all(state).await.unwrap();
    let signed = heads_of(state).newest(organisation).unwrap().clone();
    let mut admin = superuser(&test).await;
    let cut = format!(
        "WITH gone AS (DELETE FROM audit_seal WHERE organisation_id = '{organisation}' AND sequence > {}
         RETURNING audit_id)
         DELETE FROM audit USING gone WHERE id = audit_id",
        signed.sequence - 5
    );
    admin.execute(AssertSqlSafe(cut)).await.unwrap();
    // The chain becomes longer than it was.
    write(state, organisation, 30).await;
    assert_eq!(audit::seal_all(state).await.unwrap(), 30);
    audit::signed_heads(state).await.unwrap();
    assert_eq!(heads_of(state).newest(organisation), Some(&signed), "it would hide what is missing");
    let report = of_acme(state, &[]).await;
    assert!(report.findings.contains(&Finding::Contradicted(signed)), "{report:?}");
}

#[tokio::test]
async fn a_head_of_another_key_and_a_file_without_heads_are_told() {
    let test = TestState::new().await;
    let (state, organisation) = (&test.state, acme(&test).await);
    write(state, organisation, 1).await;
    audit::seal_all(state).await.unwrap();
    let head = heads_of(state).newest(organisation).unwrap().clone();
    let other_key = crate::server::secrets::SecretKey::new([8; 32]);
    let foreign = KeptHead { place: "foreign".to_owned(), text: format!("\n{}\n", head.signed(&other_key)) };
    let reports = audit::verify(state, &[foreign]).await.unwrap();
    let said: Vec<String> = reports.iter().map(sentences).filter(|text| !text.is_empty()).collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("foreign, line 2: a head that is not signed"), "{said:?}");
    let empty = KeptHead { place: "empty.txt".to_owned(), text: "nothing\n".to_owned() };
    let refused = audit::verify(state, &[empty]).await.unwrap_err();
    assert!(refused.refusal.message.starts_with("empty.txt: there is no head in it"), "{refused}");
}

/// `cargo test --lib audit::a_long_chain -- --ignored --nocapture` prints how many entries a second are checked.
#[tokio::test]
#[ignore = "a figure, not a check"]
async fn a_long_chain_is_checked_in_pages() {
    const ENTRIES: i64 = 300_000;
    let test = TestState::new().await;
    let organisation = acme(&test).await;
    let mut admin = superuser(&test).await;
    let fill = format!(
        "INSERT INTO audit (organisation_id, id, at, person_id, actor, action, object_id, detail)
         SELECT '{organisation}', lpad(to_hex(n), 32, '0')::uuid, now(), gen_random_uuid(), 'maker@acme.test',
           'batch.downloaded', gen_random_uuid(), '{{\"file\":\"batch_refund.csv\",\"rows\":1000}}'
           FROM generate_series(1, {ENTRIES}) n;
         INSERT INTO audit_waiting SELECT organisation_id, id FROM audit WHERE action = 'batch.downloaded';
         SET app.organisation = '{organisation}'; SELECT seal_audit({}); ANALYZE audit, audit_seal",
        ENTRIES * 2
    );
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut admin).await.unwrap();
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        let report = of_acme(&test.state, &[]).await;
        let seconds = begun.elapsed().as_secs_f64();
        assert!(report.is_sound() && report.sealed > ENTRIES, "{}", sentences(&report));
        println!("{} entries in {seconds:.2} s: {:.0} a second", report.sealed, report.sealed as f64 / seconds);
    }
}

#[tokio::test]
async fn no_role_of_ours_changes_what_is_written() {
    let test = TestState::new().await;
    let organisation = acme(&test).await;
    write(&test.state, organisation, 1).await;
    for role in ["batchdesk_web", "batchdesk_worker", "batchdesk_scheduler"] {
        let mut session = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        let begin = format!("SET ROLE {role}; SET app.organisation = '{organisation}'");
        session.execute(AssertSqlSafe(begin)).await.unwrap();
        for forbidden in [
            "UPDATE audit SET actor = 'x'",
            "DELETE FROM audit",
            "TRUNCATE audit CASCADE",
            "INSERT INTO audit_seal SELECT organisation_id, 1, id, '', '' FROM audit",
            "UPDATE audit_seal SET hash = ''",
            "DELETE FROM audit_seal",
            "INSERT INTO audit_waiting SELECT organisation_id, id FROM audit",
            "DELETE FROM audit_waiting",
            "ALTER TABLE audit DISABLE TRIGGER ALL",
            "SET session_replication_role = replica",
        ] {
            let refused = session.execute(forbidden).await.unwrap_err();
            assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "42501", "{role}: {forbidden}");
        }
    }
}
