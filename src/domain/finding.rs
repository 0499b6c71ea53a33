//! What is wrong, or worth a look, in a file: row, column, code and a sentence.

use serde::{Deserialize, Serialize};

/// Whether a finding keeps the file from being accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is not accepted.
    Error,
    /// A person should look; the file can be accepted.
    Warning,
}

/// Kinds of findings. The first four carry the specifications' own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// "Invalid file format".
    InvalidFileFormat,
    /// "Missing mandatory fields".
    MissingMandatoryFields,
    /// "Row limit exceeded".
    RowLimitExceeded,
    /// "Invalid data type".
    InvalidDataType,
    /// Zero or below.
    AmountNotPositive,
    /// More decimals than the currency has.
    TooManyDecimals,
    /// More than 13 digits.
    AmountTooLarge,
    /// The parts of a split settlement do not sum to the amount.
    PartsDoNotAddUp,
    /// A vendor id without amount, or the reverse.
    VendorPair,
    /// Both vendors are the same.
    SameVendor,
    /// A row of the split template without any part.
    NoPart,
    /// The same unique_id twice in the file.
    DuplicateUniqueId,
    /// The unique_id was used by an earlier batch.
    UniqueIdTaken,
    /// An id that a spreadsheet or another tool has spoilt (`1.23457E+15`, `#N/A`).
    MangledId,
    /// An id with characters that cannot be sent.
    InvalidId,
    /// A cell or id that is too long.
    TooLong,
    /// Too many bytes.
    FileTooLarge,
    /// No data rows.
    EmptyFile,
    /// The same order twice: right if both are partial refunds (warning).
    RepeatedOrder,
    /// Text that a spreadsheet would run as a formula (warning).
    FormulaText,
    /// Outer blanks were ignored (warning).
    OuterBlanks,
    /// The file was UTF-16 (warning).
    Utf16,
    /// "Invalid order ID format" (Batch Sync).
    InvalidOrderId,
    /// "Empty order ID" (Batch Sync).
    EmptyOrderId,
    /// "Duplicate order ID" (Batch Sync).
    DuplicateOrderId,
    /// A row that is the sum of others (warning that must be confirmed).
    TotalLine,
    /// A date, a truth value or a word for nothing where an id should be (warning that must be confirmed).
    DoubtfulId,
    /// An id after an amount that looks like the rest of it (warning that must be confirmed).
    SplitNumber,
    /// Ids that are the same but for their case (warning).
    KeysByCase,
    /// The number of a payment card in a free text.
    CardNumber,
    /// How many findings are not listed.
    Unlisted,
}

impl FindingCode {
    /// The heading findings of this kind are grouped under; the specifications' words where they have them.
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidFileFormat => "Invalid file format",
            Self::MissingMandatoryFields => "Missing mandatory fields",
            Self::RowLimitExceeded => "Row limit exceeded",
            Self::InvalidDataType => "Invalid data type",
            Self::AmountNotPositive => "Amount must be greater than 0",
            Self::TooManyDecimals => "Too many decimals",
            Self::AmountTooLarge => "Amount too large",
            Self::PartsDoNotAddUp => "Parts do not add up",
            Self::VendorPair => "Vendor ID and amount must come together",
            Self::SameVendor => "Vendor 1 and vendor 2 must be different",
            Self::NoPart => "Split settlement needs at least one part",
            Self::DuplicateUniqueId => "Duplicate unique ID",
            Self::UniqueIdTaken => "Unique ID already used",
            Self::MangledId => "ID spoilt by a spreadsheet",
            Self::InvalidId => "Invalid ID",
            Self::TooLong => "Too long",
            Self::FileTooLarge => "File too large",
            Self::EmptyFile => "No rows",
            Self::RepeatedOrder => "Same order ID twice",
            Self::FormulaText => "Text that a spreadsheet would run",
            Self::OuterBlanks => "Blanks around a value",
            Self::Utf16 => "UTF-16 file",
            Self::InvalidOrderId => "Invalid order ID format",
            Self::EmptyOrderId => "Empty order ID",
            Self::DuplicateOrderId => "Duplicate order ID",
            Self::TotalLine => "Row that may be a total",
            Self::DoubtfulId => "ID that may not be one",
            Self::SplitNumber => "Amount that a comma may have cut",
            Self::KeysByCase => "Unique IDs that differ in case only",
            Self::CardNumber => "Card number",
            Self::Unlisted => "More findings",
        }
    }

    /// Whether a person must say that it is meant before the file is taken.
    pub const fn must_be_confirmed(self) -> bool {
        matches!(self, Self::TotalLine | Self::DoubtfulId | Self::SplitNumber)
    }
}

impl Finding {
    /// Whether a person must say that it is meant before the file is taken.
    pub fn must_be_confirmed(&self) -> bool {
        self.severity == Severity::Warning && self.code.must_be_confirmed()
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Row of the spreadsheet (header is 1); none when the whole file is meant.
    pub row: Option<u32>,
    /// Column name as in the header; none when the whole row or file is meant.
    pub column: Option<String>,
    /// Kind.
    pub code: FindingCode,
    /// Whether it keeps the file out.
    pub severity: Severity,
    /// A sentence: what is wrong and what would be right. Begins with the specification's words where it has them
    /// ("Invalid data type: amount \"1,250.00\" has a thousands separator; write 1250.00.").
    pub message: String,
    /// The cell as it is in the file, cut at 80 characters; empty when none is meant.
    pub value: String,
}
