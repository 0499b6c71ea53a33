//! Whatever a file holds, what is said about it stays small, and the work grows as the file does.

use super::*;
use crate::findings::{fit, weight};
use crate::repair::convert_delimiter;
use crate::sheet::{count, write};
use proptest::prelude::*;

const LISTED: usize = 4 * 1024 * 1024;
const MAX_RESPONSE: usize = 256 * 1024;

const LARGE: Limits = Limits { rows: 100_000, bytes: 64 << 20 };

/// Everything that is made of a file stays within its bounds; returns how many findings there were.
#[track_caller]
fn bounded(operation: Operation, text: &str) -> u64 {
    let name: String = text.chars().take(60).collect();
    let checked = registry::of(operation).check(text.as_bytes(), Currency::Inr, LARGE);
    let again = checked.sheet.as_ref().map(|sheet| registry::of(operation).check_sheet(sheet, Currency::Inr, LARGE));
    for checked in [Some(&checked), again.as_ref()].into_iter().flatten() {
        let memory: usize = checked.findings.iter().map(weight).sum();
        assert!(memory <= LISTED, "{name}: {memory} bytes of {} findings", checked.findings.len());
        let answer = fit(checked.findings.clone(), checked.errors, checked.warnings);
        let json = serde_json::to_string(&answer).unwrap();
        assert!(json.len() <= MAX_RESPONSE, "{name}: {} bytes in an answer", json.len());
        for finding in &answer {
            assert!(finding.message.chars().count() <= 601, "{finding:?}");
            assert!(finding.column.as_ref().map_or(0, String::len).max(finding.value.len()) <= 9 * 81, "{finding:?}");
            assert!(!finding.message.contains(char::is_control), "{finding:?}");
        }
        assert_eq!(answer.is_empty(), checked.errors + checked.warnings == 0);
        assert_eq!(answer.iter().any(|one| one.severity == Severity::Error), checked.errors > 0);
    }
    checked.errors
}

#[test]
fn a_header_cell_that_is_too_long_is_one_finding_and_ends_the_check() {
    let text = format!("{},amount\n{}", "x".repeat(250_000), "a\"b,1\n".repeat(900));
    for operation in Operation::ALL {
        let checked = check(operation, &text);
        let [only] = checked.findings.as_slice() else { panic!("{} findings", checked.findings.len()) };
        assert_eq!((only.row, only.code, only.severity), (Some(1), Code::TooLong, Severity::Error));
        assert!(only.message.contains("cell 1 of the header has 250,000 bytes"), "{}", only.message);
        assert_eq!(checked.sheet, None);
        bounded(operation, &text);
    }
}

#[test]
fn long_names_are_cut_wherever_they_are_repeated() {
    for name in ["x".repeat(8_000), "é😀".repeat(1_000), "\u{202e}".repeat(2_000)] {
        for operation in Operation::ALL {
            bounded(operation, &format!("{name}\n{}", "a\"b\n".repeat(200)));
            bounded(operation, &format!("order_id,{name}\n{}", "A,a\"b\n".repeat(200)));
            let many: Vec<String> = (0..200).map(|number| format!("{number}{name}")).collect();
            bounded(operation, &format!("order_id,amount,{}\nA,1\n", many.join(",")));
            bounded(operation, &format!("order_id,amount,{}\nA,5{}\n", many.join(","), ",".repeat(200)));
        }
    }
}

#[test]
fn a_cell_of_five_megabytes_is_one_finding() {
    for (cell, bytes) in [
        ("x", 5_000_000),
        ("9", 50_000),
        ("1,", 50_000),
        ("\"\"", 50_000),
        ("\n", 50_000),
        ("é", 50_000),
        ("\u{7}", 50_000),
    ] {
        for (operation, columns) in if bytes > 50_000 { &KINDS[2..] } else { &KINDS[..] } {
            let (operation, columns) = (*operation, *columns);
            for place in [0, columns.len() - 1] {
                let mut cells = row(columns, "A");
                cells[place] = format!("\"{}\"", cell.repeat(bytes / cell.len()));
                let found = bounded(operation, &file(columns, &[cells]));
                assert!((1..=3).contains(&found), "{found} findings for {cell:?} in {}", columns[place]);
            }
        }
    }
}

#[test]
fn thousands_of_findings_are_counted_and_some_are_listed() {
    for (operation, columns) in KINDS {
        let bad = "\u{202e}".repeat(120);
        let rows = vec![vec![bad; columns.len()]; 300];
        let found = bounded(operation, &file(columns, &rows));
        assert!(found >= 300);
        bounded(operation, &format!("{}\n{}\n", columns.join(","), "a\"b,".repeat(20_000)));
        bounded(operation, &format!("{}\n{}", columns.join(","), "\"\n\",".repeat(20_000)));
        bounded(operation, &format!("{}\n{}", columns.join(","), ",".repeat(100_000)));
        let checked = registry::of(operation).check(file(columns, &rows).as_bytes(), Currency::Inr, LARGE);
        let answer = fit(checked.findings, checked.errors, checked.warnings);
        let last = answer.last().unwrap();
        assert_eq!((last.code, last.row), (Code::Unlisted, None));
        let listed = answer.iter().filter(|one| one.severity == Severity::Error).count() as u64 - 1;
        let words = format!("and {} more errors", domain::money::group(checked.errors - listed, false));
        assert!(last.message.contains(&words), "{}: {words}", last.message);
    }
}

#[test]
fn what_must_be_confirmed_is_listed_before_other_warnings() {
    let columns = refunds::Template::Standard.columns();
    let mut rows: Vec<_> = (0..900).map(|number| row(columns, &format!(" A{number}"))).collect();
    rows.push(row(columns, "Total"));
    for row in &mut rows {
        row[9..].fill("=1".repeat(30));
    }
    let checked = check(Operation::Refund, &file(columns, &rows));
    let answer = fit(checked.findings, checked.errors, checked.warnings);
    assert!(answer.iter().any(Finding::must_be_confirmed) && answer.iter().any(|one| one.code == Code::Unlisted));
    assert!(answer.iter().all(|one| one.severity == Severity::Warning));
}

#[test]
fn a_card_number_is_told_of_whatever_else_is_wrong() {
    let columns = refunds::Template::Standard.columns();
    let mut rows: Vec<_> = (0..990).map(|number| row(columns, &format!("A{number}"))).collect();
    rows.iter_mut().for_each(|row| row[2] = "\u{202e}".repeat(100));
    rows[989][18] = "4111111111111111".to_owned();
    let checked = check(Operation::Refund, &file(columns, &rows));
    let answer = fit(checked.findings, checked.errors, checked.warnings);
    assert!(answer.iter().any(|one| one.code == Code::CardNumber) && answer.last().unwrap().code == Code::Unlisted);
}

#[test]
fn an_answer_that_fits_is_the_whole_one() {
    let columns = refunds::Template::Standard.columns();
    let mut rows: Vec<_> = (0..500).map(|number| row(columns, &format!("A{number}"))).collect();
    rows.iter_mut().for_each(|row| row[1] = "1e3".to_owned());
    let checked = check(Operation::Refund, &file(columns, &rows));
    assert_eq!(fit(checked.findings.clone(), checked.errors, checked.warnings), checked.findings);
    assert_eq!(checked.findings.len(), 500);
}

/// Pieces that hostile files are made of.
fn piece() -> impl Strategy<Value = String> {
    let long = |text: &'static str| (1..1_500_usize).prop_map(move |times| text.repeat(times));
    prop_oneof![
        "[A-Za-z0-9_]{0,12}",
        "[\\PC\\n\\r\\t\",;=']{0,20}",
        long("x"),
        long("😀"),
        long("\u{202e}"),
        long("\""),
        long("a\"b,"),
        long("\"\n"),
        long(","),
        long("1,"),
        long("4111 "),
        long("\r"),
        Just("\"".to_owned()),
        Just("#N/A".to_owned()),
        Just("Total".to_owned()),
        Just("5".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_that_is_said_of_any_file_is_long(
        kind in 0..3_usize, plain in any::<bool>(), pieces in proptest::collection::vec((piece(), any::<bool>()), 0..40),
    ) {
        let (operation, columns) = KINDS[kind];
        let mut text = if plain { format!("{}\n", columns.join(",")) } else { String::new() };
        for (piece, line) in pieces {
            text.push_str(&piece);
            text.push(if line { '\n' } else { ',' });
        }
        bounded(operation, &text);
    }

    /// Counted, not timed: each byte is looked at a fixed number of times.
    #[test]
    fn the_work_grows_as_the_file_does(
        kind in 0..3_usize, pieces in proptest::collection::vec((piece(), any::<bool>()), 1..30), times in 1..6_usize,
    ) {
        let (operation, columns) = KINDS[kind];
        let mut part = String::new();
        for (piece, line) in pieces {
            part.push_str(&piece);
            part.push(if line { '\n' } else { ',' });
        }
        let text = format!("{}\n{}", columns.join(","), part.repeat(times));
        count::take();
        let checked = check(operation, &text);
        let looked = count::take();
        prop_assert!(looked <= 4 * text.len() + 64, "{} bytes of {}", looked, text.len());
        convert_delimiter(&text.replace(',', ";"));
        prop_assert!(count::take() <= 4 * text.len() + 64);
        if let Some(sheet) = checked.sheet {
            prop_assert!(write(&sheet).len() <= 3 * text.len() + 64);
        }
    }
}
