//! Typed server functions for hydrated pages, one file per area: name the caller, call one operation, map the error.
