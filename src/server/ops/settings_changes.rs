//! Changes of settings that are not one person's. One way for all of them: what is stricter is made at once; what
//! weakens a control, or says where money and data go, needs a reason, a proof of the password and, where there is one,
//! a second administrator.

mod apply;

use super::{
    access::{Caller, authorise, needs_proof},
    approvals::shown_hash,
    audit,
    refused::{Refused, about, plain},
    time_format,
};
use crate::{
    db::{
        self, Tx,
        settings_changes::{ChangeRow, NewChange},
    },
    domain::{
        access::{Module, Right},
        error::RefusalKind,
        ids::ChangeId,
        settings_change::Change,
        text::{NOTE, REASON},
        view::settings_change::{Changes, WaitingChange},
    },
    error::{OpError, OpResult},
    state::AppState,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::Duration;
use uuid::Uuid;

/// How long a change waits for a second administrator.
pub const WAITS: Duration = Duration::days(7);

/// A setting as it was when a change of it was asked for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Was {
    /// None: there was nothing.
    setting: Option<Change>,
    /// Tells two states apart that look alike.
    version: String,
}

/// What became of a change that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Made,
    /// It waits for a second administrator.
    Waits,
}

impl Outcome {
    /// What the person is told.
    pub fn sentence(self, made: String) -> String {
        match self {
            Self::Made => made,
            Self::Waits => {
                "Nothing was changed yet: another administrator must confirm it within 7 days, under Settings."
                    .to_owned()
            }
        }
    }
}

/// Makes a change, or asks for it. Needs ReadWrite on settings. `sealed` is a new secret of the changed setting.
pub(super) async fn submit(
    state: &AppState,
    caller: &Caller,
    change: &Change,
    sealed: Option<&[u8]>,
    reason: &str,
) -> Result<Outcome, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let reason = &*REASON.read(reason).map_err(|refusal| about("reason", refusal.message))?;
    let mut tx = begin(state, caller).await.map_err(plain)?;
    db::settings_changes::lock(&mut tx).await.map_err(plain)?;
    let was = apply::current(&mut tx, change).await.map_err(plain)?;
    if !change.weakens(was.setting.as_ref()) {
        made(state, &mut tx, caller, change, sealed, &json!({ "reason": reason })).await?;
        tx.commit().await.map_err(plain)?;
        return Ok(Outcome::Made);
    }
    if reason.is_empty() {
        return Err(about("reason", "Say why: administrators and everybody who approves requests read it."));
    }
    if needs_proof(state, caller) {
        return Err(about("password", "Give your password again to change this."));
    }
    let alone = db::settings_changes::other_administrators(&mut tx).await.map_err(plain)? == 0;
    let now = state.clock.now();
    let id = ChangeId(Uuid::now_v7());
    let as_json = |value: serde_json::Result<serde_json::Value>| value.map_err(OpError::failed).map_err(plain);
    let new = NewChange {
        kind: change.kind(),
        object: &change.object(),
        module: change.module().map(Module::code),
        summary: &change.summary(),
        was: &as_json(serde_json::to_value(&was))?,
        becomes: &as_json(serde_json::to_value(change))?,
        sealed_secret: sealed,
        reason,
        alone,
        at: now,
        expires_at: now + WAITS,
    };
    db::settings_changes::propose(&mut tx, id, &new).await.map_err(not_asked)?;
    let detail = json!({ "reason": reason, "change": id, "was": new.was, "becomes": new.becomes });
    if alone {
        db::settings_changes::end(&mut tx, id, "ALONE", &[], None, now).await.map_err(not_ended)?;
        made(state, &mut tx, caller, change, sealed, &json!({ "reason": reason, "change": id })).await?;
    } else {
        audit::record(state, &mut tx, caller, "settings.change_proposed", Some(id.0), detail).await.map_err(plain)?;
    }
    tx.commit().await.map_err(plain)?;
    Ok(if alone { Outcome::Made } else { Outcome::Waits })
}

/// Does what a change asks for and writes it down.
async fn made(
    state: &AppState,
    tx: &mut Tx,
    caller: &Caller,
    change: &Change,
    sealed: Option<&[u8]>,
    why: &serde_json::Value,
) -> Result<(), Refused> {
    let done = apply::apply(state, tx, change, sealed).await?;
    let mut detail = done.detail;
    if let (Some(detail), Some(why)) = (detail.as_object_mut(), why.as_object()) {
        detail.extend(why.clone());
    }
    audit::record(state, tx, caller, done.action, done.object, detail).await.map_err(plain)
}

/// The answer to a change that somebody else asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is made.
    Confirm,
    /// It is not; needs a reason.
    Reject,
}

/// Another administrator confirms or rejects. Needs ReadWrite on settings and a proof of the password; the database
/// refuses who asked for it. `content_hash` is the hash of what was shown.
pub async fn decide(
    state: &AppState,
    caller: &Caller,
    id: ChangeId,
    verdict: Verdict,
    content_hash: &str,
    note: &str,
) -> Result<String, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let mut tx = begin(state, caller).await.map_err(plain)?;
    db::settings_changes::lock(&mut tx).await.map_err(plain)?;
    let row = found(&mut tx, id).await.map_err(plain)?;
    let note = &*NOTE.read(note).map_err(|refusal| about("note", refusal.message))?;
    if verdict == Verdict::Reject && note.is_empty() {
        return Err(about("note", "Say why you reject it: the administrator who asked reads it."));
    }
    if needs_proof(state, caller) {
        return Err(about("password", "Give your password again to decide."));
    }
    let Some(shown) = shown_hash(content_hash) else {
        return Err(plain(OpError::refuse(RefusalKind::Changed, NOT_SHOWN)));
    };
    let word = if verdict == Verdict::Confirm { "CONFIRM" } else { "REJECT" };
    let stored = (!note.is_empty()).then_some(note);
    let ended = db::settings_changes::end(&mut tx, id, word, &shown, stored, state.clock.now()).await;
    ended.map_err(|error| refused(error, &row))?;
    let why = json!({ "change": id, "proposed_by": row.proposer_email, "reason": row.reason, "note": note });
    let said = match verdict {
        Verdict::Reject => {
            let action = "settings.change_rejected";
            audit::record(state, &mut tx, caller, action, Some(id.0), why).await.map_err(plain)?;
            format!("You rejected the change of {}. Nothing was changed.", row.proposer_email)
        }
        Verdict::Confirm => {
            let (change, was) = read(&row).map_err(plain)?;
            let now = apply::current(&mut tx, &change).await.map_err(plain)?;
            if now != was {
                let sentence =
                    "The setting was changed after this was asked for. Reject it; it can be asked for again.";
                return Err(plain(OpError::refuse(RefusalKind::Changed, sentence)));
            }
            made(state, &mut tx, caller, &change, row.sealed_secret.as_deref(), &why).await?;
            format!("You confirmed the change of {}. It is in effect: {}", row.proposer_email, row.summary)
        }
    };
    tx.commit().await.map_err(plain)?;
    Ok(said)
}

/// Who asked for a change takes it back. Needs ReadWrite on settings.
pub async fn withdraw(state: &AppState, caller: &Caller, id: ChangeId) -> OpResult<()> {
    authorise(caller, Module::Settings, Right::ReadWrite)?;
    let mut tx = begin(state, caller).await?;
    let row = found(&mut tx, id).await?;
    let ended = db::settings_changes::end(&mut tx, id, "WITHDRAW", &row.content_sha256, None, state.clock.now()).await;
    ended.map_err(|error| refused(error, &row).0)?;
    let detail = json!({ "summary": row.summary });
    audit::record(state, &mut tx, caller, "settings.change_withdrawn", Some(id.0), detail).await?;
    Ok(tx.commit().await?)
}

/// What waits, and what a form that changes settings needs to know. Needs Read on settings.
pub(super) async fn present_changes(state: &AppState, tx: &mut Tx, caller: &Caller) -> OpResult<Changes> {
    authorise(caller, Module::Settings, Right::Read)?;
    let zone = time_format::zone(&caller.organisation.zone);
    let mut waiting = Vec::new();
    for row in db::settings_changes::waiting(tx, state.clock.now()).await? {
        let (change, was) = read(&row)?;
        waiting.push(WaitingChange {
            id: ChangeId(row.id),
            lines: change.lines(was.setting.as_ref()),
            consequence: change.consequence(),
            summary: row.summary,
            proposer: row.proposer_email,
            at: time_format::display_time(row.at, &zone),
            reason: row.reason,
            expires: time_format::display_time(row.expires_at, &zone),
            content_sha256: hex::encode(&row.content_sha256),
            own: row.proposer == caller.person.id.0,
        });
    }
    Ok(Changes {
        waiting,
        second: db::settings_changes::other_administrators(tx).await? > 0,
        may_change: caller.permissions.allow(Module::Settings, Right::ReadWrite),
        needs_password: needs_proof(state, caller),
        viewer: caller.person.email.clone(),
    })
}

const NOT_SHOWN: &str = "This is not what was shown to you. Nothing was changed. Load the page again and decide then.";

fn read(row: &ChangeRow) -> OpResult<(Change, Was)> {
    let change = serde_json::from_value(row.becomes.clone()).map_err(OpError::failed)?;
    Ok((change, serde_json::from_value(row.was.clone()).map_err(OpError::failed)?))
}

async fn begin(state: &AppState, caller: &Caller) -> OpResult<Tx> {
    Ok(state.db.web(caller.organisation.id, Some(caller.person.id)).await?)
}

async fn found(tx: &mut Tx, id: ChangeId) -> OpResult<ChangeRow> {
    db::settings_changes::load(tx, id).await?.ok_or_else(|| OpError::not_found("change"))
}

fn not_asked(error: sqlx::Error) -> Refused {
    let sentence = match db::guard_code(&error).as_deref() {
        Some("BD409") => {
            "A change of this waits for a second administrator already. Withdraw it or have it decided first."
        }
        Some("BD403") => "Another administrator was added in the meantime. Nothing was changed. Send it again.",
        _ => return plain(error),
    };
    plain(OpError::refuse(RefusalKind::Conflict, sentence))
}

fn not_ended(error: sqlx::Error) -> Refused {
    match db::guard_code(&error).as_deref() {
        Some("BD403") => not_asked(error),
        _ => plain(error),
    }
}

/// The database's guards, in words.
fn refused(error: sqlx::Error, row: &ChangeRow) -> Refused {
    let refuse = |kind, sentence: String| plain(OpError::refuse(kind, sentence));
    let unique = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
    match db::guard_code(&error).as_deref() {
        Some("BD403") => {
            let sentence = "Another administrator must decide on a change; only who asked for it can withdraw it.";
            refuse(RefusalKind::Forbidden, sentence.to_owned())
        }
        Some("BD410") => {
            refuse(RefusalKind::Conflict, "Nobody confirmed this change in time. It can be asked for again.".to_owned())
        }
        Some("BD412") => refuse(RefusalKind::Changed, NOT_SHOWN.to_owned()),
        Some("BD409") => refuse(RefusalKind::Conflict, ended(row)),
        _ if unique => refuse(RefusalKind::Conflict, ended(row)),
        _ => plain(error),
    }
}

fn ended(row: &ChangeRow) -> String {
    let by = row.ended_by.as_deref().unwrap_or("somebody");
    match row.verdict.as_deref() {
        Some("CONFIRM") => format!("This change was confirmed by {by} already."),
        Some("REJECT") => format!("This change was rejected by {by} already."),
        Some("WITHDRAW") => format!("This change was withdrawn by {by}."),
        _ => "This change was decided already. Load the page again to see how.".to_owned(),
    }
}
