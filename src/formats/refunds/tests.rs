use super::*;
use crate::domain::finding::{FindingCode as Code, Severity};
use crate::domain::limits::MAX_CELL_BYTES;
use crate::domain::money::Money;
use crate::formats::sheet::write;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

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
        let checked = check(sample(template));
        assert_eq!(checked.findings, []);
        assert_eq!(checked.template, Some(template));
        assert_eq!(checked.records.len(), 1);
        assert_eq!(checked.sheet.unwrap().header, template.columns());
    }
    let record = &check(sample(Template::Standard)).records[0];
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
        let fields = crate::formats::field_table::refund_fields(template);
        assert_eq!(fields.iter().map(|field| field.name).collect::<Vec<_>>(), template.columns());
        let values: Vec<_> = fields.iter().map(|field| field.sample).collect();
        assert_eq!(sample(template).lines().nth(1).unwrap(), values.join(","));
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

#[test]
fn mandatory_cells() {
    refused(
        &standard(&[",5"]),
        Some(2),
        "order_id",
        Code::MissingMandatoryFields,
        "Missing mandatory fields: order_id is empty.",
    );
    refused(
        &standard(&["A, "]),
        Some(2),
        "amount",
        Code::MissingMandatoryFields,
        "Missing mandatory fields: amount is empty.",
    );
    let both = check(&standard(&[""]));
    assert_eq!(both.errors, 2);
}

#[test]
fn amounts_have_the_right_codes() {
    for (text, code) in [
        ("1e3", Code::InvalidDataType),
        ("\"1,000.00\"", Code::InvalidDataType),
        ("NaN", Code::InvalidDataType),
        ("１００", Code::InvalidDataType),
        ("-5", Code::AmountNotPositive),
        ("0", Code::AmountNotPositive),
        ("0.00", Code::AmountNotPositive),
        ("10.005", Code::TooManyDecimals),
        ("12345678901234", Code::AmountTooLarge),
    ] {
        let row = format!("A,{text},,,,,,,,,,,,,,,,,\n");
        let checked = check(&format!("{}{row}", standard(&[])));
        let finding = only(&checked);
        assert_eq!((finding.column.as_deref(), finding.code), (Some("amount"), code), "{text}");
        assert_eq!(finding.value, text.trim_matches('"'));
        assert_eq!((checked.records.len(), checked.total_minor), (0, 0));
    }
    let yen = check_refunds(standard(&["A,5.0"]).as_bytes(), Currency::Jpy, Limits::default());
    assert_eq!(
        only(&yen).message,
        "Too many decimals: amount \"5.0\" has 1 decimal, JPY has none; money is never rounded here."
    );
    let dinar = check_refunds(standard(&["A,5.125"]).as_bytes(), Currency::Kwd, Limits::default());
    assert_eq!(dinar.total_minor, 5_125);
}

#[test]
fn splits_that_hold() {
    for row in [
        "O,1000.00,100.00,A,600.00,B,300.00,,",
        "O,100,100,,,,,,",
        "O,100,,,,B,100,,",
        "O,100,40,A,60,,,,",
        "O,100,,A,60,B,40,TX,UQ1",
    ] {
        let checked = check(&split(&[row]));
        assert_eq!(checked.findings, [], "{row}");
        let parts = checked.records[0].split.clone().unwrap();
        let sum = parts.marketplace.unwrap_or(0) + parts.vendors.iter().map(|(_, minor)| minor).sum::<i64>();
        assert_eq!(sum, checked.records[0].amount_minor);
    }
    assert!(check(&standard(&["A,5"])).records[0].split.is_none());
}

#[test]
fn splits_that_do_not() {
    let sum = "Parts do not add up: ₹75.25 + ₹15.00 + ₹10.24 = ₹100.49, but the amount is ₹100.50: ₹0.01 short.";
    refused(&standard(&["A,100.50,,,75.25,V1,15.00,V2,10.24"]), Some(2), "amount", Code::PartsDoNotAddUp, sum);
    refused(
        &split(&["A,100,100.01,,,,,,"]),
        Some(2),
        "amount",
        Code::PartsDoNotAddUp,
        "₹100.01, but the amount is ₹100.00: ₹0.01 over.",
    );
    refused(
        &split(&["A,100,,,,,,,"]),
        Some(2),
        "",
        Code::NoPart,
        "at least one of marketplace_amount, vendor1_amount or vendor2_amount",
    );
    refused(
        &split(&["A,100,100,V1,,,,,"]),
        Some(2),
        "vendor1_amount",
        Code::VendorPair,
        "vendor1_id is given, vendor1_amount is empty",
    );
    refused(
        &split(&["A,100,40,,60,,,,"]),
        Some(2),
        "vendor1_id",
        Code::VendorPair,
        "vendor1_amount is given, vendor1_id is empty",
    );
    refused(&split(&["A,100,,V1,40,V1,60,,"]), Some(2), "vendor2_id", Code::SameVendor, "must be different");
    refused(
        &split(&["A,100,0,V1,100,,,,"]),
        Some(2),
        "marketplace_amount",
        Code::AmountNotPositive,
        "leave the cell blank",
    );
    refused(&split(&["A,100,,V1,0,V2,100,,"]), Some(2), "vendor1_amount", Code::AmountNotPositive, "greater than 0");
    refused(
        &split(&["A,100,x,V1,100,,,,"]),
        Some(2),
        "marketplace_amount",
        Code::InvalidDataType,
        "Invalid data type: marketplace_amount \"x\"",
    );
    refused(&standard(&["A,100,,,,V1,,,"]), Some(2), "vendor1_amount", Code::VendorPair, "come together");
    let both = check(&split(&["A,100,,V1,,,,,"]));
    assert_eq!(both.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::VendorPair, Code::NoPart]);
}

#[test]
fn a_unique_id_stands_once() {
    let twice = standard(&["A,1,,REF1", "B,2", "C,3,,REF1"]);
    refused(&twice, Some(4), "unique_id", Code::DuplicateUniqueId, "rows 2 and 4 both have \"REF1\"");
    // Outer blanks are no difference, nor is the first row's being wrong otherwise; case is one.
    let checked = check(&standard(&["A,x,,REF1", "B,2,,ref1", "C,3,, REF1"]));
    let codes = [Code::InvalidDataType, Code::OuterBlanks, Code::DuplicateUniqueId];
    assert_eq!(checked.findings.iter().map(|f| f.code).collect::<Vec<_>>(), codes);
}

#[test]
fn order_ids_that_cannot_be_sent() {
    refused(&standard(&[".,1"]), Some(2), "order_id", Code::InvalidId, "cannot be sent");
    refused(&standard(&["..,1"]), Some(2), "order_id", Code::InvalidId, "cannot be sent");
    refused(&standard(&["A\u{7}B,1"]), Some(2), "order_id", Code::InvalidId, "U+0007");
    refused(&standard(&["A\u{200b},1"]), Some(2), "order_id", Code::InvalidId, "U+200B");
    refused(&standard(&["A\u{a0},1"]), Some(2), "order_id", Code::InvalidId, "U+00A0");
    refused(&standard(&[&format!("{},1", "x".repeat(129))]), Some(2), "order_id", Code::TooLong, "129 characters");
    refused(&standard(&["1.23457E+15,1"]), Some(2), "order_id", Code::MangledId, "1.23457E+15");
    refused(&standard(&["A,1,1.23457E+15"]), Some(2), "txn_id", Code::MangledId, "txn_id");
    for fine in ["a/../b", "ORD 1", "ЗАКАЗ-1", "...", "a%2Fb", "😀", "é".repeat(128).as_str()] {
        let checked = check(&standard(&[&format!("{fine},1")]));
        assert_eq!(checked.findings, [], "{fine}");
        assert_eq!(checked.records[0].order_id, fine);
    }
    refused(
        &standard(&[&format!("A,1,,,,,,,,{}", "x".repeat(MAX_CELL_BYTES + 1))]),
        Some(2),
        "udf1",
        Code::TooLong,
        "8193 bytes",
    );
}

#[test]
fn warnings_do_not_keep_a_file_out() {
    let checked = warned(
        &standard(&["ORD_1,1", "ORD_2,2", "ORD_1,3"]),
        4,
        "order_id",
        Code::RepeatedOrder,
        "rows 2 and 4 both refund \"ORD_1\"",
    );
    assert_eq!(checked.records.len(), 3);
    let many = standard(&["A,1"; 8]);
    warned(&many, 3, "order_id", Code::RepeatedOrder, "rows 2, 3, 4, 5, 6 and 3 more all refund \"A\"");
    let checked = warned(&standard(&[" A ,1"]), 2, "order_id", Code::OuterBlanks, "read as \"A\"");
    assert_eq!(checked.records[0].order_id, "A");
    for text in ["=1+1", "+1", "-1", "@x", "\tx"] {
        let checked = warned(&standard(&[&format!("A,1,,,,,,,,{text}")]), 2, "udf1", Code::FormulaText, "apostrophe");
        assert_eq!(checked.records[0].udf[0], text, "kept as it is");
    }
}

#[test]
fn an_edited_sheet_is_checked_like_a_file() {
    let text = standard(&["A,bad", "B,2", "\"C\"D,3"]);
    let mut sheet = check(&text).sheet.unwrap();
    assert!(!sheet.rows[2].complete);
    let first = check_sheet(&sheet, INR, Limits::default());
    assert_eq!(places(&first), [(Some(2), "amount", Code::InvalidDataType), (Some(4), "", Code::InvalidFileFormat)]);
    sheet.set_cell(2, 1, "1");
    sheet.set_cell(4, 0, "CD");
    let second = check_sheet(&sheet, INR, Limits::default());
    assert_eq!(second.findings, []);
    assert_eq!((second.rows, second.total_minor), (3, 600));
    let sent = check(&write(&sheet));
    assert_eq!(sent.records, second.records);
    let limits = Limits { rows: 2, ..Limits::default() };
    assert_eq!(only(&check_sheet(&sheet, INR, limits)).code, Code::RowLimitExceeded);
    sheet.rows[0].cells.pop();
    assert_eq!(places(&check_sheet(&sheet, INR, Limits::default())), [(Some(2), "", Code::InvalidFileFormat)]);
}

#[test]
fn a_hostile_file_is_counted_but_not_listed_whole() {
    let limits = Limits { rows: 100_000, bytes: 64 << 20 };
    let text = format!("{}\n{}", SPLIT.join(","), ",,x,x,x,x,x,,\n".repeat(10_000));
    let checked = check_refund_records(text.as_bytes(), INR, limits);
    assert_eq!(checked.findings.len(), crate::formats::findings::MAX_LISTED);
    assert_eq!(checked.errors, 60_000);
    assert!(!checked.is_clean());
}

#[test]
fn a_total_that_cannot_be_counted_is_refused() {
    let limits = Limits { rows: 100_000, bytes: 64 << 20 };
    let text = format!("{}\n{}", SPLIT.join(","), "A,9999999999999.999,9999999999999.999,,,,,,\n".repeat(1_000));
    let checked = check_refund_records(text.as_bytes(), Currency::Kwd, limits);
    assert_eq!(checked.findings.iter().find(|f| f.severity == Severity::Error).unwrap().code, Code::AmountTooLarge);
    assert!(!checked.is_clean());
}

#[test]
fn records_stream_without_being_kept() {
    let text = standard(&["A,1", "B,2"]);
    let mut orders = Vec::new();
    let checked =
        check_refunds_each(text.as_bytes(), INR, Limits::default(), &mut |record| orders.push(record.order_id));
    assert_eq!(orders, ["A", "B"]);
    assert_eq!((checked.records.len(), checked.total_minor, checked.rows), (0, 300, 2));
    assert_eq!(check_refund_records(text.as_bytes(), INR, Limits::default()).sheet, None);
}

fn record() -> RefundRecord {
    check(sample(Template::Standard)).records.remove(0)
}

#[test]
fn the_canonical_form_tells_all_records_apart() {
    let base = record();
    let change = |f: &dyn Fn(&mut RefundRecord)| {
        let mut other = base.clone();
        f(&mut other);
        other.canonical(INR)
    };
    let mut forms = vec![
        base.canonical(INR),
        base.canonical(Currency::Usd),
        change(&|r| r.number = 2),
        change(&|r| r.order_id.push('1')),
        change(&|r| r.amount_minor += 1),
        change(&|r| r.txn_id = None),
        change(&|r| r.txn_id = Some(String::new())),
        change(&|r| r.unique_id = None),
        change(&|r| std::mem::swap(&mut r.txn_id, &mut r.unique_id)),
        change(&|r| r.split = None),
        change(&|r| r.split.as_mut().unwrap().marketplace = None),
        change(&|r| r.split.as_mut().unwrap().marketplace = Some(1)),
        change(&|r| r.split.as_mut().unwrap().vendors[0].1 = 1),
        change(&|r| r.split.as_mut().unwrap().vendors.reverse()),
        change(&|r| r.split.as_mut().unwrap().vendors.truncate(1)),
        change(&|r| r.udf[0].clear()),
        change(&|r| r.udf.swap(0, 1)),
        change(&|r| r.udf[9].push(' ')),
        // The same letters, cut elsewhere.
        change(&|r| {
            r.udf[0] = "CustomValue1Custom".into();
            r.udf[1] = "Value2".into();
        }),
    ];
    let count = forms.len();
    forms.sort();
    forms.dedup();
    assert_eq!(forms.len(), count);
    let hash: String = Sha256::digest(base.canonical(INR)).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, FIXED_HASH, "stored hashes must be found again by every later version");
    assert_eq!(change(&|r| r.row = 99), base.canonical(INR), "a blank line more changes nothing that is sent");
}

#[test]
fn keys_fit_the_gateway_and_never_meet() {
    let seed = [7; 16];
    assert_eq!(gateway_key(Some("REFUNIQUE001"), &seed, 1, 1), "REFUNIQUE001");
    let mut keys = std::collections::HashSet::new();
    for unique_id in [None, Some("REF_1"), Some("x".repeat(21).as_str()), Some("é")] {
        for seed in [[7; 16], [8; 16]] {
            for number in 1..50 {
                for revision in 1..4 {
                    let key = gateway_key(unique_id, &seed, number, revision);
                    assert!(fits_gateway_key(&key) && key.len() == 20 && key.starts_with("BD"), "{key}");
                    assert_eq!(key, gateway_key(unique_id, &seed, number, revision));
                    assert!(keys.insert(key));
                }
            }
        }
    }
    let again = gateway_key(Some("REFUNIQUE001"), &seed, 1, 2);
    assert!(again.starts_with("BD"), "a key that failed is final at the gateway: {again}");
    // Stored keys must be found again by every later version.
    assert_eq!(gateway_key(None, &[0; 16], 1, 1), FIXED_KEY);
}

const FIXED_HASH: &str = "790643aeb62dbc0f5be5e1777e321dd87b5b598f67c33c5b52695da084ea4e72";
const FIXED_KEY: &str = "BD4G02A1HBF8S5RT2V8M";

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[A-Za-z0-9_]{0,12}",
        2 => "[=+@'\t\r\n\", -]{0,4}[a-z\"',]{0,6}",
        1 => "\\PC{0,12}",
        1 => "[0-9]{1,4}(\\.[0-9]{1,3})?",
    ]
}

fn valid_record() -> impl Strategy<Value = RefundRecord> {
    let id = || prop_oneof![4 => "[A-Za-z0-9_]{1,30}", 1 => "[=@+'-][a-z,\"' ]{0,5}[a-z]"];
    let parts = (
        proptest::option::of(1..1_000_000i64),
        proptest::option::of(1..1_000_000i64),
        proptest::option::of(1..1_000_000i64),
    );
    let udf = proptest::array::uniform10("[=+@a-z,\"\n\t -]{0,6}");
    (id(), 1..1_000_000_000i64, proptest::option::of(id()), parts, udf).prop_map(
        |(order_id, amount, txn_id, parts, udf)| {
            let (marketplace, first, second) = parts;
            let vendors: Vec<(String, i64)> = [("V1", first), ("V2", second)]
                .into_iter()
                .filter_map(|(id, part)| Some((id.to_owned(), part?)))
                .collect();
            let sum = marketplace.unwrap_or(0) + vendors.iter().map(|(_, minor)| minor).sum::<i64>();
            let split = (sum > 0).then_some(Split { marketplace, vendors });
            let plain = |id: String| crate::formats::results::without_guard(&id).to_owned();
            RefundRecord {
                number: 0,
                row: 0,
                order_id: plain(order_id),
                amount_minor: if sum > 0 { sum } else { amount },
                txn_id: txn_id.map(plain),
                unique_id: None,
                split,
                udf: udf.map(plain),
            }
        },
    )
}

proptest! {
    #[test]
    fn parts_that_sum_pass_and_one_minor_unit_off_fails(
        parts in proptest::collection::vec(1..10_000_000_000i64, 3), off in prop_oneof![Just(-1i64), Just(1)],
    ) {
        let bare = |minor: i64| Money::new(minor, INR).bare();
        let sum: i64 = parts.iter().sum();
        let row = |amount: i64| split(&[&format!(
            "O,{},{},A,{},B,{},,", bare(amount), bare(parts[0]), bare(parts[1]), bare(parts[2]),
        )]);
        let good = check(&row(sum));
        prop_assert_eq!(good.findings, vec![]);
        prop_assert_eq!(good.total_minor, sum);
        let bad = check(&row(sum + off));
        prop_assert_eq!(places(&bad), vec![(Some(2), "amount", Code::PartsDoNotAddUp)]);
        let words = if off > 0 { "₹0.01 short." } else { "₹0.01 over." };
        prop_assert!(bad.findings[0].message.ends_with(words));
    }

    #[test]
    fn failed_rows_can_be_uploaded_again_as_they_are(records in proptest::collection::vec(valid_record(), 1..6)) {
        let file = failed_rows(Template::Standard, INR, &records);
        let checked = check(&file);
        prop_assert!(checked.is_clean(), "{:?}", checked.findings);
        prop_assert_eq!(checked.records.len(), records.len());
        for (index, (mut read, written)) in checked.records.into_iter().zip(records).enumerate() {
            prop_assert_eq!(read.number as usize, index + 1);
            (read.number, read.row) = (0, 0);
            prop_assert_eq!(read, written);
        }
    }

    #[test]
    fn failed_split_rows_can_be_uploaded_again(records in proptest::collection::vec(valid_record(), 1..6)) {
        let records: Vec<_> = records.into_iter().filter(|record| record.split.is_some()).collect();
        prop_assume!(!records.is_empty());
        let checked = check(&failed_rows(Template::Split, INR, &records));
        prop_assert!(checked.is_clean(), "{:?}", checked.findings);
        prop_assert_eq!(checked.template, Some(Template::Split));
        for (read, written) in checked.records.iter().zip(&records) {
            prop_assert_eq!(&read.split, &written.split);
            prop_assert_eq!((&read.order_id, read.amount_minor), (&written.order_id, written.amount_minor));
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_none_pass_in_silence(soup in proptest::collection::vec(any::<u8>(), 0..300)) {
        let checked = check_refunds(&soup, INR, Limits::default());
        prop_assert!(!checked.is_clean() && !checked.findings.is_empty());
    }

    #[test]
    fn no_rows_make_it_panic_and_each_is_a_record_or_has_a_finding(
        rows in proptest::collection::vec(proptest::collection::vec(cell(), 0..21), 0..5), raw in any::<bool>(),
    ) {
        let mut file = standard(&[]);
        for row in &rows {
            if raw {
                file.push_str(&row.join(","));
                file.push('\n');
            } else {
                let sheet = Sheet { header: row.clone(), rows: vec![] };
                file.push_str(&write(&sheet));
            }
        }
        let checked = check(&file);
        prop_assert!(checked.records.len() as u64 + checked.errors >= checked.rows, "{:?}", checked);
        prop_assert_eq!(checked.errors == 0, checked.is_clean());
        prop_assert_eq!(checked.total_minor, checked.records.iter().map(|r| r.amount_minor).sum::<i64>());
    }

    #[test]
    fn a_written_sheet_is_read_back(rows in proptest::collection::vec(proptest::collection::vec(cell(), 19), 0..6)) {
        let header = STANDARD.map(str::to_owned).to_vec();
        let rows: Vec<_> = (2u32..).zip(rows).map(|(row, cells)| crate::formats::sheet::SheetRow { row, cells, complete: true }).collect();
        let sheet = Sheet { header, rows };
        let from_file = check(&write(&sheet));
        prop_assert_eq!(from_file.sheet.as_ref(), Some(&sheet));
        let from_sheet = check_sheet(&sheet, INR, Limits::default());
        prop_assert_eq!(from_file.findings, from_sheet.findings);
        prop_assert_eq!(from_file.records, from_sheet.records);
    }
}
