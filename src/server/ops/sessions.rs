//! Signing in, and who a session belongs to.

use super::access::Caller;
use crate::{
    domain::{
        ids::{OrganisationId, PersonId},
        view::Viewer,
    },
    server::{error::OpResult, state::AppState},
};
use secrecy::SecretString;
use time::OffsetDateTime;

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
    let _ = (state, email, password, address);
    todo!()
}

/// Checks the caller's own password again (limits as for signing in). The session's `proved_at` is the caller's to move.
pub async fn prove(state: &AppState, caller: &Caller, password: &SecretString, address: &str) -> OpResult<()> {
    let _ = (state, caller, password, address);
    todo!()
}

/// The caller behind a session, with rights as they are now; none when the person or membership is gone.
pub async fn caller(
    state: &AppState,
    person: PersonId,
    organisation: OrganisationId,
    proved_at: OffsetDateTime,
) -> OpResult<Option<Caller>> {
    let _ = (state, person, organisation, proved_at);
    todo!()
}

/// What pages know of the signed-in person.
pub async fn viewer(state: &AppState, caller: &Caller) -> OpResult<Viewer> {
    let _ = (state, caller);
    todo!()
}

/// Writes the audit row of a sign-out.
pub async fn signed_out(state: &AppState, caller: &Caller) -> OpResult<()> {
    let _ = (state, caller);
    todo!()
}
