//! The gateway simulator. Shares no code with the rest of the crate.
