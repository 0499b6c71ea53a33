//! Batch Sync on a real PostgreSQL: a scripted gateway that is asked, and a real HTTP endpoint that is told.

mod bench;
mod delivery;
mod guards;
mod orders;
mod trail;

use bench::{Bench, Order};
