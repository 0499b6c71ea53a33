//! A quotation mark that is lost hides rows: never in silence.

use super::*;
use crate::{repair::convert_delimiter, sheet::write};

const NOTES: [&str; 2] =
    [include_str!("cases/note_of_two_lines.csv"), include_str!("cases/note_of_three_lines_crlf.csv")];

#[track_caller]
fn lost(operation: Operation, text: &str, row: u32, column: &str, lines: [u32; 2]) {
    let named = (row > 1).then_some(column);
    let checked = check(operation, text);
    let found = errors(&checked);
    let place = found.iter().find(|finding| finding.message.contains("what stands between has the commas of rows"));
    let Some(finding) = place else { panic!("not found: {:?}\n{text}", checked.findings) };
    assert_eq!((finding.row, finding.column.as_deref(), finding.code), (Some(row), named, Code::InvalidFileFormat));
    let words = format!("opens in line {} of the file closes only in line {}", lines[0], lines[1]);
    assert!(finding.message.contains(&words), "{}", finding.message);
    assert!(finding.message.contains(&format!("row {row}, {column}:")), "{}", finding.message);
    assert_eq!(found.iter().filter(|other| other.row == Some(row)).count(), 1, "{found:?}");
    assert_eq!(checked.sheet, None, "rows that lie in a cell could be removed with it");
}

#[test]
fn a_text_of_several_lines_stays_a_text() {
    for text in NOTES {
        let checked = check(Operation::Refund, text);
        assert!(
            checked.findings.iter().all(|finding| finding.column.as_deref() == Some("amount")),
            "{:?}",
            checked.findings
        );
        assert_eq!(checked.errors, 1, "the row below has its own error");
    }
    let columns = refunds::Template::Standard.columns();
    for note in ["late, and\nbroken, too", "a\r\nb", "\n", "a\n\nb", "1,2,3\n4, 5", "one\n", "see \"x\"\nroom 7, 12.00"]
    {
        for column in 9..19 {
            let mut noted = row(columns, "A");
            noted[column] = format!("\"{}\"", note.replace('"', "\"\""));
            let checked = check(Operation::Refund, &file(columns, &[noted, row(columns, "B")]));
            assert_eq!((checked.errors, checked.rows), (0, 2), "{note:?} in {column}: {:?}", checked.findings);
        }
    }
}

#[test]
fn a_note_that_lost_its_mark_names_both_places() {
    lost(Operation::Refund, include_str!("cases/lost_quotation_mark.csv"), 2, "udf1", [2, 4]);
    let above = "Z,1,,,,,,,,\"one\ntwo\",,,,,,,,,\nBR38_5";
    let text = include_str!("cases/lost_quotation_mark.csv").replacen("BR38_5", above, 1);
    lost(Operation::Refund, &text, 3, "udf1", [4, 6]);
}

#[test]
fn wherever_it_opens_and_however_far_below_it_closes() {
    for (operation, columns) in KINDS {
        for end in ["\n", "\r\n", "\r"] {
            for between in [0, 1, 20] {
                for column in 0..columns.len() {
                    let mut rows = vec![row(columns, "A")];
                    rows[0][column].insert(0, '"');
                    rows.extend((0..between).map(|number| row(columns, &format!("B{number}"))));
                    let mut last = row(columns, "C");
                    last[column].push('"');
                    rows.push(last);
                    rows.push(row(columns, "D"));
                    let text = file(columns, &rows).replace('\n', end);
                    lost(operation, &text, 2, columns[column], [2, 3 + between]);
                }
            }
        }
    }
}

#[test]
fn the_mark_of_another_note_below_does_not_hide_it() {
    let columns = refunds::Template::Standard.columns();
    let mut rows = [row(columns, "A"), row(columns, "B"), row(columns, "C")];
    rows[0][9] = "\"late".to_owned();
    rows[2][12] = "\"broken\"".to_owned();
    lost(Operation::Refund, &file(columns, &rows), 2, "udf1", [2, 4]);
    // Rows that lost the commas of blank cells at their end.
    let text = format!("{}\nA,5,,,,,,,,\"late\nB,900.00\nC,7,,\",,,,,,,,,\n", columns.join(","));
    lost(Operation::Refund, &text, 2, "udf1", [2, 4]);
}

#[test]
fn a_mark_that_never_closes_or_closes_far_away_is_named_where_it_opens() {
    for (operation, columns) in KINDS {
        for rows in [3, 3_000] {
            let mut all: Vec<_> = (0..rows).map(|number| row(columns, &format!("A{number}"))).collect();
            all[0][1].insert(0, '"');
            let open = file(columns, &all);
            all[rows - 1][1].push('"');
            let far = file(columns, &all);
            for text in if rows == 3 { vec![open] } else { vec![open, far] } {
                let checked = check(operation, &text);
                let [only] = errors(&checked)[..] else { panic!("{:?}", checked.findings) };
                assert!(only.row == Some(2) && only.message.contains("opens here and does not close"), "{only:?}");
                assert_eq!(checked.sheet, None);
            }
        }
    }
}

#[test]
fn the_header_swallows_no_row() {
    for (operation, columns) in KINDS {
        let text = file(columns, &[row(columns, "A"), row(columns, "B\""), row(columns, "C")]).replacen(
            "order_id",
            "\"order_id",
            1,
        );
        lost(operation, &text, 1, "cell 1", [1, 3]);
    }
}

#[test]
fn commas_are_not_put_where_rows_lie_in_a_cell() {
    let text = include_str!("cases/lost_quotation_mark.csv").replace(',', ";");
    assert_eq!(convert_delimiter(&text), None);
    let note = NOTES[0].replace(',', ";");
    assert!(convert_delimiter(&note).is_some());
}

#[test]
fn a_note_comes_back_from_the_desk_as_it_was() {
    let sheet = check(Operation::Refund, NOTES[0]).sheet.unwrap();
    assert_eq!(check(Operation::Refund, &write(&sheet)).sheet, Some(sheet));
}
