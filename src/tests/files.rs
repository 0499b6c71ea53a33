//! Large files in the object store: a folder, and S3 as another program has it (`.dev/install moto`).

pub(super) mod stores;

use super::{
    support::{TestState, refunds},
    uploads::{long, spooled},
};
use crate::{
    domain::{error::RefusalKind, finding::FindingCode, ids::OrganisationId, operation::Operation},
    server::{
        db,
        error::OpResult,
        files::{self, Loaded},
        ops::{
            downloads, housekeeping,
            uploads::{self, Submitted, Upload},
        },
        spool::{Spool, SpoolWriter},
    },
};
use futures::StreamExt;
use std::io::Read;
use stores::Store;

const MIB: usize = 1024 * 1024;
const MAKER: &str = "maker@acme.test";
const STRANGER: &str = "owner@globex.test";
const DAMAGED: &str = "is damaged where it is kept, so it is not used. Tell your administrator";

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

async fn spool(test: &TestState, bytes: &[u8]) -> Spool {
    let mut writer = SpoolWriter::new(&test.state.config.spool_dir());
    writer.write(bytes).await.unwrap();
    writer.finish().await.unwrap()
}

/// Keeps a file as an upload does.
async fn keep(test: &TestState, organisation: OrganisationId, bytes: &[u8]) -> OpResult<Spool> {
    let file = spool(test, bytes).await;
    let placement = files::place(&test.state, organisation, &file).await?;
    let mut tx = test.state.db.web(organisation, None).await.unwrap();
    files::keep(&test.state, &mut tx, &file, placement).await?;
    tx.commit().await.unwrap();
    Ok(file)
}

async fn load(test: &TestState, organisation: OrganisationId, file: &Spool) -> OpResult<Loaded> {
    let tx = test.state.db.web(organisation, None).await.unwrap();
    files::load(&test.state, tx, file.sha256()).await
}

async fn organisations(test: &TestState) -> (OrganisationId, OrganisationId) {
    (test.caller(MAKER).await.organisation.id, test.caller(STRANGER).await.organisation.id)
}

/// A refunds file of more than two blocks, under this name.
async fn upload(test: &TestState, name: &str) -> OpResult<Submitted> {
    test.as_superuser("UPDATE organisation SET row_limit = 100000").await.unwrap();
    let bytes = spooled(test, &long(4_000, "")).await;
    let upload = Upload { file_name: name.to_owned(), bytes, confirm_repeat: true, ..Upload::default() };
    uploads::submit(&test.state, &test.caller(MAKER).await, Operation::Refund, upload).await
}

async fn is_kept_there(store: Store) {
    let test = store.test(MIB).await;
    let count = async |sql: &str| test.as_superuser(sql).await.unwrap();
    let (acme, globex) = organisations(&test).await;
    for length in [0, 1, MIB, MIB + 1, 17 * MIB + 3] {
        let bytes = bytes(length);
        for _ in 0..2 {
            let file = keep(&test, acme, &bytes).await.unwrap();
            let Loaded::Whole(found) = load(&test, acme, &file).await.unwrap() else { panic!("{length} bytes") };
            let mut read = Vec::new();
            found.input().read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{length} bytes");
            assert!(matches!(load(&test, globex, &file).await.unwrap(), Loaded::Gone), "of another organisation");
        }
    }
    assert_eq!(count("SELECT FROM file").await, 5);
    assert_eq!(count("SELECT FROM file WHERE object_id IS NOT NULL AND bytes IS NULL").await, 2);
    assert_eq!(count("SELECT FROM file_part").await, 0);
    let keys = store.keys().await;
    assert_eq!(keys.len(), 2, "the same bytes are put once: {keys:?}");
    assert!(keys.iter().all(|key| key.starts_with(&format!("{acme}/"))), "{keys:?}");
    // Two organisations with the same file have an object each.
    keep(&test, globex, &bytes(MIB + 1)).await.unwrap();
    assert_eq!(store.keys().await.len(), 3);
}

async fn goes_with_its_row(store: Store) {
    let test = store.test(MIB).await;
    let (acme, globex) = organisations(&test).await;
    // Whoever put it was killed before its row was there; and a key that is none of ours.
    let lost = spool(&test, &bytes(MIB + 7)).await;
    files::place(&test.state, globex, &lost).await.unwrap();
    store.put(&format!("{acme}/notes.txt"), b"of somebody else").await;
    upload(&test, "refunds.csv").await.unwrap();
    assert_eq!(store.keys().await.len(), 3);
    files::sweep(&test.state).await.unwrap();
    assert_eq!(store.keys().await.len(), 3, "it may be about to get its row");
    test.state.clock.advance(time::Duration::hours(25));
    housekeeping::tidy_up(&test.state).await.unwrap();
    files::sweep(&test.state).await.unwrap();
    let keys = store.keys().await;
    assert_eq!(keys.len(), 2, "what has a row stays: {keys:?}");
    assert!(keys.iter().all(|key| key.starts_with(&format!("{acme}/"))), "{keys:?}");
    test.as_superuser("UPDATE batch SET file_sha256 = NULL").await.unwrap();
    housekeeping::tidy_up(&test.state).await.unwrap();
    files::sweep(&test.state).await.unwrap();
    assert_eq!(store.keys().await, [format!("{acme}/notes.txt")]);
}

async fn is_refused_when_it_is_not_what_came(store: Store) {
    let test = store.test(MIB).await;
    let Submitted::Batch(batch) = upload(&test, "refunds.csv").await.unwrap() else { panic!("findings") };
    let maker = test.caller(MAKER).await;
    let original = async || downloads::original(&test.state, &maker, Operation::Refund, batch).await;
    let whole = original().await.unwrap().body.map(Result::unwrap).collect::<Vec<_>>().await.concat();
    assert!(whole == long(4_000, "").into_bytes());
    let key = store.keys().await.remove(0);
    let mut changed = whole.clone();
    changed[MIB] ^= 1;
    for wrong in [&changed[..], &whole[..whole.len() - 1], &[&whole[..], b"\n"].concat(), b""] {
        store.put(&key, wrong).await;
        let refused = original().await.map(|_| ()).unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Internal);
        assert!(refused.refusal.message.contains(DAMAGED), "{refused}");
    }
    store.put(&key, &whole).await;
    assert!(original().await.is_ok());
    let stranger = test.caller(STRANGER).await;
    let refused = downloads::original(&test.state, &stranger, Operation::Refund, batch).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::NotFound);
}

async fn has_no_name_of_a_person_s(store: Store) {
    let test = store.test(MIB).await;
    let (acme, _) = organisations(&test).await;
    upload(&test, "../../../../tmp/refunds.csv").await.unwrap();
    let keys = store.keys().await;
    let [key] = &keys[..] else { panic!("{keys:?}") };
    let id = key.strip_prefix(&format!("{acme}/")).unwrap();
    assert!(id.parse::<uuid::Uuid>().is_ok(), "{keys:?}");
}

/// One test for each, so that the other program is started once.
async fn all(store: &Store) {
    is_kept_there(store.another().await).await;
    goes_with_its_row(store.another().await).await;
    is_refused_when_it_is_not_what_came(store.another().await).await;
    has_no_name_of_a_person_s(store.another().await).await;
}

#[tokio::test]
async fn a_folder_holds_large_files() {
    all(&Store::folder()).await;
}

#[tokio::test]
async fn a_bucket_holds_large_files_and_may_be_away() {
    let Some(store) = Store::bucket().await else { return };
    all(&store).await;

    let test = store.test(MIB).await;
    let maker = test.caller(MAKER).await;
    let count = async |sql: &str| test.as_superuser(sql).await.unwrap();
    for allowed in [0, MIB as i64] {
        store.cut_after(allowed);
        let refused = upload(&test, "refunds.csv").await.map(|_| ()).unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Unavailable);
        assert!(refused.refusal.message.starts_with("Large files cannot be kept or read at the moment."), "{refused}");
        for table in ["batch", "record", "file", "draft", "unique_id_taken"] {
            assert_eq!(count(&format!("SELECT FROM {table}")).await, 0, "{table}");
        }
    }
    store.cut_after(i64::MAX);
    assert_eq!(store.keys().await, [""; 0], "nothing is half there");
    let Submitted::Batch(batch) = upload(&test, "refunds.csv").await.unwrap() else { panic!("findings") };
    // What comes back in part is no file.
    for allowed in [0, MIB as i64] {
        store.cut_after(allowed);
        let refused = downloads::original(&test.state, &maker, Operation::Refund, batch).await.map(|_| ());
        assert_eq!(refused.unwrap_err().refusal.kind, RefusalKind::Unavailable);
        assert!(files::sweep(&test.state).await.is_err() || allowed > 0);
    }
    store.cut_after(i64::MAX);
    assert!(downloads::original(&test.state, &maker, Operation::Refund, batch).await.is_ok());
}

#[tokio::test]
async fn small_files_need_no_object_store() {
    let store = Store::folder();
    let test = store.test(64 * MIB).await;
    upload(&test, "refunds.csv").await.unwrap();
    test.upload(STRANGER, &refunds(&[("ORD_1", "1.00")])).await;
    assert_eq!(store.keys().await, [""; 0]);
    assert!(!store.exists(), "its folder is made by the first object");
}

#[tokio::test]
async fn a_file_with_the_number_of_a_card_is_no_object() {
    let store = Store::folder();
    let test = store.test(MIB).await;
    test.as_superuser("UPDATE organisation SET row_limit = 100000").await.unwrap();
    let file = long(4_000, "ORD_X,1.00,,,,,,,,4111111111111111,,,,,,,,,\n");
    let Submitted::Draft(draft) = test.try_upload(MAKER, &file).await else { panic!("accepted") };
    assert!(draft.findings.iter().any(|finding| finding.code == FindingCode::CardNumber), "{:?}", draft.findings);
    assert_eq!((store.keys().await.len(), test.as_superuser("SELECT FROM file").await.unwrap()), (0, 0));
    // What is wrong besides is kept, so that the person can go on.
    let wrong = long(4_000, "ORD_X,much,,,,,,,,,,,,,,,,,\n");
    let Submitted::Draft(draft) = test.try_upload(MAKER, &wrong).await else { panic!("accepted") };
    assert_eq!(store.keys().await.len(), 1);
    let again = Upload { kept: Some(draft.id), ..Upload::default() };
    let maker = test.caller(MAKER).await;
    let Submitted::Draft(same) = uploads::submit(&test.state, &maker, Operation::Refund, again).await.unwrap() else {
        panic!("accepted")
    };
    assert_eq!((same.rows, store.keys().await.len()), (4_001, 1));
}

/// What a disk or a hand made of a file after it was checked is not put there.
#[tokio::test]
async fn a_file_that_changed_after_it_was_checked_is_no_object() {
    let store = Store::folder();
    let test = store.test(MIB).await;
    let (acme, _) = organisations(&test).await;
    let file = spool(&test, &bytes(3 * MIB)).await;
    let folder = test.state.config.spool_dir();
    let mut open = std::fs::read_dir("/proc/self/fd").unwrap().flatten().map(|entry| entry.path());
    let on_disk = open.find(|fd| std::fs::read_link(fd).is_ok_and(|to| to.starts_with(&folder))).unwrap();
    let on_disk = std::fs::OpenOptions::new().write(true).open(on_disk).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&on_disk, b"2", 2 * MIB as u64).unwrap();
    let refused = files::place(&test.state, acme, &file).await.unwrap_err();
    assert!(format!("{refused:?}").contains("not what was checked"), "{refused:?}");
    assert_eq!(store.keys().await, [""; 0]);
}

#[tokio::test]
async fn what_a_killed_process_began_in_the_folder_is_cleared() {
    let store = Store::folder();
    let test = store.test(MIB).await;
    let (acme, _) = organisations(&test).await;
    keep(&test, acme, &bytes(MIB + 1)).await.unwrap();
    let key = store.keys().await.remove(0);
    store.put(&format!("{key}#1"), b"the beginning").await;
    files::sweep(&test.state).await.unwrap();
    assert_eq!(store.keys().await.len(), 2, "it may still be coming");
    test.state.clock.advance(time::Duration::hours(25));
    files::sweep(&test.state).await.unwrap();
    assert_eq!(store.keys().await, [key]);
}

/// A row that says so is the only way to an object: nobody else's row can name it.
#[tokio::test]
async fn a_row_of_another_organisation_reaches_no_object() {
    let store = Store::folder();
    let test = store.test(MIB).await;
    let (acme, globex) = organisations(&test).await;
    let file = keep(&test, acme, &bytes(MIB + 1)).await.unwrap();
    let mut tx = test.state.db.web(acme, None).await.unwrap();
    let row = db::files::find(&mut tx, file.sha256()).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let mut tx = test.state.db.web(globex, None).await.unwrap();
    assert!(db::files::named_objects(&mut tx, &[row.object_id.unwrap()]).await.unwrap().is_empty());
    // Even if the row were copied.
    db::files::keep(&mut tx, file.sha256(), &row, None, test.state.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(load(&test, globex, &file).await.is_err());
}
