//! Batch Sync on a real PostgreSQL: a scripted gateway that is asked, and a real HTTP endpoint that is told.

mod delivery;
mod guards;
mod harness;
mod orders;
mod trail;

use harness::{Order, SyncHarness};
