//! Batches of a deployment: files, submissions, and what the API says of them.

use super::{Batch, Deployment, Out, size::size};
use crate::torture::{
    checker,
    client::{self, Organisation},
    file::{End, RefundFile},
    restored,
};
use serde_json::Value;
use std::{
    thread,
    time::{Duration, Instant},
};

impl Deployment {
    /// What every order of this deployment has in its id.
    pub(in crate::torture) fn tag(&self) -> String {
        format!("{:06}t{}", self.seed % 1_000_000, self.batches.len())
    }

    /// A file with so many rows of each prefix.
    pub(in crate::torture) fn file(&mut self, kinds: &[(&'static str, End, usize)]) -> RefundFile {
        let tag = self.tag();
        RefundFile::of(&tag, &mut self.random, kinds.iter().copied())
    }

    /// A file of so many rows that have a unique id each.
    pub(in crate::torture) fn file_of(&self, rows: usize, mark: &str) -> RefundFile {
        restored::known(&format!("{}{mark}", self.tag()), rows)
    }

    /// Submits a file to a server that lives; its number.
    pub(in crate::torture) fn submit(&mut self, organisation: &'static Organisation, file: RefundFile) -> usize {
        let id = self.client.submit(organisation, &file);
        self.observed(organisation, file, id)
    }

    /// Observes a batch.
    pub(in crate::torture) fn observed(
        &mut self,
        organisation: &'static Organisation,
        file: RefundFile,
        id: String,
    ) -> usize {
        self.batches.push(Batch { organisation, file, id, accepted: 0 });
        self.batches.len() - 1
    }

    /// Submits a file to a server that may die of it, or may have done so before: what is there already is gone on
    /// with.
    pub(in crate::torture) fn try_submit(
        &mut self,
        organisation: &'static Organisation,
        file: &RefundFile,
    ) -> Result<usize, String> {
        let known = self.text(&format!("SELECT id::text FROM batchdesk.batch WHERE file_name = '{}'", file.name));
        let id = match known.as_slice() {
            [] => {
                let (status, text) = self.client.upload(organisation, &file.name, &file.text(), false)?;
                client::batch_of(status, &text).ok_or(format!("{status} {text}"))?
            }
            [id] => id.clone(),
            many => return Err(format!("{} is there {} times", file.name, many.len())),
        };
        self.client.approve(organisation, &id)?;
        Ok(self.observed(organisation, file.clone(), id))
    }

    /// The restored database does not know what was told of these batches, and this one not at all.
    pub(in crate::torture) fn forget(&mut self, batch: usize) {
        self.batches.remove(batch);
        self.batches.iter_mut().for_each(|batch| batch.accepted = 0);
    }

    /// Rows of a batch that must end open.
    pub(in crate::torture) fn open_where(&mut self, batch: usize, open: impl Fn(&str) -> bool) {
        for row in self.batches[batch].file.rows.iter_mut().filter(|row| open(&row.order)) {
            row.end = End::Open;
        }
    }

    /// What the API says of a batch now; none while the server or its database is down. What must always hold is
    /// checked.
    pub(in crate::torture) fn look(&mut self, batch: usize) -> Option<Value> {
        let batch = &mut self.batches[batch];
        let snapshot = self.client.snapshot(batch.organisation, &batch.id).ok()?;
        let accepted = snapshot["counts"]["accepted"].as_i64().unwrap();
        let unsound = checker::conserved(&snapshot).err().or_else(|| {
            (accepted < batch.accepted).then(|| format!("{} rows were ACCEPTED, now: {snapshot}", batch.accepted))
        });
        self.breaches.extend(unsound.filter(|_| self.breaches.len() < 50));
        batch.accepted = batch.accepted.max(accepted);
        Some(snapshot)
    }

    /// Waits until the API says `enough` of a batch; the last that it said. A server that stopped sending by itself,
    /// and a time that is over, are breaches.
    pub(in crate::torture) fn wait(&mut self, batch: usize, enough: impl Fn(&Value) -> bool) -> Value {
        let mutated = !matches!(self.out, Out::Nothing);
        let give_up = Instant::now() + Duration::from_secs(if mutated { 25 } else { size(150, 300) });
        let mut last = Value::Null;
        while Instant::now() < give_up {
            if let Some(snapshot) = self.look(batch) {
                if enough(&snapshot) {
                    return snapshot;
                }
                if snapshot["notice"].as_str().is_some_and(|notice| notice.contains("does not add up")) {
                    self.breaches.push(format!("sending was stopped: {}", snapshot["notice"]));
                    return snapshot;
                }
                last = snapshot;
            }
            // With a guard out this may never end, and need not.
            if mutated && !checker::refunded_twice(&self.ledger()).is_empty() {
                return last;
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.breaches.push(format!("batch {batch} did not end in time: {last}"));
        if !mutated {
            self.keep_activity();
        }
        last
    }

    /// Waits until some of a batch is done and some is not. The number of a batch that is: a new one when this one has
    /// ended.
    pub(in crate::torture) fn in_the_middle(
        &mut self,
        batch: usize,
        kinds: &[(&'static str, End, usize)],
        patience: Duration,
    ) -> usize {
        let organisation = self.batches[batch].organisation;
        let (mut batch, give_up) = (batch, Instant::now() + patience);
        while Instant::now() < give_up {
            match self.look(batch) {
                Some(snapshot) if snapshot["counts"]["queued"] == 0 => {
                    let file = self.file(kinds);
                    match self.try_submit(organisation, &file) {
                        Ok(new) => batch = new,
                        Err(_) => thread::sleep(Duration::from_millis(50)),
                    }
                }
                Some(snapshot) if snapshot["counts"]["accepted"] != 0 => return batch,
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
        batch
    }
}
