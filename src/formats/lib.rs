//! File formats: bytes to typed records and findings, and back. Pure; the browser runs the same code as the server.

mod amount;
mod canonical;
pub mod cards;
mod cells;
pub mod csv_lines;
pub mod delimiter;
pub mod field_table;
pub mod file;
pub mod findings;
pub mod header;
pub mod printable;
pub mod refunds;
pub mod registry;
pub mod repair;
mod repeats;
pub mod results;
pub mod sheet;
pub mod spoilt;
pub mod stored_record;
pub mod sync;
#[cfg(debug_assertions)]
mod test_import;
#[cfg(debug_assertions)]
mod test_query;
#[cfg(debug_assertions)]
mod test_send;
pub mod text;
mod totals;
pub mod workbook;

#[cfg(test)]
mod tests;
