//! Collects findings: counts all, lists as many as a person could ever go through.

use crate::domain::finding::{Finding, FindingCode, Severity};
use sha2::{Digest, Sha256};

/// Errors that are listed, and warnings likewise; more are counted only. A file of 1,000 rows cannot reach it in earnest, and a
/// hostile one cannot fill the memory.
pub const MAX_LISTED: usize = 20_000;

/// Characters of a cell that a finding repeats.
const VALUE_CHARS: usize = 80;

/// Findings of one file.
#[derive(Debug, Default)]
pub struct Findings {
    listed: Vec<Finding>,
    errors: u64,
    warnings: u64,
    /// Of the warnings that must be confirmed; none while there is none.
    asked: Option<Sha256>,
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
        let count = match finding.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if finding.must_be_confirmed() {
            let asked = self.asked.get_or_insert_default();
            // Not the row: what a browser sends of a corrected sheet has no blank rows.
            for text in [finding.code.title(), finding.column.as_deref().unwrap_or(""), &finding.message] {
                asked.update((text.len() as u64).to_be_bytes());
                asked.update(text);
            }
        }
        if *count <= MAX_LISTED as u64 {
            self.listed.push(finding);
        }
    }

    /// How many errors there are, listed or not.
    pub const fn errors(&self) -> u64 {
        self.errors
    }

    /// How many warnings there are, listed or not.
    pub const fn warnings(&self) -> u64 {
        self.warnings
    }

    /// Names the warnings that must be confirmed; empty where there is none. A tick "anyway" holds for what it was shown with.
    pub fn seal(&self) -> String {
        let hash = self.asked.clone().map(|asked| asked.finalize());
        hash.iter().flatten().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The list by row, findings about the whole file first, otherwise as found.
    pub fn into_list(mut self) -> Vec<Finding> {
        self.listed.sort_by_key(|finding| finding.row);
        self.listed
    }
}

/// A finding with its cell cut to what a page can show.
pub fn finding(at: At<'_>, code: FindingCode, severity: Severity, message: String) -> Finding {
    Finding {
        row: at.row,
        column: at.column.map(str::to_owned),
        code,
        severity,
        message,
        value: at.value.chars().take(VALUE_CHARS).collect(),
    }
}

/// A cell for the middle of a sentence: short, and without line ends or other invisible characters.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut out = String::from("\"");
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN {
            out.push('…');
            break;
        }
        if is_invisible(character) {
            out.push_str(&format!("<U+{:04X}>", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out.push('"');
    out
}

/// Characters that change a text without being seen: controls, blanks other than the space, marks of direction and of width.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(u32::from(character),
            0xAD | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E
            | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0xE0000..=0xE0FFF)
}
