//! Pure rules: no I/O, no clock, no async. Compiled for the server and for the browser.

pub mod access;
pub mod batch;
pub mod connection_limits;
pub mod email;
pub mod error;
pub mod eta;
pub mod finding;
pub mod gateway;
pub mod ids;
pub mod limits;
pub mod money;
pub mod notice;
pub mod operation;
pub mod page;
pub mod protocol;
pub mod retry;
pub mod settings_change;
pub mod task;
pub mod text;
pub mod view;
