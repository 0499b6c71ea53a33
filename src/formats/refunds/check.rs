//! The rules of a row.
pub(super) struct Checker;
