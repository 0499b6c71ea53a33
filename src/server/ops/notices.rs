//! What a person is told: the notices of their own batches and decisions.

use super::{access::Caller, moment};
use crate::{
    domain::{
        batch::Operation,
        error::RefusalKind,
        money::group,
        view::review::{Notice, Notices},
    },
    server::{
        db::{self, Tx, notices::NoticeRow},
        error::{OpError, OpResult},
        state::AppState,
    },
};
use jiff::tz::TimeZone;
use time::OffsetDateTime;

/// Notices that a page shows.
const SHOWN: i64 = 100;

/// How many the caller has not read. Anybody who is signed in has notices of their own.
pub async fn unread(tx: &mut Tx) -> OpResult<u64> {
    Ok(u64::try_from(db::notices::unread(tx).await?).unwrap_or(0))
}

/// The caller's own notices. Anybody who is signed in may ask; of modules they may no longer read nothing is told.
pub async fn list(state: &AppState, caller: &Caller) -> OpResult<Notices> {
    let zone = moment::zone(&caller.organisation.zone);
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let rows = db::notices::list(&mut tx, SHOWN).await?;
    tx.commit().await?;
    let newest = rows.iter().filter(|row| row.read_at.is_none()).map(|row| row.at).max();
    Ok(Notices {
        notices: rows
            .iter()
            .filter(|row| {
                Operation::from_code(&row.operation)
                    .is_some_and(|op| caller.permissions.allow(op.module(), crate::domain::access::Right::Read))
            })
            .map(|row| notice(row, &zone))
            .collect(),
        unread_until: newest.map(|at| at.unix_timestamp_nanos().to_string()),
    })
}

/// The caller has read what was shown up to `until`; what came later stays unread.
pub async fn read(state: &AppState, caller: &Caller, until: &str) -> OpResult<u64> {
    let nanos = until.parse::<i128>().ok();
    let until = nanos.and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok());
    let until = until.ok_or_else(|| {
        OpError::refuse(RefusalKind::Invalid, "What was shown cannot be told. Load the page again.")
    })?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let n = db::notices::read(&mut tx, until).await?;
    tx.commit().await?;
    Ok(n)
}

fn notice(row: &NoticeRow, zone: &TimeZone) -> Notice {
    let n = u64::try_from(row.n).unwrap_or(1);
    let refunds = if n == 1 { "1 refund".to_owned() } else { format!("{} refunds", group(n, true)) };
    let in_review = format!("/review?batch={}", row.batch_id);
    let list = Operation::from_code(&row.operation).map_or("/batch/batch-refunds", Operation::path);
    let failed = format!("{list}/{}?status=FAILED", row.batch_id);
    let (text, next_step, href, tone) = match row.kind.as_str() {
        "late_failure" => (
            format!("{refunds} that had been accepted failed at the gateway after all."),
            "The money did not move. See which, and send those rows again.",
            failed,
            "failed",
        ),
        "contradiction" => (
            format!("The gateway took back its last word about {refunds}."),
            "The gateway's word counts now. See what changed, and acknowledge it.",
            in_review,
            "failed",
        ),
        "differences" => (
            format!("Reconciliation found {}.", if n == 1 { "1 difference about money".to_owned() } else { format!("{} differences about money", group(n, true)) }),
            "See each with what to do, and acknowledge it.",
            in_review,
            "waiting",
        ),
        _ => (
            format!("{refunds} went into review: whether the money moved is not known."),
            "Look them up at the gateway. One person proposes, another confirms.",
            in_review,
            "waiting",
        ),
    };
    Notice {
        at: moment::moment(row.at, zone),
        text,
        next_step: next_step.to_owned(),
        file_name: row.file_name.clone(),
        href,
        tone,
        read: row.read_at.is_some(),
    }
}
