//! Ids that tools have spoilt are refused, in every column of ids; what may be one after all has to be confirmed.

use super::*;
use crate::spoilt::repaired_id;

const EXPONENTS: &str = include_str!("cases/exponent_ids.csv");
const FLOATS: &str = include_str!("cases/float_ids.csv");
const FORMULA_ERRORS: &str = include_str!("cases/formula_error_ids.csv");
const GUARDED: &str = include_str!("cases/guarded_ids.csv");
const REPLACED: &str = include_str!("cases/replacement_character.csv");
const BY_CASE: &str = include_str!("cases/keys_by_case.csv");

/// Every column of ids in every kind of file, with a row that is clean but for what is put there.
fn with_id(mut each: impl FnMut(Operation, &[&str], usize, Vec<String>)) {
    for (operation, columns) in KINDS {
        for (place, name) in columns.iter().enumerate().filter(|(_, name)| name.ends_with("id")) {
            let mut cells = row(columns, "A");
            if let Some(vendor) = name.strip_suffix("_id").filter(|name| name.starts_with("vendor")) {
                let amount = columns.iter().position(|column| *column == format!("{vendor}_amount")).unwrap();
                cells[amount] = "5".to_owned();
                cells[columns.iter().position(|column| *column == "marketplace_amount").unwrap()].clear();
            }
            each(operation, columns, place, cells);
        }
    }
}

#[test]
fn files_of_spoilt_ids_have_an_error_at_each() {
    let places = |text: &str| -> Vec<(Option<u32>, String)> {
        let checked = check(Operation::Refund, text);
        let spoilt = checked.findings.iter().filter(|finding| finding.code == Code::MangledId);
        assert!(spoilt.clone().all(|finding| finding.message.starts_with("ID spoilt by a spreadsheet: ")));
        spoilt.map(|finding| (finding.row, finding.column.clone().unwrap())).collect()
    };
    let at = |row, column: &str| (Some(row), column.to_owned());
    assert_eq!(places(EXPONENTS), (2..=5).map(|row| at(row, "order_id")).collect::<Vec<_>>());
    let floats = [at(2, "order_id"), at(3, "order_id"), at(3, "txn_id"), at(4, "order_id"), at(4, "unique_id")];
    assert_eq!(places(FLOATS), floats);
    let errors = [at(2, "order_id"), at(3, "order_id"), at(4, "order_id"), at(5, "txn_id"), at(6, "unique_id")];
    assert_eq!(places(FORMULA_ERRORS), errors);
    assert_eq!(places(GUARDED), (2..=4).map(|row| at(row, "order_id")).collect::<Vec<_>>());
    assert_eq!(check(Operation::Refund, GUARDED).errors, 3, "an unquoted guard is no stray quotation mark");
    assert_eq!(places(REPLACED), [at(2, "order_id")]);
}

#[test]
fn every_column_of_ids_refuses_what_tools_have_spoilt() {
    for (id, words) in [
        ("4.0E+15", "more digits"),
        ("\"4,0E+15\"", "more digits"),
        ("1E+05", "more digits"),
        ("100234.0", "pandas"),
        ("nan", "pandas"),
        ("#N/A", "formula"),
        ("#DIV/0!", "formula"),
        ("#SPILL!", "formula"),
        ("####", "narrow column"),
        ("=\"0012345\"", "write \"0012345\""),
        ("\"=\"\"0012345\"\"\"", "write \"0012345\""),
        ("'0012347", "write \"0012347\""),
        ("M\u{fffd}ller", "U+FFFD"),
    ] {
        with_id(|operation, columns, place, mut cells| {
            cells[place] = id.to_owned();
            let checked = check(operation, &file(columns, &[cells]));
            let [only] = errors(&checked)[..] else { panic!("{id} in {}: {:?}", columns[place], checked.findings) };
            assert_eq!((only.row, only.column.as_deref()), (Some(2), Some(columns[place])));
            assert!(only.message.contains("ID spoilt by a spreadsheet") || words == "more digits", "{}", only.message);
            assert!(only.message.contains(words), "{}", only.message);
        });
    }
}

#[test]
fn words_for_nothing_dates_and_truth_values_have_to_be_confirmed() {
    for id in ["NULL", "None", "undefined", "NaN", "TRUE", "2026-11-20", "20-Nov-2026"] {
        with_id(|operation, columns, place, mut cells| {
            cells[place] = id.to_owned();
            let checked = check(operation, &file(columns, &[cells]));
            let asked: Vec<_> = checked.findings.iter().filter(|finding| finding.code.must_be_confirmed()).collect();
            assert_eq!((checked.errors, asked.len()), (0, 1), "{id} in {}: {:?}", columns[place], checked.findings);
            assert_eq!((asked[0].code, asked[0].column.as_deref()), (Code::DoubtfulId, Some(columns[place])));
        });
    }
}

#[test]
fn ids_that_only_look_odd_are_taken() {
    for id in ["1E5", "12E5", "7e3f", "0012345", "ORD-2026", "20261120", "a", "MAY", "TRUE1", "nan_1", "100234"] {
        with_id(|operation, columns, place, mut cells| {
            cells[place] = id.to_owned();
            let checked = check(operation, &file(columns, &[cells]));
            assert_eq!(checked.findings, [], "{id} in {}", columns[place]);
        });
    }
}

#[test]
fn keys_that_differ_in_case_only_are_worth_a_look() {
    let checked = check(Operation::Refund, BY_CASE);
    let warned: Vec<_> = checked.findings.iter().filter(|finding| finding.code == Code::KeysByCase).collect();
    assert_eq!(
        (warned.len(), warned[0].row, warned[0].severity),
        (1, Some(3), Severity::Warning),
        "{:?}",
        checked.findings
    );
    assert!(warned[0].message.contains("rows 2 and 3 have \"refA1\" and \"REFA1\""), "{}", warned[0].message);
    assert!(!Code::KeysByCase.must_be_confirmed());
}

#[test]
fn an_amount_that_lost_its_quotation_marks_has_to_be_confirmed() {
    let standard = |amount: &str, txn: &str| {
        let columns = refunds::Template::Standard.columns();
        let mut cells = row(columns, "A");
        (cells[1], cells[2]) = (amount.to_owned(), txn.to_owned());
        check(Operation::Refund, &file(columns, &[cells]))
    };
    for (amount, txn) in [("1", "250.00"), ("12", "250"), ("100", "000.5"), ("1250", "50"), ("1", "00")] {
        let checked = standard(amount, txn);
        let codes: Vec<_> = checked.findings.iter().map(|finding| (finding.code, finding.column.as_deref())).collect();
        assert_eq!(codes, [(Code::SplitNumber, Some("txn_id"))], "{amount},{txn}");
        assert_eq!(checked.errors, 0);
    }
    for (amount, txn) in [("1.00", "250.00"), ("1000", "250"), ("1", "TXN250"), ("1", "2500"), ("1", "1"), ("1", "")] {
        assert_eq!(standard(amount, txn).findings, [], "{amount},{txn}");
    }
    let split = format!("{}\nA,6,5,V,1,W,1,250.00,\n", refunds::Template::Split.columns().join(","));
    assert!(check(Operation::Refund, &split).findings.iter().any(|finding| finding.code == Code::SplitNumber));
}

#[test]
fn the_repair_of_a_guarded_id_is_that_id() {
    for text in GUARDED.lines().skip(1) {
        let cell = text.split(",10.00").next().unwrap();
        let cell = cell.trim_matches('"').replace("\"\"", "\"");
        let cell = if cell.starts_with("=\"") && !cell.ends_with('"') { format!("{cell}\"") } else { cell };
        assert!(repaired_id(&cell).is_some_and(|id| id.starts_with("00123")), "{cell}");
    }
}
