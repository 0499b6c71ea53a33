//! Amounts in files: what is wrong with one, and what would be right.

use super::findings::quoted;
use domain::finding::FindingCode;
use domain::money::{AmountError, Currency, parse_amount};

/// The kind of finding and the sentence for a cell that is not an amount.
pub(super) fn complaint(column: &str, text: &str, error: AmountError, currency: Currency) -> (FindingCode, String) {
    let text = text.trim();
    let cell = quoted(text);
    match error {
        AmountError::Zero => {
            let advice = if column == "amount" { "" } else { "; leave the cell blank where there is no part" };
            (FindingCode::AmountNotPositive, format!("Amount must be greater than 0: {column} is {cell}{advice}."))
        }
        AmountError::Negative => (
            FindingCode::AmountNotPositive,
            format!(
                "Amount must be greater than 0: {column} {cell} is negative; write what is to be refunded without a \
                 sign."
            ),
        ),
        AmountError::TooManyDecimals => {
            let has = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let may = match currency.decimals() {
                0 => "none".to_owned(),
                decimals => decimals.to_string(),
            };
            let decimals = if has == 1 { "decimal" } else { "decimals" };
            (
                FindingCode::TooManyDecimals,
                format!(
                    "Too many decimals: {column} {cell} has {has} {decimals}, {currency} has {may}; money is never \
                     rounded here."
                ),
            )
        }
        AmountError::TooLarge => (
            FindingCode::AmountTooLarge,
            format!("Amount too large: {column} {cell} has more than 13 digits before the decimal point."),
        ),
        AmountError::NotANumber => {
            (FindingCode::InvalidDataType, format!("Invalid data type: {column} {cell} {}.", why(text, currency)))
        }
    }
}

/// Why a text is no plain number, and what to write instead where that is beyond doubt.
fn why(text: &str, currency: Currency) -> String {
    let plain = plain_amount(text, currency);
    let advice = plain.map_or_else(|| "write it like 1250.00".to_owned(), |plain| format!("write {plain}"));
    let unsigned = without_sign(text, currency);
    let bare = unsigned.unwrap_or(text);
    let digits_and = |allowed: &str| {
        bare.contains(|c: char| c.is_ascii_digit()) && bare.chars().all(|c| c.is_ascii_digit() || allowed.contains(c))
    };
    let lower = text.to_ascii_lowercase();
    if text.chars().any(|c| !c.is_ascii() && c.is_numeric()) {
        "has digits that are not 0 to 9; type it again with plain digits".to_owned()
    } else if text.starts_with('=') {
        "is a formula; write the amount itself".to_owned()
    } else if text.starts_with('\'') {
        "begins with an apostrophe; write the digits only".to_owned()
    } else if text.starts_with('(') && text.ends_with(')') {
        "is in brackets; write what is to be refunded without them".to_owned()
    } else if text.ends_with('%') {
        "is a percentage; write the amount itself".to_owned()
    } else if unsigned.is_some() {
        format!("has a currency sign; {advice}")
    } else if text.chars().any(|c| "₹$€£¥₨".contains(c)) {
        format!("has the sign of another currency; amounts of this organisation are in {currency}")
    } else if is_exponent(&lower) {
        "is written with an exponent; write all its digits".to_owned()
    } else if digits_and(".,") && bare.contains(',') {
        match bare.split_once(',') {
            _ if ungroup(bare, currency).is_some() => format!("has a thousands separator; {advice}"),
            Some((whole, decimals))
                if !whole.is_empty()
                    && (1..=2).contains(&decimals.len())
                    && !bare.contains('.')
                    && !decimals.contains(',') =>
            {
                format!("has a decimal comma; write {whole}.{decimals}")
            }
            _ => "has a comma; write it like 1250.00".to_owned(),
        }
    } else if text.strip_prefix('+').is_some_and(|rest| parse_amount(rest, currency).is_ok()) {
        format!("begins with a plus sign; write {}", text.trim_start_matches('+').trim())
    } else if bare.contains(char::is_whitespace)
        && bare.chars().all(|c| c.is_ascii_digit() || c == '.' || c.is_whitespace())
    {
        format!("has blanks inside; {advice}")
    } else if digits_and(".") && bare.matches('.').count() == 1 {
        "has no digit on one side of the decimal point; write it like 0.50 or 5.00".to_owned()
    } else if digits_and(".") {
        "has more than one decimal point; write it like 1250.00".to_owned()
    } else {
        "is not a number; write it like 1250.00".to_owned()
    }
}

fn is_exponent(lower: &str) -> bool {
    let Some((number, exponent)) = lower.split_once('e') else { return false };
    let digits =
        |text: &str| text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    digits(number.trim_start_matches(['+', '-'])) && digits(exponent.trim_start_matches(['+', '-']))
}

/// An amount without thousands separators and the currency's own sign; none when nothing would change, or when it would
/// not be the same amount without doubt. Never rounds, and never takes another currency's sign away.
pub fn plain_amount(text: &str, currency: Currency) -> Option<String> {
    let trimmed = text.trim();
    let bare = without_sign(trimmed, currency).unwrap_or(trimmed);
    let plain = ungroup(bare, currency).unwrap_or_else(|| bare.to_owned());
    (plain != text && parse_amount(&plain, currency).is_ok()).then_some(plain)
}

const fn signs(currency: Currency) -> &'static [&'static str] {
    match currency {
        Currency::Inr => &["₹", "₨", "Rs.", "Rs", "INR"],
        Currency::Usd => &["US$", "$", "USD"],
        Currency::Eur => &["€", "EUR"],
        Currency::Gbp => &["£", "GBP"],
        Currency::Sgd => &["S$", "SGD"],
        Currency::Aud => &["A$", "AUD"],
        Currency::Aed => &["AED"],
        Currency::Jpy => &["¥", "JPY"],
        Currency::Kwd => &["KWD"],
    }
}

fn without_sign(text: &str, currency: Currency) -> Option<&str> {
    signs(currency).iter().find_map(|sign| {
        let length = sign.len();
        let is = |part: Option<&str>| part.is_some_and(|part| part.eq_ignore_ascii_case(sign));
        if is(text.get(..length)) {
            return text.get(length..).map(str::trim);
        }
        let start = text.len().checked_sub(length)?;
        if is(text.get(start..)) { text.get(..start).map(str::trim) } else { None }
    })
}

/// `1,250.00`, `12,34,567` or `1 250.00` without its separators; none unless every group has the right length.
fn ungroup(text: &str, currency: Currency) -> Option<String> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let separator = whole.chars().find(|c| !c.is_ascii_digit())?;
    if separator != ',' && separator != ' ' && separator != '\u{a0}' && separator != '\u{202f}' {
        return None;
    }
    let groups: Vec<&str> = whole.split(separator).collect();
    if groups.iter().any(|group| group.is_empty() || !group.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let (last, before) = groups.split_last()?;
    let (first, middle) = before.split_first()?;
    // In a currency with three decimals `1,250` may as well be a decimal comma.
    if currency.decimals() == 3 && middle.is_empty() && fraction.is_none() {
        return None;
    }
    let thousands = first.len() <= 3 && middle.iter().all(|group| group.len() == 3);
    let lakhs = first.len() <= 2 && middle.iter().all(|group| group.len() == 2);
    if last.len() != 3 || !(thousands || lakhs) {
        return None;
    }
    let mut plain = groups.concat();
    if let Some(fraction) = fraction {
        plain.push('.');
        plain.push_str(fraction);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> (FindingCode, String) {
        complaint("amount", text, parse_amount(text, Currency::Inr).unwrap_err(), Currency::Inr)
    }

    #[test]
    fn every_kind_of_bad_amount_has_its_sentence() {
        use FindingCode as C;
        for (text, code, words) in [
            ("1e3", C::InvalidDataType, "Invalid data type: amount \"1e3\" is written with an exponent"),
            ("1.2E+05", C::InvalidDataType, "exponent"),
            (
                "1,000.00",
                C::InvalidDataType,
                "Invalid data type: amount \"1,000.00\" has a thousands separator; write 1000.00.",
            ),
            ("12,34,567.50", C::InvalidDataType, "has a thousands separator; write 1234567.50."),
            ("1,250", C::InvalidDataType, "has a thousands separator; write 1250."),
            ("1250,50", C::InvalidDataType, "has a decimal comma; write 1250.50."),
            ("1.250,50", C::InvalidDataType, "has a comma"),
            ("1,00", C::InvalidDataType, "has a decimal comma; write 1.00."),
            ("₹100.00", C::InvalidDataType, "has a currency sign; write 100.00."),
            ("Rs. 1,250", C::InvalidDataType, "has a currency sign; write 1250."),
            ("$100", C::InvalidDataType, "sign of another currency"),
            ("-5", C::AmountNotPositive, "Amount must be greater than 0: amount \"-5\" is negative"),
            ("0", C::AmountNotPositive, "Amount must be greater than 0: amount is \"0\"."),
            ("0.00", C::AmountNotPositive, "is \"0.00\"."),
            ("10.005", C::TooManyDecimals, "Too many decimals: amount \"10.005\" has 3 decimals, INR has 2"),
            ("12345678901234", C::AmountTooLarge, "more than 13 digits"),
            ("NaN", C::InvalidDataType, "is not a number"),
            ("inf", C::InvalidDataType, "is not a number"),
            ("abc", C::InvalidDataType, "is not a number"),
            ("１００", C::InvalidDataType, "digits that are not 0 to 9"),
            ("१००", C::InvalidDataType, "digits that are not 0 to 9"),
            ("+5", C::InvalidDataType, "plus sign; write 5."),
            ("(5.00)", C::InvalidDataType, "brackets"),
            ("5%", C::InvalidDataType, "percentage"),
            ("=A1", C::InvalidDataType, "formula"),
            (".5", C::InvalidDataType, "no digit on one side"),
            ("5.", C::InvalidDataType, "no digit on one side"),
            ("1.2.3", C::InvalidDataType, "more than one decimal point"),
            ("1 250.00", C::InvalidDataType, "has blanks inside; write 1250.00."),
            ("0x10", C::InvalidDataType, "is not a number"),
            ("\u{202e}5", C::InvalidDataType, "<U+202E>5"),
        ] {
            let (found, sentence) = message(text);
            assert_eq!(found, code, "{text}: {sentence}");
            assert!(sentence.contains(words), "{text}: {sentence}");
            assert!(sentence.ends_with('.'), "{text}: {sentence}");
        }
    }

    #[test]
    fn proposes_only_what_is_beyond_doubt() {
        let inr = |text| plain_amount(text, Currency::Inr);
        assert_eq!(inr("₹ 1,00,000.50").as_deref(), Some("100000.50"));
        assert_eq!(inr("1,234 INR").as_deref(), Some("1234"));
        assert_eq!(inr("rs 5").as_deref(), Some("5"));
        assert_eq!(inr(" 5 ").as_deref(), Some("5"));
        assert_eq!(inr("1\u{a0}250.00").as_deref(), Some("1250.00"));
        for text in [
            "100",
            "10,00",
            "1,0000",
            "1,,000",
            ",100",
            "₹10.005",
            "₹0",
            "-1,000",
            "$100",
            "1,000,00.5",
            "1e3",
            "₹",
            "",
            "1,000.5,0",
        ] {
            assert_eq!(inr(text), None, "{text}");
        }
        assert_eq!(plain_amount("1,250", Currency::Kwd), None);
        assert_eq!(plain_amount("1,250.500", Currency::Kwd).as_deref(), Some("1250.500"));
        assert_eq!(plain_amount("1,250.0", Currency::Jpy), None);
    }
}
