//! The result of a refund batch as a file, `batch_refund.csv`: written row by row, so that a download can stream.

use crate::domain::{money::Money, task::TaskStatus};

/// The name of the file.
pub const REFUND_RESULTS_NAME: &str = "batch_refund.csv";

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

/// Appends one line to `out`.
pub fn put_refund_result(out: &mut String, result: &RefundResult<'_>) {
    out.push_str(&result.number.to_string());
    out.push(',');
    put_text(out, result.order_id);
    out.push(',');
    out.push_str(&result.amount.bare());
    for text in [result.refund_status, result.unique_id, result.gateway_reference] {
        out.push(',');
        put_text(out, text);
    }
    for index in 0..super::refunds::UDFS {
        out.push(',');
        put_text(out, result.udf.get(index).map_or("", String::as_str));
    }
    out.push(',');
    out.push_str(result.task_status.code());
    for text in [result.refund_type, result.error_message, result.created_at, result.updated_at] {
        out.push(',');
        put_text(out, text);
    }
    out.push('\n');
}

/// Whether a spreadsheet would run a text that begins with this character.
pub const fn starts_formula(first: char) -> bool {
    matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r')
}

/// Appends a cell of people's text: an apostrophe keeps a spreadsheet from running it.
pub fn put_text(out: &mut String, text: &str) {
    if !text.starts_with(starts_formula) {
        return put_cell(out, text);
    }
    let mut guarded = String::with_capacity(text.len() + 1);
    guarded.push('\'');
    guarded.push_str(text);
    put_cell(out, &guarded);
}

/// The text that `put_text` wrote: without the apostrophe that stands before a formula character.
pub fn without_guard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(starts_formula) => rest,
        _ => text,
    }
}

/// Appends a cell, quoted only when it must be.
pub fn put_cell(out: &mut String, text: &str) {
    if !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for (index, piece) in text.split('"').enumerate() {
        if index > 0 {
            out.push_str("\"\"");
        }
        out.push_str(piece);
    }
    out.push('"');
}
