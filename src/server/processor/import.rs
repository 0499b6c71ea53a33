//! Imports at work: the sources of a batch are checked as a whole, then their rows are stored in runs, each in one
//! transaction with the counters and the place that it came to. Whatever is lost on the way (this process, a COMMIT's
//! reply, a lease), whoever claims the import next goes on from that place, so every row is stored once. Nothing of it
//! has an effect outside.

use super::lane::{TIME_SLICE, Trouble, trouble};
use crate::{
    db::{
        self, Tx,
        imports::{CHECK, Held, STORE, SourceRow, Stored},
    },
    domain::ids::{BatchId, OrganisationId},
    error::{OpError, OpResult},
    files,
    ingest::{Source, SourceRun},
    ops::audit,
    state::AppState,
};
use serde_json::json;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Rows that are stored at a time: a pause waits for one run, and a kill costs one.
const ROWS: usize = 1_000;

/// Works on due imports until there are none, or the slice is over. Returns whether it did anything.
pub(super) async fn run(state: &AppState, organisation: OrganisationId, soft: &CancellationToken) -> bool {
    let lane = Lane { state, organisation, soft, started: Instant::now() };
    let mut worked = false;
    while lane.goes_on() {
        let held = match lane.claim().await {
            Ok(Some(held)) => held,
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, %organisation, "import.cannot_claim");
                break;
            }
        };
        worked = true;
        let batch = held.batch_id;
        if let Err(error) = lane.work_on(held).await {
            // Its lease lapses, and it is claimed again.
            tracing::warn!(%error, %organisation, %batch, "import.interrupted");
            break;
        }
    }
    worked
}

struct Lane<'a> {
    state: &'a AppState,
    organisation: OrganisationId,
    soft: &'a CancellationToken,
    started: Instant,
}

/// What a step came to.
enum Step {
    /// There is more to do.
    More,
    /// The import has ended, or its lease is another's.
    Over,
}

impl Lane<'_> {
    fn goes_on(&self) -> bool {
        !self.soft.is_cancelled() && self.started.elapsed() < TIME_SLICE
    }

    async fn tx(&self) -> sqlx::Result<Tx> {
        self.state.db.worker(self.organisation).await
    }

    async fn claim(&self) -> sqlx::Result<Option<Held>> {
        let mut tx = self.tx().await?;
        let held = db::imports::claim(&mut tx, self.state.config.lease).await?;
        tx.commit().await?;
        Ok(held)
    }

    async fn work_on(&self, held: Held) -> OpResult<()> {
        let mut tx = self.tx().await?;
        let sources = db::imports::sources(&mut tx, BatchId(held.batch_id)).await?;
        tx.commit().await?;
        if held.phase == CHECK && matches!(self.check(&held, &sources).await?, Step::Over) {
            return Ok(());
        }
        let mut from = usize::try_from(held.byte_offset).map_err(OpError::failed)?;
        for source in sources.iter().filter(|source| source.source_no >= held.source_no) {
            let text = match self.read(&held, source).await? {
                Ok(text) => text,
                Err(sentence) => return self.refuse(&held, STORE, &sentence).await,
            };
            let mut runs = text.runs(std::mem::take(&mut from), ROWS);
            let mut ahead = runs.recv().await;
            while let Some(run) = ahead {
                let run = run.map_err(OpError::failed)?;
                ahead = runs.recv().await;
                if !self.goes_on() {
                    let mut tx = self.tx().await?;
                    db::imports::release(&mut tx, &held).await?;
                    return Ok(tx.commit().await?);
                }
                let next = if ahead.is_some() { i64::try_from(run.next).ok() } else { None };
                if matches!(self.store(&held, run, next).await?, Step::Over) {
                    return Ok(());
                }
            }
        }
        self.refuse(&held, STORE, "The file has fewer rows than were counted in it.").await
    }

    /// Reads a source; a sentence where that cannot be done.
    async fn read(&self, held: &Held, source: &SourceRow) -> OpResult<Result<Source, String>> {
        let loaded = files::load(self.state, self.tx().await?, &source.sha256).await?;
        let spool = match loaded.whole(&source.file_name) {
            Ok(spool) => spool,
            Err(error) => return Ok(Err(error.refusal.message)),
        };
        let operation = held.operation;
        let read = tokio::task::spawn_blocking(move || Source::read(operation, spool)).await;
        let read = read.map_err(OpError::failed)?.map_err(OpError::failed)?;
        Ok(read.map_err(|sentence| format!("{}: {sentence}", source.file_name)))
    }

    /// Looks at the sources as a whole: only when all of them can be read is anything stored.
    async fn check(&self, held: &Held, sources: &[SourceRow]) -> OpResult<Step> {
        let mut totals = Vec::new();
        for source in sources {
            match self.read(held, source).await? {
                Ok(text) => totals.push(text.rows),
                Err(sentence) => return self.refuse(held, CHECK, &sentence).await.map(|()| Step::Over),
            }
        }
        let mut tx = self.tx().await?;
        if !db::imports::hold(&mut tx, held, CHECK).await? {
            return Ok(Step::Over);
        }
        db::imports::counted(&mut tx, &totals).await?;
        tx.commit_at("import_check").await?;
        Ok(Step::More)
    }

    /// Stores a run. What the database refuses ends the import: it would refuse it again.
    async fn store(&self, held: &Held, run: SourceRun, next: Option<i64>) -> OpResult<Step> {
        let mut tx = self.tx().await?;
        if !db::imports::hold(&mut tx, held, STORE).await? {
            return Ok(Step::Over);
        }
        let (mut tx, ended) = match self.put(tx, held, run, next).await {
            Ok(put) => put,
            Err(error) if trouble(&error) == Trouble::Violation && db::guard_code(&error).is_none() => {
                tracing::error!(%error, batch = %held.batch_id, "import.refused_by_the_database");
                let sentence =
                    "A row cannot be stored, so nothing after it was. Tell your administrator: the log says why.";
                return self.refuse(held, STORE, sentence).await.map(|()| Step::Over);
            }
            Err(error) => return Err(error.into()),
        };
        if ended {
            let batch = BatchId(held.batch_id);
            let sources = db::imports::sources(&mut tx, batch).await?;
            let sum = |part: fn(&SourceRow) -> i32| sources.iter().map(part).sum::<i32>();
            let detail = json!({ "created": sum(|it| it.created), "skipped": sum(|it| it.skipped), "failed": sum(|it| it.failed) });
            audit::record_own(self.state, &mut tx, "batch.imported", Some(batch.0), detail).await?;
        }
        tx.commit_at("import").await?;
        Ok(if ended { Step::Over } else { Step::More })
    }

    /// The rows of a run, why some of them did not pass, the counters and the place after it.
    async fn put(&self, tx: Tx, held: &Held, run: SourceRun, next: Option<i64>) -> sqlx::Result<(Tx, bool)> {
        let number = |rows: usize| i32::try_from(rows).unwrap_or(i32::MAX);
        let failed = number(run.refused.len());
        let stored = Stored { created: number(run.records.len()) - failed, skipped: 0, failed };
        let (mut tx, _) = db::batches::insert_records(tx, BatchId(held.batch_id), run.records.into_iter()).await?;
        db::imports::refuse_rows(&mut tx, held, &run.refused).await?;
        let ended = db::imports::stored(&mut tx, stored, next, self.state.config.lease).await?;
        Ok((tx, ended))
    }

    /// Ends an import that cannot be stored, or not to its end.
    async fn refuse(&self, held: &Held, phase: &str, sentence: &str) -> OpResult<()> {
        let mut tx = self.tx().await?;
        if !db::imports::hold(&mut tx, held, phase).await? {
            return Ok(());
        }
        db::imports::refused(&mut tx, phase, sentence).await?;
        let detail = json!({ "reason": sentence });
        audit::record_own(self.state, &mut tx, "batch.invalid", Some(held.batch_id), detail).await?;
        Ok(tx.commit().await?)
    }
}
