//! Signed heads: what says, outside of the database, how long the chain of an organisation was and how it ended.
//!
//! The chain is in the database, and so is everything it is made of. Whoever may write to all of the database can
//! change an entry and chain all later ones again, or cut the end off, and the chain alone looks sound. What they
//! cannot do without `BATCHDESK_SECRET_KEY` is sign the end of the chain that they have made. So the sealer signs each
//! end (HMAC-SHA-256 with a key derived for this alone) and writes it to the data folder and to the log, and it never
//! signs an end that leaves out the one it signed before. An entry that a kept head covers can be neither changed, nor
//! removed, nor moved, nor put in, without being seen.
//!
//! What such a person still can do: change what was written since the last head (about a second), add entries that say
//! what they like, and stop the sealer, which shows as a head that grows old. Whoever has the key or can write to the
//! places where heads are kept, as well, can do more: keep heads where they cannot, see `batchdesk audit head`.

use crate::{db::audit::chain::Position, domain::ids::OrganisationId, secrets::SecretKey};
use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// The file in the data folder: a line for each organisation, and one for each restore that was declared.
pub const FILE: &str = "audit-heads";

const HEAD: &str = "batchdesk-head,1,";
const RESTORED: &str = "batchdesk-restored,1,";

/// Where the chain of an organisation ended at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose.
    pub organisation: OrganisationId,
    /// Place of the last link.
    pub sequence: i64,
    /// Its hash.
    pub hash: Vec<u8>,
    /// When it was looked at.
    pub at: OffsetDateTime,
    /// How far the database had come.
    pub position: Position,
}

/// A declared restore: what a chain has lost by going back to a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Whose.
    pub organisation: OrganisationId,
    /// The last place that the backup has; 0 when it has none.
    pub kept: i64,
    /// The hash there.
    pub kept_hash: Vec<u8>,
    /// The last place that was signed before.
    pub lost: i64,
    /// When it was signed.
    pub lost_at: OffsetDateTime,
    /// When the restore was declared.
    pub at: OffsetDateTime,
}

/// Something that is signed and written as one word, so that it can be found again in a log.
trait Signed: Sized {
    const TAG: &'static str;
    fn fields(&self) -> String;
    fn read(fields: &[&str]) -> Option<Self>;

    fn signed(&self, key: &SecretKey) -> String {
        let text = format!("{}{}", Self::TAG, self.fields());
        let signature = hex::encode(key.sign(Self::TAG, text.as_bytes()));
        format!("{text},{signature}")
    }

    fn open(key: &SecretKey, word: &str) -> Option<Self> {
        let (text, signature) = word.rsplit_once(',')?;
        if !key.is_signed(Self::TAG, text.as_bytes(), &hex::decode(signature).ok()?) {
            return None;
        }
        Self::read(&text.strip_prefix(Self::TAG)?.split(',').collect::<Vec<_>>())
    }
}

impl Signed for Head {
    const TAG: &'static str = HEAD;

    fn fields(&self) -> String {
        let Self { organisation, sequence, hash, at, position } = self;
        let Position { cluster, transaction } = position;
        format!("{organisation},{sequence},{},{},{cluster}.{transaction}", hex::encode(hash), time_text(*at))
    }

    fn read(fields: &[&str]) -> Option<Self> {
        let [organisation, sequence, hash, at, position] = fields else { return None };
        let (cluster, transaction) = position.split_once('.')?;
        Some(Self {
            organisation: OrganisationId(Uuid::parse_str(organisation).ok()?),
            sequence: sequence.parse().ok()?,
            hash: hex::decode(hash).ok()?,
            at: time_read(at)?,
            position: Position { cluster: cluster.parse().ok()?, transaction: transaction.parse().ok()? },
        })
    }
}

impl Signed for Restored {
    const TAG: &'static str = RESTORED;

    fn fields(&self) -> String {
        let Self { organisation, kept, kept_hash, lost, lost_at, at } = self;
        format!("{organisation},{kept},{},{lost},{},{}", hex::encode(kept_hash), time_text(*lost_at), time_text(*at))
    }

    fn read(fields: &[&str]) -> Option<Self> {
        let [organisation, kept, kept_hash, lost, lost_at, at] = fields else { return None };
        Some(Self {
            organisation: OrganisationId(Uuid::parse_str(organisation).ok()?),
            kept: kept.parse().ok()?,
            kept_hash: hex::decode(kept_hash).ok()?,
            lost: lost.parse().ok()?,
            lost_at: time_read(lost_at)?,
            at: time_read(at)?,
        })
    }
}

impl Head {
    /// The word that says so, signed.
    pub fn signed(&self, key: &SecretKey) -> String {
        Signed::signed(self, key)
    }
}

impl Restored {
    /// The word that says so, signed.
    pub fn signed(&self, key: &SecretKey) -> String {
        Signed::signed(self, key)
    }

    /// Whether a head that the chain contradicts is of the time that was lost.
    pub fn explains(&self, head: &Head) -> bool {
        head.organisation == self.organisation
            && (self.kept + 1..=self.lost).contains(&head.sequence)
            && head.at <= self.lost_at
    }
}

/// What a text says of heads, wherever in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Heads that are signed with this installation's key.
    pub heads: Vec<Head>,
    /// Declared restores, signed alike.
    pub restores: Vec<Restored>,
    /// Lines, counted from 1, with a head or a restore that is not.
    pub unsigned: Vec<usize>,
}

impl Heads {
    /// Reads the output of `batchdesk audit head`, a file of the data folder, or a log.
    pub fn read(key: &SecretKey, text: &str) -> Self {
        let mut found = Self::default();
        for (number, line) in text.lines().enumerate() {
            let mut sound = true;
            for word in fields(line, HEAD) {
                match Head::open(key, word) {
                    Some(head) => found.heads.push(head),
                    None => sound = false,
                }
            }
            for word in fields(line, RESTORED) {
                match Restored::open(key, word) {
                    Some(restored) => found.restores.push(restored),
                    None => sound = false,
                }
            }
            if !sound {
                found.unsigned.push(number + 1);
            }
        }
        found
    }

    /// The newest head of an organisation.
    pub fn newest(&self, organisation: OrganisationId) -> Option<&Head> {
        self.heads.iter().filter(|head| head.organisation == organisation).max_by_key(|head| (head.at, head.sequence))
    }
}

/// The words of a line that begin with `tag`.
fn fields<'a>(line: &'a str, tag: &'static str) -> impl Iterator<Item = &'a str> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, ',' | '-' | '.' | ':');
    line.match_indices(tag).filter_map(move |(at, _)| {
        let rest = line.get(at..)?;
        rest.get(..rest.find(|c: char| !part(c)).unwrap_or(rest.len()))
    })
}

/// The data folder's heads, held alone until this is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// What they say.
    pub heads: Heads,
    _lock: File,
}

/// Reads the data folder's heads as they are now; none when there is no such file.
pub fn read(data_dir: &Path, key: &SecretKey) -> io::Result<Heads> {
    match fs::read(data_dir.join(FILE)) {
        Ok(bytes) => Ok(Heads::read(key, &String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Heads::default()),
        Err(error) => Err(error),
    }
}

impl Folder {
    /// Waits until no other process of this data folder holds them.
    pub fn hold(data_dir: &Path, key: &SecretKey) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
        let path = data_dir.join(FILE);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.with_extension("lock"))?;
        lock.lock()?;
        Ok(Self { heads: read(data_dir, key)?, path, _lock: lock })
    }

    /// Writes them: whole, or not at all, and on the disk when this comes back. What is not signed stays as evidence.
    pub fn write(&self, key: &SecretKey) -> io::Result<()> {
        let mut text = String::new();
        for head in &self.heads.heads {
            let _ = writeln!(text, "{}", head.signed(key));
        }
        for restored in &self.heads.restores {
            let _ = writeln!(text, "{}", restored.signed(key));
        }
        if !self.heads.unsigned.is_empty() {
            let before = fs::read(&self.path)?;
            let before = String::from_utf8_lossy(&before);
            let kept = before.lines().enumerate().filter(|(at, _)| self.heads.unsigned.contains(&(at + 1)));
            for (_, line) in kept {
                let _ = writeln!(text, "{line}");
            }
        }
        let beside = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

/// Whole microseconds, which is what the database keeps: read back, a time is what it was.
fn time_text(at: OffsetDateTime) -> String {
    let micros = at.replace_nanosecond(at.microsecond() * 1_000).unwrap_or(at);
    micros.format(&Rfc3339).unwrap_or_default()
}

fn time_read(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::new([7; 32])
    }

    fn at(text: &str) -> OffsetDateTime {
        time_read(text).unwrap()
    }

    fn head(sequence: i64, time: &str) -> Head {
        Head {
            organisation: OrganisationId(Uuid::from_u128(1)),
            sequence,
            hash: vec![0xab; 32],
            at: at(time),
            position: Position { cluster: 7_000_000_000_000_000_000, transaction: 812 },
        }
    }

    #[test]
    fn a_head_is_found_again_in_what_a_log_makes_of_it() {
        let head = head(41, "2026-11-30T02:30:00.123456Z");
        let word = head.signed(&key());
        assert!(!word.contains(char::is_whitespace), "{word}");
        for text in [
            word.clone(),
            format!("2026-11-30T02:30:00Z  INFO batchdesk: audit.head head={word}\n"),
            format!("{{\"message\":\"audit.head\",\"head\":\"{word}\"}}"),
            format!("other\n\u{1b}[3mhead\u{1b}[0m={word}\u{1b}[0m entries=41\n"),
        ] {
            let read = Heads::read(&key(), &text);
            assert_eq!((read.heads, read.unsigned.len()), (vec![head.clone()], 0), "{text}");
        }
    }

    #[test]
    fn a_head_that_was_changed_or_is_of_another_key_is_not_signed() {
        let word = head(41, "2026-11-30T02:30:00Z").signed(&key());
        let restored = word.replace(HEAD, RESTORED);
        let longer = word.replacen(",41,", ",42,", 1);
        for text in [
            &longer,
            &restored,
            &word[..word.len() - 1],
            &word.to_uppercase().replacen("BATCHDESK-HEAD", "batchdesk-head", 1),
        ] {
            let read = Heads::read(&key(), text);
            assert_eq!((read.heads.len(), read.restores.len(), read.unsigned), (0, 0, vec![1]), "{text}");
        }
        assert_eq!(Heads::read(&SecretKey::new([8; 32]), &word).unsigned, [1]);
        assert_eq!(Heads::read(&key(), "nothing of that kind\n"), Heads::default());
    }

    #[test]
    fn a_restore_explains_the_heads_of_what_was_lost_and_no_others() {
        let restored = Restored {
            organisation: OrganisationId(Uuid::from_u128(1)),
            kept: 41,
            kept_hash: vec![1; 32],
            lost: 60,
            lost_at: at("2026-11-30T02:30:00Z"),
            at: at("2026-11-30T03:00:00Z"),
        };
        assert_eq!(Heads::read(&key(), &restored.signed(&key())).restores, std::slice::from_ref(&restored));
        let explains = |sequence, time| restored.explains(&head(sequence, time));
        assert!(explains(42, "2026-11-30T02:00:00Z") && explains(60, "2026-11-30T02:30:00Z"));
        assert!(!explains(41, "2026-11-30T02:00:00Z"), "the backup has it");
        assert!(!explains(61, "2026-11-30T02:30:00Z"), "nobody said that it was lost");
        assert!(!explains(50, "2026-11-30T03:10:00Z"), "that was written after the restore");
        let other = Head { organisation: OrganisationId(Uuid::from_u128(2)), ..head(50, "2026-11-30T02:00:00Z") };
        assert!(!restored.explains(&other));
    }

    #[test]
    fn the_file_is_written_whole_and_keeps_what_it_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let strange = head(9, "2026-11-30T02:30:00Z").signed(&SecretKey::new([8; 32]));
        fs::write(folder.path().join(FILE), format!("{strange}\n")).unwrap();
        let mut held = Folder::hold(folder.path(), &key()).unwrap();
        held.heads.heads.push(head(41, "2026-11-30T02:30:00Z"));
        held.write(&key()).unwrap();
        drop(held);
        let again = read(folder.path(), &key()).unwrap();
        assert_eq!((again.heads.len(), again.unsigned), (1, vec![2]));
        assert!(fs::read_to_string(folder.path().join(FILE)).unwrap().contains(&strange));
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder.path().join(FILE)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}
