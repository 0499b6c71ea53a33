//! The schema as the migrations make it: what is written down of it, what must be true of every table, and how a
//! database gets there.

mod dump;
mod migrated;
mod operations;
mod statements;
