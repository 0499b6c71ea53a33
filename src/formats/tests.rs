//! What holds for files of every operation, on the server, in the browser and on the command line.

mod bounds;
mod cards;
mod ids;
mod quotes;
mod streams;
mod totals;

use super::registry::{self, Overview};
use crate::{refunds, sync};
use domain::{
    finding::{Finding, FindingCode as Code, Severity},
    limits::Limits,
    money::Currency,
    operation::Operation,
};

/// Operation and columns of every kind of file.
const KINDS: [(Operation, &[&str]); 3] = [
    (Operation::Refund, refunds::Template::Standard.columns()),
    (Operation::Refund, refunds::Template::Split.columns()),
    (Operation::OrderSync, &sync::COLUMNS),
];

fn check(operation: Operation, text: &str) -> Overview {
    registry::of(operation).check(text.as_bytes(), Currency::Inr, Limits::default())
}

/// A clean row of these columns.
fn row(columns: &[&str], order: &str) -> Vec<String> {
    let split = columns == refunds::Template::Split.columns();
    let cell = |column: &&str| match *column {
        "order_id" => order.to_owned(),
        "amount" => "5".to_owned(),
        "marketplace_amount" if split => "5".to_owned(),
        _ => String::new(),
    };
    columns.iter().map(cell).collect()
}

/// A file of these rows.
fn file(columns: &[&str], rows: &[Vec<String>]) -> String {
    let rows: String = rows.iter().map(|row| format!("{}\n", row.join(","))).collect();
    format!("{}\n{rows}", columns.join(","))
}

fn errors(checked: &Overview) -> Vec<&Finding> {
    checked.findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}
