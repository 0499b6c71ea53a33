//! Signing in, and who a session belongs to.

use super::{access::Caller, audit, passwords};
use crate::{
    domain::{
        access::Right,
        batch::Operation,
        error::RefusalKind,
        ids::{OrganisationId, PersonId},
        view::{PersonRef, Viewer},
    },
    server::{
        db,
        error::{OpError, OpResult},
        state::AppState,
    },
};
use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// Failures of one account in a window before it is locked.
pub const ACCOUNT_FAILURES: i32 = 8;
/// Failures from one address in a window before it is locked.
pub const ADDRESS_FAILURES: i32 = 60;
/// How long failures are counted, and how long a lock lasts.
pub const WINDOW: Duration = Duration::minutes(15);

/// Who has just signed in.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn {
    /// The person.
    pub person: PersonId,
    /// The organisation they start in.
    pub organisation: OrganisationId,
}

/// Checks e-mail and password. Unknown e-mail and wrong password are one refusal (`Invalid`, "Email or password is not
/// right"); too many failures per account or per `address` are `TooMany` with the time when it ends.
pub async fn sign_in(state: &AppState, email: &str, password: &SecretString, address: &str) -> OpResult<SignedIn> {
    let email = email.trim().to_lowercase();
    refuse_locked(state, &email, address).await?;
    let mut tx = state.db.global().await?;
    let person = db::people::by_email(&mut tx, &email).await?;
    tx.commit().await?;
    let fits = passwords::verify(state, password, person.as_ref().map(|person| person.password_hash.as_str())).await?;
    let organisations = match &person {
        Some(person) if fits => {
            let mut tx = state.db.global().await?;
            let organisations = db::people::organisations(&mut tx, person.id).await?;
            tx.commit().await?;
            organisations
        }
        _ => Vec::new(),
    };
    let (Some(person), Some(&organisation)) = (person, organisations.first()) else {
        count_failure(state, &email, address).await?;
        return Err(OpError::refuse(RefusalKind::Invalid, "Email or password is not right. Check both and try again."));
    };
    let mut tx = state.db.global().await?;
    db::sessions::forget_failures(&mut tx, &account_key(&email)).await?;
    tx.commit().await?;
    let caller = caller(state, person.id, organisation, state.clock.now()).await?;
    if let Some(caller) = &caller {
        let mut tx = state.db.web(organisation, Some(person.id)).await?;
        audit::record(state, &mut tx, caller, "person.signed_in", Some(person.id.0), json!({ "address": address }))
            .await?;
        tx.commit().await?;
    }
    Ok(SignedIn { person: person.id, organisation })
}

/// Checks the caller's own password again (limits as for signing in). The session's `proved_at` is the caller's to move.
pub async fn prove(state: &AppState, caller: &Caller, password: &SecretString, address: &str) -> OpResult<()> {
    let email = &caller.person.email;
    refuse_locked(state, email, address).await?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let person = db::people::by_id(&mut tx, caller.person.id).await?;
    tx.commit().await?;
    if passwords::verify(state, password, person.as_ref().map(|person| person.password_hash.as_str())).await? {
        return Ok(());
    }
    count_failure(state, email, address).await?;
    Err(OpError::refuse(RefusalKind::Invalid, "The password is not right. Nothing was done; type it again."))
}

/// The caller behind a session, with rights as they are now; none when the person or membership is gone, or when the
/// password was set anew after `proved_at`.
pub async fn caller(
    state: &AppState,
    person: PersonId,
    organisation: OrganisationId,
    proved_at: OffsetDateTime,
) -> OpResult<Option<Caller>> {
    let mut tx = state.db.web(organisation, Some(person)).await?;
    let row = db::people::by_id(&mut tx, person).await?;
    let permissions = db::organisations::member_permissions(&mut tx, person).await?;
    let organisation = db::organisations::load(&mut tx).await?;
    tx.commit().await?;
    let (Some(row), Some(permissions), Some(organisation)) = (row, permissions, organisation) else { return Ok(None) };
    if proved_at < row.sessions_since {
        return Ok(None);
    }
    Ok(Some(Caller {
        person: PersonRef { id: person, email: row.email },
        organisation: organisation.reference,
        permissions,
        proved_at: Some(proved_at),
    }))
}

/// What pages know of the signed-in person.
pub async fn viewer(state: &AppState, caller: &Caller) -> OpResult<Viewer> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let test_data = db::gateways::current(&mut tx).await?.is_some_and(|gateway| gateway.sandbox);
    let mut waiting = 0;
    for operation in Operation::ALL {
        if caller.permissions.allow(operation.module(), Right::Approve) {
            waiting += db::approvals::count_waiting(&mut tx, operation).await?;
        }
    }
    let review = super::review::count(&mut tx, caller).await?;
    let unread = db::notices::count_unread(&mut tx).await?;
    tx.commit().await?;
    Ok(Viewer {
        person: caller.person.clone(),
        organisation: caller.organisation.clone(),
        permissions: caller.permissions.clone(),
        waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
        review: u32::try_from(review).unwrap_or(u32::MAX),
        unread: u32::try_from(unread).unwrap_or(u32::MAX),
        test_data,
    })
}

/// Writes the audit row of a sign-out.
pub async fn signed_out(state: &AppState, caller: &Caller) -> OpResult<()> {
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    audit::record(state, &mut tx, caller, "person.signed_out", Some(caller.person.id.0), json!({})).await?;
    Ok(tx.commit().await?)
}

fn account_key(email: &str) -> String {
    format!("account:{email}")
}

fn address_key(address: &str) -> String {
    format!("address:{address}")
}

async fn refuse_locked(state: &AppState, email: &str, address: &str) -> OpResult<()> {
    let now = state.clock.now();
    let mut tx = state.db.global().await?;
    let account = db::sessions::locked_until(&mut tx, &account_key(email), now).await?;
    let address = db::sessions::locked_until(&mut tx, &address_key(address), now).await?;
    tx.commit().await?;
    match account.max(address) {
        None => Ok(()),
        Some(until) => {
            let minutes = ((until - now).whole_seconds().max(0) + 59) / 60;
            let minutes = if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") };
            Err(OpError::refuse(
                RefusalKind::TooMany,
                format!(
                    "Too many wrong passwords. Try again in {minutes}, or ask an administrator to set a new password."
                ),
            ))
        }
    }
}

async fn count_failure(state: &AppState, email: &str, address: &str) -> OpResult<()> {
    let now = state.clock.now();
    let mut tx = state.db.global().await?;
    db::sessions::count_failure(&mut tx, &account_key(email), now, WINDOW, ACCOUNT_FAILURES, WINDOW).await?;
    db::sessions::count_failure(&mut tx, &address_key(address), now, WINDOW, ADDRESS_FAILURES, WINDOW).await?;
    Ok(tx.commit().await?)
}
