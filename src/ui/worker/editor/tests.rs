use super::*;
use crate::domain::{limits::Limits, money::Currency, operation::Operation};
use crate::formats::refunds::{Template, check_refunds};

fn options() -> Options {
    Options { operation: Operation::Refund, currency: Currency::Inr, limits: Limits::default() }
}

fn open(rows: &str) -> (SheetEditor, Report) {
    let mut editor = SheetEditor::default();
    let text = format!("{}\n{rows}", Template::Split.columns().join(","));
    let report = editor.open(text.into_bytes(), options());
    (editor, report)
}

fn edit(editor: &mut SheetEditor, row: u32, column: u32, text: &str) -> Report {
    editor.act(EditorRequest::Edit { row, column, text: text.into() })
}

#[test]
fn a_cell_is_corrected_marked_and_taken_back() {
    let (mut editor, report) = open("A,5,5,,,,,,\nB,\"1,250\",1250,,,,,,\n");
    assert_eq!((report.rows, report.ready, report.bad(), report.errors), (2, 1, 1, 1));
    assert_eq!((report.total_minor, report.changed), (500, false));
    let report = edit(&mut editor, 3, 1, "1250");
    assert!(report.is_clean() && report.changed);
    assert_eq!((report.edited, report.total_minor, report.largest), (1, 125_500, Some((3, 125_000))));
    let page = editor.rows(RowsQuery { only: true, ..RowsQuery::default() });
    assert_eq!(page.rows.iter().map(|row| row.row).collect::<Vec<_>>(), [3], "a corrected row stays in sight");
    assert_eq!(page.rows[0].cells[1].was.as_deref(), Some("1,250"));
    let sent = editor.file(Output::Upload);
    assert!(check_refunds(sent.as_bytes(), Currency::Inr, Limits::default()).is_clean());
    let report = editor.act(EditorRequest::Undo);
    assert_eq!((report.edited, report.errors, report.changed), (0, 1, false));
}

#[test]
fn an_edit_that_comes_back_to_what_was_there_is_none() {
    let (mut editor, _) = open("A,5,5,,,,,,\n");
    assert_eq!(edit(&mut editor, 2, 0, "B").edited, 1);
    assert_eq!(edit(&mut editor, 2, 0, "A").edited, 0);
    edit(&mut editor, 2, 0, "A");
    assert_eq!(editor.undo.len(), 2, "the same text again is no change");
    assert_eq!(edit(&mut editor, 99, 0, "A").edited, 0, "a row that is not there");
    assert_eq!(edit(&mut editor, 2, 99, "A").edited, 0, "a column that is not there");
}

#[test]
fn all_amounts_of_one_kind_are_repaired_at_once() {
    let (mut editor, report) = open("A,\"1,250\",1250,,,,,,\nB,₹899,899,,,,,,\nC,abc,5,,,,,,\n");
    let fix = report.groups[0].fix.clone().unwrap();
    assert_eq!((fix.cells, fix.before.as_str(), fix.after.as_str()), (2, "1,250", "1250"));
    let report = editor.act(EditorRequest::Fix(fix.kind));
    assert_eq!((report.errors, report.edited, report.ready), (1, 2, 2), "what is not an amount is left");
    let report = editor.act(EditorRequest::Undo);
    assert_eq!((report.errors, report.edited), (3, 0));
}

#[test]
fn guarded_ids_are_shown_repaired_before_they_are() {
    let text = crate::formats::header::Layout::template(Template::Standard).sample.lines().next().unwrap().to_owned();
    let rows = "=\"0012345\",5,'77,,,,,,,,,,,,,,,,\n#N/A,7,,,,,,,,,,,,,,,,,\n";
    let mut editor = SheetEditor::default();
    let report = editor.open(format!("{text}\n{rows}").into_bytes(), options());
    assert_eq!((report.errors, report.groups[0].code), (3, FindingCode::MangledId), "{:?}", report.groups);
    let fix = report.groups[0].fix.clone().unwrap();
    assert_eq!((fix.cells, fix.before.as_str(), fix.after.as_str()), (2, "=\"0012345\"", "0012345"));
    assert!(editor.file(Output::Upload).contains("0012345\"\"\""), "never in silence");
    let report = editor.act(EditorRequest::Fix(fix.kind));
    assert_eq!((report.errors, report.edited), (1, 2), "what cannot be known is left");
    assert!(editor.file(Output::Upload).contains("\n0012345,5,77,"));
    let sync = Options { operation: Operation::OrderSync, ..options() };
    let report = editor.open(b"order_id,txn_id,unique_request_id\n'0012,,\n".to_vec(), sync);
    let fix = report.groups[0].fix.clone().unwrap();
    assert_eq!((report.groups[0].code, fix.after.as_str()), (FindingCode::InvalidOrderId, "0012"));
    assert!(editor.act(EditorRequest::Fix(fix.kind)).is_clean());
}

#[test]
fn what_has_to_be_confirmed_is_named_by_a_seal_that_rows_do_not_change() {
    let (mut editor, report) = open("A,5,5,,,,,,\nB,6,6,,,,,,\nTotal,11,11,,,,,,\n");
    assert!(report.asks() && report.groups[0].must_be_confirmed() && report.errors == 0, "{report:?}");
    let again = check_refunds(editor.file(Output::Upload).as_bytes(), Currency::Inr, Limits::default());
    assert_eq!(again.seal, report.seal);
    let edited = edit(&mut editor, 4, 0, "Sum");
    assert!(edited.asks() && edited.seal != report.seal, "another word is another question");
    let without = edit(&mut editor, 4, 0, "C");
    let blank = edit(&mut editor, 4, 8, "KEY");
    assert!(without.asks() && !blank.asks() && blank.seal.is_empty());
    let (_, apart) = open("A,5,5,,,,,,\n\nB,6,6,,,,,,\n\nTotal,11,11,,,,,,\n");
    assert_eq!(apart.seal, report.seal, "what is sent of a corrected sheet has no blank rows");
}

#[test]
fn reports_of_hostile_files_are_small() {
    let large = Options { limits: Limits { rows: 100_000, bytes: 64 << 20 }, ..options() };
    let names: String = (0..200).map(|name| format!("{name}{},", "\u{202e}".repeat(2_000))).collect();
    let unseen = vec!["\u{202e}".repeat(120); 9].join(",");
    for text in [
        format!("{},amount\n{}", "x".repeat(250_000), "a\"b,1\n".repeat(900)),
        format!("order_id,amount,{names}\nA,1\n"),
        format!("{}\n{}", Template::Split.columns().join(","), format!("{unseen}\n").repeat(500)),
        format!("{}\nA,5,5,,,,,,{}\n", Template::Split.columns().join(","), "x".repeat(1_000_000)),
    ] {
        for operation in Operation::ALL {
            let mut editor = SheetEditor::default();
            let report = editor.open(text.clone().into_bytes(), Options { operation, ..large });
            let fixed = editor.act(EditorRequest::Repair(RepairKind::Columns));
            for report in [report, fixed] {
                assert!(serde_json::to_string(&report).unwrap().len() <= 256 * 1024);
            }
            let cells = editor.rows(RowsQuery::default()).rows;
            assert!(cells.iter().flat_map(|row| &row.cells).all(|cell| cell.text.len() <= 8 * 1024));
        }
    }
}

#[test]
fn rows_with_errors_are_taken_out_and_put_back_in_their_places() {
    let (mut editor, _) = open("A,5,5,,,,,,\n,5,5,,,,,,\nC,5,5,,,,,,\nD,x,5,,,,,,\n");
    let whole = editor.file(Output::Upload);
    let bad = editor.file(Output::Bad);
    assert_eq!(bad.lines().count(), 3);
    let report = editor.act(EditorRequest::RemoveBad);
    assert!(report.is_clean());
    assert_eq!((report.rows, report.removed, report.ready), (2, 2, 2));
    let report = editor.act(EditorRequest::Undo);
    assert_eq!((report.rows, report.removed, report.errors), (4, 0, 2));
    assert_eq!(editor.file(Output::Upload), whole);
}

#[test]
fn a_file_of_another_shape_is_repaired_in_steps_and_taken_back() {
    let mut editor = SheetEditor::default();
    let report = editor.open(b"Amount;order_id;note\n5;A;x\n".to_vec(), options());
    assert!(!report.examined && report.ready == 0);
    assert_eq!(report.repairs[0].kind, RepairKind::Delimiter);
    let report = editor.act(EditorRequest::Repair(RepairKind::Delimiter));
    assert_eq!(report.repairs[0].kind, RepairKind::Columns);
    assert!(report.repairs[0].preview.contains("\"note\""));
    let report = editor.act(EditorRequest::Repair(RepairKind::Columns));
    assert!(report.is_clean() && report.examined, "{:?}", report.groups);
    assert_eq!(report.total_minor, 500);
    let sent = editor.file(Output::Upload);
    assert!(check_refunds(sent.as_bytes(), Currency::Inr, Limits::default()).is_clean());
    editor.act(EditorRequest::Undo);
    let report = editor.act(EditorRequest::Undo);
    assert!(!report.changed && report.repairs[0].kind == RepairKind::Delimiter);
}

#[test]
fn too_many_rows_are_not_examined() {
    let mut editor = SheetEditor::default();
    let text = format!("{}\n{}", Template::Split.columns().join(","), "A,5,5,,,,,,\n".repeat(1001));
    let report = editor.open(text.into_bytes(), options());
    assert!(!report.examined && !report.is_clean());
    assert_eq!((report.rows, report.ready), (1001, 0));
    assert!(editor.rows(RowsQuery::default()).rows.is_empty());
}

#[test]
fn what_the_server_found_stands_at_its_row_until_that_row_changes() {
    let taken = |row| {
        EditorRequest::ServerFindings(vec![ServerFinding {
            row: Some(row),
            column: Some("unique_id".into()),
            code: "unique_id_taken".into(),
            message: "Unique ID already used: R1 belongs to another refund.".into(),
        }])
    };
    // Row 4 of the spreadsheet: row 3 is blank. As it came, the server counts it too.
    let (mut editor, _) = open("A,5,5,,,,,,R0\n\nB,5,5,,,,,,R1\n");
    let report = editor.act(taken(4));
    assert_eq!((report.errors, report.ready, report.groups[0].listed[0].row), (1, 1, Some(4)));
    let report = edit(&mut editor, 4, 8, "R2");
    assert!(report.is_clean());
    // What is sent now has no blank row, so the server's row 3 is row 4 here.
    let report = editor.act(taken(3));
    assert_eq!(report.groups[0].listed[0].row, Some(4));
    let report = editor.act(EditorRequest::RemoveBad);
    assert!(report.is_clean() && report.rows == 1);
}

#[test]
fn pages_of_rows_and_the_next_error() {
    let mut rows = "A,5,5,,,,,,\n".repeat(250);
    rows.push_str(",5,5,,,,,,\n");
    let (editor, _) = open(&rows);
    let all = editor.rows(RowsQuery { page: 2, ..RowsQuery::default() });
    assert_eq!((all.rows.len(), all.pages, all.matching, all.rows[0].row), (51, 3, 251, 202));
    let next = editor.rows(RowsQuery { error_after: Some(2), ..RowsQuery::default() });
    assert_eq!((next.page, next.focus), (2, Some((252, 0))));
    let again = editor.rows(RowsQuery { error_after: Some(252), ..RowsQuery::default() });
    assert_eq!(again.focus, Some((252, 0)), "from the top again");
    assert_eq!(editor.rows(RowsQuery { page: 99, ..RowsQuery::default() }).page, 2);
}

#[test]
fn a_kept_file_cannot_run_in_a_spreadsheet_and_can_be_uploaded_again() {
    let (editor, report) = open("=A1,5,5,,,,,,\nB,-5,5,,,,,,\n");
    assert_eq!(report.errors, 1);
    let kept = editor.file(Output::Whole);
    assert!(kept.contains("'=A1,5") && kept.contains("B,-5,5"), "{kept}");
    assert!(editor.file(Output::Upload).contains("\n=A1,5"));
    let again = check_refunds(kept.as_bytes(), Currency::Inr, Limits::default());
    assert_eq!(again.records[0].order_id, "=A1");
}

#[test]
fn a_file_of_orders_is_checked_and_corrected_by_the_same_desk() {
    let mut editor = SheetEditor::default();
    let sync = Options { operation: Operation::OrderSync, ..options() };
    let report = editor.open(b"unique_request_id,order_id\nR1,A\nR2,B C\nR3,A\n".to_vec(), sync);
    assert!(!report.examined && report.largest.is_none());
    assert_eq!(report.repairs.len(), 1, "{:?}", report.repairs);
    let report = editor.act(EditorRequest::Repair(RepairKind::Columns));
    assert_eq!(report.template.as_deref(), Some("Order sync, 3 columns"));
    let codes: Vec<_> = report.groups.iter().map(|group| group.code).collect();
    assert_eq!(codes, [FindingCode::InvalidOrderId, FindingCode::DuplicateOrderId]);
    editor.act(EditorRequest::Edit { row: 3, column: 0, text: "B-C".into() });
    let report = editor.act(EditorRequest::Edit { row: 4, column: 0, text: "D".into() });
    assert!(report.is_clean() && (report.ready, report.total_minor) == (3, 0), "{report:?}");
    assert_eq!(editor.file(Output::Upload), "order_id,txn_id,unique_request_id\nA,,R1\nB-C,,R2\nD,,R3\n");
}
