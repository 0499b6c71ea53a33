//! People and organisations, as the command line makes them.

use super::{audit, passwords, throttle};
use crate::{
    db,
    domain::{
        access::Role,
        email,
        error::RefusalKind,
        ids::{OrganisationId, PersonId},
        money::Currency,
        text::ORGANISATION,
    },
    error::{OpError, OpResult},
    state::AppState,
};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

/// The id of the organisation of this name; made when missing (INR, Asia/Kolkata).
pub async fn ensure_organisation(state: &AppState, name: &str) -> OpResult<OrganisationId> {
    let name = &*ORGANISATION.read_filled(name, "Give the name of an organisation.")?;
    let mut global = state.db.global().await?;
    let found = db::people::organisation_by_name(&mut global, name).await?;
    global.commit().await?;
    if let Some(found) = found {
        return Ok(found);
    }
    let id = db::organisations::new_id();
    let mut tx = state.db.web(id, None).await?;
    db::organisations::insert(&mut tx, name, Currency::Inr, "Asia/Kolkata", state.clock.now()).await??;
    audit::record_own(state, &mut tx, "organisation.created", Some(id.0), json!({ "name": name })).await?;
    tx.commit().await?;
    Ok(id)
}

/// The id of the organisation of this name, for a command that works on one that is there.
pub async fn organisation_named(state: &AppState, name: &str) -> OpResult<OrganisationId> {
    let mut global = state.db.global().await?;
    let found = db::people::organisation_by_name(&mut global, name.trim()).await?;
    global.commit().await?;
    found.ok_or_else(|| {
        let sentence = format!("There is no organisation named {name:?}. `user create` makes one.");
        OpError::refuse(RefusalKind::NotFound, sentence)
    })
}

/// Makes a person with a role in an organisation (made when missing). The person must not exist.
pub async fn create(
    state: &AppState,
    organisation: &str,
    email: &str,
    role: Role,
    password: &SecretString,
) -> OpResult<PersonId> {
    let typed = email;
    let plausible =
        |email: &String| email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    let Some(email) = email::normalised(typed).filter(plausible) else {
        return Err(OpError::refuse(RefusalKind::Invalid, format!("{typed:?} is not an e-mail address.")));
    };
    passwords::check_new(password)?;
    let hash = passwords::hash(state, password).await?;
    let organisation = ensure_organisation(state, organisation).await?;
    let now = state.clock.now();
    let person = PersonId(Uuid::now_v7());
    let mut tx = state.db.web(organisation, None).await?;
    if !db::people::insert(&mut tx, person, &email, &hash, now).await? {
        return Err(OpError::refuse(
            RefusalKind::Conflict,
            format!(
                "There is a person with the e-mail {email} already. Set a new password with `user reset-password`."
            ),
        ));
    }
    db::organisations::add_member(&mut tx, person, role, now).await?;
    let detail = json!({ "email": email, "role": role.code() });
    audit::record_own(state, &mut tx, "person.created", Some(person.0), detail).await?;
    tx.commit().await?;
    Ok(person)
}

/// Sets a forgotten password, ends the person's sessions, forgets the browsers they are known by and the wrong
/// passwords that were typed for them.
pub async fn reset_password(state: &AppState, email: &str, password: &SecretString) -> OpResult<()> {
    passwords::check_new(password)?;
    let hash = passwords::hash(state, password).await?;
    let mut global = state.db.global().await?;
    let person = match email::normalised(email) {
        Some(email) => db::people::by_email(&mut global, &email).await?,
        None => None,
    };
    let Some(person) = person else {
        return Err(OpError::refuse(RefusalKind::NotFound, format!("There is no person with the e-mail {email}.")));
    };
    db::people::set_password(&mut global, person.id, &hash, state.clock.now()).await?;
    throttle::forget(&mut global, person.id, &person.email).await?;
    let organisations = db::people::organisations(&mut global, person.id).await?;
    global.commit().await?;
    for organisation in organisations {
        let mut tx = state.db.web(organisation, None).await?;
        audit::record_own(state, &mut tx, "person.password_reset", Some(person.id.0), json!({ "email": person.email }))
            .await?;
        tx.commit().await?;
    }
    Ok(())
}
