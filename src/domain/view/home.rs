//! The first page after sign-in.

use crate::{money::Money, operation::Operation, view::BatchRow};
use serde::{Deserialize, Serialize};

/// The first page after sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// Batches that wait for this person.
    pub waiting: u64,
    /// Batches under way.
    pub processing: u64,
    /// Batches that ended with failures in the last 7 days.
    pub failures: u64,
    /// Accepted since midnight in the organisation's zone: one sum a currency, the organisation's first.
    pub refunded_today: Vec<Money>,
    /// Newest batches of all operations that the person may read.
    pub recent: Vec<(Operation, BatchRow)>,
    /// What needs somebody: sentence and where to go.
    pub attention: Vec<(String, String)>,
}
