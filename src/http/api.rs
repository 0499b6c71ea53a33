//! The HTTP API, a module a version.

pub(super) mod v1;
