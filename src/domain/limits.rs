//! Limits of an upload, with the specifications' numbers as defaults.

use serde::{Deserialize, Serialize};

/// Bytes of one cell, at most.
pub const MAX_CELL_BYTES: usize = 8 * 1024;
/// Days that a batch may wait for a decision, at most.
pub const MOST_APPROVAL_DAYS: u32 = 90;
/// Characters of an id field, at most.
pub const MAX_ID_CHARS: usize = 128;
/// Characters of what a person writes beside something (a description, a reason, a note), at most.
pub const MAX_REMARK_CHARS: usize = 500;

/// What one file may have, for one organisation and operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Data rows (header and wholly blank lines are not counted).
    pub rows: u32,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Profile::TABLE.within(Profile::TABLE.rows, Ceilings::default())
    }
}

/// What the operator allows at most, whatever an organisation sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceilings {
    /// Data rows.
    pub rows: u32,
    /// Bytes; none leaves it to the profile.
    pub bytes: Option<u64>,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self { rows: Profile::TABLE.most_rows, bytes: None }
    }
}

/// The limits of an operation's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Data rows while nobody has raised that.
    pub rows: u32,
    /// Data rows that an administrator may allow, at most.
    pub most_rows: u32,
    /// Bytes under the usual row limit.
    pub bytes: u64,
    /// Bytes once an administrator has raised the row limit.
    pub raised_bytes: u64,
}

impl Profile {
    /// Tables of refunds and orders (Batch Refunds, "Maximum 1000 rows per file").
    pub const TABLE: Self =
        Self { rows: 1_000, most_rows: 100_000, bytes: 5 * 1024 * 1024, raised_bytes: 64 * 1024 * 1024 };

    /// The limits that follow from the organisation's row limit and the operator's ceilings.
    pub fn within(&self, rows: u32, ceilings: Ceilings) -> Limits {
        let rows = rows.min(ceilings.rows);
        let bytes = if rows > self.rows { self.raised_bytes } else { self.bytes };
        Limits { rows, bytes: ceilings.bytes.map_or(bytes, |ceiling| bytes.min(ceiling)) }
    }
}

/// `5 MB`, `38 KB`, `312 bytes`: for people.
pub fn size_text(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        1 => "1 byte".to_owned(),
        0..KIB => format!("{bytes} bytes"),
        KIB..MIB => format!("{} KB", bytes.div_ceil(KIB)),
        _ => format!("{} MB", bytes.div_ceil(MIB)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_round_numbers() {
        for (bytes, text) in
            [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1 KB"), (38_400, "38 KB"), (5 << 20, "5 MB")]
        {
            assert_eq!(size_text(bytes), text);
        }
    }
}
