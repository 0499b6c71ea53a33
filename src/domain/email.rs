//! E-mail addresses as the names that people sign in with.

/// Bytes of an address, at most (RFC 5321).
pub const LONGEST: usize = 254;

/// The address in the one form that it is stored, looked up and counted in: trimmed, in lower case. None for what nobody can be
/// called: empty, too long, with blanks or control characters.
pub fn normalised(typed: &str) -> Option<String> {
    let email = typed.trim().to_lowercase();
    let fits = (1..=LONGEST).contains(&email.len());
    (fits && !email.chars().any(|c| c.is_whitespace() || c.is_control())).then_some(email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_form() {
        assert_eq!(normalised(" Ada@Example.COM\n").as_deref(), Some("ada@example.com"));
        for typed in ["", "  ", "a\0@b.test", "a b@c.test", "a@b.test\u{85}x", "a\r\n@b.test"] {
            assert_eq!(normalised(typed), None, "{typed:?}");
        }
        let longest = format!("{}@b.test", "a".repeat(LONGEST - 7));
        assert!(normalised(&longest).is_some());
        assert_eq!(normalised(&format!("a{longest}")), None);
        // It grows in lower case.
        assert_eq!(normalised(&"İ".repeat(LONGEST / 2)), None);
    }
}
