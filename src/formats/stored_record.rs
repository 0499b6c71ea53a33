//! A row as it is stored, whatever its operation.

use domain::task::RecordExtra;

/// A record of any operation, in the columns that the database has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredRecord {
    /// S.No: the number of the data row, from 1.
    pub number: u32,
    /// Row of the spreadsheet (header is 1).
    pub row: u32,
    /// What the row is about.
    pub order_id: String,
    /// Minor units; zero where nothing is moved.
    pub amount_minor: i64,
    /// The transaction, where the row names one.
    pub txn_id: Option<String>,
    /// The maker's own id, where it is taken once and for all.
    pub unique_id: Option<String>,
    /// Everything else; few have any.
    pub extra: Option<Box<RecordExtra>>,
}
