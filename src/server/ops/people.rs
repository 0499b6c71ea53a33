//! People and organisations, as the command line makes them.

use crate::{
    domain::{access::Role, ids::PersonId},
    server::{error::OpResult, state::AppState},
};
use secrecy::SecretString;

/// Makes a person with a role in an organisation (made when missing: INR, Asia/Kolkata). The person must not exist.
pub async fn create(
    state: &AppState,
    organisation: &str,
    email: &str,
    role: Role,
    password: &SecretString,
) -> OpResult<PersonId> {
    let _ = (state, organisation, email, role, password);
    todo!()
}

/// Sets a forgotten password and ends the person's sessions.
pub async fn reset_password(state: &AppState, email: &str, password: &SecretString) -> OpResult<()> {
    let _ = (state, email, password);
    todo!()
}
