//! Numbers of payment cards stay out, and no sentence repeats one.

use super::*;

const CARDS: [&str; 4] = ["4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "=4111111111111111"];

#[test]
fn a_card_number_in_a_free_text_is_refused_and_not_repeated() {
    let columns = refunds::Template::Standard.columns();
    for card in CARDS {
        for place in 9..19 {
            let mut cells = row(columns, "A");
            cells[place] = format!("{card} paid");
            let checked = check(Operation::Refund, &file(columns, &[cells]));
            let [only] = checked.findings.as_slice() else { panic!("{:?}", checked.findings) };
            assert_eq!(
                (only.code, only.severity, only.column.as_deref()),
                (Code::CardNumber, Severity::Error, Some(columns[place]))
            );
            for said in [&only.message, &only.value] {
                let digits = said.chars().filter(char::is_ascii_digit).count();
                assert!(digits <= 6, "its column and four digits, no more: {said}");
            }
            assert!(only.message.contains(&format!("ending in {}", &card[card.len() - 4..])), "{}", only.message);
        }
    }
}

#[test]
fn ids_may_be_digits() {
    for (operation, columns) in KINDS {
        for place in (0..columns.len()).filter(|place| ["order_id", "txn_id", "unique_id"].contains(&columns[*place])) {
            let mut cells = row(columns, "A");
            cells[place] = "4111111111111111".to_owned();
            assert_eq!(check(operation, &file(columns, &[cells])).findings, []);
        }
    }
}
