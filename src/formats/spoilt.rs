//! Ids that a spreadsheet or another tool has spoilt, and cells that are filled where an id should be.

use super::findings::quoted;

/// What a tool has made of an id and what to do about it, as the rest of a sentence; none where nothing is known to be
/// wrong.
pub(super) fn spoilt(id: &str) -> Option<String> {
    if is_exponent(id) {
        return Some("was an ID with more digits; take it from its source again, as text".to_owned());
    }
    if let Some(repaired) = repaired_id(id) {
        let mark = if id.starts_with('=') {
            "is a formula that kept its digits together"
        } else {
            "begins with the apostrophe by which a spreadsheet marks text"
        };
        return Some(format!("{mark}; write {}", quoted(&repaired)));
    }
    let what = if is_guarded(id) {
        "is a formula around a text; write the ID itself"
    } else if is_float(id) {
        "ends in .0, as pandas writes an ID that it read as a number; take it from its source again, as text"
    } else if matches!(id, "nan" | "NaT" | "<NA>") {
        "is what pandas writes for a blank cell; leave the cell blank, or take the ID from its source again"
    } else if id.len() > 2 && id.bytes().all(|byte| byte == b'#') {
        "is what a spreadsheet shows in a narrow column; take the ID from its source again, as text"
    } else if is_formula_error(id) {
        "is the error of a formula in a spreadsheet; take the ID from its source again, as text"
    } else if id.contains('\u{fffd}') {
        "has U+FFFD, which stands for a character that was lost when the file was saved; save it as \"CSV UTF-8\" from \
         its source again"
    } else {
        return None;
    };
    Some(what.to_owned())
}

/// The id that a cell was before a tool guarded it: `0012345` of `="0012345"` and of `'0012345`. None where that is not
/// certain.
pub fn repaired_id(cell: &str) -> Option<String> {
    let cell = cell.trim_matches([' ', '\t']);
    let inner = match cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.trim_matches([' ', '\t']),
        None => cell.strip_prefix('\'')?,
    };
    let certain = inner.starts_with(|first: char| first.is_ascii_alphanumeric()) && !inner.contains('"');
    (certain && spoilt(inner).is_none() && doubtful(inner).is_none()).then(|| inner.to_owned())
}

/// Why a cell is hardly an id, as the rest of a sentence: a word for nothing, a truth value, a date.
pub(super) fn doubtful(id: &str) -> Option<&'static str> {
    const NOTHING: [&str; 18] = [
        "null",
        "none",
        "nil",
        "nan",
        "na",
        "n/a",
        "n.a.",
        "undefined",
        "empty",
        "blank",
        "(null)",
        "<null>",
        "[null]",
        "(blank)",
        "\\n",
        "-",
        "--",
        "---",
    ];
    let is = |word: &&str| id.eq_ignore_ascii_case(word);
    if NOTHING.iter().any(is) {
        Some("is a word for nothing; leave the cell blank, or confirm that it is the ID")
    } else if ["true", "false"].iter().any(is) {
        Some("is a truth value; take the ID from its source again, or confirm that it is the ID")
    } else if is_date(id) {
        Some("is a date; take the ID from its source again, or confirm that it is the ID")
    } else {
        None
    }
}

/// Whether an id of letters, digits, underscores and hyphens needs a closer look: most have a digit and no hyphen, or
/// are long.
pub(super) fn is_odd(id: &str) -> bool {
    id.len() <= 17 && (id.bytes().any(|byte| byte == b'-') || !id.bytes().any(|byte| byte.is_ascii_digit()))
}

/// `1.23457E+15`: what a spreadsheet makes of a long number. `1E5` may be an id.
pub(super) fn is_exponent(id: &str) -> bool {
    let Some((number, exponent)) = id.split_once("E+").or_else(|| id.split_once("e+")) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match number.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    whole.len() == 1 && digits(whole) && fraction.is_none_or(digits) && exponent.len() >= 2 && digits(exponent)
}

/// `="0012345"`.
fn is_guarded(id: &str) -> bool {
    id.len() > 2 && id.starts_with("=\"") && id.ends_with('"')
}

/// `100234.0`.
fn is_float(id: &str) -> bool {
    let whole = id.strip_suffix(".0").unwrap_or("");
    !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit())
}

/// `#REF!` and its like in any language, and those without a sign at their end.
fn is_formula_error(id: &str) -> bool {
    let number = id.strip_prefix("Err:").unwrap_or("");
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let Some(word) = id.strip_prefix('#') else { return false };
    let named = ["N/A", "NV", "GETTING_DATA", "N/D"].iter().any(|name| word.eq_ignore_ascii_case(name));
    let bare = word.trim_start_matches('¡').trim_end_matches(['!', '?']);
    let signed = bare.len() < word.len() && word.ends_with(['!', '?']);
    named
        || (signed && !bare.is_empty() && bare.chars().all(|c| c.is_alphabetic() || matches!(c, '/' | '_' | '0'..='9')))
}

/// A date, with or without a time, as spreadsheets and programs write it.
fn is_date(text: &str) -> bool {
    let time = |rest: &str| rest.contains(':') && rest.starts_with(|first: char| first.is_ascii_digit());
    let day = match text.split_once([' ', 'T']) {
        Some((day, rest)) if time(rest) => day,
        _ => text,
    };
    let Some(sign) = day.chars().find(|c| matches!(c, '-' | '/' | '.')) else { return false };
    let parts: Vec<&str> = day.split(sign).take(4).collect();
    let number = |text: &str, digits: usize, most: u32| {
        (1..=digits).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse().is_ok_and(|number: u32| (1..=most).contains(&number))
    };
    let year =
        |text: &str| text.len() == 4 && (text.starts_with("19") || text.starts_with("20")) && number(text, 4, 2099);
    let short_year = |text: &str| year(text) || (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()));
    match parts.as_slice() {
        [first, month, last] if year(first) => number(month, 2, 12) && number(last, 2, 31),
        [first, month, last] if is_month(month) => number(first, 2, 31) && short_year(last),
        [first, second, last] => {
            let days = number(first, 2, 31) && number(second, 2, 31) && (number(first, 2, 12) || number(second, 2, 12));
            days && if sign == '/' { short_year(last) } else { year(last) }
        }
        [first, last] => (is_month(first) && short_year(last)) || (number(first, 2, 31) && is_month(last)),
        _ => false,
    }
}

fn is_month(text: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let same = |part: &str| text.eq_ignore_ascii_case(part);
    MONTHS.iter().any(|month| same(month) || month.get(..3).is_some_and(same))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_tools_spoil_are_told_from_others() {
        for id in [
            "1.23457E+15",
            "1,23457E+15",
            "4E+18",
            "1.2e+11",
            "4.0E+15",
            "4,0E+15",
            "1E+05",
            "100234.0",
            "0.0",
            "nan",
            "<NA>",
            "NaT",
            "#N/A",
            "#REF!",
            "#NAME?",
            "#VALUE!",
            "#DIV/0!",
            "#NULL!",
            "#NUM!",
            "#SPILL!",
            "#CALC!",
            "#NV",
            "#WERT!",
            "#¡REF!",
            "#NOMBRE?",
            "####",
            "########",
            "Err:502",
            "=\"0012345\"",
            "='x'",
            "'0012347",
            "'ABC",
            "M\u{fffd}ller",
            "=\"#N/A\"",
        ] {
            let expected = id != "='x'";
            assert_eq!(spoilt(id).is_some(), expected, "{id}: {:?}", spoilt(id));
        }
        for id in [
            "1E5", "12E5", "E+15", "ORD1E+15", "12.3E+15", "1.E+15", "1.2E+5", "1.2E-15", "1.2E+1a", "100234",
            "100.01", "1.00", ".0", "a.0", "NAN", "banana", "#1", "#", "##", "#ORD", "ORD#1!", "Err:", "'", "'-1",
            "=A1", "O'Neil", "ünique", "7e3f",
        ] {
            assert_eq!(spoilt(id), None, "{id}");
        }
    }

    #[test]
    fn only_a_certain_repair_is_offered() {
        for (cell, id) in
            [("=\"0012345\"", "0012345"), ("'0012347", "0012347"), (" '0012347 ", "0012347"), ("=\" A-1 \"", "A-1")]
        {
            assert_eq!(repaired_id(cell).as_deref(), Some(id), "{cell}");
        }
        for cell in [
            "=\"#N/A\"",
            "=\"\"",
            "=A1",
            "'",
            "''1",
            "'nan",
            "'#N/A",
            "'1.2E+15",
            "=\"NULL\"",
            "=\"a\"&\"b\"",
            "'=1",
            "0012345",
        ] {
            assert_eq!(repaired_id(cell), None, "{cell}");
        }
    }

    #[test]
    fn words_for_nothing_dates_and_truth_values_are_doubtful() {
        for id in [
            "NULL",
            "null",
            "None",
            "N/A",
            "n/a",
            "NA",
            "undefined",
            "NaN",
            "\\N",
            "TRUE",
            "False",
            "2026-11-20",
            "20/11/2026",
            "11/20/26",
            "20-Nov-26",
            "20-nov-2026",
            "Nov-26",
            "1-Dec",
            "2026-11-20 00:00:00",
            "2026-11-20T10:00:00Z",
            "20.11.2026",
        ] {
            assert!(doubtful(id).is_some(), "{id}");
        }
        for id in [
            "ORD-26",
            "2026-11",
            "2026-13-01",
            "12-34-56",
            "1-2-3",
            "2611-20",
            "20261120",
            "TRUE1",
            "nullable",
            "MAY",
            "0",
            "ORD_1",
            "20-11-26",
            "A/B/C",
            "1.2.3",
            "T-2025-001",
            "Nov-261",
        ] {
            assert_eq!(doubtful(id), None, "{id}");
        }
    }

    #[test]
    fn the_first_look_misses_none_of_them() {
        let plain = |id: &&str| id.chars().all(super::super::cells::is_plain);
        for id in [
            "nan",
            "NaT",
            "NULL",
            "undefined",
            "TRUE",
            "2026-11-20",
            "20-Nov-2026",
            "20-September-2026",
            "Nov-26",
            "1-Dec",
        ] {
            assert!(plain(&id) && is_odd(id), "{id}");
        }
        for id in ["ORD_0000001", "REF0000001", "1E5", "100234"] {
            assert!(!is_odd(id), "{id}");
        }
    }
}
