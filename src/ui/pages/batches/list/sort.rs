//! The orders of the list.

use crate::domain::{
    operation::Operation,
    page::{BatchQuery, BatchSort},
};

/// One order, in words.
pub struct Choice {
    pub sort: BatchSort,
    pub descending: bool,
    pub text: &'static str,
}

const fn choice(sort: BatchSort, descending: bool, text: &'static str) -> Choice {
    Choice { sort, descending, text }
}

/// Every order, for where there are no heads to press.
const CHOICES: [Choice; 12] = [
    choice(BatchSort::Created, true, "Newest first"),
    choice(BatchSort::Created, false, "Oldest first"),
    choice(BatchSort::FileName, false, "File name, A to Z"),
    choice(BatchSort::FileName, true, "File name, Z to A"),
    choice(BatchSort::Status, false, "Status, first steps first"),
    choice(BatchSort::Status, true, "Status, last steps first"),
    choice(BatchSort::Amount, true, "Largest amount first"),
    choice(BatchSort::Amount, false, "Smallest amount first"),
    choice(BatchSort::Records, true, "Most records first"),
    choice(BatchSort::Records, false, "Fewest records first"),
    choice(BatchSort::Tasks, true, "Most tasks first"),
    choice(BatchSort::Tasks, false, "Fewest tasks first"),
];

/// The orders that this operation's list has.
pub fn choices(operation: Operation) -> impl Iterator<Item = &'static Choice> {
    let labels = operation.labels();
    CHOICES.iter().filter(move |choice| match choice.sort {
        BatchSort::Amount => operation.has_amounts(),
        BatchSort::Records => labels.total_records,
        _ => true,
    })
}

/// The query string of the list after a press on the head of `column`: ascending first, then back and forth.
pub fn pressed(query: &BatchQuery, column: BatchSort) -> String {
    let descending = query.sort == column && !query.descending;
    let next = BatchQuery { sort: column, descending, page: 1, ..query.clone() }.to_query();
    // An empty query string as a link would keep the one that is there.
    if next.is_empty() { "?".to_owned() } else { next }
}

/// Whether the list is sorted by `column`, and then whether descending.
pub fn order_of(query: &BatchQuery, column: BatchSort) -> Option<bool> {
    (query.sort == column).then_some(query.descending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_press_is_ascending_and_the_next_one_turns_it() {
        let newest_first = BatchQuery { search: "x".to_owned(), page: 3, ..BatchQuery::default() };
        assert_eq!(pressed(&newest_first, BatchSort::Created), "?q=x&sort=created");
        assert_eq!(pressed(&newest_first, BatchSort::Amount), "?q=x&sort=amount");
        let ascending = BatchQuery { sort: BatchSort::Amount, descending: false, ..newest_first.clone() };
        assert_eq!(pressed(&ascending, BatchSort::Amount), "?q=x&sort=-amount");
        assert_eq!(pressed(&ascending, BatchSort::Tasks), "?q=x&sort=tasks");
        let oldest_first = BatchQuery { descending: false, ..BatchQuery::default() };
        assert_eq!(pressed(&oldest_first, BatchSort::Created), "?");
    }

    #[test]
    fn every_order_has_words() {
        for sort in BatchSort::ALL {
            for descending in [true, false] {
                assert!(CHOICES.iter().any(|c| (c.sort, c.descending) == (sort, descending)), "{sort:?} {descending}");
            }
        }
    }
}
