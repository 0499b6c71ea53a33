//! Everything that only the server has: the one gate for server code.
//!
//! The web part (`http`, above this package) and `processor` stand at the edges; both go through `ops` (use cases:
//! authorise first, one transaction) or, for the processor, straight to `db`. All SQL is in `db`.

#[cfg(all(failpoints, not(debug_assertions)))]
compile_error!("`failpoints` puts faults into the server on purpose: it is for debug builds, never for a release");

pub use ::{domain, formats};

// First: its macros are for the modules below.
#[macro_use]
pub mod torture;

pub mod clock;
pub mod config;
pub mod db;
pub mod demo;
pub mod embedded;
pub mod error;
pub mod files;
pub mod gateway;
pub mod hashing;
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
