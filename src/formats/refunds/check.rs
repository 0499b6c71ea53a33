//! The rules of a row, and those between rows.

use super::{RefundRecord, Template, UDFS};
use crate::domain::{
    finding::FindingCode as Code,
    limits::{MAX_CELL_BYTES, MAX_ID_CHARS},
    money::{Currency, Money, parse_amount},
    view::Split,
};
use crate::formats::amount::complaint;
use crate::formats::findings::{At, Findings, is_invisible, quoted};
use crate::formats::results::{starts_formula, without_guard};
use crate::formats::sheet::Cell;
use std::borrow::Cow;
use std::collections::{HashMap, hash_map::Entry};

/// Rows that a sentence names; more are counted.
const ROWS_NAMED: usize = 5;

/// Checks the rows of one file, one after the other.
pub(super) struct Checker<'a> {
    template: Template,
    currency: Currency,
    pub(super) findings: Findings,
    pub(super) total_minor: i64,
    number: u32,
    unique_ids: HashMap<Cell<'a>, u32>,
    orders: HashMap<Cell<'a>, u32>,
    repeats: HashMap<Cell<'a>, Vec<u32>>,
}

/// A cell of a split part: what was read from it.
enum Part {
    Blank,
    Bad,
    Minor(i64),
}

impl<'a> Checker<'a> {
    pub(super) fn new(template: Template, currency: Currency, findings: Findings) -> Self {
        Self {
            template,
            currency,
            findings,
            total_minor: 0,
            number: 0,
            unique_ids: HashMap::new(),
            orders: HashMap::new(),
            repeats: HashMap::new(),
        }
    }

    /// Checks one row; a clean one becomes a record. Where the cells are not `sure`, it is only counted: the caller said why.
    pub(super) fn row(&mut self, row: u32, cells: &[Cell<'a>], width: usize, sure: bool) -> Option<RefundRecord> {
        self.number = self.number.saturating_add(1);
        if !sure {
            return None;
        }
        let expected = self.template.columns().len();
        if width != expected {
            let cells = if width == 1 { "cell" } else { "cells" };
            let message = format!(
                "Invalid file format: row {row} has {width} {cells}, the header has {expected}; empty cells keep their commas."
            );
            self.findings.error(At::row(row), Code::InvalidFileFormat, message);
            return None;
        }
        let before = self.findings.errors();
        for (column, cell) in self.template.columns().iter().zip(cells) {
            if cell.len() > MAX_CELL_BYTES {
                let message = format!("Too long: {column} has {} bytes; a cell may have {MAX_CELL_BYTES}.", cell.len());
                self.findings.error(At::cell(row, column, cell), Code::TooLong, message);
            }
        }
        if self.findings.errors() > before {
            return None;
        }
        let order_id = self.order_id(row, cells);
        let amount = self.amount(row, cells);
        let txn_id = self.id(row, cells, "txn_id");
        let unique_id = self.unique_id(row, cells);
        let split = self.split(row, cells, amount);
        let udf = self.udf(row, cells);
        let amount_minor = amount.filter(|_| self.findings.errors() == before)?;
        let Some(total) = self.total_minor.checked_add(amount_minor) else {
            let message = format!(
                "Amount too large: with row {row} the file's total is more than can be counted; use several files."
            );
            self.findings.error(
                At { row: Some(row), column: Some("amount"), value: "" },
                Code::AmountTooLarge,
                message,
            );
            return None;
        };
        self.total_minor = total;
        Some(RefundRecord {
            number: self.number,
            row,
            order_id: order_id.into_owned(),
            amount_minor,
            txn_id: some(txn_id),
            unique_id: some(unique_id),
            split,
            udf,
        })
    }

    /// What can only be said once all rows were seen.
    pub(super) fn finish(&mut self) {
        let mut repeats: Vec<_> = std::mem::take(&mut self.repeats).into_iter().collect();
        repeats.sort_by(|(_, left), (_, right)| left.cmp(right));
        for (order_id, rows) in repeats {
            let named: Vec<String> = rows.iter().take(ROWS_NAMED).map(u32::to_string).collect();
            let named = match rows.len().checked_sub(ROWS_NAMED).filter(|more| *more > 0) {
                Some(more) => format!("{} and {more} more", named.join(", ")),
                None => match named.split_last() {
                    Some((last, others)) => format!("{} and {last}", others.join(", ")),
                    None => continue,
                },
            };
            let message = format!(
                "Same order ID: rows {named} all refund {}; right only if each is a part of the refund.",
                quoted(&order_id)
            );
            let message = if rows.len() == 2 { message.replace(" all refund ", " both refund ") } else { message };
            let at = At { row: rows.get(1).copied(), column: Some("order_id"), value: &order_id };
            self.findings.warning(at, Code::RepeatedOrder, message);
        }
    }

    fn cell<'c>(&self, cells: &'c [Cell<'a>], column: &str) -> Option<&'c Cell<'a>> {
        cells.get(place(self.template, column)?)
    }

    /// The cell without outer blanks, which are worth a warning where there is something between them.
    fn trimmed(&mut self, row: u32, cells: &[Cell<'a>], column: &str) -> Cell<'a> {
        let Some(cell) = self.cell(cells, column) else { return Cow::Borrowed("") };
        if cell.is_empty() {
            return Cow::Borrowed("");
        }
        let kept = trim(cell);
        if !kept.is_empty() && kept.len() < cell.len() {
            let message = format!("Blanks around a value: {column} was read as {}.", quoted(kept));
            self.findings.warning(At::cell(row, column, cell), Code::OuterBlanks, message);
        }
        narrowed(cell, trim)
    }

    fn order_id(&mut self, row: u32, cells: &[Cell<'a>]) -> Cell<'a> {
        let order_id = self.id(row, cells, "order_id");
        let at = At::cell(row, "order_id", &order_id);
        if order_id.is_empty() {
            self.findings.error(at, Code::MissingMandatoryFields, "Missing mandatory fields: order_id is empty.");
            return order_id;
        }
        if order_id == "." || order_id == ".." {
            let message = format!("Invalid ID: order_id {} cannot be sent in a gateway's address.", quoted(&order_id));
            self.findings.error(at, Code::InvalidId, message);
        }
        match self.orders.entry(order_id.clone()) {
            Entry::Vacant(free) => {
                free.insert(row);
            }
            Entry::Occupied(first) => {
                self.repeats.entry(order_id.clone()).or_insert_with(|| vec![*first.get()]).push(row);
            }
        }
        order_id
    }

    fn unique_id(&mut self, row: u32, cells: &[Cell<'a>]) -> Cell<'a> {
        let unique_id = self.id(row, cells, "unique_id");
        if unique_id.is_empty() {
            return unique_id;
        }
        match self.unique_ids.entry(unique_id.clone()) {
            Entry::Vacant(free) => {
                free.insert(row);
            }
            Entry::Occupied(first) => {
                let (first, id) = (first.get(), quoted(&unique_id));
                let message =
                    format!("Duplicate unique ID: rows {first} and {row} both have {id}; each refund needs its own.");
                self.findings.error(At::cell(row, "unique_id", &unique_id), Code::DuplicateUniqueId, message);
            }
        }
        unique_id
    }

    /// An id as it is to be sent, with everything said that could be wrong with it.
    fn id(&mut self, row: u32, cells: &[Cell<'a>], column: &str) -> Cell<'a> {
        let id = narrowed(&self.trimmed(row, cells, column), without_guard);
        // Most ids: nothing but these characters, so nothing to say.
        if id.len() <= MAX_ID_CHARS
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b'-' && !id.starts_with('-')))
        {
            return id;
        }
        let at = At::cell(row, column, &id);
        let length = id.chars().count();
        if length > MAX_ID_CHARS {
            let message = format!("Too long: {column} has {length} characters; an ID may have {MAX_ID_CHARS}.");
            self.findings.error(at, Code::TooLong, message);
        }
        if let Some(bad) = id.chars().find(|character| is_invisible(*character)) {
            let message = format!(
                "Invalid ID: {column} {} has the invisible character U+{:04X}; type the ID again.",
                quoted(&id),
                u32::from(bad)
            );
            self.findings.error(at, Code::InvalidId, message);
        }
        if is_mangled(&id) {
            let message = format!(
                "ID cut by a spreadsheet: {column} {} was an ID with more digits; take it from its source again, as text.",
                quoted(&id)
            );
            self.findings.error(at, Code::MangledId, message);
        }
        self.formula(row, column, &id);
        id
    }

    fn formula(&mut self, row: u32, column: &str, text: &str) {
        if text.starts_with(starts_formula) {
            let message = format!(
                "Text that a spreadsheet would run: {column} {} is kept as text and gets an apostrophe in downloads.",
                quoted(text)
            );
            self.findings.warning(At::cell(row, column, text), Code::FormulaText, message);
        }
    }

    fn amount(&mut self, row: u32, cells: &[Cell<'a>]) -> Option<i64> {
        match self.part(row, cells, "amount") {
            Part::Minor(minor) => Some(minor),
            Part::Bad => None,
            Part::Blank => {
                let at = At { row: Some(row), column: Some("amount"), value: "" };
                self.findings.error(at, Code::MissingMandatoryFields, "Missing mandatory fields: amount is empty.");
                None
            }
        }
    }

    fn part(&mut self, row: u32, cells: &[Cell<'a>], column: &str) -> Part {
        let text = self.trimmed(row, cells, column);
        if text.is_empty() {
            return Part::Blank;
        }
        match parse_amount(&text, self.currency) {
            Ok(minor) => Part::Minor(minor),
            Err(error) => {
                let (code, message) = complaint(column, &text, error, self.currency);
                self.findings.error(At::cell(row, column, &text), code, message);
                Part::Bad
            }
        }
    }

    fn split(&mut self, row: u32, cells: &[Cell<'a>], amount: Option<i64>) -> Option<Split> {
        let marketplace = self.part(row, cells, "marketplace_amount");
        let first = self.vendor(row, cells, ["vendor1_id", "vendor1_amount"]);
        let second = self.vendor(row, cells, ["vendor2_id", "vendor2_amount"]);
        let parts = [&marketplace, &first.1, &second.1];
        if parts.iter().all(|part| matches!(part, Part::Blank)) {
            if self.template == Template::Split {
                let message = "Split settlement needs at least one part: at least one of marketplace_amount, vendor1_amount or \
                               vendor2_amount must be specified.";
                self.findings.error(At::row(row), Code::NoPart, message);
            }
            return None;
        }
        if !first.0.is_empty() && first.0 == second.0 {
            let message = format!(
                "Vendor 1 and vendor 2 must be different: both are {}; put their parts together.",
                quoted(&first.0)
            );
            self.findings.error(At::cell(row, "vendor2_id", &second.0), Code::SameVendor, message);
        }
        let known: Vec<i64> = parts.iter().filter_map(|part| part.minor()).collect();
        if let Some(amount) = amount
            && !parts.iter().any(|part| matches!(part, Part::Bad))
        {
            self.sum(row, &known, amount);
        }
        let vendors = [first, second].into_iter().filter_map(|(id, part)| Some((id.into_owned(), part.minor()?)));
        Some(Split { marketplace: marketplace.minor(), vendors: vendors.collect() })
    }

    fn vendor(&mut self, row: u32, cells: &[Cell<'a>], columns: [&str; 2]) -> (Cell<'a>, Part) {
        let [id_column, amount_column] = columns;
        let id = self.id(row, cells, id_column);
        let part = self.part(row, cells, amount_column);
        let blank = matches!(part, Part::Blank);
        if id.is_empty() != blank {
            let (given, missing) = if blank { (id_column, amount_column) } else { (amount_column, id_column) };
            let message = format!("Vendor ID and amount must come together: {given} is given, {missing} is empty.");
            let at = At { row: Some(row), column: Some(missing), value: "" };
            self.findings.error(at, Code::VendorPair, message);
        }
        (id, part)
    }

    fn sum(&mut self, row: u32, parts: &[i64], amount: i64) {
        // Each part has at most 13 digits and the decimals of its currency, so three of them cannot overflow.
        let sum: i64 = parts.iter().sum();
        if sum == amount {
            return;
        }
        let money = |minor: i64| Money::new(minor, self.currency).to_string();
        let shown: Vec<String> = parts.iter().map(|minor| money(*minor)).collect();
        let shown = if shown.len() == 1 { shown.concat() } else { format!("{} = {}", shown.join(" + "), money(sum)) };
        let difference = money((sum - amount).abs());
        let word = if sum < amount { "short" } else { "over" };
        let message =
            format!("Parts do not add up: {shown}, but the amount is {}: {difference} {word}.", money(amount));
        let bare = Money::new(amount, self.currency).bare();
        self.findings.error(At::cell(row, "amount", &bare), Code::PartsDoNotAddUp, message);
    }

    fn udf(&mut self, row: u32, cells: &[Cell<'a>]) -> [String; UDFS] {
        let mut fields = [const { String::new() }; UDFS];
        if self.template == Template::Split {
            return fields;
        }
        let first = self.template.columns().len() - UDFS;
        let columns = self.template.columns().iter().zip(cells).skip(first);
        for (field, (column, cell)) in fields.iter_mut().zip(columns) {
            let text = without_guard(cell);
            self.formula(row, column, text);
            text.clone_into(field);
        }
        fields
    }
}

impl Part {
    const fn minor(&self) -> Option<i64> {
        match self {
            Self::Minor(minor) => Some(*minor),
            Self::Blank | Self::Bad => None,
        }
    }
}

/// Where a column stands; a match instead of a search, since it is asked for every cell.
fn place(template: Template, column: &str) -> Option<usize> {
    let standard = template == Template::Standard;
    Some(match column {
        "order_id" => 0,
        "amount" => 1,
        "txn_id" => {
            if standard {
                2
            } else {
                7
            }
        }
        "unique_id" => {
            if standard {
                3
            } else {
                8
            }
        }
        "marketplace_amount" => {
            if standard {
                4
            } else {
                2
            }
        }
        "vendor1_id" => {
            if standard {
                5
            } else {
                3
            }
        }
        "vendor1_amount" => {
            if standard {
                6
            } else {
                4
            }
        }
        "vendor2_id" => {
            if standard {
                7
            } else {
                5
            }
        }
        "vendor2_amount" => {
            if standard {
                8
            } else {
                6
            }
        }
        _ => return None,
    })
}

/// The outer blanks that are ignored: those that `parse_amount` ignores.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A part of a cell, still borrowed from the file where the cell is.
fn narrowed<'a>(cell: &Cell<'a>, part: fn(&str) -> &str) -> Cell<'a> {
    match cell {
        Cow::Borrowed(text) => Cow::Borrowed(part(text)),
        Cow::Owned(text) => Cow::Owned(part(text).to_owned()),
    }
}

fn some(id: Cell<'_>) -> Option<String> {
    if id.is_empty() { None } else { Some(id.into_owned()) }
}

/// `1.23457E+15`: what a spreadsheet makes of a long number.
fn is_mangled(id: &str) -> bool {
    let Some((number, exponent)) = id.split_once("E+").or_else(|| id.split_once("e+")) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match number.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    whole.len() == 1 && digits(whole) && fraction.is_none_or(digits) && exponent.len() >= 2 && digits(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_the_columns_are_those_of_the_templates() {
        for template in Template::ALL {
            for (index, column) in template.columns().iter().enumerate().filter(|(_, name)| !name.starts_with("udf")) {
                assert_eq!(place(template, column), Some(index), "{column}");
            }
        }
    }

    #[test]
    fn mangled_ids_are_told_from_others() {
        for id in ["1.23457E+15", "1,23457E+15", "4E+18", "1.2e+11"] {
            assert!(is_mangled(id), "{id}");
        }
        for id in ["1E5", "E+15", "ORD1E+15", "12.3E+15", "1.E+15", "1.2E+5", "1.2E-15", "1.2E+1a"] {
            assert!(!is_mangled(id), "{id}");
        }
    }
}
