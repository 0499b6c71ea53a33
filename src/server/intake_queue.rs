//! Turns for files that came in. Each is checked on a core and stored over a connection, so few are at a time, large
//! files apart from small ones. Those of one organisation and operation come one after another: in the database they
//! would wait for each other, each on a connection that pages need.

use super::spool::BLOCK;
use crate::domain::{ids::OrganisationId, operation::Operation};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Large files that are checked and stored at a time, and as many small ones.
const AT_ONCE: usize = 2;

type Turns = Arc<Semaphore>;

/// The turns of the process.
#[derive(Debug)]
pub struct IntakeQueue {
    large: Turns,
    small: Turns,
    of: Mutex<HashMap<(OrganisationId, Operation), Turns>>,
}

impl Default for IntakeQueue {
    fn default() -> Self {
        let turns = || Arc::new(Semaphore::new(AT_ONCE));
        Self { large: turns(), small: turns(), of: Mutex::default() }
    }
}

/// The leave to check and to store one file, until it is dropped.
#[derive(Debug)]
pub struct IntakeTurn(#[expect(dead_code, reason = "held until the file is stored")] [Option<OwnedSemaphorePermit>; 2]);

impl IntakeQueue {
    /// Waits for the turn of a file that is so long.
    pub async fn turn(&self, organisation: OrganisationId, operation: Operation, bytes: u64) -> IntakeTurn {
        let own = {
            let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
            of.entry((organisation, operation)).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        let lane = if bytes > BLOCK as u64 { &self.large } else { &self.small };
        // Nobody closes them, so there is no error.
        let own = own.acquire_owned().await.ok();
        IntakeTurn([own, lane.clone().acquire_owned().await.ok()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use uuid::Uuid;

    #[test]
    fn few_are_at_a_time_of_one_organisation_one_and_small_ones_wait_for_no_large_ones() {
        let queue = IntakeQueue::default();
        let large = BLOCK as u64 + 1;
        let turn = |organisation: u128, operation, bytes| {
            queue.turn(OrganisationId(Uuid::from_u128(organisation)), operation, bytes).now_or_never()
        };
        let first = turn(1, Operation::Refund, large).unwrap();
        assert!(turn(1, Operation::Refund, 1).is_none(), "the same organisation");
        let second = turn(1, Operation::OrderSync, large).unwrap();
        assert!(turn(2, Operation::Refund, large).is_none(), "all turns of large files are taken");
        let small = turn(2, Operation::Refund, large - 1).unwrap();
        drop(first);
        assert!(turn(2, Operation::Refund, large).is_none(), "its own turn is taken");
        drop(small);
        let third = turn(2, Operation::Refund, large).unwrap();
        drop((second, third));
        let turns: Vec<_> = (3..5).map(|number| turn(number, Operation::Refund, large)).collect();
        assert!(turns.iter().all(Option::is_some), "every turn comes back");
    }
}
