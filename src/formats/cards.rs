//! Numbers of payment cards in texts: they must not be kept, so none is let in.

/// Digits of a card's number.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// The last four digits of the first number in a text that is that of a payment card: 13 to 19 digits, first digit 2 to
/// 6 as banks have them, check digit right, in one piece or in groups with blanks or hyphens between.
pub fn card_number(text: &str) -> Option<String> {
    if text.len() < *DIGITS.start() || text.bytes().filter(u8::is_ascii_digit).nth(*DIGITS.start() - 1).is_none() {
        return None;
    }
    let mut groups: Vec<Group> = Vec::new();
    let (mut gap, mut before) = (usize::MAX, ' ');
    for character in text.chars() {
        match character {
            '0'..='9' => {
                match groups.last_mut() {
                    Some(group) if gap == 0 => group.digits.push(character),
                    _ => groups.push(Group { gap, digits: String::from(character), glued: is_letter(before) }),
                }
                gap = 0;
            }
            ' ' | '-' | '\u{a0}' | '\u{202f}' | '\u{2010}'..='\u{2015}' if gap < 3 => gap += 1,
            other => {
                if let Some(group) = groups.last_mut().filter(|_| gap == 0 && is_letter(other)) {
                    group.glued = true;
                }
                gap = usize::MAX;
            }
        }
        before = character;
    }
    (0..groups.len()).find_map(|start| number_from(groups.get(start..)?))
}

/// Digits in one piece.
struct Group {
    /// Blanks or hyphens before it; the most there is where anything else stands there.
    gap: usize,
    digits: String,
    /// Whether a letter stands beside it: then it is a part of some reference.
    glued: bool,
}

fn is_letter(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// A card's number that begins with the first of these groups.
fn number_from(groups: &[Group]) -> Option<String> {
    let mut digits = String::new();
    for (index, group) in groups.iter().enumerate() {
        // A number in groups begins with four, six or eight digits: other figures in a row are no card's.
        let apart = group.gap == usize::MAX || (index == 1 && !matches!(digits.len(), 4 | 6 | 8));
        if group.glued || (index > 0 && apart) {
            return None;
        }
        digits.push_str(&group.digits);
        if digits.len() > *DIGITS.end() {
            return None;
        }
        if is_card(&digits) {
            return digits.get(digits.len() - 4..).map(str::to_owned);
        }
    }
    None
}

fn is_card(digits: &str) -> bool {
    DIGITS.contains(&digits.len())
        && digits.starts_with(|first| ('2'..='6').contains(&first))
        && has_check_digit(digits)
}

/// The check digit after Luhn.
fn has_check_digit(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            let double = digit * 2;
            match place % 2 {
                0 => digit,
                _ if double > 9 => double - 9,
                _ => double,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_found_however_they_are_written() {
        for (text, last) in [
            ("4111111111111111", "1111"),
            ("4111 1111 1111 1111", "1111"),
            ("4111-1111-1111-1111", "1111"),
            ("card 4111\u{a0}1111\u{a0}1111\u{a0}1111.", "1111"),
            ("ref 12 4111 1111 1111 1111 of May", "1111"),
            ("5555555555554444,", "4444"),
            ("2223003122003222", "3222"),
            ("378282246310005", "0005"),
            ("3782 822463 10005", "0005"),
            ("30569309025904", "5904"),
            ("4222222222222", "2222"),
            ("6304000000000000000", "0000"),
        ] {
            assert_eq!(card_number(text).as_deref(), Some(last), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_not_taken_for_cards() {
        for text in [
            "",
            "4111111111111112",
            "411111111111",
            "41111111111111111111",
            "0000000000000000",
            "1732000000004",
            "x4111x1111x1111x1111",
            "12345678901234567890123",
            "A4111 1111 1111 1111",
            "2026-11-20 12:30:45.000",
            "200 300 400 500 600",
            "4111 1111, 1111 1111",
            "ORD_123456789",
        ] {
            assert_eq!(card_number(text), None, "{text}");
        }
        // Long texts of digits cost no more than their length.
        assert_eq!(card_number(&"4 ".repeat(4_000)), None);
    }
}
