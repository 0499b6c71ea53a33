//! Tests that drive the router and the binary from outside.
