//! Rows that are no refund but the sum of those above.

/// Whether an order id is a word for a sum: `Total`, `Grand total:`, `SUBTOTAL`.
pub(super) fn is_total_word(id: &str) -> bool {
    const WORDS: [&str; 12] = [
        "total",
        "totals",
        "subtotal",
        "subtotals",
        "sum",
        "summe",
        "gesamt",
        "gesamtsumme",
        "totale",
        "योग",
        "कुल",
        "合計",
    ];
    const BESIDE: [&str; 11] =
        ["grand", "sub", "net", "gross", "overall", "final", "all", "of", "amount", "refund", "refunds"];
    let is = |word: &str, list: &[&str]| list.iter().any(|known| word.to_lowercase() == *known);
    // Most ids have a digit, or are longer than any of these.
    if id.len() > 40 || id.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let words = || id.split(|c: char| c.is_ascii_punctuation() || c.is_whitespace()).filter(|word| !word.is_empty());
    words().any(|word| is(word, &WORDS)) && words().all(|word| is(word, &WORDS) || is(word, &BESIDE))
}

/// Amounts as they pass by, to tell whether the last one is the sum of the others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Running {
    rows: u32,
    sum: i128,
    last: Option<(u32, i64)>,
}

impl Running {
    /// The next row, with its amount where it has one. A row that is not `bare`, as that of an order that stands above
    /// or of a refund with an id of its own, is no total.
    pub(super) fn add(&mut self, row: u32, minor: Option<i64>, bare: bool) {
        self.last = minor.filter(|_| bare).map(|minor| (row, minor));
        if let Some(minor) = minor {
            self.rows = self.rows.saturating_add(1);
            self.sum += i128::from(minor);
        }
    }

    /// Row and amount of the last row, where it is the sum of at least two others.
    pub(super) fn total(&self) -> Option<(u32, i64)> {
        self.last.filter(|(_, minor)| self.rows > 2 && self.sum == 2 * i128::from(*minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_sum() {
        for id in [
            "Total",
            "TOTAL:",
            "Grand total",
            "grand_total",
            "Sub-total",
            "Subtotal",
            "SUM",
            "Totals",
            "Total (refunds)",
            "Net total",
        ] {
            assert!(is_total_word(id), "{id}");
        }
        for id in ["Total1", "TOTAL_123", "Totality", "ORD", "Grand", "", "assume", "Total wine", "Amount"] {
            assert!(!is_total_word(id), "{id}");
        }
    }

    #[test]
    fn the_last_row_is_the_sum_of_two_others_at_least() {
        let total = |amounts: &[Option<i64>]| {
            let mut running = Running::default();
            for (row, minor) in (2..).zip(amounts) {
                running.add(row, *minor, row != 9);
            }
            running.total()
        };
        assert_eq!(total(&[Some(1), Some(2), Some(3)]), Some((4, 3)));
        assert_eq!(total(&[Some(1), None, Some(2), Some(3)]), Some((5, 3)));
        let long = [1, 1, 1, 1, 1, 1, 1, 7].map(Some);
        for none in
            [&long[..], &[Some(3), Some(3)], &[Some(1), Some(2), Some(4)], &[Some(1), Some(2), Some(3), None], &[]]
        {
            assert_eq!(total(none), None);
        }
    }
}
