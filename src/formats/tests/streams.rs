//! The server reads a file as it comes from the disk, the browser from its memory: both find the same.

use super::*;
use proptest::prelude::*;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// A disk that gives few bytes at a time.
struct Slow<'a>(Cursor<&'a [u8]>, usize);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let few = out.len().min(self.1);
        self.0.read(&mut out[..few])
    }
}

impl Seek for Slow<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[track_caller]
fn same(operation: Operation, bytes: &[u8], few: usize) {
    let format = registry::of(operation);
    let mut browser = format.check(bytes, Currency::Inr, Limits::default());
    let mut ready = Vec::new();
    let mut slow = Slow(Cursor::new(bytes), few);
    let server = format.read(&mut slow, Currency::Inr, Limits::default(), &mut |record| {
        ready.push((record.row, record.amount_minor));
    });
    let sheet = browser.sheet.take();
    if browser.rows > u64::from(Limits::default().rows) {
        ready.clear();
    }
    let server = Overview { ready, ..server.unwrap() };
    assert_eq!(server, browser, "{:?}", String::from_utf8_lossy(bytes));
    // A sheet in which every id is remembered has the findings of the file in which few had to be.
    if let Some(sheet) = sheet.filter(|sheet| sheet.rows.iter().all(|row| row.complete)) {
        let again = format.check_sheet(&sheet, Currency::Inr, Limits::default());
        let of_rows = |overview: &Overview| {
            overview
                .findings
                .iter()
                .filter(|finding| finding.code != Code::Utf16 && finding.row != Some(1))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(of_rows(&again), of_rows(&browser));
    }
}

#[test]
fn the_cases_are_read_alike() {
    let cases = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).unwrap();
    for case in cases {
        let bytes = std::fs::read(case.unwrap().path()).unwrap();
        for few in [1, 3, 100_000] {
            same(Operation::Refund, &bytes, few);
        }
    }
    for bytes in [
        &b""[..],
        b"\xEF\xBB\xBF",
        b"PK\x03\x04",
        b"\xFF\xFE",
        b"\xFF\xFEa",
        b"a\0b",
        b"a\xC3",
        b"\n\n\xFF",
        b"\xFF\xFEa\0\0\xD8",
    ] {
        same(Operation::Refund, bytes, 1);
    }
}

/// Few ids, so that some come again, also in another case; and what hides rows.
fn line() -> impl Strategy<Value = String> {
    let id =
        proptest::sample::select(vec!["A", "B", "a", " A", "=\"A\"", "\"A\"", "\"A", "A\"", "é", "", "Total", "'A"]);
    let amount = proptest::sample::select(vec!["1", "2.50", "3", "much", "", "\"1,5\""]);
    (id.clone(), amount, id.clone(), id)
        .prop_map(|(order, amount, txn, unique)| format!("{order},{amount},{txn},{unique},,,,,,,,,,,,,,,"))
}

proptest! {
    #[test]
    fn any_file_is_read_alike(
        lines in proptest::collection::vec(line(), 0..12),
        end in proptest::sample::select(vec!["\n", "\r\n", "\r"]),
        wide in any::<bool>(),
        few in 1_usize..50,
    ) {
        let text = format!("{}{end}{}", refunds::Template::Standard.columns().join(","), lines.join(end));
        let bytes: Vec<u8> = match wide {
            true => std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect(),
            false => text.into_bytes(),
        };
        same(Operation::Refund, &bytes, few);
    }
}
