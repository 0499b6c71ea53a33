//! Other people's texts in sentences of ours: one place that cuts them and lets nothing in them go unseen.

use std::borrow::Cow;

/// Characters of a value or a name that are shown.
pub(super) const SHOWN_CHARS: usize = 80;

/// At most `most` characters of a text, and `…` where it has more.
pub(super) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        // Every character of it may be the last that fits.
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or(""))),
        None => Cow::Borrowed(text),
    }
}

/// A value or a name as it can be shown anywhere: short, and with the number of each character that would not be seen.
pub fn printable(text: &str) -> Cow<'_, str> {
    let short = cut(text, SHOWN_CHARS);
    if !short.contains(is_invisible) {
        return short;
    }
    let mut out = String::with_capacity(short.len() + 8);
    for character in short.chars() {
        if is_invisible(character) {
            out.push_str(&format!("<U+{:04X}>", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The same for the middle of a sentence, in quotation marks.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

/// Characters that change a text without being seen: controls, blanks other than the space, marks of direction and of
/// width.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(u32::from(character),
            0xAD | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E
            | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0xE0000..=0xE0FFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters_and_nothing_stays_unseen() {
        for (text, most, expected) in
            [("", 0, ""), ("abc", 3, "abc"), ("abcd", 3, "abc…"), ("é😀ü", 2, "é😀…"), ("a", 0, "…")]
        {
            assert_eq!(cut(text, most), expected);
        }
        assert_eq!(printable(&"😀".repeat(81)), format!("{}…", "😀".repeat(80)));
        assert_eq!(printable("a\r\n\u{202e}b"), "a<U+000D><U+000A><U+202E>b");
        assert_eq!(quoted("a b"), "\"a b\"");
        assert!(printable(&"\u{e0fff}".repeat(5_000_000)).len() < 80 * 9 + 4);
    }
}
