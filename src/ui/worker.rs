//! What the browser's own thread for files can do. The same module as the page's, so the same validator as the
//! server's.
//!
//! The sheet stays here; the page asks for the rows that it shows. Everything crosses as JSON text, because the page
//! and its thread share no memory.

pub mod cells;
pub mod editor;
#[cfg(feature = "hydrate")]
pub mod exports;
pub mod groups;
pub mod messages;
pub mod repairs;
