//! Findings in the cells of records.

use super::*;
use crate::sheet::write;

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
    // Outer blanks are no difference, nor is the first row's being wrong otherwise; case is one, and worth a look.
    let checked = check(&standard(&["A,x,,REF1", "B,2,,ref1", "C,3,, REF1"]));
    let codes = [Code::InvalidDataType, Code::KeysByCase, Code::OuterBlanks, Code::DuplicateUniqueId];
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
    let text = standard(&["A,bad", "B,2", "\"C\"D,4"]);
    let mut sheet = check(&text).sheet.unwrap();
    assert!(!sheet.rows[2].complete);
    let first = check_sheet(&sheet, INR, Limits::default());
    assert_eq!(places(&first), [(Some(2), "amount", Code::InvalidDataType), (Some(4), "", Code::InvalidFileFormat)]);
    sheet.set_cell(2, 1, "1");
    sheet.set_cell(4, 0, "CD");
    let second = check_sheet(&sheet, INR, Limits::default());
    assert_eq!(second.findings, []);
    assert_eq!((second.rows, second.total_minor), (3, 700));
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
    let checked = check_refunds(text.as_bytes(), INR, limits);
    let listed = checked.findings.len() as u64;
    assert!((2_000..=crate::findings::MAX_LISTED).contains(&listed), "{listed}");
    assert_eq!(checked.errors, 60_000);
    assert!(!checked.is_clean());
}

#[test]
fn a_total_that_cannot_be_counted_is_refused() {
    let limits = Limits { rows: 100_000, bytes: 64 << 20 };
    let text = format!("{}\n{}", SPLIT.join(","), "A,9999999999999.999,9999999999999.999,,,,,,\n".repeat(1_000));
    let checked = check_refunds(text.as_bytes(), Currency::Kwd, limits);
    assert_eq!(checked.findings.iter().find(|f| f.severity == Severity::Error).unwrap().code, Code::AmountTooLarge);
    assert!(!checked.is_clean());
}

#[test]
fn records_stream_without_being_kept() {
    let text = standard(&["A,1", "B,2"]);
    let mut orders = Vec::new();
    let checked = file::check(Refunds(INR), &mut std::io::Cursor::new(&text), Limits::default(), None, &mut |record| {
        orders.push(record.order_id)
    })
    .unwrap();
    assert_eq!(orders, ["A", "B"]);
    assert_eq!((checked.records.len(), checked.total_minor, checked.rows), (0, 300, 2));
}
