//! Signing in, and who a session belongs to.

use super::{
    access::Caller,
    audit, devices, passwords,
    throttle::{self, Counter},
};
use crate::{
    db,
    domain::{
        access::Right,
        email,
        error::RefusalKind,
        ids::{OrganisationId, PersonId},
        operation::Operation,
        view::{PersonRef, Viewer},
    },
    error::{OpError, OpResult},
    hashing::Lane,
    state::AppState,
};
use secrecy::SecretString;
use serde_json::json;
use time::OffsetDateTime;

/// Who has just signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The person.
    pub person: PersonId,
    /// The organisation they start in.
    pub organisation: OrganisationId,
    /// When the password was known to be theirs.
    pub proved_at: OffsetDateTime,
    /// What the browser keeps to be known the next time.
    pub devices: Option<String>,
}

/// Where a sign-in comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Network address.
    pub address: &'a str,
    /// What the browser kept of earlier sign-ins.
    pub devices: &'a str,
}

/// Checks e-mail and password. Unknown e-mail and wrong password are one refusal (`Invalid`, "Email or password is not
/// right"), whatever was typed; too many checks are `TooMany`, with the time when the next one is made. Each takes one
/// turn of the hashes, and is counted before.
pub async fn sign_in(state: &AppState, email: &str, password: &SecretString, origin: Origin<'_>) -> OpResult<SignedIn> {
    let email = email::normalised(email);
    let device = email.as_deref().and_then(|email| devices::open(state, email, origin.devices));
    let network = throttle::network(origin.address);
    let place = match (&device, &email) {
        (Some(_), Some(email)) => passwords::enter(state, Lane::Known, &format!("account {email}"))?,
        _ => passwords::enter(state, Lane::Stranger, &format!("network {network}"))?,
    };
    // Before the password is read: a session that this one makes does not outlive a reset that comes meanwhile.
    let now = state.clock.now();
    let mut tx = state.db.global().await?;
    let person = match &email {
        Some(email) => db::people::by_email(&mut tx, email).await?,
        None => None,
    };
    let device = device.filter(|device| person.as_ref().is_some_and(|person| device.since >= person.sessions_since));
    let counters = match (&device, &email) {
        (Some(device), _) => vec![Counter::Device(device.id.clone())],
        (None, Some(email)) => vec![Counter::Network(network), Counter::Account(email.clone())],
        (None, None) => vec![Counter::Network(network)],
    };
    let reserved = throttle::reserve(&mut tx, now, counters).await?;
    tx.commit().await?;
    let hash = person.as_ref().map(|person| person.password_hash.as_str());
    let fits = passwords::verify(state, place, password, hash).await?;
    let organisations = match &person {
        Some(person) if fits => {
            let mut tx = state.db.global().await?;
            let again = db::people::by_email(&mut tx, &person.email).await?;
            let organisations = db::people::organisations(&mut tx, person.id).await?;
            tx.commit().await?;
            // It may have been set anew while the old one was checked.
            if again.is_some_and(|again| again.password_hash == person.password_hash) {
                organisations
            } else {
                Vec::new()
            }
        }
        _ => Vec::new(),
    };
    let (Some(person), Some(&organisation)) = (person, organisations.first()) else {
        reserved.wrong(state).await?;
        return Err(OpError::refuse(RefusalKind::Invalid, "Email or password is not right. Check both and try again."));
    };
    reserved.right(state).await?;
    let caller = caller(state, person.id, organisation, now).await?;
    if let Some(caller) = &caller {
        let mut tx = state.db.web(organisation, Some(person.id)).await?;
        let detail = json!({ "address": origin.address });
        audit::record(state, &mut tx, caller, "person.signed_in", Some(person.id.0), detail).await?;
        tx.commit().await?;
    }
    let devices = devices::remember(state, &person.email, origin.devices, device, now);
    Ok(SignedIn { person: person.id, organisation, proved_at: now, devices })
}

/// Checks the caller's own password again. It counts for the person alone: strangers who guess at the account do not
/// keep its owner from working. The session's `proved_at` is the caller's to move.
pub async fn prove(state: &AppState, caller: &Caller, password: &SecretString) -> OpResult<()> {
    let place = passwords::enter(state, Lane::Known, &format!("person {}", caller.person.id))?;
    let mut tx = state.db.web(caller.organisation.id, Some(caller.person.id)).await?;
    let person = db::people::by_id(&mut tx, caller.person.id).await?;
    tx.commit().await?;
    let mut tx = state.db.global().await?;
    let reserved = throttle::reserve(&mut tx, state.clock.now(), [Counter::Person(caller.person.id)]).await?;
    tx.commit().await?;
    let hash = person.as_ref().map(|person| person.password_hash.as_str());
    if passwords::verify(state, place, password, hash).await? {
        return reserved.right(state).await;
    }
    reserved.wrong(state).await?;
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
    let test_data = db::gateways::only_sandboxes(&mut tx).await?;
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
