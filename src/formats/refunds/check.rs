//! The rules of a row, and those between rows.

use super::{RefundRecord, Template, UDFS};
use crate::amount::complaint;
use crate::cards::card_number;
use crate::cells::{formula, id, some, total_word, trimmed};
use crate::csv_lines::without_guard;
use crate::file::Rows;
use crate::findings::{At, Findings, quoted};
use crate::repeats::{Key, Repeats};
use crate::totals::Running;
use domain::{
    finding::FindingCode as Code,
    money::{Currency, Money, parse_amount},
    view::Split,
};
use std::collections::{HashMap, hash_map::Entry};

/// Rows that a sentence names; more are counted.
const ROWS_NAMED: usize = 5;

/// The places of its keys.
const ORDERS: usize = 0;
const UNIQUE_IDS: usize = 1;

/// The columns whose ids are compared with each other.
pub(super) fn keys(template: Template) -> Vec<Key> {
    [("order_id", false), ("unique_id", true)]
        .into_iter()
        .filter_map(|(column, any_case)| Some(Key { column: place(template, column)?, any_case }))
        .collect()
}

/// Checks the rows of one file, one after the other.
pub(crate) struct Checker {
    template: Template,
    currency: Currency,
    findings: Findings,
    total_minor: i64,
    number: u32,
    /// Which orders and unique ids have to be remembered.
    repeats: Repeats,
    unique_ids: HashMap<String, u32>,
    orders: HashMap<String, u32>,
    repeated: HashMap<String, Vec<u32>>,
    running: Running,
    /// Whether any unique_id has a small letter, and whether any has a capital one.
    cases: (bool, bool),
    /// The last row that is named as sums are.
    named_total: u32,
}

/// A cell of a split part: what was read from it.
enum Part {
    Blank,
    Bad,
    Minor(i64),
}

impl Rows<RefundRecord> for Checker {
    fn row(&mut self, row: u32, cells: &[&str], whole: bool) -> Option<RefundRecord> {
        self.number = self.number.saturating_add(1);
        if !whole {
            self.running.add(row, None, false);
            return None;
        }
        let before = self.findings.errors();
        let (order_id, new) = self.order_id(row, cells);
        let amount = self.amount(row, cells);
        let txn_id = self.txn_id(row, cells);
        let unique_id = self.unique_id(row, cells);
        let bare = txn_id.is_empty() && unique_id.is_empty() && new;
        self.running.add(row, amount, bare);
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
            order_id: order_id.to_owned(),
            amount_minor,
            txn_id: some(txn_id),
            unique_id: some(unique_id),
            split,
            udf,
        })
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }

    fn finish(mut self) -> (i64, Findings) {
        self.same_but_for_case();
        self.total_line();
        let mut repeated: Vec<_> = std::mem::take(&mut self.repeated).into_iter().collect();
        repeated.sort_by(|(_, left), (_, right)| left.cmp(right));
        for (order_id, rows) in repeated {
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
        (self.total_minor, self.findings)
    }
}

impl Checker {
    pub(super) fn new(template: Template, currency: Currency, repeats: Repeats, findings: Findings) -> Self {
        Self {
            template,
            currency,
            findings,
            total_minor: 0,
            number: 0,
            repeats,
            unique_ids: HashMap::new(),
            orders: HashMap::new(),
            repeated: HashMap::new(),
            running: Running::default(),
            cases: (false, false),
            named_total: 0,
        }
    }

    fn cell<'c>(&self, cells: &[&'c str], column: &str) -> &'c str {
        place(self.template, column).and_then(|place| cells.get(place)).copied().unwrap_or("")
    }

    /// The order, and whether it stands here for the first time.
    fn order_id<'c>(&mut self, row: u32, cells: &[&'c str]) -> (&'c str, bool) {
        let order_id = self.id(row, cells, "order_id");
        let at = At::cell(row, "order_id", order_id);
        if order_id.is_empty() {
            self.findings.error(at, Code::MissingMandatoryFields, "Missing mandatory fields: order_id is empty.");
            return (order_id, false);
        }
        if order_id == "." || order_id == ".." {
            let message = format!("Invalid ID: order_id {} cannot be sent in a gateway's address.", quoted(order_id));
            self.findings.error(at, Code::InvalidId, message);
        }
        if total_word(row, order_id, &mut self.findings) {
            self.named_total = row;
        }
        if !self.repeats.may_have(ORDERS, order_id) {
            return (order_id, true);
        }
        match self.orders.entry(order_id.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(row);
                (order_id, true)
            }
            Entry::Occupied(first) => {
                self.repeated.entry(order_id.to_owned()).or_insert_with(|| vec![*first.get()]).push(row);
                (order_id, false)
            }
        }
    }

    fn unique_id<'c>(&mut self, row: u32, cells: &[&'c str]) -> &'c str {
        let unique_id = self.id(row, cells, "unique_id");
        if unique_id.is_empty() {
            return unique_id;
        }
        self.cases.0 = self.cases.0 || unique_id.bytes().any(|byte| byte.is_ascii_lowercase());
        self.cases.1 = self.cases.1 || unique_id.bytes().any(|byte| byte.is_ascii_uppercase());
        if !self.repeats.may_have(UNIQUE_IDS, unique_id) {
            return unique_id;
        }
        match self.unique_ids.entry(unique_id.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(row);
            }
            Entry::Occupied(first) => {
                let (first, id) = (first.get(), quoted(unique_id));
                let message =
                    format!("Duplicate unique ID: rows {first} and {row} both have {id}; each refund needs its own.");
                self.findings.error(At::cell(row, "unique_id", unique_id), Code::DuplicateUniqueId, message);
            }
        }
        unique_id
    }

    /// Some gateways compare keys without their case.
    fn same_but_for_case(&mut self) {
        if self.cases != (true, true) {
            return;
        }
        let mut ids: Vec<(&String, u32)> = self.unique_ids.iter().map(|(id, row)| (id, *row)).collect();
        let lower = |id: &str| id.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<u8>>();
        ids.sort_by_cached_key(|(id, row)| (lower(id), *row));
        for pair in ids.windows(2) {
            let [(first, above), (second, below)] = pair else { continue };
            if first.eq_ignore_ascii_case(second) {
                let message = format!(
                    "Unique IDs that differ in case only: rows {above} and {below} have {} and {}; some gateways take \
                     them for the same refund.",
                    quoted(first),
                    quoted(second)
                );
                self.findings.warning(At::cell(*below, "unique_id", second), Code::KeysByCase, message);
            }
        }
    }

    fn total_line(&mut self) {
        let Some((row, minor)) = self.running.total().filter(|(row, _)| *row != self.named_total) else { return };
        let money = Money::new(minor, self.currency);
        let message = format!(
            "Row that may be a total: its amount, {money}, is the sum of all rows above; take the row out, or confirm \
             that it is a refund."
        );
        self.findings.warning(At::cell(row, "amount", &money.bare()), Code::TotalLine, message);
    }

    /// The transaction, which stands right behind an amount in both templates.
    fn txn_id<'c>(&mut self, row: u32, cells: &[&'c str]) -> &'c str {
        let txn_id = self.id(row, cells, "txn_id");
        let before = match self.template {
            Template::Standard => "amount",
            Template::Split => "vendor2_amount",
        };
        let amount = self.cell(cells, before).trim();
        if is_cut(amount, txn_id) {
            let message = format!(
                "Amount that a comma may have cut: {before} {} and txn_id {} look like one amount with a comma inside; \
                 write the amount without the comma, or confirm that both are meant.",
                quoted(amount),
                quoted(txn_id)
            );
            self.findings.warning(At::cell(row, "txn_id", txn_id), Code::SplitNumber, message);
        }
        txn_id
    }

    fn id<'c>(&mut self, row: u32, cells: &[&'c str], column: &str) -> &'c str {
        id(self.cell(cells, column), row, column, &mut self.findings)
    }

    fn amount(&mut self, row: u32, cells: &[&str]) -> Option<i64> {
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

    fn part(&mut self, row: u32, cells: &[&str], column: &str) -> Part {
        let text = trimmed(self.cell(cells, column), row, column, &mut self.findings);
        if text.is_empty() {
            return Part::Blank;
        }
        match parse_amount(text, self.currency) {
            Ok(minor) => Part::Minor(minor),
            Err(error) => {
                let (code, message) = complaint(column, text, error, self.currency);
                self.findings.error(At::cell(row, column, text), code, message);
                Part::Bad
            }
        }
    }

    fn split(&mut self, row: u32, cells: &[&str], amount: Option<i64>) -> Option<Split> {
        let marketplace = self.part(row, cells, "marketplace_amount");
        let first = self.vendor(row, cells, ["vendor1_id", "vendor1_amount"]);
        let second = self.vendor(row, cells, ["vendor2_id", "vendor2_amount"]);
        let parts = [&marketplace, &first.1, &second.1];
        if parts.iter().all(|part| matches!(part, Part::Blank)) {
            if self.template == Template::Split {
                let message = "Split settlement needs at least one part: at least one of marketplace_amount, \
                               vendor1_amount or vendor2_amount must be specified.";
                self.findings.error(At::row(row), Code::NoPart, message);
            }
            return None;
        }
        if !first.0.is_empty() && first.0 == second.0 {
            let message = format!(
                "Vendor 1 and vendor 2 must be different: both are {}; put their parts together.",
                quoted(first.0)
            );
            self.findings.error(At::cell(row, "vendor2_id", second.0), Code::SameVendor, message);
        }
        let known: Vec<i64> = parts.iter().filter_map(|part| part.minor()).collect();
        if let Some(amount) = amount
            && !parts.iter().any(|part| matches!(part, Part::Bad))
        {
            self.sum(row, &known, amount);
        }
        let vendors = [first, second].into_iter().filter_map(|(id, part)| Some((id.to_owned(), part.minor()?)));
        Some(Split { marketplace: marketplace.minor(), vendors: vendors.collect() })
    }

    fn vendor<'c>(&mut self, row: u32, cells: &[&'c str], columns: [&str; 2]) -> (&'c str, Part) {
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

    fn udf(&mut self, row: u32, cells: &[&str]) -> [String; UDFS] {
        let mut fields = [const { String::new() }; UDFS];
        if self.template == Template::Split {
            return fields;
        }
        let first = self.template.columns().len() - UDFS;
        let columns = self.template.columns().iter().zip(cells).skip(first);
        for (field, (column, cell)) in fields.iter_mut().zip(columns) {
            let text = without_guard(cell);
            if let Some(last) = card_number(text) {
                let message = format!(
                    "Card number: {column} holds the number of a payment card, ending in {last}; take it out of the \
                     file, such numbers must not be kept here."
                );
                let masked = format!("…{last}");
                self.findings.error(At::cell(row, column, &masked), Code::CardNumber, message);
                continue;
            }
            formula(row, column, text, &mut self.findings);
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

/// Whether an amount and what follows it may be `1,250.00` or `10,50` that lost its quotation marks.
fn is_cut(amount: &str, rest: &str) -> bool {
    if rest.len() > 7 || amount.is_empty() || !amount.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let (units, decimals) = rest.split_once('.').map_or((rest, None), |(units, decimals)| (units, Some(decimals)));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let decimals = decimals.is_none_or(|decimals| !decimals.is_empty() && digits(decimals));
    match units.len() {
        3 => amount.len() <= 3 && digits(units) && decimals,
        2 => digits(rest),
        _ => false,
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
}
