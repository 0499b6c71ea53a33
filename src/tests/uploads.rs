//! Uploads: what a clean file makes, and what a file with findings does not.

use super::support::{TestState, gateway, refunds};
use crate::{
    domain::{
        batch::BatchStatus,
        error::RefusalKind,
        finding::FindingCode,
        operation::Operation,
        page::{BatchQuery, TaskQuery},
    },
    server::{
        db::{self, Db, PoolSizes},
        gateway::GatewayClass,
        ops::{
            approvals::Verdict,
            batches, downloads,
            gateways::{self, NewGateway},
            housekeeping,
            uploads::{self, Submitted, Upload},
        },
        spool::{Spool, SpoolWriter},
    },
};
use futures::StreamExt;
use sqlx::{ConnectOptions, Executor};

#[tokio::test]
async fn without_maker_checker_a_file_is_processed_at_once() {
    let test = TestState::new().await;
    let batch = test.upload("owner@globex.test", &refunds(&[("ORD_1", "100.50")])).await;
    let owner = test.caller("owner@globex.test").await;
    let detail = batches::detail(&test.state, &owner, Operation::Refund, batch, &TaskQuery::default()).await.unwrap();
    assert_eq!(detail.snapshot.status, BatchStatus::Processing);
    assert_eq!(detail.snapshot.decision.unwrap().verdict, "not_required");
    assert_eq!(detail.tasks.total, 1);
    assert_eq!(detail.row_map, "Q");
    let list = batches::list(&test.state, &owner, Operation::Refund, &BatchQuery::default()).await.unwrap();
    assert_eq!(list.page.total, 1);
}

#[tokio::test]
async fn a_file_with_findings_makes_nothing_but_a_draft_of_its_uploader() {
    let test = TestState::new().await;
    let file = refunds(&[("ORD_1", "1,000.00"), ("", "5"), ("ORD_3", "-5")]);
    let Submitted::Draft(draft) = test.try_upload("maker@acme.test", &file).await else { panic!("accepted") };
    assert!(draft.findings.len() >= 3);
    let maker = test.caller("maker@acme.test").await;
    let page = uploads::new_batch(&test.state, &maker, Operation::Refund, Some(draft.id)).await.unwrap();
    assert_eq!(page.draft.unwrap().findings, draft.findings);
    let other = test.caller("maker2@acme.test").await;
    let page = uploads::new_batch(&test.state, &other, Operation::Refund, Some(draft.id)).await.unwrap();
    assert!(page.draft.is_none());
    let list = batches::list(&test.state, &maker, Operation::Refund, &BatchQuery::default()).await.unwrap();
    assert!(!list.any);
}

#[tokio::test]
async fn a_unique_id_is_taken_by_a_batch_and_given_back_when_nothing_was_sent() {
    let test = TestState::new().await;
    let file = refunds(&[("ORD_1", "1")]).replace("ORD_1,1,,,", "ORD_1,1,,UNIQUE1,");
    let batch = test.upload("maker@acme.test", &file).await;
    let Submitted::Draft(draft) = test.try_upload("maker2@acme.test", &file).await else { panic!("accepted twice") };
    assert_eq!(draft.findings[0].code, FindingCode::UniqueIdTaken);
    assert_eq!(draft.findings[0].row, Some(2));
    test.decide("checker@acme.test", batch, Verdict::Reject).await.unwrap();
    test.upload("maker2@acme.test", &file).await;
}

#[tokio::test]
async fn a_batch_goes_to_no_connection_that_was_replaced_while_its_file_was_read() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let upload = Upload {
        file_name: "r.csv".to_owned(),
        bytes: refunds(&[("ORD_1", "1")]).into_bytes().into(),
        ..Upload::default()
    };
    let admitted = uploads::admit(&test.state, &maker, Operation::Refund).await.unwrap();
    let other =
        NewGateway { merchant_id: "acme2".to_owned(), ..gateway("Acme Stores", "http://127.0.0.1:9", GatewayClass::K) };
    gateways::add(&test.state, other).await.unwrap();
    let submitted = uploads::submit_admitted(&test.state, &maker, Operation::Refund, admitted, upload.clone()).await;
    assert_eq!(submitted.unwrap_err().refusal.kind, RefusalKind::Conflict);
    assert!(!batches::list(&test.state, &maker, Operation::Refund, &BatchQuery::default()).await.unwrap().any);
    let submitted = uploads::submit(&test.state, &maker, Operation::Refund, upload).await.unwrap();
    assert!(matches!(submitted, Submitted::Batch(_)));
}

#[tokio::test]
async fn a_repeat_needs_an_explicit_decision() {
    let test = TestState::new().await;
    let file = refunds(&[("ORD_1", "1"), ("ORD_2", "2")]);
    test.upload("maker@acme.test", &file).await;
    let maker = test.caller("maker@acme.test").await;
    let upload = Upload {
        file_name: "again.csv".to_owned(),
        bytes: file.into_bytes().into(),
        description: "again".to_owned(),
        ..Upload::default()
    };
    let submitted = uploads::submit(&test.state, &maker, Operation::Refund, upload.clone()).await.unwrap();
    let Submitted::Draft(draft) = submitted else { panic!("accepted without a word") };
    assert!(draft.findings.is_empty());
    assert_eq!(draft.repeats.len(), 3, "the file and both rows: {:?}", draft.repeats);
    // The file is kept: the person ticks the box and sends the form without choosing it again.
    let confirmed = Upload { confirm_repeat: true, kept: Some(draft.id), ..Upload::default() };
    assert!(matches!(
        uploads::submit(&test.state, &maker, Operation::Refund, confirmed).await.unwrap(),
        Submitted::Batch(_)
    ));
}

#[tokio::test]
async fn a_warning_that_must_be_confirmed_makes_nothing_until_it_is() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let file = |last: &str| refunds(&[("ORD_1", "1"), ("ORD_2", "2.5"), (last, "3.5")]);
    let bare = |last: &str| Upload {
        file_name: "total.csv".to_owned(),
        bytes: file(last).into_bytes().into(),
        description: "with a total".to_owned(),
        ..Upload::default()
    };
    let submit = async |upload: Upload| uploads::submit(&test.state, &maker, Operation::Refund, upload).await.unwrap();
    let Submitted::Draft(draft) = submit(bare("Total")).await else { panic!("accepted without a word") };
    assert_eq!(draft.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [FindingCode::TotalLine]);
    assert!(!batches::list(&test.state, &maker, Operation::Refund, &BatchQuery::default()).await.unwrap().any);
    let tick = |upload: Upload, tick: &str| Upload { confirm_warnings: tick.to_owned(), ..upload };
    let kept = |upload: Upload| Upload { kept: Some(draft.id), ..upload };
    // A tick is for the file and the warnings that it was shown with: not for another file in the same form, nor for
    // another seal.
    for other in [
        tick(kept(bare("Sum")), "1"),
        tick(kept(bare("ORD_3")), "1"),
        tick(bare("Total"), "0000"),
        Upload { confirm_repeat: true, ..kept(bare("Total")) },
    ] {
        assert!(matches!(submit(other.clone()).await, Submitted::Draft(_)), "{other:?}");
    }
    let seal = crate::formats::refunds::check_refunds(
        file("Total").as_bytes(),
        crate::domain::money::Currency::Inr,
        crate::domain::limits::Limits::default(),
    )
    .seal;
    assert!(matches!(
        submit(tick(Upload { kept: Some(draft.id), ..Upload::default() }, "1")).await,
        Submitted::Batch(_)
    ));
    // Now it is a repeat, too: both are asked at once, and each tick is for its own question.
    let Submitted::Draft(both) = submit(tick(bare("Total"), &seal)).await else { panic!("a repeat was accepted") };
    assert!(both.repeats.len() == 4 && both.findings.len() == 1, "{both:?}");
    let Submitted::Draft(both) = submit(Upload { confirm_repeat: true, ..bare("Total") }).await else {
        panic!("accepted")
    };
    assert!(both.repeats.len() == 4 && both.findings.len() == 1, "{both:?}");
    let sure = Upload { confirm_repeat: true, ..tick(bare("Total"), &seal) };
    assert!(matches!(submit(sure).await, Submitted::Batch(_)));
}

#[tokio::test]
async fn the_tick_for_a_repeat_is_not_for_another_file() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let files = ["1", "2"].map(|amount| refunds(&[("ORD_1", amount)]));
    let upload = |file: &str| Upload {
        file_name: "again.csv".to_owned(),
        bytes: file.to_owned().into_bytes().into(),
        ..Upload::default()
    };
    let submit = async |upload: Upload| uploads::submit(&test.state, &maker, Operation::Refund, upload).await.unwrap();
    for file in &files {
        test.upload("maker@acme.test", file).await;
    }
    let Submitted::Draft(draft) = submit(upload(&files[0])).await else { panic!("accepted twice") };
    let other = Upload { confirm_repeat: true, kept: Some(draft.id), ..upload(&files[1]) };
    assert!(matches!(submit(other).await, Submitted::Draft(_)), "shown with the first file, sent with the second");
    let same = Upload { confirm_repeat: true, kept: Some(draft.id), ..upload(&files[0]) };
    assert!(matches!(submit(same).await, Submitted::Batch(_)));
}

#[tokio::test]
async fn a_file_with_a_card_number_is_not_kept() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let file = refunds(&[("ORD_1", "1")]).replace(",,,\n", ",,,4111 1111 1111 1111\n");
    let upload = Upload { file_name: "cards.csv".to_owned(), bytes: file.into_bytes().into(), ..Upload::default() };
    let Submitted::Draft(draft) = uploads::submit(&test.state, &maker, Operation::Refund, upload).await.unwrap() else {
        panic!("accepted")
    };
    assert_eq!(draft.findings[0].code, FindingCode::CardNumber, "{:?}", draft.findings);
    let again = Upload { kept: Some(draft.id), ..Upload::default() };
    let refused = uploads::submit(&test.state, &maker, Operation::Refund, again).await.unwrap_err();
    assert!(refused.refusal.message.starts_with("No file was chosen"), "{}", refused.refusal.message);
    let described = Upload {
        file_name: "clean.csv".to_owned(),
        bytes: refunds(&[("ORD_1", "1")]).into_bytes().into(),
        description: "for 4111-1111-1111-1111".to_owned(),
        ..Upload::default()
    };
    let refused = uploads::submit(&test.state, &maker, Operation::Refund, described).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Invalid);
    assert!(!refused.refusal.message.contains("4111"), "{}", refused.refusal.message);
}

#[tokio::test]
async fn rights_are_asked_for_first() {
    let test = TestState::new().await;
    for email in ["viewer@acme.test", "checker@acme.test", "admin@acme.test"] {
        let caller = test.caller(email).await;
        let refused = uploads::submit(&test.state, &caller, Operation::Refund, Upload::default()).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Forbidden, "{email}");
    }
}

#[tokio::test]
async fn a_file_too_large_is_refused_by_its_size() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let upload = Upload {
        file_name: "huge.csv".to_owned(),
        bytes: vec![b'x'; 5 * 1024 * 1024 + 1].into(),
        description: "huge".to_owned(),
        ..Upload::default()
    };
    let refused = uploads::submit(&test.state, &maker, Operation::Refund, upload).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::TooLarge);
    assert!(refused.refusal.message.starts_with("File too large"));
}

#[tokio::test]
async fn the_result_file_has_every_record_whatever_its_state() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "100.5"), ("ORD_2", "7")])).await;
    let viewer = test.caller("viewer@acme.test").await;
    let download =
        downloads::data(&test.state, &viewer, Operation::Refund, batch, downloads::ResultFile::Csv).await.unwrap();
    let chunks: Vec<_> = download.body.map(|chunk| chunk.unwrap()).collect().await;
    let text = String::from_utf8(chunks.concat()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("1,ORD_1,100.50,,BD"), "{}", lines[1]);
    assert!(lines[1].contains(",QUEUED,"));
    assert!(lines[2].ends_with("+05:30"));
}

#[tokio::test]
async fn a_script_may_leave_the_description_out() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let upload = Upload {
        file_name: "bare.csv".to_owned(),
        bytes: refunds(&[("ORD_1", "1")]).into_bytes().into(),
        ..Upload::default()
    };
    let submitted = uploads::submit(&test.state, &maker, Operation::Refund, upload).await.unwrap();
    let Submitted::Batch(batch) = submitted else { panic!("not accepted") };
    let detail = batches::detail(&test.state, &maker, Operation::Refund, batch, &TaskQuery::default()).await.unwrap();
    assert_eq!((detail.description.as_str(), detail.snapshot.status), ("", BatchStatus::AwaitingApproval));
    // Asked for it, a person has to say something.
    let refused = uploads::describe(&test.state, &maker, Operation::Refund, "  ").await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Invalid);
}

#[tokio::test]
async fn what_is_older_than_thirty_days_or_was_never_carried_out_is_no_repeat() {
    let test = TestState::new().await;
    let files = [
        (Operation::Refund, "owner@globex.test", refunds(&[("ORD_1", "1")])),
        (Operation::OrderSync, "owner@globex.test", "order_id,txn_id,unique_request_id\nORD_1,,\n".to_owned()),
    ];
    for (operation, email, file) in files {
        let caller = test.caller(email).await;
        let submit = async || {
            let upload = Upload {
                file_name: "again.csv".to_owned(),
                bytes: file.clone().into_bytes().into(),
                ..Upload::default()
            };
            match uploads::submit(&test.state, &caller, operation, upload).await.unwrap() {
                Submitted::Batch(_) => 0,
                Submitted::Draft(draft) => draft.repeats.len(),
            }
        };
        // Neither can be done by any role of ours, nor past the guards of the tables.
        let change = async |table: &str, change: &str| {
            let sql = format!(
                "SET session_replication_role = replica; UPDATE {table} SET {change} WHERE organisation_id = '{}'",
                caller.organisation.id
            );
            test.as_superuser(&sql).await.unwrap();
        };
        let made = async |days: u32| {
            for table in ["batch", "batch_revision"] {
                change(table, &format!("created_at = now() - interval '{days} days'")).await;
            }
        };
        assert_eq!(submit().await, 0, "{operation:?}");
        assert_ne!(submit().await, 0, "{operation:?}: the same bytes again");
        made(29).await;
        assert_ne!(submit().await, 0, "{operation:?}: 29 days later");
        made(31).await;
        assert_eq!(submit().await, 0, "{operation:?}: 31 days later");
        for word in ["rejected", "withdrawn"] {
            change("batch", &format!("status = '{word}'")).await;
            assert_eq!(submit().await, 0, "{operation:?}: {word}");
        }
    }
}

#[tokio::test]
async fn a_file_lives_as_long_as_a_batch_or_a_draft_names_it() {
    let test = TestState::new().await;
    let batch = test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    let wrong = refunds(&[("ORD_2", "much")]);
    let Submitted::Draft(draft) = test.try_upload("maker@acme.test", &wrong).await else { panic!("accepted") };
    let other = refunds(&[("ORD_3", "much")]);
    let Submitted::Draft(_) = test.try_upload("maker2@acme.test", &other).await else { panic!("accepted") };
    let files = async || test.as_superuser("SELECT FROM file").await.unwrap();
    let tidy = async || housekeeping::tidy_up(&test.state).await.unwrap();
    assert_eq!(files().await, 3);
    test.state.clock.advance(time::Duration::hours(2));
    tidy().await;
    assert_eq!(files().await, 3, "all have a name");
    // The draft is gone, and its file with it, but not at once: somebody may be about to name it.
    test.as_superuser(&format!("DELETE FROM draft WHERE id = '{}'", draft.id)).await.unwrap();
    test.as_superuser("UPDATE file SET created_at = created_at + interval '90 minutes'").await.unwrap();
    tidy().await;
    assert_eq!(files().await, 3);
    test.state.clock.advance(time::Duration::hours(1));
    tidy().await;
    assert_eq!(files().await, 2);
    // Drafts end after 24 hours, and so do the files of those.
    test.state.clock.advance(time::Duration::hours(25));
    tidy().await;
    assert_eq!(files().await, 1);
    let viewer = test.caller("viewer@acme.test").await;
    assert!(downloads::original(&test.state, &viewer, Operation::Refund, batch).await.is_ok());
}

/// Many rows, each with a note, so that the file is longer than what is held in memory and than one part.
pub(super) fn long(rows: usize, last: &str) -> String {
    let row = |number: usize| format!("ORD_{number},1.00,,U{number},,,,,,{},,,,,,,,,\n", "note ".repeat(120));
    let rows: String = (1..=rows).map(row).collect();
    format!("{}{rows}{last}", refunds(&[]))
}

#[tokio::test]
async fn a_long_file_is_kept_in_parts_and_comes_back_as_it_was() {
    let test = TestState::new().await;
    test.as_superuser("UPDATE organisation SET row_limit = 100000").await.unwrap();
    let maker = test.caller("maker@acme.test").await;
    let count = async |sql: &str| test.as_superuser(sql).await.unwrap();
    let original = async |batch| {
        let download = downloads::original(&test.state, &maker, Operation::Refund, batch).await.unwrap();
        let parts: Vec<_> = download.body.collect().await;
        let parts: Vec<_> = parts.into_iter().map(Result::unwrap).collect();
        assert!(parts.iter().all(|part| part.len() <= 1024 * 1024), "no more than a part at a time");
        String::from_utf8(parts.concat()).unwrap()
    };
    let file = long(4_000, "");
    assert!(file.len() > 2 * 1024 * 1024);
    let upload = Upload { file_name: "long.csv".to_owned(), bytes: spooled(&test, &file).await, ..Upload::default() };
    let Submitted::Batch(batch) = uploads::submit(&test.state, &maker, Operation::Refund, upload).await.unwrap() else {
        panic!("findings")
    };
    assert_eq!(count("SELECT FROM file WHERE bytes IS NULL").await, 1);
    assert_eq!(count("SELECT FROM file_part").await as usize, file.len().div_ceil(1024 * 1024));
    assert!(original(batch).await == file);
    // One that is wrong is kept, too: without choosing it again it is read from there.
    let wrong = long(4_000, "ORD_X,much,,,,,,,,,,,,,,,,,\n");
    let Submitted::Draft(draft) = test.try_upload("maker@acme.test", &wrong).await else { panic!("accepted") };
    let again = Upload { kept: Some(draft.id), ..Upload::default() };
    let Submitted::Draft(same) = uploads::submit(&test.state, &maker, Operation::Refund, again).await.unwrap() else {
        panic!("accepted")
    };
    assert_eq!((same.rows, same.findings), (4_001, draft.findings));
    assert_eq!(count("SELECT FROM file").await, 2, "the same bytes are kept once");
    assert_eq!(count("SELECT FROM file_part").await as usize, 2 * file.len().div_ceil(1024 * 1024));
    // Its parts go with it.
    test.as_superuser("DELETE FROM draft").await.unwrap();
    test.state.clock.advance(time::Duration::hours(2));
    housekeeping::tidy_up(&test.state).await.unwrap();
    assert_eq!(count("SELECT FROM file_part").await as usize, file.len().div_ceil(1024 * 1024));
    // A file of a binary that knew no parts is one value, however long.
    test.as_superuser("UPDATE file SET bytes = (SELECT string_agg(bytes, '' ORDER BY part_no) FROM file_part)")
        .await
        .unwrap();
    test.as_superuser("DELETE FROM file_part").await.unwrap();
    let download = downloads::original(&test.state, &maker, Operation::Refund, batch).await.unwrap();
    let parts: Vec<_> = download.body.map(Result::unwrap).collect().await;
    assert!(parts.concat() == file.as_bytes());
}

/// Between its check and its batch a file waits, and so do its records. What a disk or a hand made of either meanwhile
/// is not sent.
#[tokio::test]
async fn a_file_that_changed_after_it_was_checked_makes_nothing() {
    for (begins, was, now) in [("order_id,", "ORD_1999,1", "ORD_1999,2"), ("PGCOPY", "ORD_1\0", "ORD_2\0")] {
        let test = TestState::new().await;
        test.as_superuser("UPDATE organisation SET row_limit = 100000").await.unwrap();
        let owner = test.caller("owner@globex.test").await;
        let bytes = spooled(&test, &long(2_000, "")).await;
        // Somebody else is about to keep the same file, and waits with it.
        let mut other = test.options.clone().connect().await.unwrap();
        other.execute("BEGIN").await.unwrap();
        sqlx::query(
            "INSERT INTO batchdesk.file (organisation_id, sha256, bytes, created_at) VALUES ($1, $2, '', now())",
        )
        .bind(owner.organisation.id.0)
        .bind(bytes.sha256())
        .execute(&mut other)
        .await
        .unwrap();
        let upload = Upload { file_name: "refunds.csv".to_owned(), bytes, ..Upload::default() };
        let (state, caller) = (test.state.clone(), owner.clone());
        let uploaded = tokio::spawn(async move { uploads::submit(&state, &caller, Operation::Refund, upload).await });
        let waiting =
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'";
        while test.as_superuser(waiting).await.unwrap() == 0 && !uploaded.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        // It was found clean.
        let folder = test.state.config.spool_dir();
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten().map(|entry| entry.path());
        let mut changed = 0;
        for spool in open.filter(|fd| std::fs::read_link(fd).is_ok_and(|to| to.starts_with(&folder))) {
            let content = std::fs::read(&spool).unwrap();
            if content.starts_with(begins.as_bytes()) {
                let place = content.windows(was.len()).position(|part| part == was.as_bytes()).unwrap();
                let disk = std::fs::OpenOptions::new().write(true).open(&spool).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&disk, now.as_bytes(), place as u64).unwrap();
                changed += 1;
            }
        }
        assert_eq!(changed, 1, "{begins}");
        other.execute("ROLLBACK").await.unwrap();
        let ended = uploaded.await.unwrap().map(|_| ()).unwrap_err();
        assert!(format!("{ended:?}").contains("not what was checked"), "{begins}: {ended:?}");
        for table in ["batch", "record", "file", "unique_id_taken"] {
            assert_eq!(test.as_superuser(&format!("SELECT FROM {table}")).await.unwrap(), 0, "{begins}: {table}");
        }
    }
}

/// A file as the router takes it: what is long is on the disk.
pub(super) async fn spooled(test: &TestState, file: &str) -> Spool {
    let mut writer = SpoolWriter::new(&test.state.config.spool_dir());
    writer.write(file.as_bytes()).await.unwrap();
    writer.finish().await.unwrap()
}

#[tokio::test]
async fn parts_are_seen_by_their_organisation_alone() {
    let test = TestState::new().await;
    test.as_superuser("UPDATE organisation SET row_limit = 100000").await.unwrap();
    let file = long(2_000, "");
    test.upload("maker@acme.test", &file).await;
    let acme = test.caller("maker@acme.test").await.organisation.id;
    let sha256 = <sha2::Sha256 as sha2::Digest>::digest(&file);
    let add = format!(
        "INSERT INTO file_part (organisation_id, sha256, part_no, bytes) VALUES ('{acme}', '\\x{}', 9, 'x')",
        hex::encode(sha256)
    );
    for (email, own) in [("owner@globex.test", false), ("maker@acme.test", true)] {
        let caller = test.caller(email).await;
        let mut tx = test.state.db.web(caller.organisation.id, Some(caller.person.id)).await.unwrap();
        assert_eq!(db::files::part(&mut tx, &sha256, 1).await.unwrap().is_some(), own, "{email}");
        tx.commit().await.unwrap();
        // Whatever a statement asks for.
        let as_web = async |sql: &str| test.as_web(caller.organisation.id, caller.person.id, sql).await;
        assert_eq!(as_web("SELECT FROM file_part").await.unwrap(), if own { 2 } else { 0 }, "{email}");
        assert_eq!(as_web(&add).await.is_ok(), own, "{email}");
    }
}

#[tokio::test]
async fn a_file_that_is_kept_again_is_not_deleted_before_it_has_its_name() {
    let test = TestState::new().await;
    let wrong = refunds(&[("ORD_1", "much")]);
    let Submitted::Draft(_) = test.try_upload("maker@acme.test", &wrong).await else { panic!("accepted") };
    test.as_superuser("DELETE FROM draft").await.unwrap();
    test.state.clock.advance(time::Duration::hours(2));
    let maker = test.caller("maker@acme.test").await;
    let sha256 = <sha2::Sha256 as sha2::Digest>::digest(&wrong);
    let mut tx = test.state.db.web(maker.organisation.id, Some(maker.person.id)).await.unwrap();
    let new = {
        let row = db::files::FileRow::default();
        db::files::keep(&mut tx, &sha256, &row, Some(wrong.as_bytes()), test.state.clock.now()).await.unwrap()
    };
    assert!(!new, "it is there already");
    // The housekeeping waits for whoever keeps the file, and then leaves it alone.
    let state = test.state.clone();
    let tidied = tokio::spawn(async move { housekeeping::tidy_up(&state).await });
    let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                   AND query LIKE 'DELETE FROM file%'";
    while test.as_superuser(waiting).await.unwrap() == 0 && !tidied.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    tx.commit().await.unwrap();
    tidied.await.unwrap().unwrap();
    assert_eq!(test.as_superuser("SELECT FROM file").await.unwrap(), 1);
}

#[tokio::test]
async fn the_oldest_of_many_drafts_gives_way() {
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let other = test.caller("maker2@acme.test").await;
    let describe =
        async |caller, text: &str| uploads::describe(&test.state, caller, Operation::Refund, text).await.unwrap();
    let neighbours = describe(&other, "of somebody else").await;
    let mut drafts = Vec::new();
    for number in 0..52 {
        drafts.push(describe(&maker, &format!("draft {number}")).await);
    }
    let open = async |caller, draft| {
        uploads::new_batch(&test.state, caller, Operation::Refund, Some(draft)).await.unwrap().draft.is_some()
    };
    assert!(!open(&maker, drafts[0]).await && !open(&maker, drafts[1]).await);
    assert!(open(&maker, drafts[2]).await && open(&maker, drafts[51]).await);
    assert!(open(&other, neighbours).await);
}

#[tokio::test]
async fn a_batch_is_refused_where_the_connection_cannot_carry_it_out() {
    let test = TestState::new().await;
    test.upload("owner@globex.test", &refunds(&[("ORD_1", "1.00")])).await;
    test.as_superuser("SET session_replication_role = replica; UPDATE gateway SET connector = 'payments'")
        .await
        .unwrap();
    let owner = test.caller("owner@globex.test").await;
    let upload = Upload {
        file_name: "refunds.csv".to_owned(),
        bytes: refunds(&[("ORD_2", "1.00")]).into(),
        ..Upload::default()
    };
    let refused = uploads::submit(&test.state, &owner, Operation::Refund, upload).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Conflict);
    assert!(refused.refusal.message.starts_with("payments does not carry out refunds."), "{refused}");
    let list = batches::list(&test.state, &owner, Operation::Refund, &BatchQuery::default()).await.unwrap();
    assert_eq!(list.page.total, 1, "what was there stays, and nothing came to it");
}

#[tokio::test]
async fn a_batch_holds_the_code_of_its_template_and_an_unknown_one_is_never_taken_for_another() {
    let test = TestState::new().await;
    let file = "order_id,amount,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,txn_id,unique_id\nORD_1,100.50,100.50,,,,,,\n";
    let batch = test.upload("owner@globex.test", file).await;
    let owner = test.caller("owner@globex.test").await;
    let query = TaskQuery::default();
    let detail = || batches::detail(&test.state, &owner, Operation::Refund, batch, &query);
    let failed_rows = || downloads::failed_rows(&test.state, &owner, Operation::Refund, batch);
    let is_code = format!("UPDATE batch SET template = template WHERE id = '{batch}' AND template = 'split'");
    assert_eq!(test.as_superuser(&is_code).await.unwrap(), 1, "the code is stored, not what people read");
    assert_eq!(detail().await.unwrap().template, "Split settlement, 9 columns");
    assert!(failed_rows().await.is_ok());
    // What people read may be worded anew; a batch that names no template is an inconsistency, and no standard one.
    for unknown in ["Split settlement, 9 columns", "Standard, 19 columns", ""] {
        let sql = format!("UPDATE batch SET template = '{unknown}' WHERE id = '{batch}'");
        assert_eq!(test.as_superuser(&sql).await.unwrap(), 1);
        assert_eq!(detail().await.unwrap_err().refusal.kind, RefusalKind::Internal, "{unknown:?}");
        assert_eq!(failed_rows().await.unwrap_err().refusal.kind, RefusalKind::Internal, "{unknown:?}");
    }
}

/// What went out before is looked up order by order. It was once looked for in every batch that there is.
#[tokio::test]
async fn a_look_alike_is_found_by_its_order_however_many_batches_there_are() {
    let test = TestState::new().await;
    for batch in 0..8 {
        test.upload("maker@acme.test", &refunds(&[(format!("ORD_{batch}").as_str(), "1")])).await;
    }
    let maker = test.caller("maker@acme.test").await;
    let scans = async || {
        let sql = "SELECT idx_scan + seq_scan FROM pg_stat_user_tables WHERE relname = 'record_leaf'";
        let mut admin = test.options.clone().connect().await.unwrap();
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut admin).await.unwrap()
    };
    // Sessions tell what they have counted when they end.
    let others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND backend_type = 'client backend'";
    let gone = async || while test.as_superuser(others).await.unwrap() > 0 {};
    test.state.db.close().await;
    gone().await;
    let before = scans().await;
    let other = Db::connect(test.options.clone(), PoolSizes::default()).await.unwrap();
    let mut tx = other.web(maker.organisation.id, Some(maker.person.id)).await.unwrap();
    let orders: Vec<String> = (0..500).map(|order| format!("ORD_{order}")).collect();
    let sent: Vec<(u32, &str, i64)> = orders.iter().map(|order| (2, order.as_str(), 100)).collect();
    let since = test.state.clock.now() - time::Duration::days(1);
    let found = db::batches::look_alikes(&mut tx, &sent, since).await.unwrap();
    tx.commit().await.unwrap();
    other.close().await;
    gone().await;
    let looked = scans().await - before;
    assert_eq!(found.len(), 8);
    assert!((500..1_000).contains(&looked), "{looked} scans of records for 500 orders");
}
