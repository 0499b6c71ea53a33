//! A ZIP archive that is written once, from front to back, so that it can go to a socket while it is made: sizes stand
//! behind each part (a "data descriptor"), and in the directory at the end.

use bytes::Bytes;
use flate2::{Compression, Crc, write::DeflateEncoder};
use std::io::{self, Write};

/// Parts are compressed a little: fast enough that the database is the slower one, and a tenth of the size.
const LEVEL: u32 = 3;
/// Sizes follow the part; names are UTF-8.
const FLAGS: u16 = 0x0808;
/// Deflate.
const METHOD: u16 = 8;
/// 1 January 1980: the same rows make the same file.
const DATE: u16 = 0x0021;
/// Version 2.0, which knows deflate.
const VERSION: u16 = 20;

struct Entry {
    name: &'static str,
    at: u32,
    crc: u32,
    compressed: u32,
    size: u32,
}

struct Open {
    name: &'static str,
    at: u32,
    compressed: u64,
    crc: Crc,
    deflate: DeflateEncoder<Vec<u8>>,
}

/// The archive.
#[derive(Default)]
pub(super) struct Zip {
    out: Vec<u8>,
    taken: u64,
    entries: Vec<Entry>,
    open: Option<Open>,
}

fn too_large() -> io::Error {
    io::Error::other("the archive is larger than 4 GiB")
}

fn short(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| too_large())
}

impl Zip {
    /// What was made since the last time.
    pub(super) fn take(&mut self) -> Bytes {
        self.taken = self.taken.saturating_add(u64::try_from(self.out.len()).unwrap_or(u64::MAX));
        Bytes::from(std::mem::take(&mut self.out))
    }

    /// A whole part.
    pub(super) fn part(&mut self, name: &'static str, content: &str) -> io::Result<()> {
        self.begin(name)?;
        self.write(content)?;
        self.end()
    }

    /// Begins a part.
    pub(super) fn begin(&mut self, name: &'static str) -> io::Result<()> {
        let at = self.here()?;
        self.u32s(&[0x0403_4b50]);
        self.u16s(&[VERSION, FLAGS, METHOD, 0, DATE]);
        self.u32s(&[0, 0, 0]);
        self.name(name)?;
        self.out.extend_from_slice(name.as_bytes());
        let deflate = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
        self.open = Some(Open { name, at, compressed: 0, crc: Crc::new(), deflate });
        Ok(())
    }

    /// More of the part that was begun.
    pub(super) fn write(&mut self, content: &str) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Err(io::Error::other("no part was begun")) };
        open.crc.update(content.as_bytes());
        open.deflate.write_all(content.as_bytes())?;
        let ready = std::mem::take(open.deflate.get_mut());
        open.compressed = open.compressed.saturating_add(u64::try_from(ready.len()).unwrap_or(u64::MAX));
        self.out.extend_from_slice(&ready);
        Ok(())
    }

    /// Ends the part that was begun.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Err(io::Error::other("no part was begun")) };
        // The CRC counts modulo 2^32, the encoder does not.
        let size = short(open.deflate.total_in())?;
        let rest = open.deflate.finish()?;
        let compressed = short(open.compressed.saturating_add(u64::try_from(rest.len()).unwrap_or(u64::MAX)))?;
        self.out.extend_from_slice(&rest);
        let crc = open.crc.sum();
        self.u32s(&[0x0807_4b50, crc, compressed, size]);
        self.entries.push(Entry { name: open.name, at: open.at, crc, compressed, size });
        Ok(())
    }

    /// The directory, which ends the archive.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let at = self.here()?;
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            self.u32s(&[0x0201_4b50]);
            self.u16s(&[VERSION, VERSION, FLAGS, METHOD, 0, DATE]);
            self.u32s(&[entry.crc, entry.compressed, entry.size]);
            self.name(entry.name)?;
            self.u16s(&[0, 0, 0]);
            self.u32s(&[0, entry.at]);
            self.out.extend_from_slice(entry.name.as_bytes());
        }
        let size = self.here()?.saturating_sub(at);
        let count = u16::try_from(entries.len()).map_err(|_| too_large())?;
        self.u32s(&[0x0605_4b50]);
        self.u16s(&[0, 0, count, count]);
        self.u32s(&[size, at]);
        self.u16s(&[0]);
        Ok(())
    }

    fn here(&self) -> io::Result<u32> {
        short(self.taken.saturating_add(u64::try_from(self.out.len()).unwrap_or(u64::MAX)))
    }

    /// The length of a name, and that nothing else follows it.
    fn name(&mut self, name: &str) -> io::Result<()> {
        let length = u16::try_from(name.len()).map_err(|_| too_large())?;
        self.u16s(&[length, 0]);
        Ok(())
    }

    fn u16s(&mut self, numbers: &[u16]) {
        self.out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }

    fn u32s(&mut self, numbers: &[u32]) {
        self.out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
}
