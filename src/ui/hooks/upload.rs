//! Sending a file, with its progress.
