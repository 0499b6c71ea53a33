//! The result of a refund batch as a file, `batch_refund.csv` or `batch_refund.xlsx`.

use super::UDFS;
use crate::results::Cells;
use domain::{money::Money, task::TaskStatus};

/// The header line, with its line end.
pub const REFUND_RESULTS_HEADER: &str = "S.No,Order/Transaction Id,Amount,Refund Status,Unique Id,GW Transaction Id,\
Udf1,Udf2,Udf3,Udf4,Udf5,Udf6,Udf7,Udf8,Udf9,Udf10,Task Status,Refund Type,Error Message,Created At,Updated At\n";

/// One record and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundResult<'a> {
    /// S.No, from 1.
    pub number: u32,
    /// order_id as uploaded.
    pub order_id: &'a str,
    /// Amount.
    pub amount: Money,
    /// PENDING, SUCCESS, FAILURE, MANUAL_REVIEW, or blank.
    pub refund_status: &'a str,
    /// As uploaded, else the derived key.
    pub unique_id: &'a str,
    /// The gateway's reference, or blank.
    pub gateway_reference: &'a str,
    /// User defined fields; missing ones are blank.
    pub udf: &'a [String],
    /// ACCEPTED, FAILED or QUEUED.
    pub task_status: TaskStatus,
    /// STANDARD, INSTANT, or blank.
    pub refund_type: &'a str,
    /// Why it failed or waits, or blank.
    pub error_message: &'a str,
    /// RFC 3339 with the organisation's offset, `2026-11-20T18:13:00+05:30`.
    pub created_at: &'a str,
    /// RFC 3339 with the organisation's offset.
    pub updated_at: &'a str,
}

/// Appends one row.
pub fn put_refund_result(cells: &mut dyn Cells, result: &RefundResult<'_>) {
    cells.number(result.number);
    cells.text(result.order_id);
    cells.amount(result.amount);
    for text in [result.refund_status, result.unique_id, result.gateway_reference] {
        cells.text(text);
    }
    for index in 0..UDFS {
        cells.text(result.udf.get(index).map_or("", String::as_str));
    }
    cells.text(result.task_status.code());
    for text in [result.refund_type, result.error_message, result.created_at, result.updated_at] {
        cells.text(text);
    }
    cells.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        csv_lines::CsvLines,
        csv_lines::{starts_formula, without_guard},
    };
    use domain::money::Currency;
    use proptest::prelude::*;

    fn cells(line: &str) -> Vec<String> {
        let mut read = Vec::new();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        for record in reader.records() {
            read.extend(record.unwrap().iter().map(str::to_owned));
        }
        read
    }

    fn result<'a>(udf: &'a [String], text: &'a str) -> RefundResult<'a> {
        RefundResult {
            number: 7,
            order_id: text,
            amount: Money::new(10_050, Currency::Inr),
            refund_status: "SUCCESS",
            unique_id: "REF7",
            gateway_reference: "SIM0000000001",
            udf,
            task_status: TaskStatus::Accepted,
            refund_type: "STANDARD",
            error_message: text,
            created_at: "2026-11-20T18:13:00+05:30",
            updated_at: "2026-11-20T18:13:01+05:30",
        }
    }

    #[test]
    fn the_header_is_the_specification_s() {
        let header = "S.No,Order/Transaction Id,Amount,Refund Status,Unique Id,GW Transaction \
                      Id,Udf1,Udf2,Udf3,Udf4,Udf5,Udf6,Udf7,Udf8,Udf9,Udf10,Task Status,Refund Type,Error \
                      Message,Created At,Updated At\n";
        assert_eq!(REFUND_RESULTS_HEADER, header);
        assert_eq!(domain::operation::Operation::Refund.files().download, "batch_refund.csv");
    }

    #[test]
    fn a_plain_line_has_no_quotation_marks() {
        let mut out = CsvLines::default();
        let udf = ["u1".to_owned(), "u 2".to_owned()];
        put_refund_result(&mut out, &RefundResult { error_message: "", ..result(&udf, "ORD_1") });
        let line = "7,ORD_1,100.50,SUCCESS,REF7,SIM0000000001,u1,u 2,,,,,,,,,ACCEPTED,STANDARD,,\
                    2026-11-20T18:13:00+05:30,2026-11-20T18:13:01+05:30\n";
        assert_eq!(out.take(), line);
    }

    #[test]
    fn a_spreadsheet_never_runs_a_cell() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            let mut out = CsvLines::default();
            let udf = [text.to_owned()];
            put_refund_result(&mut out, &result(&udf, text));
            let read = cells(&out.take());
            for column in [1, 6, 18] {
                assert_eq!(read[column], format!("'{text}"));
                assert_eq!(without_guard(&read[column]), text);
            }
        }
    }

    proptest! {
        #[test]
        fn another_reader_finds_the_same_cells(texts in proptest::collection::vec("[\\PC\n\r\t\"',=]{0,8}", 12)) {
            let mut out = CsvLines::default();
            let line = RefundResult { error_message: &texts[11], ..result(&texts[1..11], &texts[0]) };
            put_refund_result(&mut out, &line);
            let read = cells(&out.take());
            prop_assert_eq!(read.len(), 21);
            let found = [&read[1]].into_iter().chain(&read[6..16]).chain([&read[18]]);
            for (found, text) in found.zip(&texts) {
                prop_assert!(!found.starts_with(starts_formula));
                prop_assert_eq!(without_guard(found), without_guard(text));
            }
        }
    }
}
