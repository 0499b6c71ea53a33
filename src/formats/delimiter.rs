//! The character between the columns of a file.

/// Characters that files use instead of the comma, and their names.
const OTHER_DELIMITERS: [(u8, &str); 4] =
    [(b';', "semicolons"), (b'\t', "tabs"), (b'^', "carets (^)"), (b'|', "vertical bars")];

/// The character that separates the columns of a header line, if it is not the comma.
pub fn other_delimiter(header: &str) -> Option<(u8, &'static str)> {
    OTHER_DELIMITERS.into_iter().find(|(delimiter, _)| {
        let mut names = header.split(char::from(*delimiter)).map(|name| name.trim().trim_matches('"').trim());
        header.contains(char::from(*delimiter)) && names.any(|name| name == "order_id" || name == "amount")
    })
}
