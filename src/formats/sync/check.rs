//! The rules of a row, and those between rows.

use super::SyncRecord;
use crate::cells::{doubt, id, is_plain, some, too_long, total_word, trimmed};
use crate::csv_lines::without_guard;
use crate::file::Rows;
use crate::findings::{At, Findings, is_invisible, quoted};
use crate::repeats::{Key, Repeats};
use crate::spoilt::{is_exponent, is_odd, spoilt};
use domain::finding::FindingCode as Code;
use std::collections::{HashMap, hash_map::Entry};

/// Checks the rows of one file, one after the other.
pub(crate) struct Checker {
    findings: Findings,
    number: u32,
    /// Which orders and ids of requests have to be remembered.
    repeats: Repeats,
    orders: HashMap<String, u32>,
    requests: HashMap<String, u32>,
}

/// The columns whose ids are compared with each other.
pub(super) const KEYS: [Key; 2] = [Key { column: 0, any_case: false }, Key { column: 2, any_case: false }];
const ORDERS: usize = 0;
const REQUESTS: usize = 1;

impl Rows<SyncRecord> for Checker {
    fn row(&mut self, row: u32, cells: &[&str], whole: bool) -> Option<SyncRecord> {
        self.number = self.number.saturating_add(1);
        if !whole {
            return None;
        }
        let [order_id, txn_id, request_id] = cells else { return None };
        let before = self.findings.errors();
        let order_id = self.order_id(row, order_id);
        let txn_id = id(txn_id, row, "txn_id", &mut self.findings);
        let request_id = self.request_id(row, request_id);
        (self.findings.errors() == before).then(|| SyncRecord {
            number: self.number,
            row,
            order_id: order_id.to_owned(),
            txn_id: some(txn_id),
            unique_request_id: some(request_id),
        })
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }

    fn finish(self) -> (i64, Findings) {
        (0, self.findings)
    }
}

impl Checker {
    pub(super) fn new(repeats: Repeats, findings: Findings) -> Self {
        Self { findings, number: 0, repeats, orders: HashMap::new(), requests: HashMap::new() }
    }

    fn order_id<'c>(&mut self, row: u32, cell: &'c str) -> &'c str {
        let order_id = without_guard(trimmed(cell, row, "order_id", &mut self.findings));
        let at = At::cell(row, "order_id", order_id);
        if order_id.is_empty() {
            self.findings.error(at, Code::EmptyOrderId, "Empty order ID: order_id is empty.");
            return order_id;
        }
        too_long(order_id, row, "order_id", &mut self.findings);
        if is_exponent(order_id) {
            let message = format!(
                "Invalid order ID format: order_id {} was an ID with more digits until a spreadsheet cut it; take it \
                 from its source again, as text.",
                quoted(order_id)
            );
            self.findings.error(at, Code::InvalidOrderId, message);
        } else if let Some(what) = spoilt(order_id).filter(|_| is_odd(order_id) || !order_id.chars().all(is_plain)) {
            let message = format!(
                "Invalid order ID format: order_id {} is an ID spoilt by a spreadsheet: it {what}.",
                quoted(order_id)
            );
            self.findings.error(at, Code::InvalidOrderId, message);
        } else if let Some(bad) = order_id.chars().find(|character| !is_plain(*character)) {
            let bad = match bad {
                ' ' => "a blank".to_owned(),
                bad if is_invisible(bad) => format!("the invisible character U+{:04X}", u32::from(bad)),
                bad => quoted(&bad.to_string()),
            };
            let message = format!(
                "Invalid order ID format: order_id {} has {bad}; letters, numbers, underscores and hyphens are allowed.",
                quoted(order_id)
            );
            self.findings.error(at, Code::InvalidOrderId, message);
        }
        if is_odd(order_id) {
            doubt(row, "order_id", order_id, &mut self.findings);
            total_word(row, order_id, &mut self.findings);
        }
        if !self.repeats.may_have(ORDERS, order_id) {
            return order_id;
        }
        match self.orders.entry(order_id.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(row);
            }
            Entry::Occupied(first) => {
                let message = format!("Duplicate order ID: rows {} and {row}", first.get());
                self.findings.error(at, Code::DuplicateOrderId, message);
            }
        }
        order_id
    }

    /// It only tracks a request, so a repeated one is worth a look and no more.
    fn request_id<'c>(&mut self, row: u32, cell: &'c str) -> &'c str {
        let request_id = id(cell, row, "unique_request_id", &mut self.findings);
        if request_id.is_empty() || !self.repeats.may_have(REQUESTS, request_id) {
            return request_id;
        }
        match self.requests.entry(request_id.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(row);
            }
            Entry::Occupied(first) => {
                let (first, named) = (first.get(), quoted(request_id));
                let message = format!(
                    "Duplicate unique ID: rows {first} and {row} both have the unique_request_id {named}; it tells \
                     requests apart only when each has its own."
                );
                let at = At::cell(row, "unique_request_id", request_id);
                self.findings.warning(at, Code::DuplicateUniqueId, message);
            }
        }
        request_id
    }
}
