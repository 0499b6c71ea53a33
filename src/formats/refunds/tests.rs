mod keys;
mod properties;
mod records;

use super::samples::{SPLIT_COLUMNS as SPLIT, STANDARD_COLUMNS as STANDARD};
use super::*;
use domain::finding::{FindingCode as Code, Severity};
use domain::limits::MAX_CELL_BYTES;
use domain::money::Money;

const INR: Currency = Currency::Inr;

fn check(text: &str) -> CheckedRefunds {
    check_refunds(text.as_bytes(), INR, Limits::default())
}

/// A standard file of rows given by their first nine cells.
fn standard(rows: &[&str]) -> String {
    let mut text = format!("{}\n", STANDARD.join(","));
    for row in rows {
        let missing = 19 - row.split(',').count();
        text.push_str(&format!("{row}{}\n", ",".repeat(missing)));
    }
    text
}

fn split(rows: &[&str]) -> String {
    format!("{}\n{}\n", SPLIT.join(","), rows.join("\n"))
}

/// Row, column, code of every finding.
fn places(checked: &CheckedRefunds) -> Vec<(Option<u32>, &str, Code)> {
    checked.findings.iter().map(|f| (f.row, f.column.as_deref().unwrap_or(""), f.code)).collect()
}

#[track_caller]
fn only(checked: &CheckedRefunds) -> &Finding {
    assert_eq!(checked.findings.len(), 1, "{:#?}", checked.findings);
    &checked.findings[0]
}

#[track_caller]
fn refused(text: &str, row: Option<u32>, column: &str, code: Code, words: &str) {
    let checked = check(text);
    let finding = only(&checked);
    assert_eq!(
        (finding.row, finding.column.as_deref().unwrap_or(""), finding.code),
        (row, column, code),
        "{finding:?}"
    );
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.message.contains(words), "{}", finding.message);
    assert!(!checked.is_clean());
}

#[track_caller]
fn warned(text: &str, row: u32, column: &str, code: Code, words: &str) -> CheckedRefunds {
    let checked = check(text);
    let finding = only(&checked);
    assert_eq!((finding.row, finding.column.as_deref(), finding.code), (Some(row), Some(column), code), "{finding:?}");
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.message.contains(words), "{}", finding.message);
    assert!(checked.is_clean());
    checked
}

#[test]
fn samples_pass_their_own_validator() {
    for template in Template::ALL {
        let checked = check(template.template().sample);
        assert_eq!(checked.findings, []);
        assert_eq!(checked.template, Some(template));
        assert_eq!(checked.records.len(), 1);
        assert_eq!(checked.sheet.unwrap().header, template.columns());
    }
    let record = &check(Template::Standard.template().sample).records[0];
    assert_eq!((record.number, record.row, record.amount_minor), (1, 2, 10_050));
    assert_eq!(record.txn_id.as_deref(), Some("TXN_987654321"));
    assert_eq!(record.unique_id.as_deref(), Some("REFUNIQUE001"));
    assert_eq!(record.udf[9], "CustomValue10");
    let parts = record.split.as_ref().unwrap();
    assert_eq!(parts.marketplace, Some(7_525));
    assert_eq!(parts.vendors, [("VENDOR_001".to_owned(), 1_500), ("VENDOR_002".to_owned(), 1_025)]);
}

#[test]
fn field_tables_have_the_columns_and_samples_of_the_templates() {
    for template in Template::ALL {
        let fields = template.template().fields;
        assert_eq!(fields.iter().map(|field| field.name).collect::<Vec<_>>(), template.columns());
        let values: Vec<_> = fields.iter().map(|field| field.sample).collect();
        assert_eq!(template.template().sample.lines().nth(1).unwrap(), values.join(","));
        assert_eq!(fields.iter().filter(|field| field.mandatory).count(), 2);
    }
}

#[test]
fn plain_rows_and_forms_of_amounts() {
    let checked = check(&standard(&["A,100", "B,100.5", "C,007.50", "D, 9999999999999.99 "]));
    assert!(checked.is_clean());
    let amounts: Vec<i64> = checked.records.iter().map(|record| record.amount_minor).collect();
    assert_eq!(amounts, [10_000, 10_050, 750, 999_999_999_999_999]);
    assert_eq!(checked.total_minor, amounts.iter().sum::<i64>());
    assert!(checked.records.iter().all(|record| record.split.is_none() && record.txn_id.is_none()));
}

#[test]
fn files_without_rows() {
    refused("", None, "", Code::EmptyFile, "Invalid file format: the file is empty");
    refused("\n \r\n\t\n", None, "", Code::EmptyFile, "the file is empty");
    refused("\u{feff}", None, "", Code::EmptyFile, "the file is empty");
    refused(&standard(&[]), None, "", Code::EmptyFile, "a header and no rows");
}

#[test]
fn headers_that_are_different() {
    let row = "\nA,5,,,,,,,,,,,,,,,,,\n";
    let with = |header: &[&str]| format!("{}{row}", header.join(","));
    let mut names = STANDARD.to_vec();
    names.remove(1);
    refused(
        &with(&names),
        Some(1),
        "amount",
        Code::MissingMandatoryFields,
        "Missing mandatory fields: the header has no column amount.",
    );
    let mut names = STANDARD.to_vec();
    names[0] = "Order_ID";
    refused(&with(&names), Some(1), "order_id", Code::MissingMandatoryFields, "\"Order_ID\" must be written order_id");
    let mut names = STANDARD.to_vec();
    names.swap(2, 3);
    refused(
        &with(&names),
        Some(1),
        "unique_id",
        Code::InvalidFileFormat,
        "column 3 is unique_id where txn_id is expected",
    );
    names = STANDARD[..18].to_vec();
    refused(
        &with(&names),
        Some(1),
        "udf10",
        Code::InvalidFileFormat,
        "Invalid file format: the column udf10 is missing",
    );
    names = STANDARD.to_vec();
    names.push("note");
    refused(&with(&names), Some(1), "note", Code::InvalidFileFormat, "column 20, \"note\", is not in the template");
    names[19] = "";
    refused(&with(&names), Some(1), "", Code::InvalidFileFormat, "column 20 has no name");
    names[19] = "amount";
    refused(&with(&names), Some(1), "amount", Code::InvalidFileFormat, "amount stands twice, again as column 20");
    names = STANDARD.to_vec();
    names[9] = "UDF1";
    refused(&with(&names), Some(1), "udf1", Code::InvalidFileFormat, "\"UDF1\" must be written udf1");
    let mut names = SPLIT.to_vec();
    names.swap(2, 3);
    refused(
        &with(&names),
        Some(1),
        "vendor1_id",
        Code::InvalidFileFormat,
        "the order must be order_id,amount,marketplace_amount",
    );
    let alien = check("id,total\n1,2\n");
    assert_eq!(alien.errors, 5, "{:?}", alien.findings);
    assert_eq!(alien.rows, 1);
    assert_eq!(alien.records, []);
    for delimiter in [";", "\t", "^"] {
        let text = standard(&["A,5"]).replace(',', delimiter);
        refused(&text, Some(1), "", Code::InvalidFileFormat, "separated by");
    }
}

#[test]
fn a_header_with_mark_blanks_quotes_and_any_line_end_is_recognised() {
    let text = standard(&["A,5"]);
    for text in [
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.replace("amount,txn_id", " amount ,\"txn_id\""),
        text.trim_end().to_owned(),
        format!("\n\n{text}\n\n"),
    ] {
        let checked = check(&text);
        assert_eq!(checked.findings, [], "{text:?}");
        assert_eq!(checked.records.len(), 1);
    }
}

#[test]
fn encodings() {
    let text = standard(&["Ä,5"]);
    let utf16: Vec<u8> = std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let checked = check_refunds(&utf16, INR, Limits::default());
    assert_eq!(only(&checked).code, Code::Utf16);
    assert!(checked.is_clean());
    assert_eq!(checked.records[0].order_id, "Ä");
    let windows =
        text.replace('Ä', "#").into_bytes().iter().map(|b| if *b == b'#' { 0xC4 } else { *b }).collect::<Vec<u8>>();
    let checked = check_refunds(&windows, INR, Limits::default());
    let finding = only(&checked);
    assert_eq!((finding.row, finding.code), (Some(2), Code::InvalidFileFormat));
    assert!(
        finding.message.contains(&format!("byte 0xC4 at offset {}", text.find('Ä').unwrap())),
        "{}",
        finding.message
    );
    refused(&standard(&["A\0,5"]), Some(2), "", Code::InvalidFileFormat, "NUL byte at offset");
}

#[test]
fn limits_of_size_and_rows() {
    let zeros = vec![0u8; 100 * 1024 * 1024];
    let checked = check_refunds(&zeros, INR, Limits::default());
    let finding = only(&checked);
    assert_eq!(finding.code, Code::FileTooLarge);
    assert_eq!(finding.message, "File too large: 104,857,600 bytes, at most 5,242,880.");

    let rows: Vec<String> = (0..1_000).map(|n| format!("ORD_{n},1")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let fits = check(&standard(&rows));
    assert!(fits.is_clean());
    assert_eq!((fits.rows, fits.records.len(), fits.total_minor), (1_000, 1_000, 100_000));

    // Bad rows before and after the limit: neither is looked at.
    let mut rows = [&["bad,bad"], rows.as_slice(), &[","; 203]].concat();
    let over = check(&standard(&rows));
    assert_eq!(only(&over).message, "Row limit exceeded: 1,204 rows, at most 1,000");
    assert_eq!((over.rows, over.records.len(), over.total_minor, over.sheet), (1_204, 0, 0, None));
    rows.truncate(1_001);
    assert_eq!(only(&check(&standard(&rows))).code, Code::RowLimitExceeded);
    // The limit says so whatever the header is.
    assert_eq!(only(&check(&format!("id\n{}", "1\n".repeat(1_001)))).code, Code::RowLimitExceeded);
    // Blank lines are no rows, but a spreadsheet numbers them.
    let blanks = check(&format!("{}{}Z,bad{}\n", standard(&["A,1"]), "\n".repeat(5_000), ",".repeat(17)));
    assert_eq!((only(&blanks).row, blanks.rows), (Some(5_003), 2));
}

#[test]
fn rows_with_other_cells_than_the_header() {
    refused(
        &format!("{}A,5\n", standard(&[])),
        Some(2),
        "",
        Code::InvalidFileFormat,
        "row 2 has 2 cells, the header has 19",
    );
    refused(
        &standard(&["A,5,,,,,,,,,,,,,,,,,"]).replace("A,5", "A,5,"),
        Some(2),
        "",
        Code::InvalidFileFormat,
        "row 2 has 20 cells",
    );
    // All findings, not the first.
    let checked = check(&format!("{}A\nB,5\n", standard(&[",x"])));
    assert_eq!(
        places(&checked),
        [
            (Some(2), "order_id", Code::MissingMandatoryFields),
            (Some(2), "amount", Code::InvalidDataType),
            (Some(3), "", Code::InvalidFileFormat),
            (Some(4), "", Code::InvalidFileFormat),
        ]
    );
    assert_eq!(checked.rows, 3);
}

#[test]
fn quotation_marks() {
    let open = format!("{}A,\"5,,,\nB,6\nC,7\n", standard(&["Z,1"]));
    refused(
        &open,
        Some(3),
        "amount",
        Code::InvalidFileFormat,
        "row 3, amount: a quotation mark opens here and does not close",
    );
    assert_eq!(check(&open).sheet, None, "the rest of the file would be lost");
    refused(&standard(&["A\"B,5"]), Some(2), "order_id", Code::InvalidFileFormat, "stands inside a cell");
    refused(&standard(&["\"A\"B,5"]), Some(2), "order_id", Code::InvalidFileFormat, "follows a closing quotation mark");
    // An open mark that meets another one far below does not swallow the file.
    let far = format!("{}A,\"5{}\"6\",,\n", standard(&[]), "\nORD_1,5,,,,,,,,,,,,,,,,,".repeat(900));
    refused(&far, Some(2), "amount", Code::InvalidFileFormat, "does not close");
    let good = check(&standard(&["\"A\"\"B\"\"\r\nC\",5"]));
    let codes: Vec<Code> = good.findings.iter().map(|f| f.code).collect();
    assert_eq!(codes, [Code::InvalidId], "a line end in an id");
    let udf = check(&standard(&["A,5,,,,,,,,\"two\nlines \"\"quoted\"\"\"", "B,bad"]));
    assert_eq!(places(&udf), [(Some(3), "amount", Code::InvalidDataType)], "a line end in a cell begins no row");
    assert_eq!(udf.records[0].udf[0], "two\nlines \"quoted\"");
}
