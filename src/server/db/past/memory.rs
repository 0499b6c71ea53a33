//! What this process saw of the database, kept in its data folder. A database that does not have it went back to an
//! older state.
//!
//! Two kinds of files. `database.seen`: the newest mark, and how far the log of which cluster was; replaced and synced
//! once a second while something changes. `intents.N`: the last intents that a process committed, each written over the
//! oldest one between its COMMIT and its first send; handed to the disk once a second. So a killed process has lost
//! nothing of it, and a machine that lost power at most the last second.

use super::Now;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use uuid::Uuid;

const SEEN: &str = "database.seen";
/// Intents that are remembered. At most as many COMMITs are under way at a time as there are connections (8): whichever
/// of them a database does not have, one of the last 32 is not there.
const INTENTS: usize = 32;
/// Bytes of one.
const SLOT: usize = 80;
/// Processes that may share a data folder.
const PROCESSES: u32 = 64;

/// An intent that was committed: a run of rows, under a lease of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Whose.
    pub organisation: Uuid,
    /// Batch.
    pub batch: Uuid,
    /// Revision of its rows.
    pub revision: i16,
    /// First row.
    pub row: i32,
    /// The fence it was committed under.
    pub epoch: i64,
    /// The process.
    pub owner: Uuid,
}

/// The newest state that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Newest mark.
    mark: Option<(i64, Uuid)>,
    /// By the database's clock, microseconds.
    at: i64,
    /// The cluster.
    system: Option<String>,
    /// How far its log was on disk.
    at_byte: Option<i64>,
}

#[derive(Debug)]
struct Inner {
    seen: Option<Seen>,
    /// When each was committed by the database's clock, and which.
    intents: Vec<(i64, Intent)>,
    /// The file of this process, and its next slot.
    ring: File,
    next: usize,
    /// The database's clock, and when it was read.
    clock: Option<(i64, Instant)>,
    behind: Option<String>,
}

/// The memory of one process.
#[derive(Debug)]
pub struct Memory {
    folder: PathBuf,
    inner: Mutex<Inner>,
    /// Whether an intent was noted since the last mark.
    sent: AtomicBool,
}

/// What a look at the database came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Why nothing may be sent; none: the past is whole.
    pub behind: Option<String>,
    /// Whether the database is in another cluster than it knows of.
    pub moved: bool,
}

impl Memory {
    /// Opens what this and other processes left in the folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let seen = match fs::read(folder.join(SEEN)) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(io::Error::other)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (mut intents, mut own) = (Vec::new(), None);
        for number in 0..PROCESSES {
            let path = folder.join(format!("intents.{number}"));
            let exists = path.exists();
            if !exists && own.is_some() {
                break;
            }
            let file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
            intents.extend(read(&file)?);
            if own.is_none() && file.try_lock().is_ok() {
                own = Some(file);
            }
        }
        let ring = own.ok_or_else(|| io::Error::other("too many processes share this folder"))?;
        let inner = Inner { seen, intents, ring, next: 0, clock: None, behind: None };
        Ok(Self { folder: folder.to_owned(), inner: Mutex::new(inner), sent: AtomicBool::new(false) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing may be sent.
    pub fn behind(&self) -> Option<String> {
        self.inner().behind.clone()
    }

    /// Whether an intent was noted since this was asked last.
    pub fn take_sent(&self) -> bool {
        self.sent.swap(false, Ordering::Relaxed)
    }

    /// Remembers an intent: after its COMMIT, before its first send.
    pub fn note(&self, intent: Intent) {
        let mut inner = self.inner();
        let at = inner
            .clock
            .map_or(0, |(at, read)| at.saturating_add(i64::try_from(read.elapsed().as_micros()).unwrap_or(i64::MAX)));
        let next = inner.next;
        inner.next = (next + 1) % INTENTS;
        let offset = u64::try_from(next * SLOT).unwrap_or(0);
        if let Err(error) = inner.ring.write_all_at(&packed(at, intent), offset) {
            // This process still knows it.
            tracing::warn!(%error, folder = %self.folder.display(), "past.intent_not_kept");
        }
        inner.intents.push((at, intent));
        if inner.intents.len() > INTENTS * 2 {
            inner.intents.drain(..INTENTS);
        }
        self.sent.store(true, Ordering::Relaxed);
    }

    /// Compares the database with what was seen. Only for the worse: who is behind stays so until [`Self::look`].
    pub(in crate::db) async fn check(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let (_, standing) = self.compare(connection).await?;
        if let Some(why) = standing.behind {
            self.inner().behind.get_or_insert(why);
        }
        Ok(())
    }

    /// The same, and remembers what is there now when nothing is missing.
    pub(in crate::db) async fn look(&self, connection: &mut PgConnection) -> sqlx::Result<Standing> {
        let (now, standing) = self.compare(connection).await?;
        let mut inner = self.inner();
        inner.behind.clone_from(&standing.behind);
        inner.clock = Some((now.now, Instant::now()));
        if standing.behind.is_none() {
            let mark = now.number.zip(now.token);
            let seen = Seen { mark, at: now.now, system: now.system, at_byte: now.at_byte };
            let same = |old: &Seen| (old.mark, &old.system, old.at_byte) == (seen.mark, &seen.system, seen.at_byte);
            if !inner.seen.as_ref().is_some_and(same) {
                inner.seen = Some(seen);
            }
        }
        Ok(standing)
    }

    async fn compare(&self, connection: &mut PgConnection) -> sqlx::Result<(Now, Standing)> {
        let (seen, intents) = {
            let inner = self.inner();
            (inner.seen.clone(), inner.intents.clone())
        };
        let now = super::now(connection, seen.as_ref().and_then(|seen| seen.mark)).await?;
        // What is older than the last restore is known to be forgotten.
        let counts = |at: i64| now.restored_at.is_none_or(|restored| at > restored);
        let intents: Vec<Intent> =
            intents.into_iter().filter(|(at, _)| counts(*at)).map(|(_, intent)| intent).collect();
        let missing = if intents.is_empty() { 0 } else { super::missing(connection, &intents).await? };
        let seen = seen.filter(|seen| counts(seen.at));
        let behind = why(&now, seen.as_ref(), &intents, missing);
        let moved = now.system.is_some() && now.system != now.known_system;
        Ok((now, Standing { behind, moved }))
    }

    /// Hands over to the disk what changed.
    pub fn keep(&self) -> io::Result<()> {
        let (seen, ring) = {
            let inner = self.inner();
            (inner.seen.clone(), inner.ring.try_clone()?)
        };
        ring.sync_data()?;
        let Some(seen) = seen else { return Ok(()) };
        let text = serde_json::to_vec(&seen).map_err(io::Error::other)?;
        let path = self.folder.join(SEEN);
        if fs::read(&path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        // Several processes may share the folder.
        let beside = self.folder.join(format!("{SEEN}.{}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Why the database's past ends before what was seen.
fn why(now: &Now, seen: Option<&Seen>, intents: &[Intent], missing: i32) -> Option<String> {
    if now.restoring {
        return Some("`batchdesk restored` was begun and has not ended.".to_owned());
    }
    if missing > 0 {
        return Some("It lacks refunds that this server had written down before it sent them.".to_owned());
    }
    let mark = seen.and_then(|seen| seen.mark);
    if mark.is_some() && !now.has_mark && !now.pruned {
        return Some("It lacks what this server had seen in it.".to_owned());
    }
    let elsewhere = now.known_system.is_some() && now.system.is_some() && now.system != now.known_system;
    match seen {
        // The same cluster with a shorter log. What is on disk stays there over a crash.
        Some(seen) if seen.system.is_some() && seen.system == now.system && now.at_byte < seen.at_byte => {
            Some("Its log ends before what this server had seen.".to_owned())
        }
        // A move in which nothing was lost is seen by the marks and intents that came along; without them nobody can
        // tell.
        _ if elsewhere && mark.is_none() && intents.is_empty() => {
            Some("It was copied or restored from another PostgreSQL server.".to_owned())
        }
        _ => None,
    }
}

/// FNV-1a: a slot that was half written when the power went is not believed.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn packed(at: i64, intent: Intent) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT);
    bytes.extend(at.to_le_bytes());
    bytes.extend(intent.organisation.as_bytes());
    bytes.extend(intent.batch.as_bytes());
    bytes.extend(intent.owner.as_bytes());
    bytes.extend(intent.epoch.to_le_bytes());
    bytes.extend(intent.row.to_le_bytes());
    bytes.extend(intent.revision.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(sum(&bytes).to_le_bytes());
    bytes
}

fn read(file: &File) -> io::Result<Vec<(i64, Intent)>> {
    let mut bytes = vec![0; INTENTS * SLOT];
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, u64::try_from(length).unwrap_or(0))? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    Ok(bytes.chunks_exact(SLOT).filter_map(unpacked).collect())
}

fn unpacked(slot: &[u8]) -> Option<(i64, Intent)> {
    let (mut rest, check) = slot.split_at_checked(SLOT - 8)?;
    if sum(rest).to_le_bytes() != check {
        return None;
    }
    fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
        let (head, tail) = rest.split_first_chunk::<N>()?;
        *rest = tail;
        Some(*head)
    }
    let at = i64::from_le_bytes(take(&mut rest)?);
    let [organisation, batch, owner] = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?].map(Uuid::from_bytes);
    let epoch = i64::from_le_bytes(take(&mut rest)?);
    let row = i32::from_le_bytes(take(&mut rest)?);
    let revision = i16::from_le_bytes(take(&mut rest)?);
    Some((at, Intent { organisation, batch, revision, row, epoch, owner }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(row: i32) -> Intent {
        let id = |n| Uuid::from_u128(n);
        Intent { organisation: id(1), batch: id(2), revision: 3, row, epoch: 5, owner: id(6) }
    }

    #[test]
    fn the_last_intents_of_a_process_that_was_killed_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        (0..40).for_each(|row| memory.note(intent(row)));
        // A second process in the same folder has a file of its own, and reads both.
        let beside = Memory::open(folder.path()).unwrap();
        beside.note(intent(100));
        let rows = |memory: &Memory| {
            let mut rows: Vec<i32> = memory.inner().intents.iter().map(|(_, intent)| intent.row).collect();
            rows.sort_unstable();
            rows
        };
        assert_eq!(rows(&beside), (8..40).chain([100]).collect::<Vec<_>>());
        drop((memory, beside));
        let again = Memory::open(folder.path()).unwrap();
        assert_eq!(rows(&again), (8..40).chain([100]).collect::<Vec<_>>());
        assert!(again.inner().intents.contains(&(0, intent(39))));
    }

    #[test]
    fn a_slot_that_was_half_written_is_not_believed() {
        let bytes = packed(7, intent(1));
        assert_eq!(bytes.len(), SLOT);
        assert_eq!(unpacked(&bytes), Some((7, intent(1))));
        for at in 0..SLOT {
            let mut torn = bytes.clone();
            torn[at] ^= 1;
            assert_eq!(unpacked(&torn), None, "byte {at}");
        }
    }

    fn now() -> Now {
        Now {
            system: Some("A".to_owned()),
            at_byte: Some(100),
            now: 10,
            number: Some(5),
            token: Some(Uuid::from_u128(5)),
            known_system: Some("A".to_owned()),
            restored_at: None,
            restoring: false,
            has_mark: true,
            pruned: false,
        }
    }

    fn seen() -> Seen {
        Seen { mark: Some((5, Uuid::from_u128(5))), at: 9, system: Some("A".to_owned()), at_byte: Some(90) }
    }

    #[test]
    fn each_sign_of_an_older_state_is_enough() {
        let behind = |now: &Now, seen: Option<&Seen>, missing| why(now, seen, &[], missing).is_some();
        assert!(!behind(&now(), Some(&seen()), 0) && !behind(&now(), None, 0));
        assert!(behind(&now(), Some(&seen()), 1), "an intent is missing");
        assert!(behind(&Now { has_mark: false, ..now() }, Some(&seen()), 0), "the mark is missing");
        assert!(!behind(&Now { has_mark: false, pruned: true, ..now() }, Some(&seen()), 0), "it was removed since");
        assert!(behind(&Now { at_byte: Some(89), ..now() }, Some(&seen()), 0), "the log is shorter");
        let other = Now { system: Some("B".to_owned()), ..now() };
        assert!(
            !behind(&Now { at_byte: Some(1), ..other.clone() }, Some(&seen()), 0),
            "another log, and the mark came along"
        );
        assert!(behind(&other, None, 0), "nobody remembers, and it was made elsewhere");
        assert!(behind(&Now { restoring: true, ..now() }, Some(&seen()), 0), "a restore has not ended");
        let hidden = Now { system: None, at_byte: None, ..now() };
        assert!(
            !behind(&hidden, Some(&Seen { system: None, at_byte: None, ..seen() }), 0),
            "a service that hides them"
        );
    }
}
