//! A line that sums up the others is no refund: it has to be confirmed as one.

use super::*;

fn asked(operation: Operation, text: &str) -> Vec<(Option<u32>, Option<String>)> {
    let checked = check(operation, text);
    assert_eq!(checked.errors, 0, "{:?}", checked.findings);
    let asked = checked.findings.into_iter().filter(|finding| finding.code == Code::TotalLine);
    asked
        .inspect(|finding| assert!(finding.code.must_be_confirmed()))
        .map(|finding| (finding.row, finding.column))
        .collect()
}

fn amounts(columns: &[&str], amounts: &[&str]) -> String {
    let rows: Vec<_> = (0..)
        .zip(amounts)
        .map(|(number, amount)| {
            let mut cells = row(columns, &format!("A{number}"));
            for (cell, _) in cells.iter_mut().zip(columns).filter(|(cell, _)| *cell == "5") {
                (*amount).clone_into(cell);
            }
            cells
        })
        .collect();
    file(columns, &rows)
}

#[test]
fn the_sum_of_the_rows_above_has_to_be_confirmed() {
    let named = include_str!("cases/total_line.csv");
    assert_eq!(asked(Operation::Refund, named), [(Some(4), Some("order_id".to_owned()))], "asked about once");
    let unnamed = named.replace("Total", "BR03_9");
    assert_eq!(asked(Operation::Refund, &unnamed), [(Some(4), Some("amount".to_owned()))]);
    for (operation, columns) in KINDS.into_iter().filter(|(operation, _)| *operation == Operation::Refund) {
        assert_eq!(asked(operation, &amounts(columns, &["1", "2.50", "3.5"])).len(), 1);
        for none in [&["1", "2", "4"][..], &["2", "2"], &["3", "1", "2"], &["1", "2", "3", "4"]] {
            assert_eq!(asked(operation, &amounts(columns, none)), [], "{none:?}");
        }
    }
    // A refund with a key of its own is no total, nor is another part of an order that stands above.
    let keyed = unnamed.replace("BR03_9,350.50,,,", "BR03_9,350.50,,KEY,");
    assert_eq!(asked(Operation::Refund, &keyed), []);
    assert_eq!(asked(Operation::Refund, &unnamed.replace("BR03_9", "BR03_1")), []);
    for genuine in [
        include_str!("cases/two_equal_refunds.csv"),
        include_str!("cases/float_noise.csv"),
        include_str!("cases/one_decimal_total.csv"),
    ] {
        let checked = check(Operation::Refund, genuine);
        assert!(!checked.findings.iter().any(|finding| finding.code.must_be_confirmed()), "{:?}", checked.findings);
    }
}

#[test]
fn an_order_that_is_named_as_sums_are_has_to_be_confirmed_wherever_it_stands() {
    for (operation, columns) in KINDS {
        for word in ["Total", "TOTAL", "Sum", "subtotal", "Totals", "grand_total", "Grand-Total"] {
            for place in 0..3 {
                let mut rows: Vec<_> = ["A", "B", "C"].map(|order| row(columns, order)).to_vec();
                rows[place][0] = word.to_owned();
                let at = [(Some(2 + u32::try_from(place).unwrap()), Some("order_id".to_owned()))];
                assert_eq!(asked(operation, &file(columns, &rows)), at, "{word}");
            }
        }
    }
    for word in ["Total:", "Grand total", "SUB TOTAL"] {
        let columns = refunds::Template::Standard.columns();
        assert_eq!(asked(Operation::Refund, &file(columns, &[row(columns, word)])).len(), 1, "{word}");
    }
}
