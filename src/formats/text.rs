//! Bytes to text: UTF-8, or UTF-16 that says so. Never a guess.

use super::findings::{At, finding};
use super::sheet::Reader;
use domain::finding::{Finding, FindingCode, Severity};
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes of a file, read as often as is needed.
pub trait Input: Read + Seek {}

impl<T: Read + Seek> Input for T {}

/// How two bytes are a unit of UTF-16.
type Unit = fn([u8; 2]) -> u16;

/// How a file is to be read. All of it was looked at: it is text.
#[derive(Clone, Copy, Debug)]
pub struct Encoding {
    /// Bytes of the mark in front.
    mark: u64,
    /// How UTF-16 is put together; none for UTF-8.
    unit: Option<Unit>,
}

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
const ADVICE: &str = "save the file as \"CSV UTF-8\"";
const BLOCK: usize = 64 * 1024;

impl Encoding {
    /// Looks at a whole file; what is wrong with it is a finding.
    pub fn of(input: &mut dyn Input) -> io::Result<Result<Self, Finding>> {
        input.seek(SeekFrom::Start(0))?;
        let mut head = Vec::with_capacity(4);
        input.take(4).read_to_end(&mut head)?;
        if head == b"PK\x03\x04" || head == b"\xD0\xCF\x11\xE0" {
            return Ok(Err(refuse(None, "this is a spreadsheet workbook, not CSV; export it as \"CSV UTF-8\".")));
        }
        let (mark, unit): (_, Option<Unit>) = match head.as_slice() {
            [0xFF, 0xFE, ..] => (2, Some(u16::from_le_bytes)),
            [0xFE, 0xFF, ..] => (2, Some(u16::from_be_bytes)),
            head if head.starts_with(UTF8_MARK) => (UTF8_MARK.len() as u64, None),
            _ => (0, None),
        };
        let encoding = Self { mark, unit };
        let damage = match unit {
            Some(unit) => wide_damage(&mut Wide::new(encoding.start(input)?, unit))?,
            None => narrow_damage(encoding.start(input)?)?,
        };
        let Some(Damage { place, what }) = damage else { return Ok(Ok(encoding)) };
        let row = Reader::new(encoding.text(input)?.take(place)).last_row()?;
        Ok(Err(refuse(Some(row), &what(mark))))
    }

    /// The text of the file, as UTF-8 without a mark.
    pub fn text(self, input: &mut dyn Input) -> io::Result<Text<'_>> {
        let input = self.start(input)?;
        Ok(match self.unit {
            Some(unit) => Text::Wide(Wide::new(input, unit)),
            None => Text::Narrow(input),
        })
    }

    /// What is to be told about it.
    pub fn warning(self) -> Option<Finding> {
        self.unit.map(|_| {
            let message =
                "UTF-16 file: it was read as UTF-16, as its byte order mark says; UTF-8 is recommended.".to_owned();
            finding(At::FILE, FindingCode::Utf16, Severity::Warning, message)
        })
    }

    fn start(self, input: &mut dyn Input) -> io::Result<&mut dyn Input> {
        input.seek(SeekFrom::Start(self.mark))?;
        Ok(input)
    }
}

/// Reads a file that is in memory as text, or says at which byte it is not.
pub fn decode(bytes: &[u8]) -> Result<String, Finding> {
    let broken = |error: io::Error| refuse(None, &format!("it could not be read: {error}."));
    let mut input = io::Cursor::new(bytes);
    let encoding = Encoding::of(&mut input).map_err(broken)??;
    let mut text = String::new();
    encoding.text(&mut input).and_then(|mut read| read.read_to_string(&mut text)).map_err(broken)?;
    Ok(text)
}

/// The text of a file, as it is read.
pub enum Text<'a> {
    /// UTF-8.
    Narrow(&'a mut dyn Input),
    /// UTF-16.
    Wide(Wide<'a>),
}

impl Read for Text<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Narrow(input) => input.read(out),
            Self::Wide(wide) => wide.read(out),
        }
    }
}

/// The first thing that keeps a file from being text.
struct Damage {
    /// Bytes of the text before it.
    place: u64,
    /// A sentence about it, given the length of the mark.
    what: Box<dyn Fn(u64) -> String>,
}

/// `before`: bytes of the file before it, without the mark.
fn nul(place: u64, before: u64) -> Damage {
    let what = move |mark| {
        let offset = mark + before;
        format!(
            "NUL byte at offset {offset}; the file is binary, damaged, or UTF-16 without byte order mark; {ADVICE}."
        )
    };
    Damage { place, what: Box::new(what) }
}

fn narrow_damage(input: &mut dyn Input) -> io::Result<Option<Damage>> {
    let mut block = vec![0; BLOCK];
    let (mut held, mut before) = (0, 0_u64);
    loop {
        let read = read_some(input, block.get_mut(held..).unwrap_or_default())?;
        let bytes = block.get(..held + read).unwrap_or_default();
        let (good, bad) = match std::str::from_utf8(bytes) {
            Ok(text) => (text.len(), None),
            Err(error) => {
                let bad = (error.error_len().is_some() || read == 0).then(|| bytes.get(error.valid_up_to()).copied());
                (error.valid_up_to(), bad.flatten())
            }
        };
        if let Some(place) = bytes.get(..good).and_then(|good| good.iter().position(|byte| *byte == 0)) {
            let place = before + place as u64;
            return Ok(Some(nul(place, place)));
        }
        let place = before + good as u64;
        if let Some(byte) = bad {
            let what = move |mark| format!("byte 0x{byte:02X} at offset {} is not UTF-8; {ADVICE}.", mark + place);
            return Ok(Some(Damage { place, what: Box::new(what) }));
        }
        if read == 0 {
            return Ok(None);
        }
        before = place;
        block.copy_within(good..held + read, 0);
        held = held + read - good;
    }
}

fn wide_damage(wide: &mut Wide<'_>) -> io::Result<Option<Damage>> {
    let (mut text, mut first_nul) = (0_u64, None);
    loop {
        // In bytes of the file, without the mark.
        let before = wide.read_units * 2;
        let more = wide.more()?;
        if first_nul.is_none()
            && let Some(place) = wide.ready.find('\0')
        {
            let units: usize = wide.ready.get(..place).unwrap_or("").chars().map(char::len_utf16).sum();
            first_nul = Some(nul(text + place as u64, before + 2 * units as u64));
        }
        text += wide.ready.len() as u64;
        let at = wide.read_units * 2;
        let what: Box<dyn Fn(u64) -> String> = match more {
            More::Some => continue,
            More::Half(half) => {
                Box::new(move |mark| format!("0x{half:04X} at offset {} is not UTF-16; {ADVICE}.", mark + at))
            }
            More::End if first_nul.is_some() => return Ok(first_nul),
            More::End if wide.odd.is_some() => Box::new(move |mark| {
                format!("the UTF-16 text ends in the middle of a character at offset {}; {ADVICE}.", mark + at)
            }),
            More::End => return Ok(None),
        };
        return Ok(Some(Damage { place: text, what }));
    }
}

/// UTF-16 as UTF-8, a block at a time.
pub struct Wide<'a> {
    input: &'a mut dyn Input,
    unit: Unit,
    /// The first byte of a unit whose second one is in the next block.
    odd: Option<u8>,
    /// The first half of a character likewise.
    lead: Option<u16>,
    /// Units that became characters.
    read_units: u64,
    /// What was read last, and how much of it was handed over.
    ready: String,
    given: usize,
}

/// What became of reading on.
enum More {
    Some,
    /// Half a character that has no other half.
    Half(u16),
    End,
}

impl<'a> Wide<'a> {
    fn new(input: &'a mut dyn Input, unit: Unit) -> Self {
        Self { input, unit, odd: None, lead: None, read_units: 0, ready: String::new(), given: 0 }
    }

    /// Reads the next block into `ready`, up to half a character that has no other half.
    fn more(&mut self) -> io::Result<More> {
        self.ready.clear();
        self.given = 0;
        let mut block = [0; 4096];
        let read = read_some(self.input, &mut block)?;
        let mut units: Vec<u16> = self.lead.take().into_iter().collect();
        for byte in block.iter().take(read) {
            match self.odd.take() {
                Some(first) => units.push((self.unit)([first, *byte])),
                None => self.odd = Some(*byte),
            }
        }
        if read > 0 {
            self.lead = units.pop_if(|last| (0xD800..0xDC00).contains(last));
        }
        for character in char::decode_utf16(units) {
            match character {
                Ok(character) => {
                    self.read_units += character.len_utf16() as u64;
                    self.ready.push(character);
                }
                Err(error) => return Ok(More::Half(error.unpaired_surrogate())),
            }
        }
        Ok(if read > 0 { More::Some } else { More::End })
    }
}

impl Read for Wide<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            match self.more()? {
                More::Some => {}
                // What was looked at before has none.
                More::Half(_) | More::End if self.ready.is_empty() => return Ok(0),
                More::Half(_) | More::End => break,
            }
        }
        let left = self.ready.as_bytes().get(self.given..).unwrap_or_default();
        let count = left.len().min(out.len());
        if let (Some(out), Some(left)) = (out.get_mut(..count), left.get(..count)) {
            out.copy_from_slice(left);
        }
        self.given += count;
        Ok(count)
    }
}

fn read_some(input: &mut dyn Input, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn refuse(row: Option<u32>, what: &str) -> Finding {
    let at = At { row, ..At::FILE };
    finding(at, FindingCode::InvalidFileFormat, Severity::Error, format!("Invalid file format: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        decode(bytes).unwrap()
    }

    fn refusal(bytes: &[u8]) -> Finding {
        decode(bytes).unwrap_err()
    }

    #[test]
    fn reads_utf8_with_and_without_mark() {
        assert_eq!(text("a,ü\n".as_bytes()), "a,ü\n");
        assert_eq!(text(b"\xEF\xBB\xBFa,b"), "a,b");
        assert_eq!(text(b""), "");
        assert_eq!(text(b"\xEF\xBB\xBF"), "");
    }

    #[test]
    fn reads_utf16_by_its_mark_and_says_so() {
        for (mark, bytes) in [(0xFEFFu16, u16::to_le_bytes as fn(u16) -> [u8; 2]), (0xFEFF, u16::to_be_bytes)] {
            let file: Vec<u8> = std::iter::once(mark).chain("order_id,₹😀\n".encode_utf16()).flat_map(bytes).collect();
            assert_eq!(text(&file), "order_id,₹😀\n");
            let warning = Encoding::of(&mut io::Cursor::new(&file)).unwrap().unwrap().warning().unwrap();
            assert_eq!((warning.code, warning.severity), (FindingCode::Utf16, Severity::Warning));
        }
    }

    #[test]
    fn names_the_byte_that_is_not_text() {
        let windows = refusal(b"order_id,amount\nCAF\xC9,1\n");
        assert_eq!(windows.code, FindingCode::InvalidFileFormat);
        assert_eq!(windows.row, Some(2));
        assert!(
            windows.message.starts_with("Invalid file format: byte 0xC9 at offset 19 is not UTF-8"),
            "{}",
            windows.message
        );
        assert!(refusal(b"\xEF\xBB\xBFab\xFF").message.contains("offset 5 "));
        assert!(refusal(b"cut \xE2\x82").message.contains("byte 0xE2 at offset 4"));
        assert!(refusal(b"\n\n\xFF").row == Some(3));
    }

    #[test]
    fn names_the_nul_byte() {
        assert!(refusal(b"ab\0c").message.contains("NUL byte at offset 2"));
        assert!(refusal(b"\xEF\xBB\xBFab\0c").message.contains("NUL byte at offset 5"));
        assert!(refusal(b"\xFF\xFEa\0\0\0").message.contains("NUL byte at offset 4"));
        // UTF-16 without a mark is not guessed at.
        assert!(refusal(b"a\0b\0").message.contains("NUL byte at offset 1"));
        // A NUL before the first bad byte is what is named.
        assert!(refusal(b"a\0\xFF").message.contains("NUL byte at offset 1"));
    }

    #[test]
    fn refuses_broken_utf16_and_workbooks() {
        assert!(refusal(b"\xFF\xFEa\0b").message.contains("middle of a character at offset 4"));
        assert!(refusal(b"\xFE\xFF\xD8\x00\x00a").message.contains("0xD800 at offset 2"));
        assert!(refusal(b"PK\x03\x04rest").message.contains("workbook"));
    }
}
