//! How much of files may come in at once: of this process, and files of one person.

use crate::{
    domain::{error::RefusalKind, ids::PersonId},
    server::error::{OpError, OpResult},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KIB: u64 = 1024;
/// KiB of all files that are read at once.
const ALL_KIB: usize = 256 * 1024;
/// Files of one person that are read at once.
const OF_A_PERSON: usize = 4;
/// What a file of unknown length takes at a time.
const STEP: u64 = 1024 * KIB;

/// The budget of the process.
pub(in crate::http) struct Budget {
    kib: Arc<Semaphore>,
    people: Mutex<HashMap<PersonId, usize>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { kib: Arc::new(Semaphore::new(ALL_KIB)), people: Mutex::default() }
    }
}

/// What one file takes of it; given back when dropped.
pub(in crate::http) struct Share {
    budget: Arc<Budget>,
    person: PersonId,
    taken: OwnedSemaphorePermit,
}

impl Budget {
    /// A share for a file of `person` that is `bytes` long, as far as is known.
    pub(in crate::http) fn enter(self: &Arc<Self>, person: PersonId, bytes: u64) -> OpResult<Share> {
        let taken = self.take(bytes)?;
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let files = people.entry(person).or_default();
        if *files >= OF_A_PERSON {
            return Err(OpError::refuse(
                RefusalKind::TooMany,
                format!(
                    "{OF_A_PERSON} files of yours are being read already. Nothing was kept of this one. Upload it when \
                     they are done."
                ),
            ));
        }
        *files += 1;
        drop(people);
        Ok(Share { budget: self.clone(), person, taken })
    }

    fn take(&self, bytes: u64) -> OpResult<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        self.kib.clone().try_acquire_many_owned(kib).map_err(|_| {
            OpError::refuse(
                RefusalKind::Unavailable,
                "Too many files are being read at the moment. Nothing was kept of this one. Upload it again in a \
                 minute.",
            )
        })
    }
}

impl Share {
    /// Takes more when a file turns out to be longer than was known.
    pub(in crate::http) fn holds(&mut self, bytes: u64) -> OpResult<()> {
        let held = self.taken.num_permits() as u64 * KIB;
        if bytes > held {
            self.taken.merge(self.budget.take((bytes - held).max(STEP))?);
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut people = self.budget.people.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = people.get_mut(&self.person) {
            *files = files.saturating_sub(1);
            if *files == 0 {
                people.remove(&self.person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const MIB: u64 = 1024 * KIB;

    fn person(number: u128) -> PersonId {
        PersonId(Uuid::from_u128(number))
    }

    fn refused(share: OpResult<Share>) -> RefusalKind {
        share.err().expect("refused").refusal.kind
    }

    #[test]
    fn all_files_together_stay_within_the_budget_and_give_back_what_they_took() {
        let budget = Arc::new(Budget::default());
        let four: Vec<_> = (0..4).map(|number| budget.enter(person(number), 60 * MIB).unwrap()).collect();
        assert_eq!(refused(budget.enter(person(5), 60 * MIB)), RefusalKind::Unavailable);
        let mut unknown = budget.enter(person(5), 0).unwrap();
        unknown.holds(15 * MIB).unwrap();
        assert!(unknown.holds(17 * MIB).is_err());
        drop(four);
        unknown.holds(17 * MIB).unwrap();
        drop(unknown);
        assert!(budget.enter(person(6), 256 * MIB).is_ok());
    }

    #[test]
    fn one_person_has_four_files_under_way_and_others_have_theirs() {
        let budget = Arc::new(Budget::default());
        let mut four: Vec<_> = (0..4).map(|_| budget.enter(person(1), MIB).unwrap()).collect();
        assert_eq!(refused(budget.enter(person(1), MIB)), RefusalKind::TooMany);
        assert!(budget.enter(person(2), MIB).is_ok());
        four.pop();
        assert!(budget.enter(person(1), MIB).is_ok());
    }
}
