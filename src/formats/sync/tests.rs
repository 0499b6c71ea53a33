use super::*;
use crate::csv_lines::without_guard;
use crate::repair::{convert_delimiter, dropped_columns, fit_template};
use crate::sheet::write;
use domain::finding::{Finding, FindingCode as Code, Severity};
use domain::task::TaskStatus;
use proptest::prelude::*;

fn check(text: &str) -> CheckedOrders {
    check_orders(text.as_bytes(), Limits::default())
}

fn rows(rows: &[&str]) -> String {
    format!("{}\n{}\n", COLUMNS.join(","), rows.join("\n"))
}

/// Row, column, code and severity of every finding.
fn places(checked: &CheckedOrders) -> Vec<(Option<u32>, &str, Code, Severity)> {
    checked.findings.iter().map(|f| (f.row, f.column.as_deref().unwrap_or(""), f.code, f.severity)).collect()
}

#[track_caller]
fn only(checked: &CheckedOrders) -> &Finding {
    assert_eq!(checked.findings.len(), 1, "{:#?}", checked.findings);
    &checked.findings[0]
}

#[track_caller]
fn refused(text: &str, row: Option<u32>, column: &str, code: Code, begins: &str) -> Finding {
    let checked = check(text);
    let finding = only(&checked);
    assert_eq!((finding.row, finding.column.as_deref().unwrap_or(""), finding.code), (row, column, code));
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.message.starts_with(begins), "{}", finding.message);
    assert!(finding.message.starts_with(code.title()) || code == Code::EmptyFile, "{}", finding.message);
    assert!(!checked.is_clean());
    finding.clone()
}

#[test]
fn the_sample_is_the_specification_s_and_clean() {
    let checked = check(TEMPLATE.sample);
    assert_eq!(checked.findings, []);
    assert_eq!((checked.rows, checked.total_minor, checked.template), (5, 0, Some(Template)));
    let first = &checked.records[0];
    assert_eq!((first.number, first.row, first.order_id.as_str()), (1, 2, "ORD_123456789"));
    assert_eq!(first.txn_id.as_deref(), Some("TXN_987654321"));
    assert_eq!(checked.records[3].txn_id, None);
    assert_eq!(checked.records[4].unique_request_id, None);
    assert_eq!(lines_of(&checked.records), TEMPLATE.sample);
}

#[test]
fn the_five_messages_of_the_specification() {
    let header = COLUMNS.join(",");
    refused("order_id;txn_id;unique_request_id\nA;;\n", Some(1), "", Code::InvalidFileFormat, "Invalid file format");
    refused("txn_id,unique_request_id\nA,\n", Some(1), "order_id", Code::MissingMandatoryFields, "Missing mandatory");
    let many = format!("{header}\n{}", (0..1_204).map(|n| format!("A{n},,\n")).collect::<String>());
    let over = refused(&many, None, "", Code::RowLimitExceeded, "Row limit exceeded");
    assert_eq!(over.message, "Row limit exceeded: 1,204 rows, at most 1,000");
    refused(&rows(&["A,,", "ORD 1,,"]), Some(3), "order_id", Code::InvalidOrderId, "Invalid order ID format");
    refused(&rows(&["A,,", ",TXN,R"]), Some(3), "order_id", Code::EmptyOrderId, "Empty order ID");
}

#[test]
fn the_header_is_exact() {
    for (header, code) in [
        ("order_id,txn_id", Code::InvalidFileFormat),
        ("order_id", Code::InvalidFileFormat),
        ("txn_id,order_id,unique_request_id", Code::InvalidFileFormat),
        ("order_id,txn_id,unique_request_id,note", Code::InvalidFileFormat),
        ("order_id,txn_id,unique_request_id,order_id", Code::InvalidFileFormat),
        ("Order_Id,txn_id,unique_request_id", Code::MissingMandatoryFields),
        ("order_id,amount", Code::InvalidFileFormat),
    ] {
        let checked = check(&format!("{header}\nA,,\n"));
        assert!(
            checked.findings.iter().any(|f| f.code == code && f.row == Some(1)),
            "{header}: {:?}",
            checked.findings
        );
        assert!(checked.records.is_empty() && !checked.is_clean());
    }
    assert!(check("\u{feff} order_id ,txn_id, unique_request_id\r\nA,,\r\n").is_clean(), "BOM and outer blanks");
}

#[test]
fn short_and_long_rows_are_named() {
    for row in ["A", "A,B", "A,B,C,D"] {
        refused(&rows(&[row]), Some(2), "", Code::InvalidFileFormat, "Invalid file format: row 2 has");
    }
    refused(&COLUMNS.join(","), None, "", Code::EmptyFile, "Invalid file format");
    refused("", None, "", Code::EmptyFile, "Invalid file format");
}

#[test]
fn the_first_bad_character_is_shown() {
    for (order, shown) in [
        ("ORD/1", "has \"/\""),
        ("ORD 1", "has a blank"),
        ("ORD.1;2", "has \".\""),
        ("ÖRD", "has \"Ö\""),
        ("ORD\u{200b}1", "U+200B"),
        ("=ORD", "has \"=\""),
        ("1.23457E+15", "more digits"),
        ("..", "has \".\""),
    ] {
        let finding =
            refused(&rows(&[&format!("{order},,")]), Some(2), "order_id", Code::InvalidOrderId, "Invalid order");
        assert!(finding.message.contains(shown), "{}", finding.message);
    }
    for order in ["A", "-A", "_", "ORD-1_2", "0", &"x".repeat(128)] {
        assert!(check(&rows(&[&format!("{order},,")])).is_clean(), "{order}");
    }
    refused(&rows(&[&format!("{},,", "x".repeat(129))]), Some(2), "order_id", Code::TooLong, "Too long");
}

#[test]
fn repeated_orders_name_both_rows_and_case_matters() {
    let checked = check(&rows(&["A,,", "B,,", "a,,", "A,T,", "", "A,,R"]));
    let error = |row| (Some(row), "order_id", Code::DuplicateOrderId, Severity::Error);
    assert_eq!(places(&checked), [error(5), error(7)]);
    assert_eq!(checked.findings[0].message, "Duplicate order ID: rows 2 and 5");
    assert_eq!(checked.findings[1].message, "Duplicate order ID: rows 2 and 7");
    // Blanks around a value and the apostrophe of a download hide no repeat.
    assert!(check(&rows(&["-A,,", " '-A ,,"])).findings.iter().any(|f| f.code == Code::DuplicateOrderId));
}

#[test]
fn optional_cells_are_free_text() {
    let checked = check(&rows(&["A,TRANS_ ABC_789,T-2025-001", "B,\"a,b\"\"c\",ünique"]));
    assert!(checked.is_clean(), "{:?}", checked.findings);
    assert_eq!(checked.records[1].txn_id.as_deref(), Some("a,b\"c"));
    refused(&rows(&["A,4E+18,"]), Some(2), "txn_id", Code::MangledId, "ID spoilt");
    refused(&rows(&["A,,x\u{202e}y"]), Some(2), "unique_request_id", Code::InvalidId, "Invalid ID");
    let twice = check(&rows(&["A,,R", "B,,R"]));
    assert_eq!(places(&twice), [(Some(3), "unique_request_id", Code::DuplicateUniqueId, Severity::Warning)]);
    assert!(twice.is_clean() && twice.records.len() == 2);
}

#[test]
fn encodings_are_the_refunds_ones() {
    let utf16: Vec<u8> =
        std::iter::once(0xFEFFu16).chain(TEMPLATE.sample.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let checked = check_orders(&utf16, Limits::default());
    assert!(checked.is_clean() && checked.findings[0].code == Code::Utf16);
    let bad = check_orders(b"order_id,txn_id,unique_request_id\nCAF\xC9,,\n", Limits::default());
    assert!(only(&bad).message.contains("offset 37"), "{:?}", bad.findings);
    let large = check_orders(&vec![b'a'; 5 * 1024 * 1024 + 1], Limits::default());
    assert_eq!(only(&large).code, Code::FileTooLarge);
}

#[test]
fn files_are_repaired_in_the_browser() {
    let fitted = check("unique_request_id,note,order_id\nR1,x,A\n").sheet.and_then(|s| {
        assert_eq!(dropped_columns(&s, Template), ["note"]);
        fit_template(&s, Template)
    });
    let fitted = fitted.unwrap();
    assert_eq!(write(&fitted), "order_id,txn_id,unique_request_id\nA,,R1\n");
    assert!(check_sheet(&fitted, Limits::default()).is_clean());
    let none = check("txn_id,unique_request_id\nA,B\n").sheet.unwrap();
    assert_eq!(fit_template(&none, Template), None, "an order id is not made up");
    assert_eq!(convert_delimiter(&TEMPLATE.sample.replace(',', ";")).as_deref(), Some(TEMPLATE.sample));
}

#[test]
fn everything_of_a_record_is_in_its_canonical_form() {
    let base = SyncRecord {
        number: 1,
        row: 2,
        order_id: "A".into(),
        txn_id: Some("T".into()),
        unique_request_id: Some("R".into()),
    };
    let others = [
        SyncRecord { number: 2, ..base.clone() },
        SyncRecord { order_id: "B".into(), ..base.clone() },
        SyncRecord { txn_id: None, ..base.clone() },
        SyncRecord { txn_id: Some("TR".into()), unique_request_id: Some(String::new()), ..base.clone() },
        SyncRecord { unique_request_id: None, ..base.clone() },
        SyncRecord { txn_id: None, unique_request_id: Some("T".into()), ..base.clone() },
    ];
    for other in others {
        assert_ne!(other.canonical(), base.canonical(), "{other:?}");
    }
    assert_eq!(SyncRecord { row: 9, ..base.clone() }.canonical(), base.canonical(), "blank lines change nothing");
}

#[test]
fn the_result_has_the_specification_s_header_and_no_needless_quotes() {
    assert_eq!(
        SYNC_RESULTS_HEADER,
        "S.No,Order ID,Transaction ID,Unique Request ID,Sync Status,External System Response,Gateway Sync Status,\
         Task Status,Error Message,Created At,Updated At\n"
    );
    let result = SyncResult {
        number: 3,
        order_id: "-A",
        txn_id: "T 1",
        unique_request_id: "",
        sync_status: "SYNCED",
        external_response: "HTTP 200 {\"ok\":true}",
        gateway_status: "NOT REQUESTED",
        task_status: TaskStatus::Accepted,
        error_message: "",
        created_at: "2026-11-20T18:13:00+05:30",
        updated_at: "2026-11-20T18:13:01+05:30",
    };
    let mut out = crate::csv_lines::CsvLines::default();
    put_sync_result(&mut out, &result);
    assert_eq!(
        out.take(),
        "3,'-A,T 1,,SYNCED,\"HTTP 200 {\"\"ok\"\":true}\",NOT \
         REQUESTED,ACCEPTED,,2026-11-20T18:13:00+05:30,2026-11-20T18:13:01+05:30\n"
    );
}

/// A file of these records.
fn lines_of(records: &[SyncRecord]) -> String {
    let format = crate::registry::of(domain::operation::Operation::OrderSync);
    let mut out = crate::csv_lines::CsvLines::with_header(&COLUMNS);
    for record in records {
        format.put_line(&mut out, &TEMPLATE, &Orders::stored(record.clone()), Currency::Inr);
    }
    out.take()
}

proptest! {
    /// What is clean comes out as it went in, and what is not clean makes no record of a bad row.
    #[test]
    fn clean_records_survive_a_download(orders in proptest::collection::hash_set("[A-Za-z0-9_-]{1,12}", 1..12), txn in "[ -~]{0,10}") {
        let txn = without_guard(txn.trim_matches([' ', '\t'])).to_owned();
        let records: Vec<SyncRecord> = orders.into_iter().zip(1..).map(|(order_id, number)| SyncRecord {
            number, row: number + 1, order_id,
            txn_id: (!txn.is_empty()).then(|| txn.clone()),
            unique_request_id: None,
        }).collect();
        let read = check(&lines_of(&records));
        if records[0].txn_id.as_deref().is_none_or(|id| crate::spoilt::spoilt(id).is_none()) {
            prop_assert_eq!(read.records, records);
        }
    }

    #[test]
    fn every_row_is_a_record_or_has_an_error(lines in proptest::collection::vec("[ab_ ,/\"é-]{0,8}", 0..20)) {
        let checked = check(&rows(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
        for record in &checked.records {
            prop_assert!(record.order_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            prop_assert!(!record.order_id.is_empty());
        }
        let bad: std::collections::HashSet<u32> = checked.findings.iter()
            .filter(|f| f.severity == Severity::Error).filter_map(|f| f.row).collect();
        prop_assert!(checked.records.iter().all(|record| !bad.contains(&record.row)));
        prop_assert!(checked.records.len() as u64 + bad.len() as u64 >= checked.rows.min(1) * u64::from(!checked.is_clean()));
        prop_assert_eq!(checked.is_clean(), checked.errors == 0);
        if checked.is_clean() {
            prop_assert_eq!(checked.records.len() as u64, checked.rows);
        }
    }
}
