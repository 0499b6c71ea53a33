//! Who calls, and whether they may.

use crate::{
    domain::{
        access::{Module, PROOF_AGE, Permissions, Right},
        error::RefusalKind,
        operation::Operation,
        view::{OrganisationRef, PersonRef},
    },
    error::{OpError, OpResult},
    state::AppState,
};
use time::OffsetDateTime;

/// Who calls an operation. The organisation comes from the session or API key, never from the request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The person; for an API key, the key's own name and id.
    pub person: PersonRef,
    /// The organisation worked in.
    pub organisation: OrganisationRef,
    /// Rights, read anew with each request.
    pub permissions: Permissions,
    /// When the person last gave the password; none for an API key.
    pub proved_at: Option<OffsetDateTime>,
}

/// Refuses unless `caller` has `right` on `module`. The first line of every operation.
pub fn authorise(caller: &Caller, module: Module, right: Right) -> OpResult<()> {
    if caller.permissions.allow(module, right) {
        return Ok(());
    }
    let word = match right {
        Right::Read => "Read",
        Right::ReadWrite => "ReadWrite",
        Right::Approve => "Approve",
    };
    Err(OpError::refuse(
        RefusalKind::Forbidden,
        format!("You need {} – {word} for this. Ask an administrator of {}.", module.code(), caller.organisation.name),
    ))
}

/// The operations whose batches the caller may read.
pub fn readable(caller: &Caller) -> impl Iterator<Item = Operation> {
    Operation::ALL.into_iter().filter(|operation| caller.permissions.allow(operation.module(), Right::Read))
}

/// The same; refuses who may read none.
pub fn authorise_some(caller: &Caller) -> OpResult<Vec<Operation>> {
    let readable: Vec<Operation> = readable(caller).collect();
    if !readable.is_empty() {
        return Ok(readable);
    }
    let modules: std::collections::BTreeSet<&str> =
        Operation::ALL.iter().map(|operation| operation.module().code()).collect();
    let modules = modules.into_iter().collect::<Vec<_>>().join(", ");
    Err(OpError::refuse(
        RefusalKind::Forbidden,
        format!("You need Read for this, on one of: {modules}. Ask an administrator of {}.", caller.organisation.name),
    ))
}

/// Whether the caller must give the password again before a decision, or before saying where money goes.
pub fn needs_proof(state: &AppState, caller: &Caller) -> bool {
    caller.proved_at.is_none_or(|proved_at| state.clock.now() - proved_at > PROOF_AGE)
}
