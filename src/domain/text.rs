//! Text that people type. One rule for all of it: trimmed, in one normal form, without control characters, of a bounded
//! length; the refusal names the field and its limit.
//!
//! Names and remarks are kept in Unicode's composed form (NFC), so that `café` is one word however a keyboard or a file
//! system wrote it. Ids are not: an id is what the gateway knows it as, character by character.

use super::{
    error::{Refusal, RefusalKind},
    limits::{MAX_ID_CHARS, MAX_REMARK_CHARS},
};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A field that people type into, and what it takes.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As a sentence begins with it: `The reason`.
    name: &'static str,
    /// Characters, at most; a character has at most four bytes.
    chars: usize,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One line, kept as it was typed.
    Id,
    /// One line.
    Line,
    /// Line breaks and tabs are taken.
    Lines,
}

/// What a request is for, as its maker describes it.
pub const DESCRIPTION: Field = Field::lines("The description", MAX_REMARK_CHARS);
/// Why a person decided or stopped something.
pub const REASON: Field = Field::lines("The reason", MAX_REMARK_CHARS);
/// What a person remarks beside a decision or a difference.
pub const NOTE: Field = Field::lines("The note", MAX_REMARK_CHARS);
/// What is looked for: part of a file's name, or the beginning of an id.
pub const SEARCH: Field = Field::line("The search", 200);
/// A gateway's word for the state of an order.
pub const ORDER_STATUS: Field = Field::id("The status", 128);
/// An order.
pub const ORDER_ID: Field = Field::id("The order ID", MAX_ID_CHARS);
/// What the gateway calls a refund.
pub const REFERENCE: Field = Field::id("The gateway's reference", MAX_ID_CHARS);
/// A secret that messages are signed with.
pub const SIGNING_SECRET: Field = Field::id("The signing secret", 200);
/// An address of another system.
pub const ADDRESS: Field = Field::id("The address", 500);
/// An organisation.
pub const ORGANISATION: Field = Field::line("The name of the organisation", 100);
/// One value in the query string of an address, whatever it is for. Fields have narrower limits of their own.
pub const PARAMETER: Field = Field::lines("A part of the address", 2_000);

impl Field {
    /// One line that is kept character by character.
    pub const fn id(name: &'static str, chars: usize) -> Self {
        Self { name, chars, shape: Shape::Id }
    }

    /// One line.
    pub const fn line(name: &'static str, chars: usize) -> Self {
        Self { name, chars, shape: Shape::Line }
    }

    /// Several lines.
    pub const fn lines(name: &'static str, chars: usize) -> Self {
        Self { name, chars, shape: Shape::Lines }
    }

    /// The same field under another name.
    pub const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// What was typed, as it is stored and compared. It may be empty.
    pub fn read(self, typed: &str) -> Result<String, Refusal> {
        let typed = typed.trim();
        let refuse = |sentence: String| Err(Refusal::new(RefusalKind::Invalid, sentence));
        // A composed character is made of four at most: what is longer than that is too long without looking closer.
        let length = typed.chars().count();
        if length > self.chars.saturating_mul(4) {
            return refuse(self.too_long(length));
        }
        if let Some(refused) = typed.chars().find(|c| !self.takes(*c)) {
            return refuse(match is_line_break(refused) {
                true => format!("{} is one line. Take the line breaks out.", self.name),
                false => format!(
                    "{} contains a character that cannot be used (U+{:04X}). Delete it, or type the text again.",
                    self.name,
                    u32::from(refused)
                ),
            });
        }
        let text = match self.shape {
            Shape::Id => typed.to_owned(),
            Shape::Line => normalised(typed),
            Shape::Lines => normalised(&typed.replace("\r\n", "\n")),
        };
        match text.chars().count() {
            length if length > self.chars => refuse(self.too_long(length)),
            _ => Ok(text),
        }
    }

    /// The same, checked but kept character by character.
    pub fn read_exactly(self, typed: &str) -> Result<String, Refusal> {
        self.read(typed).map(|_| typed.trim().to_owned())
    }

    /// The same for a field that must be filled in; `missing` is what the person is told when it is not.
    pub fn read_filled(self, typed: &str, missing: &str) -> Result<String, Refusal> {
        match self.read(typed)? {
            text if text.is_empty() => Err(Refusal::new(RefusalKind::Invalid, missing)),
            text => Ok(text),
        }
    }

    /// Whether `text` is something that could have come through this field.
    pub fn is(self, text: &str) -> bool {
        self.read(text).is_ok_and(|read| read == text)
    }

    fn takes(self, c: char) -> bool {
        match c {
            c if is_line_break(c) || c == '\t' => self.shape == Shape::Lines,
            c => !c.is_control() && !turns(c),
        }
    }

    fn too_long(self, length: usize) -> String {
        format!("{} is too long: it has {length} characters, at most {} are taken. Shorten it.", self.name, self.chars)
    }
}

const fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// Characters that make what stands behind them look like something else (they override the direction of writing).
pub const fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text in the form in which names are stored and compared.
pub fn normalised(text: &str) -> String {
    if is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

/// Text from another system as the database can hold it: PostgreSQL has no place for U+0000.
pub fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sentence(field: Field, typed: &str) -> String {
        field.read(typed).unwrap_err().message
    }

    #[test]
    fn what_is_typed_is_trimmed_and_in_one_normal_form() {
        assert_eq!(REASON.read("  wrong\r\namounts \n").unwrap(), "wrong\namounts");
        assert_eq!(SEARCH.read("cafe\u{301}.csv").unwrap(), "caf\u{e9}.csv");
        assert_eq!(REASON.read("").unwrap(), "");
        assert_eq!(REASON.read_filled(" \n", "Say why.").unwrap_err().message, "Say why.");
        assert_eq!(ORDER_ID.read(" cafe\u{301} ").unwrap(), "cafe\u{301}", "an id is kept as it is");
        // Scripts that need joiners, and emoji, are words.
        for word in ["क्\u{200d}ष", "👩\u{200d}🚒", "می\u{200c}خواهم"] {
            assert_eq!(REASON.read(word).unwrap(), word);
        }
    }

    #[test]
    fn the_refusal_names_the_field_and_what_is_wrong_with_it() {
        let too_long = "The reason is too long: it has 501 characters, at most 500 are taken. Shorten it.";
        assert_eq!(sentence(REASON, &"₹".repeat(501)), too_long);
        assert_eq!(REASON.read(&"₹".repeat(500)).unwrap().len(), 1_500);
        assert_eq!(
            sentence(REASON, "a\0b"),
            "The reason contains a character that cannot be used (U+0000). Delete it, or type the text again."
        );
        assert_eq!(sentence(SEARCH, "a\nb"), "The search is one line. Take the line breaks out.");
        for refused in ["a\u{7f}", "a\u{85}b", "a\u{1b}[31m", "a\u{202e}vsc", "a\u{2066}b"] {
            assert!(sentence(REASON, refused).contains("cannot be used"), "{refused:?}");
        }
        assert!(ORDER_ID.read("a\tb").is_err() && REASON.read("a\tb").is_ok());
        assert!(sentence(NOTE, &"x".repeat(100_000)).contains("100000 characters"));
    }

    #[test]
    fn what_could_not_have_been_typed_is_told_from_what_could() {
        assert!(ORDER_ID.is("ORD_1"));
        for no_id in [" ORD_1", "ORD\0", "a\nb", &"x".repeat(129)] {
            assert!(!ORDER_ID.is(no_id), "{no_id:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_is_read_as_itself(typed in "\\PC{0,40}|[\\x00-\\x20a\u{301}e\u{fb1d}\u{1d160}]{0,40}") {
            for field in [SEARCH, REASON, ORDER_ID] {
                if let Ok(read) = field.read(&typed) {
                    prop_assert!(read.chars().count() <= field.chars && read.len() <= 4 * field.chars);
                    prop_assert!(!read.contains('\0'));
                    prop_assert_eq!(field.read(&read).unwrap(), read);
                }
            }
        }
    }
}
