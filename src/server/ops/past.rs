//! A database that went back to an older state: nothing is sent until the operator has said so, and then everything is
//! asked first.
//!
//! A backup that is restored, a copy of an old data folder, an asynchronous standby that took over: what was sent since
//! then is forgotten here and done at the gateways.

use super::audit;
use crate::{
    db::{self, past::AskedFirst},
    domain::ids::OrganisationId,
    error::OpResult,
    state::AppState,
};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the database is compared with what is remembered of it.
const EVERY: Duration = Duration::from_secs(1);

/// How the reason of such a stop begins, on pages and in the log.
pub const WENT_BACK: &str = "The database went back to an older state.";

/// The whole sentence.
pub fn sentence(why: &str) -> String {
    format!("{WENT_BACK} {why} Nothing is sent until the operator has run `batchdesk restored`.")
}

/// The first look, before anything is sent: why nothing may be.
pub async fn begin(state: &AppState) -> OpResult<Option<String>> {
    let standing = state.db.look_back().await?;
    Ok(standing.and_then(|standing| standing.behind).filter(|_| state.db.behind().is_some()))
}

/// Compares now and then until `soft` is set, and once more then. Stops every organisation when the past ends too
/// early, so that processes that remember less, and pages, know of it too.
pub async fn run(state: AppState, soft: CancellationToken) {
    let mut told: Option<String> = None;
    loop {
        if let Err(error) = state.db.look_back().await {
            tracing::warn!(%error, "past.cannot_look");
        }
        let behind = state.db.behind();
        match (&behind, &told) {
            (Some(why), None) => {
                tracing::error!("{}", sentence(why));
                match stop_all(&state, why).await {
                    Ok(()) => told = behind,
                    Err(error) => tracing::error!(%error, "past.cannot_stop_organisations"),
                }
            }
            (None, Some(_)) => {
                tracing::info!("batchdesk restored was run: sending goes on, what is unfinished is asked first");
                told = None;
            }
            _ => {}
        }
        let keeper = state.clone();
        let kept = tokio::task::spawn_blocking(move || keeper.db.keep_memory()).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "past.cannot_keep");
        }
        if soft.is_cancelled() {
            return;
        }
        tokio::select! {
            () = soft.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn stop_all(state: &AppState, why: &str) -> OpResult<()> {
    let reason = sentence(why);
    for organisation in organisations(state).await? {
        let mut tx = state.db.worker(organisation).await?;
        if db::tasks::stop_organisation(&mut tx, &reason).await? {
            let detail = json!({ "reason": reason });
            audit::record_own(state, &mut tx, "organisation.stopped", Some(organisation.0), detail).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn organisations(state: &AppState) -> OpResult<Vec<OrganisationId>> {
    let mut global = state.db.worker_global().await?;
    let organisations = db::audit::organisations(&mut global).await?;
    global.commit().await?;
    Ok(organisations)
}

/// Whether the database has no organisation yet.
pub async fn is_new(state: &AppState) -> OpResult<bool> {
    Ok(organisations(state).await?.is_empty())
}

/// What became of one organisation.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Its name.
    pub organisation: String,
    /// What is asked first.
    pub asked: AskedFirst,
    /// Whether it sends again. It does not when people, or something else, stopped it.
    pub sends: bool,
    /// How many entries of its audit trail were signed and are gone.
    pub lost_entries: i64,
}

/// The operator says that the database is an older state of itself. From now until this ends nobody sends; then
/// everything without a final outcome is looked up at its gateway before it is sent, and nothing is looked up before
/// what was sent may have arrived.
pub async fn restored(state: &AppState) -> OpResult<Vec<Restored>> {
    // First, since it changes nothing that is sent: the signed heads of the audit trail are ahead of what the database
    // has.
    let points = audit::declare_restored(state).await?;
    let mut global = state.db.worker_global().await?;
    let number = db::past::begin_restore(&mut global, state.config.resolve_after).await?;
    global.commit().await?;
    let mut done = Vec::new();
    for organisation in organisations(state).await? {
        let mut tx = state.db.worker(organisation).await?;
        let asked = db::past::ask_first(&mut tx, state.config.resolve_after).await?;
        let detail = json!({ "restore": number, "unsent": asked.unsent, "open": asked.open });
        audit::record_own(state, &mut tx, "database.restored", Some(organisation.0), detail).await?;
        tx.commit().await?;
        let mut tx = state.db.web(organisation, None).await?;
        let row = db::organisations::load(&mut tx).await?;
        let stopped = row.as_ref().and_then(|row| row.stopped_reason.as_deref());
        if stopped.is_some_and(|reason| reason.starts_with(WENT_BACK)) && db::organisations::resume(&mut tx).await? {
            let detail = json!({ "stopped_reason": stopped });
            audit::record_own(state, &mut tx, "organisation.resumed", Some(organisation.0), detail).await?;
        }
        let sends = db::organisations::load(&mut tx).await?.is_some_and(|row| row.sending);
        tx.commit().await?;
        let point = points.iter().find(|point| point.organisation == organisation);
        let lost_entries = point.and_then(|point| Some(point.lost? - point.kept)).unwrap_or_default();
        let organisation = row.map(|row| row.reference.name).unwrap_or_default();
        done.push(Restored { organisation, asked, sends, lost_entries });
    }
    let mut global = state.db.worker_global().await?;
    db::past::settle_in(&mut global).await?;
    db::past::end_restore(&mut global, number).await?;
    global.commit().await?;
    Ok(done)
}
