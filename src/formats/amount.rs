//! Amounts in files: what is wrong with one, and what would be right.
