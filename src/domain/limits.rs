//! Limits of an upload, with the specifications' numbers as defaults.

use serde::{Deserialize, Serialize};

/// Bytes of one cell, at most.
pub const MAX_CELL_BYTES: usize = 8 * 1024;
/// Data rows of a file that an administrator may allow, at most.
pub const MOST_ROWS: u32 = 100_000;
/// Days that a batch may wait for a decision, at most.
pub const MOST_APPROVAL_DAYS: u32 = 90;
/// Characters of an id field, at most.
pub const MAX_ID_CHARS: usize = 128;
/// Characters of what a person writes beside something (a description, a reason, a note), at most.
pub const MAX_REMARK_CHARS: usize = 500;
/// Data rows of a refunds or sync file (Batch Refunds, "Maximum 1000 rows per file").
pub const DEFAULT_ROWS: u32 = 1_000;
/// Bytes of a refunds or sync file under the default row limit.
pub const DEFAULT_BYTES: u64 = 5 * 1024 * 1024;
/// Bytes of a refunds or sync file once an admin has raised the row limit.
pub const RAISED_BYTES: u64 = 64 * 1024 * 1024;

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
        Self { rows: DEFAULT_ROWS, bytes: DEFAULT_BYTES }
    }
}

impl Limits {
    /// The limits that follow from the organisation's row limit and the operator's ceilings.
    pub fn for_rows(rows: u32, max_rows: u32, max_bytes: Option<u64>) -> Self {
        let rows = rows.min(max_rows);
        let bytes = if rows > DEFAULT_ROWS { RAISED_BYTES } else { DEFAULT_BYTES };
        Self { rows, bytes: max_bytes.map_or(bytes, |ceiling| bytes.min(ceiling)) }
    }
}
