//! Tests that need the inside. Tests that drive the router and the binary from outside are in `tests/outside.rs`.

mod approvals;
mod audit;
mod codes;
mod connections;
mod files;
mod life_cycle;
mod lists;
#[cfg(debug_assertions)]
mod operations;
mod orders;
mod pool;
mod processor;
mod record_partitions;
mod retention;
mod schema;
mod search;
mod sentences;
mod support;
mod sync;
mod tidy;
mod uploads;
