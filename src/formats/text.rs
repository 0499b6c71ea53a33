//! Bytes to text: UTF-8, or UTF-16 that says so. Never a guess.

use super::findings::{At, finding};
use super::sheet::Records;
use domain::finding::{Finding, FindingCode, Severity};
use std::borrow::Cow;

/// A file as text.
#[derive(Debug)]
pub struct Text<'a> {
    /// The characters, without byte order mark.
    pub text: Cow<'a, str>,
    /// What to tell about the encoding.
    pub warning: Option<Finding>,
}

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
const ADVICE: &str = "save the file as \"CSV UTF-8\"";

/// Reads a file as text, or says at which byte it is not.
pub fn decode(bytes: &[u8]) -> Result<Text<'_>, Finding> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0") {
        return Err(refuse(None, "this is a spreadsheet workbook, not CSV; export it as \"CSV UTF-8\"."));
    }
    match bytes {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => narrow(bytes),
    }
}

fn narrow(bytes: &[u8]) -> Result<Text<'_>, Finding> {
    let (mark, body) = match bytes.strip_prefix(UTF8_MARK) {
        Some(body) => (UTF8_MARK.len(), body),
        None => (0, bytes),
    };
    let good = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => body.get(..error.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok()).unwrap_or(""),
    };
    refuse_nul(good, |before| mark + before)?;
    if let Some(byte) = body.get(good.len()) {
        let at = mark + good.len();
        return Err(refuse(
            Some(Records::last_row(good)),
            &format!("byte 0x{byte:02X} at offset {at} is not UTF-8; {ADVICE}."),
        ));
    }
    Ok(Text { text: Cow::Borrowed(good), warning: None })
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Text<'_>, Finding> {
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [first, second] => unit([*first, *second]),
        _ => 0,
    });
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut at = 2;
    for character in char::decode_utf16(units) {
        match character {
            Ok(character) => {
                at += 2 * character.len_utf16();
                text.push(character);
            }
            Err(error) => {
                let row = Some(Records::last_row(&text));
                let half = error.unpaired_surrogate();
                return Err(refuse(row, &format!("0x{half:04X} at offset {at} is not UTF-16; {ADVICE}.")));
            }
        }
    }
    refuse_nul(&text, |before| 2 + 2 * text.get(..before).unwrap_or("").chars().map(char::len_utf16).sum::<usize>())?;
    if bytes.len() % 2 == 1 {
        return Err(refuse(
            Some(Records::last_row(&text)),
            &format!("the UTF-16 text ends in the middle of a character at offset {at}; {ADVICE}."),
        ));
    }
    let message = "UTF-16 file: it was read as UTF-16, as its byte order mark says; UTF-8 is recommended.".to_owned();
    let warning = Some(finding(At::FILE, FindingCode::Utf16, Severity::Warning, message));
    Ok(Text { text: Cow::Owned(text), warning })
}

/// `offset` turns a place in the text into a place in the file.
fn refuse_nul(text: &str, offset: impl Fn(usize) -> usize) -> Result<(), Finding> {
    let Some(place) = text.bytes().position(|byte| byte == 0) else { return Ok(()) };
    let row = Records::last_row(text.get(..place).unwrap_or(""));
    Err(refuse(
        Some(row),
        &format!(
            "NUL byte at offset {}; the file is binary, damaged, or UTF-16 without byte order mark; {ADVICE}.",
            offset(place)
        ),
    ))
}

fn refuse(row: Option<u32>, what: &str) -> Finding {
    let at = At { row, ..At::FILE };
    finding(at, FindingCode::InvalidFileFormat, Severity::Error, format!("Invalid file format: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        decode(bytes).unwrap().text.into_owned()
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
            let read = decode(&file).unwrap();
            assert_eq!(read.text, "order_id,₹😀\n");
            let warning = read.warning.unwrap();
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
