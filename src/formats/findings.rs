//! Collects findings: counts all, lists as many as a person could ever go through.

use super::printable::{cut, printable};
use domain::{
    finding::{Finding, FindingCode, Severity},
    money::group,
};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

pub(crate) use super::printable::{is_invisible, quoted};

/// Errors that are listed, and warnings likewise; more are counted only.
pub(crate) const MAX_LISTED: u64 = 20_000;
/// Memory of the errors that are listed, of card numbers, of what must be confirmed, and of the other warnings
/// likewise; more are counted only. A file of 1,000 rows cannot reach it in earnest, and a hostile one cannot fill the
/// memory.
const LISTED_BYTES: usize = 960 * 1024;
/// Bytes of the findings in an answer, as JSON. Where no error is among them, what went out before may stand beside
/// them.
const ANSWER_BYTES: usize = 224 * 1024;
const ANSWER_BYTES_BESIDE: usize = 144 * 1024;
/// Characters of a sentence.
const MESSAGE_CHARS: usize = 600;

/// Findings of one file.
#[derive(Debug, Default)]
pub struct Findings {
    listed: Vec<Finding>,
    errors: Counted,
    cards: Counted,
    asked_for: Counted,
    warnings: Counted,
    /// Of the warnings that must be confirmed; none while there is none.
    asked: Option<Sha256>,
}

/// Findings that are listed or only counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    all: u64,
    listed: u64,
    bytes: usize,
}

impl Counted {
    /// Counts one; true where it may be listed.
    fn lists(&mut self, finding: &Finding) -> bool {
        self.all += 1;
        self.bytes = self.bytes.saturating_add(weight(finding));
        let lists = self.listed < MAX_LISTED && self.bytes <= LISTED_BYTES;
        self.listed += u64::from(lists);
        lists
    }
}

/// The memory that a finding takes in a list that grows.
pub(super) const fn weight(finding: &Finding) -> usize {
    let column = match &finding.column {
        Some(column) => column.capacity(),
        None => 0,
    };
    2 * size_of::<Finding>() + column + finding.message.capacity() + finding.value.capacity()
}

/// Where a finding points: row and column of the spreadsheet and the cell.
#[derive(Clone, Copy, Debug, Default)]
pub struct At<'a> {
    /// Row of the spreadsheet.
    pub row: Option<u32>,
    /// Column name.
    pub column: Option<&'a str>,
    /// The cell as it is.
    pub value: &'a str,
}

impl<'a> At<'a> {
    /// The whole file.
    pub const FILE: At<'static> = At { row: None, column: None, value: "" };

    /// A whole row.
    pub const fn row(row: u32) -> Self {
        At { row: Some(row), column: None, value: "" }
    }

    /// One cell.
    pub const fn cell(row: u32, column: &'a str, value: &'a str) -> Self {
        At { row: Some(row), column: Some(column), value }
    }
}

impl Findings {
    /// Adds something that keeps the file out.
    pub fn error(&mut self, at: At<'_>, code: FindingCode, message: impl Into<String>) {
        self.add(finding(at, code, Severity::Error, message.into()));
    }

    /// Adds something worth a look.
    pub fn warning(&mut self, at: At<'_>, code: FindingCode, message: impl Into<String>) {
        self.add(finding(at, code, Severity::Warning, message.into()));
    }

    /// Adds a finding that was made elsewhere.
    pub fn add(&mut self, finding: Finding) {
        if finding.must_be_confirmed() {
            let asked = self.asked.get_or_insert_default();
            // Not the row: what a browser sends of a corrected sheet has no blank rows.
            for text in [finding.code.title(), finding.column.as_deref().unwrap_or(""), &finding.message] {
                asked.update((text.len() as u64).to_be_bytes());
                asked.update(text);
            }
        }
        let counted = match finding.severity {
            Severity::Error if finding.code == FindingCode::CardNumber => &mut self.cards,
            Severity::Error => &mut self.errors,
            Severity::Warning if finding.must_be_confirmed() => &mut self.asked_for,
            Severity::Warning => &mut self.warnings,
        };
        if counted.lists(&finding) {
            self.listed.push(finding);
        }
    }

    /// How many errors there are, listed or not.
    pub const fn errors(&self) -> u64 {
        self.errors.all + self.cards.all
    }

    /// How many warnings there are, listed or not.
    pub const fn warnings(&self) -> u64 {
        self.warnings.all + self.asked_for.all
    }

    /// Names the warnings that must be confirmed; empty where there is none. A tick "anyway" holds for what it was
    /// shown with.
    pub fn fingerprint(&self) -> String {
        let hash = self.asked.clone().map(|asked| asked.finalize());
        hash.iter().flatten().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The list by row, findings about the whole file first, otherwise as found; at its end how many are not listed.
    pub(crate) fn into_list(mut self) -> Vec<Finding> {
        self.listed.sort_by_key(|finding| finding.row);
        let left = |counted: Counted| counted.all - counted.listed;
        self.listed.extend(unlisted(left(self.errors) + left(self.cards), left(self.asked_for) + left(self.warnings)));
        self.listed
    }
}

/// As many findings as an answer holds, errors first to be kept, then what must be confirmed; in the order they had,
/// and at the end how many are not listed of so many `errors` and `warnings`.
pub fn fit(mut findings: Vec<Finding>, errors: u64, warnings: u64) -> Vec<Finding> {
    let rank = |finding: &Finding| match finding.severity {
        // A file that holds one is not kept, so it is always told of.
        Severity::Error if finding.code == FindingCode::CardNumber => 0,
        Severity::Error => 1,
        Severity::Warning if finding.must_be_confirmed() => 2,
        Severity::Warning => 3,
    };
    let mut left: usize = if errors > 0 { ANSWER_BYTES } else { ANSWER_BYTES_BESIDE };
    let mut places: Vec<(u8, usize, usize)> = Vec::with_capacity(findings.len());
    for (place, finding) in findings.iter().enumerate().filter(|(_, finding)| finding.code != FindingCode::Unlisted) {
        let bytes = serde_json::to_string(finding).map_or(usize::MAX, |json| json.len() + 1);
        places.push((rank(finding), place, bytes));
    }
    places.sort_unstable();
    let mut kept = vec![false; findings.len()];
    let mut listed = [0; 2];
    for (rank, place, bytes) in places {
        let Some(rest) = left.checked_sub(bytes) else { break };
        left = rest;
        if let (Some(kept), Some(listed)) = (kept.get_mut(place), listed.get_mut(usize::from(rank > 1))) {
            *kept = true;
            *listed += 1;
        }
    }
    let mut kept = kept.into_iter();
    findings.retain(|_| kept.next() == Some(true));
    let [listed_errors, listed_warnings]: [u64; 2] = listed;
    findings.extend(unlisted(errors.saturating_sub(listed_errors), warnings.saturating_sub(listed_warnings)));
    findings
}

/// What is said of findings that are not listed; nothing where all are.
fn unlisted(errors: u64, warnings: u64) -> Option<Finding> {
    let count = |number: u64, thing: &str| match number {
        0 => None,
        1 => Some(format!("1 more {thing}")),
        more => Some(format!("{} more {thing}s", group(more, false))),
    };
    let counted: Vec<String> = [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect();
    let verb = if errors + warnings == 1 { "is" } else { "are" };
    let severity = if errors > 0 { Severity::Error } else { Severity::Warning };
    let message = format!("More findings: and {} that {verb} not listed.", counted.join(" and "));
    (!counted.is_empty()).then(|| finding(At::FILE, FindingCode::Unlisted, severity, message))
}

/// A finding with everything that a file can make long cut to what a page can show.
pub fn finding(at: At<'_>, code: FindingCode, severity: Severity, message: String) -> Finding {
    let message = match cut(&message, MESSAGE_CHARS) {
        Cow::Borrowed(_) => message,
        Cow::Owned(short) => short,
    };
    let column = at.column.map(|column| printable(column).into_owned());
    Finding { row: at.row, column, code, severity, message, value: printable(at.value).into_owned() }
}
