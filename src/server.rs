//! Everything that only the server has: the one gate for server code.
//!
//! `http` and `processor` stand at the edges; both go through `ops` (use cases: authorise first, one transaction) or,
//! for the processor, straight to `db`. All SQL is in `db`. Nothing here is compiled for the browser.

// First: its macros are for the modules below.
#[macro_use]
pub mod torture;

pub mod clock;
pub mod config;
pub mod db;
pub mod embedded;
pub mod error;
pub mod gateway;
pub mod hashing;
pub mod http;
pub mod ingest;
pub mod intake_queue;
pub mod lifecycle;
pub mod live;
pub mod operations;
pub mod ops;
pub mod outbound;
pub mod processor;
pub mod secrets;
pub mod spool;
pub mod state;
pub mod telemetry;
