//! The organisation's own settings: limits, and where a second person decides.

use super::{
    access::{Caller, authorise},
    refused::{Refused, about, plain},
    settings_changes::{self, Outcome},
    time_format,
};
use crate::{
    db,
    domain::{
        access::{Module, Right},
        limits::{MOST_APPROVAL_DAYS, Profile},
        money::group,
        operation::{Approval, Operation},
        settings_change::Change,
        view::settings::{External, Settings},
    },
    error::{OpError, OpResult},
    state::AppState,
};

/// The settings as they are. Needs Read on settings.
pub async fn load(state: &AppState, caller: &Caller) -> OpResult<Settings> {
    authorise(caller, Module::Settings, Right::Read)?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let row = db::organisations::load(&mut tx).await?.ok_or_else(|| OpError::not_found("organisation"))?;
    let mut approvals = Vec::new();
    for operation in Operation::ALL.into_iter().filter(|operation| operation.approval() != Approval::Never) {
        approvals.push((operation, db::approval_rules::is_needed(&mut tx, operation).await?));
    }
    let external = db::orders::external_system(&mut tx).await?;
    let changes = settings_changes::present_changes(state, &mut tx, caller).await?;
    tx.commit().await?;
    let sending = super::views::connection::organisation_sending(&row, &time_format::zone(&row.reference.zone));
    Ok(Settings {
        sending,
        external: external.map(|system| External { url: system.url, enabled: system.enabled }),
        organisation: row.reference,
        row_limit: row.row_limit,
        most_rows: most_rows(state),
        approval_days: row.approval_days,
        approvals,
        changes,
        may_change: caller.permissions.allow(Module::Settings, Right::ReadWrite),
    })
}

pub(super) fn most_rows(state: &AppState) -> u32 {
    state.config.max_rows.min(Profile::TABLE.most_rows)
}

/// Sets how many data rows a file may have and how many days a batch waits for a decision. Running and waiting batches
/// keep what they were accepted under. The refusal names the field.
pub async fn set_limits(
    state: &AppState,
    caller: &Caller,
    row_limit: &str,
    approval_days: &str,
    reason: &str,
) -> Result<Outcome, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    let most = most_rows(state);
    let rows = whole(row_limit, most).ok_or_else(|| {
        about("row_limit", format!("Give a whole number of rows from 1 to {}.", group(most.into(), true)))
    })?;
    let days = whole(approval_days, MOST_APPROVAL_DAYS).ok_or_else(|| {
        about("approval_days", format!("Give a whole number of days from 1 to {MOST_APPROVAL_DAYS}."))
    })?;
    let change = Change::Limits { row_limit: rows, approval_days: days };
    settings_changes::submit(state, caller, &change, None, reason).await
}

/// Turns the decision by a second person on or off for an operation. Batches that wait for a decision go on waiting.
pub async fn set_approval(
    state: &AppState,
    caller: &Caller,
    operation: Operation,
    needed: bool,
    reason: &str,
) -> Result<Outcome, Refused> {
    authorise(caller, Module::Settings, Right::ReadWrite).map_err(plain)?;
    settings_changes::submit(state, caller, &Change::Approval { operation, needed }, None, reason).await
}

fn whole(text: &str, most: u32) -> Option<u32> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && (1..=most).contains(number))
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn a_limit_is_a_whole_number_within_its_bounds() {
        assert_eq!(whole(" 1000 ", 100_000), Some(1_000));
        for bad in ["", "0", "-1", "+5", "1e3", "1,000", "100001", "99999999999", "１０"] {
            assert_eq!(whole(bad, 100_000), None, "{bad:?}");
        }
    }
}
