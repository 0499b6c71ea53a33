//! Tests that need the inside.
mod tidy;
