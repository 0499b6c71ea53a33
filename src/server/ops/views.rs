//! Rows of the database as pages show them.

pub(super) mod batch;
pub(super) mod connection;
pub(super) mod decision;
