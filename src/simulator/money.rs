//! Amounts as integer paise, read from and written as exact decimal text.

use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;

/// Paise, written as a JSON number with two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount(pub(super) i64);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(text(self.0)).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// `100.50`.
pub(super) fn text(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

/// Reads `100`, `100.5` or `100.50`; none for anything else, and for zero.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() > 13 || fraction.len() > 2 {
        return None;
    }
    let tenths = if fraction.len() == 1 { 10 } else { 1 };
    let minor = whole.parse::<i64>().ok()? * 100 + fraction.parse::<i64>().ok()? * tenths;
    (minor > 0).then_some(minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_both_ways() {
        for (text_in, minor) in
            [("100.50", 10_050), ("0.01", 1), ("7", 700), ("7.5", 750), ("9999999999999.99", 999_999_999_999_999)]
        {
            assert_eq!(parse(text_in), Some(minor), "{text_in}");
        }
        for bad in ["", "0", "0.00", "-1", "1.005", "1e2", ".5", "5.", "1,000", " 1", "12345678901234"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(serde_json::to_string(&Amount(9_989_950)).unwrap(), "99899.50");
        assert_eq!(serde_json::to_string(&Amount(-5)).unwrap(), "-0.05");
    }
}
