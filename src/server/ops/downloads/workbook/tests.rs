use super::*;
use crate::{
    domain::{
        money::Money,
        task::{TaskState, TaskStatus},
    },
    formats::{
        csv_lines::CsvLines,
        csv_lines::without_guard,
        refunds::{REFUND_RESULTS_HEADER, RefundResult, put_refund_result},
    },
};
use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const TIME: &str = "2026-11-20T18:13:00+05:30";

/// Texts that a spreadsheet would spoil.
const HOSTILE: [&str; 9] = [
    "=HYPERLINK(\"http://evil\")",
    "+1",
    "007",
    "1234567890123456789",
    "<a & 'b'>",
    "line\none\r\ntwo",
    "_x000D_",
    " outer ",
    "रिफंड",
];

fn task(row_no: i32) -> TaskRow {
    let hostile = HOSTILE[row_no.unsigned_abs() as usize % HOSTILE.len()];
    TaskRow {
        row_no,
        sheet_row: row_no + 1,
        order_id: format!("{hostile}{row_no}"),
        txn_id: None,
        amount_minor: i64::from(row_no) * 7 + 5,
        state: TaskState::Succeeded,
        gateway_status: Some("SUCCESS".to_owned()),
        gateway_kind: None,
        unique_id: Some(format!("{row_no:020}")),
        gateway_key: String::new(),
        gw_ref: Some("SIM0000000001".to_owned()),
        code: None,
        message: Some(hostile.to_owned()),
        extra: None,
        updated_at: None,
        response: None,
    }
}

fn put(cells: &mut dyn Cells, task: &TaskRow) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (status, id, reference) = (text(&task.gateway_status), text(&task.unique_id), text(&task.gw_ref));
    let message = text(&task.message);
    let result = RefundResult {
        number: task.row_no.unsigned_abs(),
        order_id: &task.order_id,
        amount: Money::new(task.amount_minor, Currency::Inr),
        refund_status: &status,
        unique_id: &id,
        gateway_reference: &reference,
        udf: &[],
        task_status: TaskStatus::Accepted,
        refund_type: "STANDARD",
        error_message: &message,
        created_at: TIME,
        updated_at: TIME,
    };
    put_refund_result(cells, &result);
}

/// `rows` rows in chunks of a thousand; counts the chunks that were asked for.
fn source(rows: i32, asked: Arc<AtomicUsize>) -> Rows {
    stream::iter((0..rows).step_by(1_000).map(move |from| {
        asked.fetch_add(1, Ordering::SeqCst);
        Ok((from + 1..=(from + 1_000).min(rows)).map(task).collect())
    }))
    .boxed()
}

fn file(rows: i32, asked: Arc<AtomicUsize>) -> BoxStream<'static, io::Result<Bytes>> {
    workbook(source(rows, asked), "Refunds", REFUND_RESULTS_HEADER, Currency::Inr, Box::new(put)).unwrap()
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The parts of an archive, found as readers find them: from its end, through the directory.
fn unzip(bytes: &[u8]) -> Vec<(String, String)> {
    let end = bytes.len() - 22;
    assert_eq!(u32_at(bytes, end), 0x0605_4b50, "the directory's end");
    let (count, size, mut at) = (u16_at(bytes, end + 10), u32_at(bytes, end + 12), u32_at(bytes, end + 16));
    assert_eq!(at + size, end);
    let mut parts = Vec::new();
    for _ in 0..count {
        assert_eq!(u32_at(bytes, at), 0x0201_4b50);
        let (crc, packed, size) = (u32_at(bytes, at + 16), u32_at(bytes, at + 20), u32_at(bytes, at + 24));
        let (length, head) = (u16_at(bytes, at + 28), u32_at(bytes, at + 42));
        let name = String::from_utf8(bytes[at + 46..at + 46 + length].to_vec()).unwrap();
        at += 46 + length;
        assert_eq!(u32_at(bytes, head), 0x0403_4b50, "{name}");
        let from = head + 30 + u16_at(bytes, head + 26) + u16_at(bytes, head + 28);
        let mut text = String::new();
        flate2::read::DeflateDecoder::new(&bytes[from..from + packed]).read_to_string(&mut text).unwrap();
        let mut sum = flate2::Crc::new();
        sum.update(text.as_bytes());
        assert_eq!((text.len(), sum.sum() as usize), (size, crc), "{name}");
        assert_eq!(u32_at(bytes, from + packed), 0x0807_4b50, "{name} has its sizes behind it");
        parts.push((name, text));
    }
    parts
}

/// The cells of a sheet with the kind of each: `s` is text, `n` a number.
fn cells(sheet: &str) -> Vec<Vec<(char, String)>> {
    let unescaped = |text: &str| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        text.replace("_x000D_", "\r").replace("_x005F\r", "_x000D_")
    };
    let rows = sheet.split("<row ").skip(1);
    rows.map(|row| {
        let mut read: Vec<(char, String)> = Vec::new();
        for cell in row.split("<c r=\"").skip(1) {
            let letters: Vec<u8> = cell.bytes().take_while(u8::is_ascii_uppercase).collect();
            let column = letters.iter().fold(0, |column, letter| column * 26 + usize::from(letter - b'A') + 1) - 1;
            read.resize(column, ('s', String::new()));
            let between = |from: &str, to: &str| cell.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
            read.push(match cell.contains("t=\"inlineStr\"") {
                true => ('s', unescaped(&between("preserve\">", "</t>"))),
                false => ('n', between("<v>", "</v>")),
            });
        }
        read
    })
    .collect()
}

#[tokio::test]
async fn every_cell_of_the_spreadsheet_is_that_of_the_csv() {
    let bytes: Vec<Bytes> = file(2_500, Arc::default()).map(Result::unwrap).collect().await;
    let parts = unzip(&bytes.concat());
    let names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml", SHEET]
    );
    let sheet = cells(&parts[5].1);
    let mut csv = CsvLines::default();
    (1..=2_500).for_each(|row| put(&mut csv, &task(row)));
    let text = format!("{REFUND_RESULTS_HEADER}{}", csv.take());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(sheet.len(), lines.len());
    for (number, (row, line)) in sheet.iter().zip(&lines).enumerate() {
        assert_eq!(row.len(), line.len(), "row {number}");
        for (column, ((kind, cell), expected)) in row.iter().zip(line).enumerate() {
            // What a spreadsheet of texts cannot run needs no apostrophe.
            assert_eq!(cell, without_guard(expected), "row {number}, column {column}");
            let is_number = number > 0 && matches!(column, 0 | 2);
            assert_eq!(*kind, if is_number { 'n' } else { 's' }, "row {number}, column {column}: {cell}");
        }
    }
    assert_eq!(sheet[1][2], ('n', "0.12".to_owned()));
    assert!(parts[5].1.contains("<autoFilter ref=\"A1:U2501\"/>"));
}

#[tokio::test]
async fn a_hundred_thousand_rows_are_never_in_memory_together() {
    let csv =
        |rows, asked| super::super::lines(REFUND_RESULTS_HEADER, source(rows, asked), |lines, task| put(lines, task));
    // The CSV begins with a piece of its own, the header.
    for (what, make, most) in [
        ("spreadsheet", &file as &dyn Fn(i32, Arc<AtomicUsize>) -> BoxStream<'static, io::Result<Bytes>>, 256 * 1024),
        ("csv", &csv, 512 * 1024),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let mut body = make(100_000, asked.clone());
        let (mut pieces, mut largest, mut all) = (0usize, 0usize, 0usize);
        while let Some(piece) = body.next().await {
            let piece = piece.unwrap();
            pieces += 1;
            (largest, all) = (largest.max(piece.len()), all + piece.len());
            // One chunk is read for one piece that goes out, and none ahead of the reader.
            let read = asked.load(Ordering::SeqCst);
            assert!(read <= pieces, "{what}: {read} chunks read for {pieces} pieces");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 100, "{what}");
        assert!(largest < most, "{what}: a piece of {largest} bytes");
        assert!(all > 2_000_000, "{what}: {all} bytes in all, so that pieces mean something");
        println!("{what}: {all} bytes in {pieces} pieces, the largest of {largest}");
    }
}
