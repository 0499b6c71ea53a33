//! File formats: bytes to typed records and findings, and back. Pure; the browser runs the same code as the server.

pub mod amount;
pub mod field_table;
pub mod findings;
pub mod refunds;
pub mod repair;
pub mod results;
pub mod sheet;
pub mod text;
