//! Live events of a batch.
