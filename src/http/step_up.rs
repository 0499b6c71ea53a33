//! The password once more, before what needs a proof of it.

use super::{Web, form::Form, request_context::RequestContext, session};
use crate::server::{
    error::{OpError, OpResult},
    ops::{
        access::{Caller, needs_proof},
        refused::Refused,
        sessions,
    },
};
use secrecy::SecretString;

/// The caller with a new proof of the password, where the form brings one and the last is too old. Whether one is
/// needed, the operation says.
pub(super) async fn prove_if_given(
    web: &Web,
    visit: &RequestContext,
    caller: Caller,
    form: &Form,
) -> Result<Caller, Refused> {
    let password = form.get("password");
    if password.is_empty() || !needs_proof(web, &caller) {
        return Ok(caller);
    }
    prove(web, visit, caller, SecretString::from(password)).await.map_err(|error| (error, Some("password")))
}

async fn prove(web: &Web, visit: &RequestContext, caller: Caller, password: SecretString) -> OpResult<Caller> {
    let now = web.clock.now();
    sessions::prove(web, &caller, &password).await?;
    if let Some(who) = visit.who {
        let renewed = session::renew(&visit.session, who.proved(now)).await;
        renewed.map_err(|error| OpError::caused("session", error))?;
    }
    Ok(Caller { proved_at: Some(now), ..caller })
}
