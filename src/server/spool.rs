//! Files on their way in: hashed as they come, in memory while they are small, and from then on in a file without a
//! name, which ends with whoever holds it.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::{
    fs::{DirBuilder, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes that are held in memory: all of a small file, and of a larger one what is written next.
pub const BLOCK: usize = 1024 * 1024;

/// A file that has come in.
#[derive(Clone, Debug, Default)]
pub struct Spool {
    content: Content,
    length: u64,
    sha256: [u8; 32],
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Bytes),
    File(Arc<File>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

impl<B: Into<Bytes>> From<B> for Spool {
    fn from(bytes: B) -> Self {
        let bytes = bytes.into();
        let sha256 = Sha256::digest(&bytes).into();
        Self { length: bytes.len() as u64, content: Content::Memory(bytes), sha256 }
    }
}

impl Spool {
    /// Bytes of the file.
    pub const fn len(&self) -> u64 {
        self.length
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Its hash.
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Its bytes from the beginning, for as many readers as are needed.
    pub fn input(&self) -> SpoolInput {
        SpoolInput { content: self.content.clone(), length: self.length, at: 0 }
    }
}

/// The bytes of a file that has come in.
#[derive(Debug)]
pub struct SpoolInput {
    content: Content,
    length: u64,
    at: u64,
}

impl SpoolInput {
    /// What comes next, a block of it; nothing at the end.
    pub async fn block(mut self) -> io::Result<(Self, Vec<u8>)> {
        let work = move || {
            let mut block = Vec::new();
            self.by_ref().take(BLOCK as u64).read_to_end(&mut block).map(|_| (self, block))
        };
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }
}

impl Read for SpoolInput {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = match &self.content {
            Content::Memory(bytes) => {
                let at = usize::try_from(self.at).unwrap_or(usize::MAX);
                bytes.get(at..).unwrap_or_default().read(out)?
            }
            Content::File(file) => file.read_at(out, self.at)?,
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for SpoolInput {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Takes a file as it comes.
#[derive(Debug)]
pub struct SpoolWriter {
    folder: PathBuf,
    held: Vec<u8>,
    length: u64,
    written: Written,
}

#[derive(Debug, Default)]
struct Written {
    hash: Sha256,
    file: Option<File>,
}

impl SpoolWriter {
    /// What is too large for the memory goes into this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), held: Vec::new(), length: 0, written: Written::default() }
    }

    /// The same on a thread that may block.
    pub fn write_blocking(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        self.held.extend_from_slice(bytes);
        if self.held.len() > BLOCK { self.flush_blocking() } else { Ok(()) }
    }

    /// All has come; on a thread that may block.
    pub fn finish_blocking(mut self) -> io::Result<Spool> {
        if self.written.file.is_some() {
            self.flush_blocking()?;
        }
        Ok(self.finished())
    }

    /// Adds what came next.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        self.held.extend_from_slice(bytes);
        if self.held.len() > BLOCK { self.flush().await } else { Ok(()) }
    }

    /// All has come.
    pub async fn finish(mut self) -> io::Result<Spool> {
        if self.written.file.is_some() {
            self.flush().await?;
        }
        Ok(self.finished())
    }

    /// What was written last is all there is, or in the file.
    fn finished(self) -> Spool {
        let Written { hash, file: Some(file) } = self.written else { return Bytes::from(self.held).into() };
        Spool { content: Content::File(Arc::new(file)), length: self.length, sha256: hash.finalize().into() }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut writer = std::mem::replace(self, Self::new(&self.folder));
        let work = move || writer.flush_blocking().map(|()| writer);
        *self = tokio::task::spawn_blocking(work).await.map_err(io::Error::other)??;
        Ok(())
    }

    fn flush_blocking(&mut self) -> io::Result<()> {
        let file = match &mut self.written.file {
            Some(file) => file,
            none => {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
                none.insert(tempfile::tempfile_in(&self.folder)?)
            }
        };
        file.write_all(&self.held)?;
        self.written.hash.update(&self.held);
        self.held.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_of_any_size_is_what_came_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("spool");
        for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let mut writer = SpoolWriter::new(&place);
            for part in bytes.chunks(300_001) {
                writer.write(part).await.unwrap();
                assert!(writer.held.len() <= BLOCK, "{} bytes of {size} are held", writer.held.len());
            }
            let spool = writer.finish().await.unwrap();
            let mut blocking = SpoolWriter::new(&place);
            bytes.chunks(300_001).for_each(|part| blocking.write_blocking(part).unwrap());
            assert_eq!(blocking.finish_blocking().unwrap().sha256(), spool.sha256());
            assert_eq!((spool.len(), spool.sha256()[..].to_vec()), (size as u64, Sha256::digest(&bytes).to_vec()));
            assert_eq!(matches!(spool.content, Content::Memory(_)), size <= BLOCK);
            let mut read = Vec::new();
            let (mut input, mut other) = (spool.input(), spool.input());
            other.seek(SeekFrom::End(-1)).ok();
            input.read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{size} bytes");
            input.seek(SeekFrom::Start(0)).unwrap();
            read.clear();
            input.read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{size} bytes, again");
            assert_eq!(std::fs::read_dir(&place).map_or(0, Iterator::count), 0, "the file has no name");
        }
    }
}
