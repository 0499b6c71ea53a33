//! E-mail addresses as the names that people sign in with.

use unicode_normalization::UnicodeNormalization;

/// Bytes of an address, at most (RFC 5321).
pub const MAX_LENGTH: usize = 254;

/// The address in the one form that it is stored, looked up and counted in: trimmed, in lower case, in composed
/// characters (NFC). None for what nobody can be called: empty, too long, with blanks or control characters.
pub fn normalised(typed: &str) -> Option<String> {
    let email = typed.trim();
    // A composed character is at most three times as long in its parts: what is longer is too long without a look at
    // it.
    if email.len() > MAX_LENGTH * 3 {
        return None;
    }
    let email: String = email.to_lowercase().nfc().collect();
    let fits = (1..=MAX_LENGTH).contains(&email.len());
    (fits && !email.chars().any(|c| c.is_whitespace() || c.is_control())).then_some(email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_form() {
        assert_eq!(normalised(" Ada@Example.COM\n").as_deref(), Some("ada@example.com"));
        assert_eq!(normalised("jose\u{301}@b.test").as_deref(), Some("jos\u{e9}@b.test"));
        assert_eq!(normalised("JOS\u{c9}@b.test"), normalised("jose\u{301}@b.test"));
        for typed in ["", "  ", "a\0@b.test", "a b@c.test", "a@b.test\u{85}x", "a\r\n@b.test"] {
            assert_eq!(normalised(typed), None, "{typed:?}");
        }
        let longest = format!("{}@b.test", "a".repeat(MAX_LENGTH - 7));
        assert!(normalised(&longest).is_some());
        assert_eq!(normalised(&format!("a{longest}")), None);
        // It grows in lower case.
        assert_eq!(normalised(&"İ".repeat(MAX_LENGTH / 2)), None);
    }
}
