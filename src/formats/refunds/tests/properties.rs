//! What holds for every file, found by chance.

use super::*;
use crate::sheet::write;
use proptest::prelude::*;

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[A-Za-z0-9_]{0,12}",
        2 => "[=+@'\t\r\n\", -]{0,4}[a-z\"',]{0,6}",
        1 => "\\PC{0,12}",
        1 => "[0-9]{1,4}(\\.[0-9]{1,3})?",
    ]
}

fn valid_record() -> impl Strategy<Value = RefundRecord> {
    let id = || prop_oneof![4 => "[A-Za-z0-9_]{1,30}", 1 => "[=@+-][a-z,\"' ]{0,5}[a-z]"];
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
            let plain = |id: String| crate::csv_lines::without_guard(&id).to_owned();
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

/// A file of these records in this template.
fn lines_of(template: Template, currency: Currency, records: &[RefundRecord]) -> String {
    let format = crate::registry::of(domain::operation::Operation::Refund);
    let template = template.template();
    let mut out = crate::csv_lines::CsvLines::with_header(template.columns);
    for record in records {
        format.put_line(&mut out, template, &Refunds::stored(record.clone()), currency);
    }
    out.take()
}

proptest! {
    /// What comes from a form is checked without being read out of its file: both find the same.
    #[test]
    fn typed_rows_are_those_of_the_file_that_is_written_of_them(
        typed in proptest::collection::vec(("[A-Z=+@',\"0-9 -]{0,8}", "[0-9.,-]{0,5}", "[A-Z=+'0-9]{0,6}"), 1..6),
    ) {
        let refunds = typed.iter().map(|(order_id, amount, unique_id)| TypedRefund { order_id, amount, unique_id });
        let rows = typed_rows(refunds);
        let (form, file) = (
            check_sheet(&rows, INR, Limits::default()),
            check_refunds(write(&rows).as_bytes(), INR, Limits::default()),
        );
        prop_assert_eq!(&form.records, &file.records);
        prop_assert_eq!(form.findings, file.findings);
        prop_assert_eq!(file.sheet, Some(rows));
    }

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
        let file = lines_of(Template::Standard, INR, &records);
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
        let checked = check(&lines_of(Template::Split, INR, &records));
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
        // What follows a line end and has commas could be rows, and is told of as such.
        let plain = |cell: String| if cell.contains(',') { cell.replace(['\n', '\r'], " ") } else { cell };
        let rows: Vec<_> = (2u32..).zip(rows).map(|(row, cells)| {
            let cells = cells.into_iter().map(plain).collect();
            crate::sheet::SheetRow { row, cells, complete: true }
        }).collect();
        let sheet = Sheet { header, rows };
        let from_file = check(&write(&sheet));
        prop_assert_eq!(from_file.sheet.as_ref(), Some(&sheet));
        let from_sheet = check_sheet(&sheet, INR, Limits::default());
        prop_assert_eq!(from_file.findings, from_sheet.findings);
        prop_assert_eq!(from_file.records, from_sheet.records);
    }
}
